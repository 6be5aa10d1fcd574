"""The sandbox's time: real time plus what a test has added to it."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable


LATEST: Final = datetime(9000, 1, 1, tzinfo=timezone.utc).timestamp()


class Clock:
    """A clock that a test can move forward, so that a day passes at once.

    :param real: Where time comes from, in seconds since the epoch. A simulation passes its own, to
        share one clock.
    """

    def __init__(self, real: Callable[[], float] = time.time) -> None:
        self._real = real
        self.offset_s = 0.0

    def now(self) -> float:
        """Return the sandbox's present time in seconds since the epoch."""
        return self._real() + self.offset_s

    def advance(self, seconds: float) -> None:
        """Move time forward.

        :param seconds: How far; never negative, as nothing in the sandbox runs backwards.
        """
        if seconds < 0:
            raise ValueError("The sandbox's clock cannot move backward.")
        if self.now() + seconds > LATEST:
            raise ValueError("The sandbox's clock cannot move beyond the year 8999.")
        self.offset_s += seconds


def utc(epoch_s: float) -> datetime:
    """Return a time as a datetime."""
    return datetime.fromtimestamp(epoch_s, timezone.utc)


def graph_time(epoch_s: float) -> str:
    """Write a time as the Graph API does: ``2026-11-24T15:43:07+0000``."""
    return utc(epoch_s).strftime("%Y-%m-%dT%H:%M:%S+0000")


def iso_time(epoch_s: float) -> str:
    """Write a time with milliseconds, for the journal."""
    return utc(epoch_s).isoformat(timespec="milliseconds")
