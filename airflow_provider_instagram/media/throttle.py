"""Limit how often progress is reported."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

#: How often a long piece of work reports its progress, in seconds.
REPORT_EVERY_S: Final = 5.0


class Throttle:
    """Limits a report to once in five seconds. The first report is due five seconds after the start."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started_s = self._reported_s = clock()
        #: The time from the start to the latest check, in seconds.
        self.elapsed_s = 0.0

    def is_due(self) -> bool:
        """Return whether a report is due. If it is, the next one is due five seconds later."""
        now_s = self._clock()
        self.elapsed_s = now_s - self._started_s
        if now_s - self._reported_s < REPORT_EVERY_S:
            return False
        self._reported_s = now_s
        return True
