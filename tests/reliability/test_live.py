"""Whatever dies, freezes or is cleared in a running Airflow: one post, and Airflow says what is true.

The scenarios of all selected tests are under way at the same time, one on each account; each test waits for its own.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest

from tests.reliability.live_scenarios import LIVE_SCENARIOS, SAMPLE, THE_GAP
from tests.reliability.parallel import playing_live
from tests.reliability.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.reliability.scenario import Scenario
    from tests.reliability.verdict import Outcome

#: The first test waits for one of the longest scenarios, which the machine's fault may make twice as long.
pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
def play(
    request: pytest.FixtureRequest, reel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Scenario], Outcome]]:
    """Return what came of a scenario."""
    scenarios: list[Any] = [
        item.callspec.params["scenario"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module
    ]

    def outcome_of(scenario: Scenario) -> Outcome:
        outcome = outcomes[str(scenario)].result()
        if outcome.machine_fault:
            warnings.warn(f"MACHINE: played twice: {outcome}", stacklevel=2)
        return outcome

    with playing_live(scenarios, reel, tmp_path_factory.mktemp("live")) as outcomes:
        yield outcome_of


@pytest.mark.parametrize("scenario", [THE_GAP], ids=str)
def test_the_one_gap_that_nothing_fences_is_where_the_documentation_says(
    scenario: Scenario, play: Callable[[Scenario], Outcome]
) -> None:
    """Frozen between its last look and its request, for longer than the next try waits: the request is still sent."""
    outcome = play(scenario)
    assert outcome.verdict is Verdict.AS_EXPECTED, str(outcome)
    assert outcome.posts == 2


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(one, marks=[pytest.mark.sample] if one in SAMPLE else []) for one in LIVE_SCENARIOS],
    ids=str,
)
def test_one_post_whatever_dies(scenario: Scenario, play: Callable[[Scenario], Outcome]) -> None:
    outcome = play(scenario)
    assert outcome.verdict is Verdict.AS_EXPECTED, str(outcome)
