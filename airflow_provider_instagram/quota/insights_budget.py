"""The calls that reading insights may use: a small share of the account's calls, so that publishing comes first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.usage import Usage
    from airflow_provider_instagram.ledger.ledger import StateStore

#: The share of the account's calls of any hour that insights may use.
INSIGHTS_SHARE: Final = 0.15
#: Insights stop as soon as this share of Meta's own allowance is used, long before polling slows down.
STOP_FROM_PERCENT: Final = 50
STOP_FOR: Final = timedelta(minutes=30)
UNSTATED_STOP: Final = timedelta(minutes=30)
ROW: Final = "insights-calls"
_HOUR: Final = timedelta(hours=1)


class InsightsBudget:
    """The calls for insights in the last hour, in a row of the account's ledger that all tasks share.

    :param calls_per_hour: The account's calls per hour, for all purposes.
    """

    def __init__(self, store: StateStore, clock: Callable[[], datetime], calls_per_hour: float) -> None:
        self.store, self.clock = store, clock
        self.limit = max(2, int(calls_per_hour * INSIGHTS_SHARE))
        row = store.get(ROW) or {}
        self._spent: list[tuple[float, int]] = [(at, calls) for at, calls in row.get("spent", ())]
        self._stopped_until: float = row.get("stopped_until", 0.0)
        self._new = 0
        self._client: GraphClient | None = None
        self._counted = 0

    def charge(self, client: GraphClient) -> None:
        """Count the calls that a client sends from now on."""
        self._client, self._counted = client, client.sent

    def _count(self) -> None:
        if self._client is not None and (sent := self._client.sent - self._counted):
            self._counted += sent
            self.consume(sent, self._client.usage)

    def left(self) -> int:
        """Return how many calls may be sent now."""
        self._count()
        now = self.clock().timestamp()
        if now < self._stopped_until:
            return 0
        recent = sum(calls for at, calls in self._spent if at > now - _HOUR.total_seconds())
        return max(0, self.limit - recent - self._new)

    def available_at(self) -> datetime:
        """Return when the next call may be sent: a time in the past if it may be sent now."""
        self._count()
        now = self.clock().timestamp()
        spent = [(at, calls) for at, calls in self._spent if at > now - _HOUR.total_seconds()]
        spent += [(now, self._new)] if self._new else []
        free, at = self.limit - sum(calls for _, calls in spent), 0.0
        for sent_at, calls in spent if free < 1 else ():
            at, free = sent_at + _HOUR.total_seconds(), free + calls
            if free >= 1:
                break
        return datetime.fromtimestamp(max(at, self._stopped_until), timezone.utc)

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
        until = self.clock() + (pause or UNSTATED_STOP)
        self._stopped_until = max(self._stopped_until, until.timestamp())

    def save(self) -> None:
        """Write the row, if there is anything new. Calls that another task has counted meanwhile are kept."""
        self._count()
        now = self.clock().timestamp()
        row = self.store.get(ROW) or {}
        if not self._new and self._stopped_until <= row.get("stopped_until", 0.0):
            return
        spent = [[at, calls] for at, calls in row.get("spent", ()) if at > now - _HOUR.total_seconds()]
        spent += [[now, self._new]] if self._new else []
        stopped_until = max(self._stopped_until, row.get("stopped_until", 0.0))
        self.store.set(ROW, {"spent": spent, "stopped_until": stopped_until})
        self._spent, self._new = [(at, calls) for at, calls in spent], 0
