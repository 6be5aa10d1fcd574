"""``python -m tests.reliability``: every scenario, a table, and exit code 1 when one is not as expected.

Most are played through ``dag.test()``, those with real processes in a whole Airflow that is started for them.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from tests import conftest  # noqa: F401 -- sets Airflow's environment before it is first imported

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.reliability.scenario import Scenario
    from tests.reliability.verdict import Outcome

LINE = "{:<50}{:<54}{:>9}  {:<14}{:<22}{:>14}  {}"
REPORT_EVERY = 50


def main() -> int:
    """Play the scenarios that the command line names, and return the exit code."""
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "CRITICAL"
    from tests.reliability.live_scenarios import LIVE_SCENARIOS
    from tests.reliability.scenario_table import SCENARIOS
    from tests.reliability.verdict import Verdict

    options = _options()
    in_process = [one for one in SCENARIOS if options.text in str(one)][options.slice - 1 :: options.slices]
    live = [] if options.in_process else [one for one in LIVE_SCENARIOS if options.text in str(one)]
    began_s = time.monotonic()
    outcomes: list[Outcome] = []
    for outcome in _play(in_process, live):
        outcomes.append(outcome)
        if len(outcomes) % REPORT_EVERY == 0:
            _print(f"{len(outcomes)} played in {time.monotonic() - began_s:.0f} s")
        if outcome.verdict is not Verdict.AS_EXPECTED or outcome.machine_fault:
            _print(str(outcome))
    _print_table(outcomes)
    counts = {verdict: sum(one.verdict is verdict for one in outcomes) for verdict in Verdict}
    took_s = time.monotonic() - began_s
    _print(f"\n{len(outcomes)} of {len(in_process) + len(live)} scenarios played in {took_s:.0f} s: ")
    _print(", ".join(f"{count} {verdict.value}" for verdict, count in counts.items()))
    return 0 if counts[Verdict.AS_EXPECTED] == len(outcomes) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description="Breaks the main job.")
    parser.add_argument("text", nargs="?", default="", help="play only scenarios whose description holds this text")
    parser.add_argument("--in-process", action="store_true", help="play none in a running Airflow")
    parser.add_argument("--slices", type=int, default=1, help="play only one of so many slices of those in process")
    parser.add_argument("--slice", type=int, default=1, help="which slice, from 1")
    return parser.parse_args()


def _play(in_process: Sequence[Scenario], live: Sequence[Scenario]) -> Iterator[Outcome]:
    from tests.reliability.parallel import playing_live
    from tests.reliability.process_pool import play_in_process
    from tests.reliability.video import make_reel

    with tempfile.TemporaryDirectory() as name:
        reel = make_reel(Path(name) / "reel.mp4")
        _print(f"{len(in_process)} scenarios through dag.test()")
        yield from play_in_process(in_process, reel)
        if live:
            _print(f"{len(live)} scenarios in a running Airflow")
            with playing_live(live, reel, Path(name)) as playing:
                yield from (future.result() for future in playing.values())


def _print_table(outcomes: Sequence[Outcome]) -> None:
    rows: defaultdict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        rows[outcome.scenario.disturbance.when, outcome.scenario.disturbance.what].append(outcome)
    _print(LINE.format("when", "what", "scenarios", "posts per key", "first try", "sent again, B", "verdict"))
    for (when, what), same in rows.items():
        posts = "/".join(str(outcome.posts) for outcome in same)
        again_bytes = max(outcome.uploaded_again_bytes for outcome in same)
        verdicts = ", ".join(dict.fromkeys(outcome.verdict.value for outcome in same))
        _print(LINE.format(when, what, len(same), posts, same[0].first or "copes", f"{again_bytes:,}", verdicts))


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
