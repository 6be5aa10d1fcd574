"""Simulate a day of 500 accounts with 10 posts each: no call is refused, and every post is on time.

The provider's own poller, container creator and publisher call a sandbox over HTTP, in this process. Only the clock is
simulated: it jumps to the next event, and stops while any work is in progress.
Run ``python -m benchmarks.day``; exit code 1: a limit was exceeded.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import statistics
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.client import AsyncGraphClient, GraphClient
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import Owner
from airflow_provider_instagram.posts.post import Post
from airflow_provider_instagram.publishing.containers import ContainerCreator
from airflow_provider_instagram.publishing.publisher import Live, Publisher
from airflow_provider_instagram.publishing.sources import MediaSource
from airflow_provider_instagram.quota.call_budget import CallBudget
from airflow_provider_instagram.quota.reservations import post_quotas
from airflow_provider_instagram.triggers.poller import Poller, Wait
from benchmarks.program import as_program
from benchmarks.virtual_time import VirtualTimeLoop
from instagram_sandbox.http.server import running
from instagram_sandbox.simulator.clock import Clock
from instagram_sandbox.simulator.sandbox import Settings
from instagram_sandbox.simulator.state import Processing
from instagram_sandbox.simulator.switches import mode_switches
from instagram_sandbox.testing.handle import SandboxHandle

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_instagram.graph.calls import Call

T = TypeVar("T")

START = datetime(2026, 11, 24, tzinfo=timezone.utc)
QUOTAS = post_quotas(10, 25)
CALLS_LIMIT = 200
REFUSALS_BY_LIMIT = {"4", "17", "32", "613", "80002", "9/2207042"}
LATENESS_LIMIT_S = 1.0
AHEAD_S = (600, 2400)
PROCESSING_S = (20, 300)
WAKE_UP_AHEAD_S = 20
THREADS = 200


class Store(dict[str, Any]):
    """A ledger's rows in memory."""

    def set(self, key: str, value: Any) -> None:
        """Write a row."""
        self[key] = value


class Client(AsyncGraphClient):
    """A client that stops the clock during its requests."""

    loop: VirtualTimeLoop

    async def _send_once(self, call: Call[T]) -> T:
        with self.loop.working():
            return await super()._send_once(call)


@dataclass
class Account:
    """One account, and the state of its posts.

    :param user_id: Its Instagram user id.
    :param token: Its access token.
    """

    user_id: str
    token: str
    ledger: Ledger
    poller: Poller | None = None
    planned: dict[str, float] = field(default_factory=dict)
    noticed_late_s: list[float] = field(default_factory=list)


class Day:
    """The simulated day of all accounts.

    :param sandbox: The sandbox, on the loop's clock.
    :param loop: The clock.
    :param naive: Whether each wait polls by itself every 5 s, instead of the shared poller.
    """

    def __init__(self, sandbox: SandboxHandle, loop: VirtualTimeLoop, *, naive: bool) -> None:
        self.sandbox, self.loop, self.naive = sandbox, loop, naive
        self.threads = ThreadPoolExecutor(THREADS)
        self.random = random.Random(8)  # noqa: S311
        self.accounts: list[Account] = []

    def account(self, number: int) -> Account:
        """Open an account."""
        user_id = str(17841400000001000 + number)
        token = self.sandbox.add_account(user_id, f"account_{number}")
        clock = lambda: datetime.fromtimestamp(self.loop.now, timezone.utc)  # noqa: E731
        account = Account(user_id, token, Ledger(Store(), user_id, clock))
        if not self.naive:
            budget = CallBudget(self.loop.clock)
            account.poller = Poller(user_id, lambda: self._open(account), budget, clock=self.loop.clock)
        self.accounts.append(account)
        return account

    async def _open(self, account: Account) -> tuple[AsyncGraphClient, float]:
        client = Client(account.token, base_url=self.sandbox.url)
        client.loop = self.loop
        return client, CALLS_LIMIT

    async def run(self, accounts: int, posts: int) -> None:
        """Simulate the day."""
        waits = []
        for number in range(accounts):
            account = self.account(number)
            quarters = self.random.sample(range(4, 92), posts)
            for post, quarter in enumerate(quarters):
                account.planned[f"{number}-{post}"] = self.loop.now + 900 * quarter
            waits += [self._post(account, key, at) for key, at in account.planned.items()]
        await asyncio.gather(*waits)

    async def _post(self, account: Account, key: str, at: float) -> None:
        await asyncio.sleep(at - self.random.uniform(*AHEAD_S) - self.loop.now)
        processing_s = self.random.uniform(*PROCESSING_S)
        container_id = await self._in_thread(lambda: self._create(account, key, processing_s))
        finishes = self.loop.now + processing_s
        await self._wait(account, container_id)
        account.noticed_late_s.append(self.loop.now - finishes)
        await asyncio.sleep(max(0.0, at - WAKE_UP_AHEAD_S - self.loop.now))
        await self._in_thread(lambda: self._publish(account, key, container_id, at))

    async def _wait(self, account: Account, container_id: str) -> None:
        now = self.loop.now
        if account.poller is not None:
            await account.poller.wait(Wait(container_id, now + 1800, now, 5))
            return
        client, _ = await self._open(account)
        async with client:
            ready = False
            while not ready:
                with suppress(InstagramError):
                    ready = (await client.send(calls.container_status(container_id))).is_terminal
                if not ready:
                    await asyncio.sleep(5)

    def _create(self, account: Account, key: str, processing_s: float) -> str:
        self.sandbox.process_next(after_s=processing_s, outcome="finished")
        with self._client(account) as client:
            link = "https://example.com/a.mp4"
            creator = ContainerCreator(client, account.ledger, account.user_id, key, Post(video=link, caption=key))
            return creator.get_or_create(MediaSource(key, link=link))

    def _publish(self, account: Account, key: str, container_id: str, at: float) -> None:
        owner = Owner("day", key, "publish", -1)
        with self._client(account) as client:
            publisher = Publisher(client, account.ledger, account.user_id, owner, lambda _: False, self._sleep, QUOTAS)
            found = publisher.settle(key, container_id)
            if not isinstance(found, Live):
                publisher.send(found, datetime.fromtimestamp(at, timezone.utc))

    def _client(self, account: Account) -> GraphClient:
        return GraphClient(account.token, base_url=self.sandbox.url, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        """Sleep in a thread on the loop's clock, which continues meanwhile."""

        async def nap() -> None:
            self.loop.real_work -= 1
            await asyncio.sleep(seconds)
            self.loop.real_work += 1

        asyncio.run_coroutine_threadsafe(nap(), self.loop).result()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        with self.loop.working():
            return await self.loop.run_in_executor(self.threads, work)


def busiest_hour(moments: list[float]) -> int:
    """Return the number of calls in the busiest hour."""
    moments = sorted(moments)
    most = begin = 0
    for end, moment in enumerate(moments):
        while moments[begin] <= moment - 3600:
            begin += 1
        most = max(most, end - begin + 1)
    return most


def main() -> int:
    """Run the simulation from the command line, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--posts", type=int, default=10, help="of each account")
    parser.add_argument("--naive", type=int, default=20, help="accounts whose waits ask by themselves, every 5 s")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    failed = simulate(options.accounts, options.posts)
    if options.naive:
        print(f"\nA naive sensor, {options.naive} accounts:")
        simulate(options.naive, options.posts, naive=True)
    return failed


def simulate(accounts: int, posts: int, *, naive: bool = False) -> int:
    """Simulate a day.

    :param accounts: How many accounts.
    :param posts: How many posts of each.
    :param naive: Whether each wait polls by itself, every 5 s.
    :return: The exit code: 0 when every limit holds.
    """
    began = time.monotonic()
    loop = VirtualTimeLoop(START.timestamp())
    switches = mode_switches(strict=True, processing=Processing(after_s=60, outcome="finished"), visible_after_s=1)
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Settings(folder=Path(folder), switches=switches), Clock(loop.clock)) as url,
    ):
        day = Day(SandboxHandle(url), loop, naive=naive)
        loop.run(day.run(accounts, posts))
        return _report(day, accounts * posts, time.monotonic() - began)


def _report(day: Day, wanted: int, took_s: float) -> int:
    journal, posts = day.sandbox.journal(), day.sandbox.posts
    by_account: defaultdict[str, list[float]] = defaultdict(list)
    for entry in journal:
        if entry.account and entry.operation != "upload":
            by_account[entry.account].append(entry.at)
    planned = {key: at for account in day.accounts for key, at in account.planned.items()}
    late_s = [datetime.fromisoformat(str(post.published_at)).timestamp() - planned[post.caption] for post in posts]
    noticed_s = sorted(late for account in day.accounts for late in account.noticed_late_s)
    refused = [entry.outcome for entry in journal if entry.outcome in REFUSALS_BY_LIMIT]
    worst = max(busiest_hour(moments) for moments in by_account.values())
    figures = {
        "posts": f"{len(posts)} of {wanted}",
        "calls per post": f"{len(journal) / max(1, len(posts)):.1f}",
        "calls of the worst account in an hour": f"{worst} (limit {CALLS_LIMIT})",
        "refused by a limit": f"{len(refused)} {sorted(set(refused))}",
        "latest post": f"{max(late_s):.2f} s after its time (limit {LATENESS_LIMIT_S} s)",
        "earliest post": f"{min(late_s):.2f} s",
        "FINISHED noticed after, median": f"{statistics.median(noticed_s):.1f} s",
        "FINISHED noticed after, p95": f"{noticed_s[int(0.95 * len(noticed_s))]:.1f} s",
        "took": f"{timedelta(seconds=round(took_s))}",
    }
    for name, figure in figures.items():
        print(f"{name:<40} {figure}")
    good = len(posts) == wanted and not refused and worst <= CALLS_LIMIT
    return 0 if good and min(late_s) >= 0 and max(late_s) <= LATENESS_LIMIT_S else 1


if __name__ == "__main__":
    as_program(main)
