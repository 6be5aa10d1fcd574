"""One poller for all waiting containers of an account in a process."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
import time
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

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
    """

    wait: Wait
    due: float
    done: asyncio.Future[None]
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    read_at: float | None = None
    answer: ContainerStatus | InstagramError | None = None

    def end(self, error: BaseException | None = None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)

    def warn(self, text: str, *values: object) -> None:
        self.context.run(log.warning, text, *values)


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
    open_client: Callable[[], Awaitable[tuple[AsyncGraphClient, float]]]
    budget: CallBudget
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _waiters: list[_Waiter] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None
    _pause: asyncio.Future[None] | None = None
    _client: AsyncGraphClient | None = None
    _opened_at: float = 0.0

    async def wait(self, wait: Wait) -> None:
        """Wait until a container can be published."""
        now = self.clock()
        first = wait.next_interval_s(now) * random.uniform(0.5, 1)  # noqa: S311 -- spreads what begins together
        waiter = _Waiter(wait, now + first, asyncio.get_running_loop().create_future())
        if self.budget.is_stopped():
            self._log_stop(waiter)
        self._waiters.append(waiter)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"poller of {self.account}")
        self._wake()
        try:
            await waiter.done
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
                self._wake()

    def _wake(self) -> None:
        if self._pause is not None:
            self._pause.cancel()

    async def _run(self) -> None:
        """Work while a trigger waits. A failure of the poller itself ends all waits."""
        try:
            await self._work()
        except Exception as error:  # noqa: BLE001 -- no trigger may wait for ever
            self._end_all(error)
        finally:
            # a later wait starts the poller again
            client, self._client, self._task = self._client, None, None
            if client is not None:
                await client.__aexit__(None, None, None)

    async def _work(self) -> None:
        while self._waiters:
            now = self.clock()
            overdue = next(
                (waiter for waiter in self._waiters if waiter.wait.deadline <= now), None
            )
            if overdue is not None:
                await self._give_up(overdue)
                continue
            turn = min(self._waiters, key=lambda waiter: waiter.due)
            begins = max(turn.due, self.budget.next_call_at())
            pause_s = min(begins, *(waiter.wait.deadline for waiter in self._waiters)) - now
            if pause_s > 0:
                await self._sleep(pause_s)
            else:
                await self._read(turn.wait.container_id)
        self._report()

    async def _sleep(self, seconds: float) -> None:
        self._pause = asyncio.ensure_future(self.sleep(max(seconds, SHORTEST_PAUSE_S)))
        try:
            await asyncio.wait([self._pause])
        finally:
            self._pause.cancel()
            self._pause = None

    async def _give_up(self, waiter: _Waiter) -> None:
        if self.budget.affords_last_read():
            await self._read(waiter.wait.container_id)
        if waiter in self._waiters:
            answer = waiter.answer
            if answer is None and self.budget.is_stopped():
                answer = RateLimitError(
                    f"not read before {self.budget.stopped_until_text()}: {self.budget.reason}"
                )
            self._end(waiter, readiness.not_ready_error(waiter.wait.container_id, answer))

    async def _read(self, container_id: str) -> None:
        was_stopped = self.budget.stopped_until
        answer = await self._send(container_id)
        now = self.clock()
        if isinstance(answer, AuthenticationError) and await self._has_no_other_token(now):
            self._end_all(answer)
            return
        for waiter in [
            waiter for waiter in self._waiters if waiter.wait.container_id == container_id
        ]:
            self._handle(waiter, answer, now)
        if self.budget.stopped_until > was_stopped:
            for waiter in self._waiters:
                self._log_stop(waiter)
        self._report()

    async def _send(self, container_id: str) -> ContainerStatus | InstagramError:
        if self._client is None:
            self._client, self.budget.calls_per_hour = await self.open_client()
            self._opened_at = self.clock()
        client, sent = self._client, self._client.sent
        try:
            return await send_within(self.budget, client, calls.container_status(container_id))
        except InstagramError as error:
            return error
        finally:
            Stats.incr("instagram.calls", client.sent - sent, tags=self._tags)

    async def _has_no_other_token(self, now: float) -> bool:
        """Reopen the connection unless it was just opened, so that the refused read is repeated with its new token."""
        if now - self._opened_at < REREAD_AFTER_S or self._client is None:
            return True
        client, self._client = self._client, None
        await client.__aexit__(None, None, None)
        return False

    def _handle(
        self, waiter: _Waiter, answer: ContainerStatus | InstagramError, now: float
    ) -> None:
        since, waiter.read_at, waiter.answer = waiter.read_at, now, answer
        if isinstance(answer, AuthenticationError):
            return  # its due time stays: the container is read again, with the new token
        try:
            ready = readiness.is_ready(answer)
        except InstagramError as error:
            self._end(waiter, error)
            return
        if ready:
            if since is not None:
                Stats.timing("instagram.noticed_within", 1000 * (now - since), tags=self._tags)
            self._end(waiter)
            return
        pause_s = waiter.wait.next_interval_s(now)
        if isinstance(answer, InstagramError) and not isinstance(answer, RateLimitError):
            waiter.warn("%s", answer)
            if answer.retry_after is not None:
                pause_s = max(pause_s, answer.retry_after.total_seconds())
        waiter.due = now + pause_s * random.uniform(0.9, 1)  # noqa: S311 -- keeps what began together apart

    def _log_stop(self, waiter: _Waiter) -> None:
        text = "Container %s is waiting: no calls are sent for the account until %s. %s"
        waiter.warn(
            text, waiter.wait.container_id, self.budget.stopped_until_text(), self.budget.reason
        )

    def _end(self, waiter: _Waiter, error: BaseException | None = None) -> None:
        self._waiters.remove(waiter)
        waiter.end(error)

    def _end_all(self, error: BaseException) -> None:
        for waiter in list(self._waiters):
            self._end(waiter, error)

    @property
    def _tags(self) -> dict[str, str]:
        return {"conn_id": self.account}

    def _report(self) -> None:
        Stats.gauge("instagram.waiting", len(self._waiters), tags=self._tags)
        left = 0.0 if self.budget.is_stopped() else self.budget.left()
        Stats.gauge("instagram.budget_left", left, tags=self._tags)


async def send_within(budget: CallBudget, client: AsyncGraphClient, call: Call[T]) -> T:
    """Send a call, and take its cost from the account's budget."""
    sent, client.usage = client.sent, None
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


def poller_of(
    account: str, open_client: Callable[[], Awaitable[tuple[AsyncGraphClient, float]]]
) -> Poller:
    """Return the poller of an account in this process, which all its waits share."""
    pollers = _pollers.setdefault(asyncio.get_running_loop(), {})
    if account not in pollers:
        pollers[account] = Poller(account, open_client, budget_of(account))
    return pollers[account]
