"""Processes as the kernel sees them, for tests of what ends with what."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def wait_for(what: Callable[[], bool], within_s: float = 10) -> None:
    until = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Return whether a process has not ended: a stopped one has not, a zombie has."""
    return _state(pid) not in (None, "Z", "X")


def is_stopped(*pids: int) -> bool:
    """Return whether SIGSTOP has stopped all of these processes."""
    return all(_state(pid) == "T" for pid in pids)


def kill(pid: int) -> None:
    """Kill a process, unless it is gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def running_with(word: str) -> list[int]:
    """The live processes whose command line holds a word."""
    pids = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid() and alive(int(entry.name)):
            try:
                if word.encode() in (entry / "cmdline").read_bytes():
                    pids.append(int(entry.name))
            except OSError:
                continue
    return pids


def _state(pid: int) -> str | None:
    """Return the kernel's letter for the state of a process; None when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # it ended before the reading, or during it
        return None
