"""Whatever dies, freezes or is cleared in a running Airflow: one post, and Airflow says what is true.

All scenarios are under way at the same time, one on each lane; each test waits for its own.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.reliability.lanes import LANES, airflow_with_lanes, lanes_of, played
from tests.reliability.live_scenarios import LIVE_SCENARIOS, THE_GAP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from tests.reliability.terms import Scenario
    from tests.reliability.verdict import Outcome

#: The first test waits for one of the longest scenarios.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def outcomes(reel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Outcome]]]:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a suite that is ended takes its Airflow with it
    folder = tmp_path_factory.mktemp("live")
    with (
        airflow_with_lanes(folder / "airflow", LANES) as airflow,
        lanes_of(airflow, reel, folder, LANES) as lanes,
        played(lanes, [THE_GAP, *LIVE_SCENARIOS]) as playing,
    ):
        yield playing


@pytest.mark.parametrize("scenario", LIVE_SCENARIOS, ids=str)
def test_one_post_whatever_dies(scenario: Scenario, outcomes: dict[str, Future[Outcome]]) -> None:
    assert outcomes[str(scenario)].result().deviations == ()


def test_the_one_gap_that_nothing_fences_is_where_the_documentation_says(outcomes: dict[str, Future[Outcome]]) -> None:
    """Frozen between its last look and its request, for longer than the next try waits: the request is still sent."""
    outcome = outcomes[str(THE_GAP)].result()
    assert outcome.deviations == ()
    assert outcome.posts == 2


def test_at_least_forty_scenarios_are_played_and_only_what_cannot_be_posted_is_not() -> None:
    assert len({str(scenario) for scenario in LIVE_SCENARIOS}) == len(LIVE_SCENARIOS) >= 40
    reasons = {one.disturbance.cure for one in LIVE_SCENARIOS if one.expected.posts != 1}
    assert reasons == {"none exists"}
    assert all(one.expected.last for one in LIVE_SCENARIOS if one.expected.posts == 0)
