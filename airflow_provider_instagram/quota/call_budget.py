"""The budgets of calls for polling containers and for insights, slowed and stopped by Instagram's answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.graph import CALLS_PER_HOUR
from airflow_provider_instagram.graph.usage import SLOW_FROM_PERCENT, Usage

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.ledger.seal import StateStore

# Of the calls of an hour, polling gets half at a steady rate, and at most 15 % more at once. The
# other 35 % are left to create, publish and insights in other processes: of 200 calls, 7 for each
# of ten posts an hour, or of five if insights use all of their share.
STEADY_SHARE: Final = 0.50
BURST_SHARE: Final = 0.10
LAST_READ_SHARE: Final = 0.05
#: The calls that a new process may send at once, because it does not know what the previous process
#: has spent.
CALLS_AFTER_RESTART: Final = 3
SLOWEST: Final = 0.1
#: How long to wait when Instagram throttles the account without a time.
UNSTATED_STOP: Final = timedelta(minutes=5)


class CallBudget:
    """A token bucket: calls are added at a steady rate, and every read takes one.

    :param clock: Returns the time in seconds since the epoch.
    :param since: The time since which this process has sent no calls, in seconds since the epoch.
        Default: now.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        calls_per_hour: float = CALLS_PER_HOUR,
        since: float | None = None,
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

    def next_call_at(self, others: int = 0) -> float:
        """Return when the next call may be sent, in seconds since the epoch. In the past if it may be sent now.

        :param others: How many other calls are sent before it.
        """
        lacking = 1.0 + others - self.left()
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
            self.stopped_until = until
            self.reason = reason
        self._left = min(self.left(), 1.0)

    def is_stopped(self) -> bool:
        """Return whether calls are stopped now."""
        return self.clock() < self.stopped_until

    def stopped_until_text(self) -> str:
        """Return until when calls are stopped, as ISO 8601 text."""
        return datetime.fromtimestamp(self.stopped_until, timezone.utc).isoformat(
            timespec="seconds"
        )

    def _per_second(self) -> float:
        return self.calls_per_hour * STEADY_SHARE * self._pace / 3600


#: The share of the account's calls of any hour that insights may use.
INSIGHTS_SHARE: Final = 0.15
#: Insights stop as soon as this share of Meta's own allowance is used, long before polling slows
#: down.
STOP_FROM_PERCENT: Final = 50
STOP_FOR: Final = timedelta(minutes=30)
ROW: Final = "insights-calls"
HOUR_S: Final = 3600


class InsightsBudget:
    """The calls for insights in the last hour, in a row of the account's ledger that all tasks share.

    :param calls_per_hour: The account's calls per hour, for all purposes.
    """

    def __init__(
        self, store: StateStore, clock: Callable[[], datetime], calls_per_hour: float
    ) -> None:
        self.store = store
        self.clock = clock
        self.limit = max(2, int(calls_per_hour * INSIGHTS_SHARE))
        row = store.get(ROW) or {}
        self._spent: list[list[float]] = row.get("spent", [])
        self._stopped_until: float = row.get("stopped_until", 0.0)
        self._new = 0
        self._client: GraphClient | None = None
        self._counted = 0

    def charge(self, client: GraphClient) -> None:
        """Count the calls that a client sends from now on."""
        self._client = client
        self._counted = client.sent

    def _count(self) -> None:
        if self._client is not None and (sent := self._client.sent - self._counted):
            self._counted += sent
            self.consume(sent, self._client.usage)

    def _recent(self, spent: list[list[float]]) -> list[list[float]]:
        """Return the calls of the last hour, with those of this task, and when they were counted."""
        now = self.clock().timestamp()
        own = [[now, float(self._new)]] if self._new else []
        return [[at, calls] for at, calls in spent if at > now - HOUR_S] + own

    def left(self) -> int:
        """Return how many calls may be sent now."""
        self._count()
        if self.clock().timestamp() < self._stopped_until:
            return 0
        return max(0, self.limit - int(sum(calls for _, calls in self._recent(self._spent))))

    def available_at(self) -> datetime:
        """Return when the next call may be sent: a time in the past if it may be sent now."""
        self._count()
        recent = self._recent(self._spent)
        free = self.limit - sum(calls for _, calls in recent)
        at = self._stopped_until
        for sent_at, calls in recent:
            if free >= 1:
                break
            free += calls
            at = max(at, sent_at + HOUR_S)
        return datetime.fromtimestamp(at, timezone.utc)

    def consume(self, calls: int, usage: Usage | None) -> None:
        """Count calls that were sent."""
        self._new += calls
        if usage is None:
            return
        if usage.regain:
            self.stop(usage.regain)
        elif usage.percent >= STOP_FROM_PERCENT:
            self.stop(STOP_FOR)

    def stop(self, pause: timedelta | None) -> None:
        """Send no calls for insights for a while."""
        until = self.clock() + (pause or STOP_FOR)
        self._stopped_until = max(self._stopped_until, until.timestamp())

    def save(self) -> None:
        """Write the row, if there is anything new. Calls that another task has counted meanwhile are kept."""
        self._count()
        row = self.store.get(ROW) or {}
        known_until = row.get("stopped_until", 0.0)
        if not self._new and self._stopped_until <= known_until:
            return
        self._spent = self._recent(row.get("spent", []))
        self._new = 0
        stopped_until = max(self._stopped_until, known_until)
        self.store.set(ROW, {"spent": self._spent, "stopped_until": stopped_until})
