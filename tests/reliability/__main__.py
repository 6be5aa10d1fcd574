"""``python -m tests.reliability``: every scenario, a table, and exit code 1 when one deviates.

Most are played through ``dag.test()``, those with real processes in a whole Airflow that is started for them.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import defaultdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from tests import conftest  # noqa: F401 -- sets Airflow's environment before it is first imported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.reliability.terms import Scenario
    from tests.reliability.verdict import Outcome

LINE = "{:<50}{:<54}{:>9}  {:<14}{:<22}{:>14}  {}"
TELL_EVERY = 50


def main(wanted: str = "") -> int:
    """Run the scenarios.

    :param wanted: Only those whose description holds this text.
    :return: The exit code.
    """
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "CRITICAL"
    from tests.reliability.in_process import played
    from tests.reliability.live_scenarios import LIVE_SCENARIOS
    from tests.reliability.scenarios import SCENARIOS
    from tests.reliability.video import make_reel

    began_s = time.monotonic()
    outcomes: list[Outcome] = []
    _say("First those through dag.test()")
    with tempfile.TemporaryDirectory() as name:
        reel = make_reel(Path(name) / "reel.mp4")
        for outcome in chain(
            played([one for one in SCENARIOS if wanted in str(one)], reel),
            _live([one for one in LIVE_SCENARIOS if wanted in str(one)], reel, Path(name)),
        ):
            outcomes.append(outcome)
            if len(outcomes) % TELL_EVERY == 0:
                _say(f"{len(outcomes)} played in {time.monotonic() - began_s:.0f} s")
            if outcome.deviations:
                _say(f"DEVIATES {outcome.scenario}\n    " + "\n    ".join(outcome.deviations))
    _print_table(outcomes)
    bad = [outcome for outcome in outcomes if outcome.deviations]
    took_s = time.monotonic() - began_s
    _say(f"\n{len(outcomes)} scenarios in {took_s:.0f} s, {len(bad)} deviate from what was expected.")
    return 1 if bad else 0


def _live(scenarios: list[Scenario], reel: Path, folder: Path) -> Iterator[Outcome]:
    from tests.reliability.lanes import LANES, airflow_with_lanes, lanes_of, played

    _say(f"Then {len(scenarios)} in a running Airflow")
    if scenarios:
        with (
            airflow_with_lanes(folder / "airflow", LANES) as airflow,
            lanes_of(airflow, reel, folder, LANES) as lanes,
            played(lanes, scenarios) as outcomes,
        ):
            for outcome in outcomes.values():
                yield outcome.result()


def _print_table(outcomes: list[Outcome]) -> None:
    rows: defaultdict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        rows[outcome.scenario.disturbance.when, outcome.scenario.disturbance.what].append(outcome)
    _say(LINE.format("when", "what", "scenarios", "posts per key", "first try", "sent again, B", "reported"))
    for (when, what), same in rows.items():
        posts = "/".join(str(outcome.posts) for outcome in same)
        again_bytes = max(outcome.uploaded_again_bytes for outcome in same)
        reported = "DEVIATES" if any(outcome.deviations for outcome in same) else "as it is"
        _say(LINE.format(when, what, len(same), posts, same[0].first or "copes", f"{again_bytes:,}", reported))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
