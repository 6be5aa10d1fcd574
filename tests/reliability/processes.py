"""Processes as the kernel sees them."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def _state(pid: int) -> str | None:
    """Return the kernel's letter for the state of a process; None when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def is_stopped(*pids: int) -> bool:
    """Return whether SIGSTOP has stopped all of these processes."""
    return all(_state(pid) == "T" for pid in pids)


def is_running(pid: int) -> bool:
    """Return whether a process has not ended: a stopped one has not, a zombie has."""
    return _state(pid) not in (None, "Z")


def kill(pid: int) -> None:
    """Kill a process, unless it is gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
