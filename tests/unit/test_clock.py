"""One clock decides: the rooms that decide by the time ask Instagram's once it was compared, and no other one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import airflow_provider_instagram

PACKAGE = Path(airflow_provider_instagram.__file__).parent
#: Rooms, and modules, in which a task or a trigger decides about an account.
DECIDE = (
    *("calendar/tasks", "calendar/planning", "operators", "sensors", "triggers", "publishing", "insights", "quota"),
    *("ledger", "hooks"),
)
#: What reads this machine's clock.
RAW = {
    *(
        "datetime.now",
        "datetime.utcnow",
        "datetime.today",
        "date.today",
        "time.time",
        "time.time_ns",
        "timezone.utcnow",
    ),
    *("pendulum.now", "pendulum.today", "utc_now", "utcnow", "clock.utc_now", "time.gmtime", "time.localtime"),
}
#: Where they may be read, and why.
ALLOWED = {
    "triggers/container.py": "ends a wait, together with the next one",
    "triggers/poller.py": "measures the pauses between reads, in the triggerer's loop, where nobody compares clocks",
    "triggers/comment.py": "waits for the next read of the poller's budget",
}


def raw_clocks(text: str) -> set[str]:
    """Return which raw clocks a module reads, or passes to somebody who reads them, under whatever name."""
    tree, names = ast.parse(text), dict[str, str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
        elif isinstance(node, ast.Import):
            names |= {one.asname: one.name for one in node.names if one.asname}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
            head, dot, rest = ast.unparse(node).partition(".")
            full = f"{names.get(head, head)}{dot}{rest}"
            found |= {raw for raw in RAW if full == raw or full.endswith(f".{raw}")}
    return found


def test_no_room_that_decides_reads_this_machines_clock() -> None:
    files = [file for room in DECIDE for file in sorted((PACKAGE / room).rglob("*.py"))]
    read = {str(file.relative_to(PACKAGE)): raw_clocks(file.read_text(encoding="utf-8")) for file in files}
    assert len(read) > 70
    assert {name for name, clocks in read.items() if clocks} == {*ALLOWED}


@pytest.mark.parametrize(
    "text",
    [
        "import datetime as dt\nx = dt.datetime.now(dt.timezone.utc)",
        "from datetime import datetime as D\nx = lambda: D.now(None)",
        "from time import time\nx = time()",
        "import time\nx = Clock(time.time)",
        "from airflow.sdk import timezone\nx = timezone.utcnow()",
        "from a.utils.clock import utc_now as now\nx = now()",
        "from a.utils import clock\nx = clock.utc_now()",
        "import pendulum\nx = pendulum.now('UTC')",
    ],
)
def test_a_raw_clock_is_found_under_any_name(text: str) -> None:
    assert raw_clocks(text)


def test_a_monotonic_clock_and_a_comparison_are_none() -> None:
    assert not raw_clocks("import time\nx = time.monotonic() + CLOCK.now().timestamp()\ntime.sleep(1)")
