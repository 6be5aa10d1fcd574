"""``python -m tests.run``: the parts of ``make test`` and ``make test-all``, one after the other, with their times.

``make test`` plays what every change has to pass. ``make test-all`` plays everything else, in an order that a seed
decides: a time budget that is too short for all of it leaves out other parts for another seed.
"""

from __future__ import annotations

import argparse
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.time_budget import ENDS_AT

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).parents[1]
PYTHON: Final = sys.executable
#: A machine may be so much slower than the one that the parts' minutes were measured on.
SLOWNESS: Final = 1.3
#: A part that has not ended so long after the time is up hangs.
GRACE_S: Final[float] = 300
#: How long a part has to end by itself, and then again after each signal.
PATIENCE_S: Final[float] = 30
#: Where what is compiled is kept when Python may not keep it beside the modules: hundreds of processes import them.
BYTECODE: Final = ROOT / "build" / "bytecode"
#: Into so many slices the scenarios of one process are divided.
SLICES: Final = 8


@dataclass(frozen=True, slots=True)
class Part:
    """One command.

    :param name: Its name in the report.
    :param minutes: How long it takes on two cores that do nothing else.
    :param command: The program and its arguments.
    """

    name: str
    minutes: float
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a part.

    :param part: The part.
    :param minutes: How long it took.
    :param word: ``passed``, ``FAILED``, or ``left out``.
    """

    part: Part
    minutes: float
    word: str


#: The processes wait for the sandbox, the clock and Airflow for two thirds of their time: eight keep two cores busy.
IN_PARALLEL: Final = (
    *(PYTHON, "-m", "pytest", "--numprocesses", "8", "--dist", "worksteal", "--ignore-glob=*_live.py"),
    "--durations=20",
)
FOLDERS: Final = ("sandbox/tests", "tests/unit", "tests/integration", "tests/reliability")
TEST: Final = (
    Part(
        "the agent of the gallery, with packages that no other process of Airflow loads",
        0.5,
        ("env", "PYTHONPATH=.tools/agent", PYTHON, "-m", "pytest", "tests/integration/docs/test_agent.py"),
    ),
    Part(
        "sandbox, unit, integration, and a sample of the reliability scenarios in one process",
        13,
        (*IN_PARALLEL, "-m", "not long and not registry", *FOLDERS),
    ),
)
REST: Final = (
    Part("long tests of the sandbox and of one process", 7, (*IN_PARALLEL, "-m", "long", *FOLDERS)),
    Part(
        "a sample of the reliability scenarios in a running Airflow",
        4,
        (PYTHON, "-m", "pytest", "-m", "sample", "tests/reliability/test_live.py"),
    ),
    Part(
        "all other reliability scenarios in a running Airflow",
        12,
        (PYTHON, "-m", "pytest", "-m", "not sample", "tests/reliability/test_live.py"),
    ),
    Part(
        "system, calendars",
        28,
        (PYTHON, "-m", "pytest", "tests/system/test_calendar.py", "tests/system/test_sheet.py"),
    ),
    Part(
        "system, the Posts page",
        20,
        (PYTHON, "-m", "pytest", "tests/system/test_board.py", "tests/system/test_edits.py"),
    ),
    Part(
        "system, what users of Airflow may do, and a busy Airflow",
        10,
        (PYTHON, "-m", "pytest", "tests/system/test_rights.py", "tests/system/test_busy.py"),
    ),
    Part(
        "system, everything else",
        22,
        (
            *(PYTHON, "-m", "pytest", "tests/system"),
            *(
                f"--ignore=tests/system/test_{name}.py"
                for name in ("calendar", "sheet", "board", "edits", "rights", "busy")
            ),
        ),
    ),
    Part("unit and integration tests on the next Airflow", 33, ("make", "test-next")),
    Part("soak", 17, (PYTHON, "-m", "tests.soak")),
    Part("forty posts that are edited twenty times", 11, (PYTHON, "-m", "pytest", "tests/soak/test_forty_edits.py")),
    *(
        Part(
            f"reliability scenarios in one process, slice {number} of {SLICES}",
            4.5,
            (PYTHON, "-m", "tests.reliability", "--in-process", "--slices", str(SLICES), "--slice", str(number)),
        )
        for number in range(1, SLICES + 1)
    ),
)


def order(parts: Sequence[Part], seed: str) -> list[Part]:
    """Return the parts in an order that the seed decides."""
    return random.Random(seed).sample(parts, len(parts))  # noqa: S311 -- nothing is secret here


def fits(part: Part, left_minutes: float) -> bool:
    """Return whether a part ends in time also on a slow machine."""
    return part.minutes * SLOWNESS <= left_minutes


def main() -> int:
    """Run the parts that the command line names, and return the exit code: 1 when one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.run", description=__doc__)
    parser.add_argument("--rest", action="store_true", help="run what make test leaves out")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin nothing that does not end by then")
    parser.add_argument("--seed", default="", help="decides the order of the parts: any text, a commit for example")
    options = parser.parse_args()
    ends_s = time.monotonic() + 60 * options.minutes
    results = []
    for part in order(REST, options.seed) if options.rest else TEST:
        left_s = ends_s - time.monotonic()
        results.append(_run(part, left_s) if fits(part, left_s / 60) else Result(part, 0, "left out"))
    _print("\n" + "\n".join(f"{one.minutes:6.1f} min  {one.word:<9} {one.part.name}" for one in results))
    _print(f"{sum(one.minutes for one in results):6.1f} min  in all")
    return int(any(one.word == "FAILED" for one in results))


def _run(part: Part, left_s: float) -> Result:
    _print(f"\n==== {part.name}\n{shlex.join(part.command)}")
    began_s = time.monotonic()
    limited = left_s != float("inf")
    environment = os.environ | ({ENDS_AT: str(time.time() + left_s)} if limited else {})
    if environment.pop("PYTHONDONTWRITEBYTECODE", ""):
        environment["PYTHONPYCACHEPREFIX"] = str(BYTECODE)
    process = subprocess.Popen(part.command, cwd=ROOT, env=environment)
    try:
        passed = process.wait(left_s + GRACE_S if limited else None) == 0
    except subprocess.TimeoutExpired:
        _print(f"{part.name} has not ended {GRACE_S} s after the time was up: it hangs.")
        passed = False
    finally:
        _end(process)
    return Result(part, (time.monotonic() - began_s) / 60, "passed" if passed else "FAILED")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a part that hangs, or that Ctrl-C interrupted, with the Airflow that it has started."""
    for signum in (None, signal.SIGTERM, signal.SIGKILL):
        if signum is not None:
            process.send_signal(signum)
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_S)
            return


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
