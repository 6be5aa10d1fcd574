"""``python -m tests.reliability``: every scenario, a table, and exit code 1 when one deviates."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from tests import conftest  # noqa: F401 -- sets Airflow's environment before it is first imported


def main(wanted: str = "") -> int:
    """Run the scenarios.

    :param wanted: Only those whose description holds this text.
    :return: The exit code.
    """
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "CRITICAL"
    from airflow.utils.db import initdb

    initdb()
    from airflow_provider_instagram.sandbox.handle import sandbox_process
    from tests.reliability.harness import Outcome, play
    from tests.reliability.scenarios import SCENARIOS
    from tests.reliability.video import make_reel

    outcomes: list[Outcome] = []
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, sandbox_process("--visible-after", "10") as sandbox:
        reel = make_reel(Path(folder) / "reel.mp4")
        for scenario in SCENARIOS:
            if wanted in str(scenario):
                outcomes.append(play(scenario, sandbox, reel))
                if outcomes[-1].deviations:
                    print(f"DEVIATES {scenario}\n    " + "\n    ".join(outcomes[-1].deviations), flush=True)
    _print_table(outcomes)
    bad = [outcome for outcome in outcomes if outcome.deviations]
    took_s = time.monotonic() - began_s
    print(f"\n{len(outcomes)} scenarios in {took_s:.0f} s, {len(bad)} deviate from what was expected.")
    return 1 if bad else 0


def _print_table(outcomes: list) -> None:  # type: ignore[type-arg]
    rows = defaultdict(list)
    for outcome in outcomes:
        rows[outcome.scenario.disturbance.when, outcome.scenario.disturbance.what].append(outcome)
    print(f"\n{'when':<46}{'what':<48}{'scenarios':>9}  {'posts per key':<14}{'first try':<22}{'again, bytes':>12}  reported")
    for (when, what), same in rows.items():
        posts = "/".join(str(outcome.posts) for outcome in same)
        again = max(outcome.uploaded_again_bytes for outcome in same)
        first = same[0].first or "copes"
        reported = "as it is" if not any(outcome.deviations for outcome in same) else "DEVIATES"
        print(f"{when:<46}{what:<48}{len(same):>9}  {posts:<14}{first:<22}{again:>12,}  {reported}")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
