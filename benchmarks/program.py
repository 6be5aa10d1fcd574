"""How each benchmark begins and ends.

SIGTERM ends it as Ctrl-C does, with all that it has started. With ``--record``, what it prints is
also stored in ``benchmarks/results``, where a test compares it with the tables of the docs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import redirect_stdout
from datetime import date
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from demo.stack import end_on_sigterm

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = Path(__file__).with_name("results")


class Tee(StringIO):
    """Prints, and keeps what it prints."""

    def __init__(self) -> None:
        super().__init__()
        self._shown = sys.stdout

    def write(self, text: str) -> int:
        """Print and keep."""
        self._shown.write(text)
        self._shown.flush()
        return super().write(text)


def as_program(main: Callable[[], int]) -> NoReturn:
    """Run a benchmark as a program.

    :param main: Measures, prints, and returns the exit code.
    """
    end_on_sigterm()
    is_recorded = "--record" in sys.argv
    command = [f"python -m benchmarks.{Path(sys.argv[0]).stem}", *sys.argv[1:]]
    if not is_recorded:
        sys.exit(main())
    sys.argv.remove("--record")
    command.remove("--record")
    before = os.getloadavg()[0]
    with redirect_stdout(Tee()) as said:
        code = main()
    about = (
        f"$ {' '.join(command)}",
        f"# {date.today()}, on the commit after {_commit()}, {len(os.sched_getaffinity(0))} processors",
        f"# load average before {before:.1f}, after {os.getloadavg()[0]:.1f}; exit code {code}",
    )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{Path(sys.argv[0]).stem}.txt").write_text("\n".join((*about, "", said.getvalue())))
    sys.exit(code)


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(
        command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    ).stdout.strip()
