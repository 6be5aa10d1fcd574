"""The budget of calls with which an account's containers are polled, slowed and stopped by Instagram's answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Final

from airflow_provider_instagram.graph import CALLS_PER_HOUR
from airflow_provider_instagram.graph.usage import SLOW_FROM_PERCENT, Usage

# Of the calls of an hour, polling gets half at a steady rate, and at most 15 % more at once. The other 35 % are left to
# create, publish and insights in other processes: of 200 calls, 7 for each of ten posts an hour, or of five if insights
# use all of their share.
STEADY_SHARE: Final = 0.50
BURST_SHARE: Final = 0.10
LAST_READ_SHARE: Final = 0.05
POLLING_SHARE: Final = STEADY_SHARE + BURST_SHARE + LAST_READ_SHARE
#: The calls that a new process may send at once, because it does not know what the previous process has spent.
CALLS_AFTER_RESTART: Final = 3
SLOWEST: Final = 0.1
#: How long to wait when Instagram throttles the account without a time.
UNSTATED_STOP: Final = timedelta(minutes=5)


class CallBudget:
    """A token bucket: calls are added at a steady rate, and every read takes one.

    :param clock: Returns the time in seconds since the epoch.
    :param since: The time since which this process has sent no calls, in seconds since the epoch. Default: now.
    """

    def __init__(
        self, clock: Callable[[], float], calls_per_hour: float = CALLS_PER_HOUR, since: float | None = None
    ) -> None:
        self.clock = clock
        self.calls_per_hour = calls_per_hour
        #: No calls may be sent before this time, in seconds since the epoch.
        self.stopped_until = 0.0
        #: Why the budget is, or was, stopped.
        self.reason = ""
        self._left: float = CALLS_AFTER_RESTART
        self._pace = 1.0
        self._filled_at = clock() if since is None else since

    def left(self) -> float:
        """Return how many calls are left now. Negative if last reads have overdrawn the budget."""
        now = self.clock()
        most = max(CALLS_AFTER_RESTART, self.calls_per_hour * BURST_SHARE * self._pace)
        self._left = min(most, self._left + max(0.0, now - self._filled_at) * self._per_second())
        self._filled_at = now
        return self._left

    def next_call_at(self) -> float:
        """Return when the next call may be sent, in seconds since the epoch. In the past if it may be sent now."""
        lacking = 1.0 - self.left()
        filled_at = self.clock() + lacking / self._per_second() if lacking > 0 else 0.0
        return max(self.stopped_until, filled_at)

    def affords_last_read(self) -> bool:
        """Return whether a container at its deadline may be read one last time, on credit if necessary."""
        return not self.is_stopped() and self.left() > -self.calls_per_hour * LAST_READ_SHARE

    def consume(self, calls: int = 1) -> None:
        """Spend calls."""
        self._left = self.left() - calls

    def apply_usage(self, usage: Usage | None) -> None:
        """Slow down or stop, depending on the account's usage."""
        if usage is None:
            return
        self.left()  # the time until now counts at the old pace
        self._pace = min(1.0, max(SLOWEST, (100 - usage.percent) / (100 - SLOW_FROM_PERCENT)))
        if usage.regain:
            self.stop(usage.regain, f"The account has used {usage.percent} % of its calls")

    def stop(self, pause: timedelta | None, reason: str) -> None:
        """Stop all calls for a while."""
        until = self.clock() + (pause or UNSTATED_STOP).total_seconds()
        if until > self.stopped_until:
            self.stopped_until, self.reason = until, reason
        self._left = min(self.left(), 1.0)

    def is_stopped(self) -> bool:
        """Return whether calls are stopped now."""
        return self.clock() < self.stopped_until

    def stopped_until_text(self) -> str:
        """Return until when calls are stopped, as ISO 8601 text."""
        return datetime.fromtimestamp(self.stopped_until, timezone.utc).isoformat(timespec="seconds")

    def _per_second(self) -> float:
        return self.calls_per_hour * STEADY_SHARE * self._pace / 3600
