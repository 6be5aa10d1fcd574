"""A sample of the scenarios, spread over all moments and disturbances. ``make reliability`` plays all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.reliability.scenarios import DISTURBANCES, SCENARIOS

if TYPE_CHECKING:
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.reliability.terms import Scenario

#: Every fifth disturbance, each with another "then" than its neighbours.
SAMPLE = SCENARIOS[::24]


@pytest.fixture(autouse=True)
def _database(airflow_db: None) -> None:
    """The hook looks for a refreshed token in Airflow's variables."""


@pytest.mark.parametrize("scenario", SAMPLE, ids=str)
def test_one_post_whatever_breaks(scenario: Scenario, quiet_sandbox: SandboxHandle, reel: Path) -> None:
    from tests.reliability.harness import play

    assert play(scenario, quiet_sandbox, reel).deviations == ()


def test_no_scenario_allows_two_posts_and_each_one_without_a_post_has_its_reason() -> None:
    """No post: only for a container that nothing cures, a dead token, a full quota, a block by Instagram."""
    assert len(SCENARIOS) >= 300
    assert {scenario.expected.posts for scenario in SCENARIOS} == {0, 1}
    reasons = {one.disturbance.cure for one in SCENARIOS if one.expected.posts == 0}
    assert reasons == {"none exists", "new token", "clear anyway"}
    assert all(one.expected.last for one in SCENARIOS if one.expected.posts == 0)
    assert len({str(scenario) for scenario in SCENARIOS}) == len(SCENARIOS) > 4 * len(DISTURBANCES)
