"""A sample of the scenarios, and what the whole collection has to hold. ``make reliability`` plays all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.reliability.live_injection import signal_to_send
from tests.reliability.live_scenarios import LIVE_SCENARIOS, SAMPLE
from tests.reliability.scenario import ProcessFreeze, ProcessKill
from tests.reliability.scenario_table import DISTURBANCES, SCENARIOS
from tests.reliability.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.reliability.scenario import Scenario

#: Some of each moment, each with another recovery than its neighbours. None of the kinds of injection is missing, and
#: none waits for quota for a day, which is 48 tasks.
IN_PROCESS_SAMPLE = (
    *SCENARIOS[4::56],
    *(one for one in SCENARIOS if str(one).startswith("carousel, create of item 2, after the effect: killed")),
)

#: The task in which a moment is, by how the moment's text begins.
TASK_OF_MOMENT = {
    "ledger write of create": "create",
    "ledger write of publish": "publish",
    "create": "create",
    "upload": "create",
    "status": "wait",
    "container, before publish": "publish",
    "container": "wait",
    "publish": "publish",
    "permalink": "publish",
    "whole job": "publish",
}


@pytest.fixture(autouse=True)
def _database(no_stored_tokens: None) -> None:
    """The hook looks for a refreshed token in Airflow's variables, where a test before this one may have left one."""


@pytest.mark.parametrize("scenario", IN_PROCESS_SAMPLE, ids=str)
def test_one_post_whatever_breaks(scenario: Scenario, quiet_sandbox: SandboxHandle, reel: Path) -> None:
    from tests.reliability.in_process import play

    outcome = play(scenario, quiet_sandbox, reel)
    assert outcome.verdict is Verdict.AS_EXPECTED, str(outcome)


def test_no_scenario_allows_two_posts_and_each_one_without_a_post_has_its_reason() -> None:
    """No post: only for a container that nothing cures, a dead token, a full quota, a block by Instagram."""
    assert len(SCENARIOS) >= 300
    assert {scenario.expected.posts for scenario in SCENARIOS} == {0, 1}
    reasons = {one.disturbance.remedy for one in SCENARIOS if one.expected.posts == 0}
    assert reasons == {"none exists", "another file behind the link", "new token", "clear anyway"}
    assert all(one.expected.last for one in SCENARIOS if one.expected.posts == 0)
    assert len({str(scenario) for scenario in SCENARIOS}) == len(SCENARIOS) > 4 * len(DISTURBANCES)


def test_at_least_forty_live_scenarios_are_played_and_only_what_cannot_be_posted_is_not() -> None:
    assert len({str(scenario) for scenario in LIVE_SCENARIOS}) == len(LIVE_SCENARIOS) >= 40
    reasons = {one.disturbance.remedy for one in LIVE_SCENARIOS if one.expected.posts != 1}
    assert reasons == {"none exists"}
    assert all(one.expected.last for one in LIVE_SCENARIOS if one.expected.posts == 0)


@pytest.mark.parametrize("scenario", LIVE_SCENARIOS, ids=str)
def test_the_task_whose_process_gets_a_signal_is_the_one_that_the_scenario_names(scenario: Scenario) -> None:
    """A signal to another task never comes: the moment is waited for in vain, which shows only after minutes."""
    disturbance = scenario.disturbance
    tasks = {signal["task"] for one in disturbance.injections if (signal := signal_to_send(one, disturbance))}
    task = next(task for beginning, task in TASK_OF_MOMENT.items() if disturbance.when.startswith(beginning))
    assert tasks <= {task}


@pytest.mark.parametrize(
    ("sample", "scenarios"),
    [(IN_PROCESS_SAMPLE, SCENARIOS), (SAMPLE, LIVE_SCENARIOS)],
    ids=["in process", "in a running Airflow"],
)
def test_a_sample_has_each_kind_of_injection_and_each_recovery(
    sample: Sequence[Scenario], scenarios: Sequence[Scenario]
) -> None:
    """What ``make test`` plays. The other scenarios are variations of these."""
    assert len(sample) < len(scenarios) / 3
    assert _kinds(sample) == _kinds(scenarios)
    assert {one.recovery for one in sample} == {one.recovery for one in scenarios}
    assert not [one for one in IN_PROCESS_SAMPLE if "used up beyond" in str(one) or "again in 20 h" in str(one)]


def _kinds(scenarios: Iterable[Scenario]) -> set[tuple[str, str]]:
    """Return the kinds of injections, those of processes by which process and until when."""
    kinds = set()
    for injection in (each for scenario in scenarios for each in scenario.disturbance.injections):
        variant = ""
        if isinstance(injection, ProcessKill):
            variant = injection.process
        elif isinstance(injection, ProcessFreeze):
            variant = injection.woken
        kinds.add((type(injection).__name__, variant))
    return kinds
