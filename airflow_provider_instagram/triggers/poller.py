"""One poller for all waiting containers of an account in a process."""

from __future__ import annotations

import asyncio
import logging
import random
import time
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from airflow.sdk.observability.stats import Stats

from airflow_provider_instagram.exceptions import (
    AuthenticationError,
    InstagramError,
    RateLimitError,
)
from airflow_provider_instagram.graph import calls, readiness
from airflow_provider_instagram.quota.call_budget import CallBudget

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.calls import Call
    from airflow_provider_instagram.graph.client import AsyncGraphClient
    from airflow_provider_instagram.graph.models import ContainerStatus

T = TypeVar("T")

#: Opens a client, and returns it with the calls per hour of its account.
OpenClient: TypeAlias = "Callable[[], Awaitable[tuple[AsyncGraphClient, float]]]"
#: A container is read again after this share of its waiting time so far.
SHARE_OF_AGE: Final = 0.2
LONGEST_INTERVAL_S: Final = 300.0
#: A shorter pause would be lost in the precision of a clock in seconds since the epoch.
SHORTEST_PAUSE_S: Final = 0.001
#: If a token is refused this soon after it was read, it has no successor.
REREAD_AFTER_S: Final = 60.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wait:
    """One wait for a container, with its deadline in seconds since the epoch."""

    container_id: str
    deadline: float
    since: float
    interval_s: float

    def next_interval_s(self, now: float) -> float:
        """Return the time until the next read, which grows with the container's age."""
        longest = max(LONGEST_INTERVAL_S, self.interval_s)
        return min(longest, max(self.interval_s, SHARE_OF_AGE * (now - self.since)))


@dataclass(eq=False)
class _Waiter:
    """A trigger that waits.

    :param due: When its next read is due, in seconds since the epoch.
    :param read_at: When its container was read last, in seconds since the epoch.
    :param answer: What that read returned.
    :param told_until: Until when the account is stopped, as the log has said last.
    """

    wait: Wait
    due: float
    read_at: float | None = None
    answer: ContainerStatus | InstagramError | None = None
    told_until: float = 0.0


@dataclass(eq=False)
class Poller:
    """Reads all waiting containers of an account: with one client, one read of the connection, and one budget.

    * The container that is due first is read first. A delayed container keeps its due time, so that
      none starves.
    * If the budget is short, all reads are delayed.
    * A deadline is always kept: its container is read one last time, and the wait ends.

    :param open_client: Reads the connection, opens a client, and returns it with the account's
        calls per hour.
    """

    account: str
    open_client: OpenClient
    budget: CallBudget
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _waiters: list[_Waiter] = field(default_factory=list)
    _one_call: asyncio.Lock = field(default_factory=asyncio.Lock)
    _client: AsyncGraphClient | None = None
    _opened_at: float = 0.0
    _refusal: AuthenticationError | None = None

    async def wait(self, wait: Wait) -> None:
        """Wait until a container can be published.

        :raises InstagramError: If it never can be, or not before its deadline.
        """
        now = self.clock()
        first_s = wait.next_interval_s(now) * random.uniform(0.5, 1)  # noqa: S311 -- spreads what begins together
        waiter = _Waiter(wait, now + first_s)
        self._waiters.append(waiter)
        self._refusal = None  # the connection may have a new token
        try:
            await self._until_ready(waiter)
        finally:
            self._waiters.remove(waiter)
            if not self._waiters:
                await self._close()
            self._report()

    async def _until_ready(self, waiter: _Waiter) -> None:
        """Read a container whenever it is its turn, and one last time at its deadline."""
        is_last = is_ready = False
        while not is_last:
            is_last = await self._until_turn(waiter)
            if is_last and not self.budget.affords_last_read():
                break
            async with self._one_call:
                if is_last or self._turn_at(waiter) <= self.clock():
                    is_ready = await self._read(waiter)
            if is_ready:
                return
        answer = waiter.answer
        if answer is None and self.budget.is_stopped():
            until = self.budget.stopped_until_text()
            reason = self.budget.reason
            answer = RateLimitError(f"not read before {until}: {reason}")
        raise readiness.not_ready_error(waiter.wait.container_id, answer)

    async def _until_turn(self, waiter: _Waiter) -> bool:
        """Wait until a container may be read. Return whether its deadline has come."""
        deadline = waiter.wait.deadline
        while (now := self.clock()) < deadline:
            self._warn_of_stop(waiter)
            turn_at = self._turn_at(waiter)
            if turn_at <= now:
                return False
            pause_s = min(turn_at - now, deadline - now, LONGEST_INTERVAL_S)
            await self.sleep(max(pause_s, SHORTEST_PAUSE_S))
        return True

    def _turn_at(self, waiter: _Waiter) -> float:
        """Return when a container may be read, if those that are due before it are read first."""
        before = sum(other.due < waiter.due for other in self._waiters)
        return max(waiter.due, self.budget.next_call_at(before))

    def _warn_of_stop(self, waiter: _Waiter) -> None:
        if self.budget.is_stopped() and waiter.told_until != self.budget.stopped_until:
            waiter.told_until = self.budget.stopped_until
            log.warning(
                "Container %s is waiting: no calls are sent for the account until %s. %s",
                waiter.wait.container_id,
                self.budget.stopped_until_text(),
                self.budget.reason,
            )

    async def _read(self, waiter: _Waiter) -> bool:
        """Read a container, and return whether it can be published.

        :raises InstagramError: If it never can be, or if no token of the connection is good.
        """
        if self._refusal is not None:
            raise self._refusal
        answer = await self._send(waiter.wait.container_id)
        now = self.clock()
        self._report()
        if isinstance(answer, AuthenticationError):
            await self._close()
            if now - self._opened_at < REREAD_AFTER_S:
                self._refusal = answer
                raise answer
            return False  # its due time stays: it is read again, with the connection's new token
        read_before = waiter.read_at
        waiter.read_at = now
        waiter.answer = answer
        if readiness.is_ready(answer):
            if read_before is not None:
                noticed_within_ms = 1000 * (now - read_before)
                Stats.timing("instagram.noticed_within", noticed_within_ms, tags=self._tags)
            return True
        pause_s = waiter.wait.next_interval_s(now)
        if isinstance(answer, InstagramError) and not isinstance(answer, RateLimitError):
            visible_from = waiter.wait.since + readiness.VISIBLE_WITHIN.total_seconds()
            if readiness.is_not_shown(answer) and now > visible_from:
                raise answer
            log.warning("%s", answer)
            if answer.retry_after is not None:
                pause_s = max(pause_s, answer.retry_after.total_seconds())
        waiter.due = now + pause_s * random.uniform(0.9, 1)  # noqa: S311 -- keeps what began together apart
        return False

    async def _send(self, container_id: str) -> ContainerStatus | InstagramError:
        if self._client is None:
            self._client, self.budget.calls_per_hour = await self.open_client()
            self._opened_at = self.clock()
        client = self._client
        sent = self._client.sent
        try:
            return await send_within(self.budget, client, calls.container_status(container_id))
        except InstagramError as error:
            return error
        finally:
            Stats.incr("instagram.calls", client.sent - sent, tags=self._tags)

    async def _close(self) -> None:
        client = self._client
        self._client = None
        if client is not None:
            await client.__aexit__(None, None, None)

    @property
    def _tags(self) -> dict[str, str]:
        return {"conn_id": self.account}

    def _report(self) -> None:
        Stats.gauge("instagram.waiting", len(self._waiters), tags=self._tags)
        left = 0.0 if self.budget.is_stopped() else self.budget.left()
        Stats.gauge("instagram.budget_left", left, tags=self._tags)


async def send_within(budget: CallBudget, client: AsyncGraphClient, call: Call[T]) -> T:
    """Send a call, and take its cost from the account's budget."""
    sent = client.sent
    client.usage = None
    limit: RateLimitError | None = None
    try:
        return await client.send(call)
    except RateLimitError as error:
        limit = error
        raise
    finally:
        budget.consume(client.sent - sent)
        budget.apply_usage(client.usage)
        if limit is not None:
            budget.stop(limit.retry_after, limit.message)


_IMPORTED_AT: Final = time.time()
#: Budgets and pollers live as long as the event loop whose clients and futures they hold.
_budgets: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, CallBudget]] = (
    weakref.WeakKeyDictionary()
)
_pollers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Poller]] = (
    weakref.WeakKeyDictionary()
)


def budget_of(account: str) -> CallBudget:
    """Return the budget of calls of an account in this process."""
    budgets = _budgets.setdefault(asyncio.get_running_loop(), {})
    if account not in budgets:
        budgets[account] = CallBudget(time.time, since=_IMPORTED_AT)
    return budgets[account]


def poller_of(account: str, open_client: OpenClient) -> Poller:
    """Return the poller of an account in this process, which all its waits share."""
    pollers = _pollers.setdefault(asyncio.get_running_loop(), {})
    if account not in pollers:
        pollers[account] = Poller(account, open_client, budget_of(account))
    return pollers[account]
