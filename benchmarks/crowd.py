"""Measure the delays and calls of many containers that wait at the same time, on one simulated clock.

1. 200 accounts with 25 containers each, all created at once, finish at some time within two hours. The call budget
   makes every polling interval longer than the 5 s of a new container (``airflow instagram limits`` prints it).
2. The containers of one account are spread over several processes, and Instagram refuses its calls for half an hour.
   The number of refused calls shows what state shared by the processes could save.
3. The containers of one account are spread over one to four triggerers, each of which has a budget of its own.

Run ``python -m benchmarks.crowd``; exit code 1: a limit was exceeded.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import tempfile
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

from airflow_provider_instagram.quota.call_budget import STEADY_SHARE, CallBudget
from airflow_provider_instagram.triggers.poller import Poller, Wait
from benchmarks.day import CALLS_LIMIT, START, Client, busiest_hour
from benchmarks.program import as_program
from benchmarks.virtual_time import VirtualTimeLoop
from instagram_sandbox.http.server import running
from instagram_sandbox.simulator.clock import Clock
from instagram_sandbox.simulator.sandbox import Settings
from instagram_sandbox.simulator.state import Processing
from instagram_sandbox.simulator.switches import mode_switches
from instagram_sandbox.testing.handle import SandboxHandle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_instagram.graph.client import AsyncGraphClient

FRESH_S: Final = 5.0
FINISH_S: Final = (60.0, 7200.0)
DEADLINE_S: Final = 4 * 3600.0
STEADY_PER_S: Final = CALLS_LIMIT * STEADY_SHARE / 3600
PROCESSES: Final = 4
STOP_AFTER_S, STOP_MINUTES = 600, 30


class Account:
    """An account whose containers wait.

    :param sandbox: The sandbox, on the loop's clock.
    :param loop: The clock.
    :param number: Its number.
    """

    def __init__(self, sandbox: SandboxHandle, loop: VirtualTimeLoop, number: int) -> None:
        self.sandbox, self.loop = sandbox, loop
        self.user_id = str(17841400000001000 + number)
        self.token = sandbox.add_account(self.user_id, f"account_{number}")
        self.finishes: dict[str, float] = {}
        self.noticed: dict[str, float] = {}

    def make(self, after_s: list[float]) -> None:
        """Create a container for each time, at which it finishes."""
        headers = {"Authorization": f"Bearer {self.token}"}
        with httpx.Client(base_url=self.sandbox.url, headers=headers, timeout=60, trust_env=False) as http:
            for seconds in after_s:
                self.sandbox.process_next(after_s=seconds, outcome="finished")
                wanted = {"media_type": "REELS", "video_url": "https://example.com/a.mp4"}
                answer = http.post(f"/v27.0/{self.user_id}/media", data=wanted).raise_for_status()
                self.finishes[answer.json()["id"]] = self.loop.now + seconds

    def poller(self) -> Poller:
        """Return a poller with its own budget, as each process has one."""
        return Poller(self.user_id, self._open, CallBudget(self.loop.clock), clock=self.loop.clock)

    async def _open(self) -> tuple[AsyncGraphClient, float]:
        client = Client(self.token, base_url=self.sandbox.url)
        client.loop = self.loop
        return client, CALLS_LIMIT

    async def wait(self, poller: Poller, container_id: str) -> None:
        """Wait for a container, and record when its end was noticed."""
        began = self.loop.now
        await poller.wait(Wait(container_id, began + DEADLINE_S, began, FRESH_S))
        self.noticed[container_id] = self.loop.now

    def lates_s(self) -> Iterator[tuple[float, float]]:
        """Return for each container the delay until its end was noticed, and the polling interval then, in seconds."""
        began = START.timestamp()
        for container_id, noticed in self.noticed.items():
            finishes = self.finishes[container_id]
            waiting = sum(other >= finishes for other in self.noticed.values())
            own_s = Wait(container_id, 0, began, FRESH_S).next_interval_s(finishes)
            yield noticed - finishes, max(own_s, waiting / STEADY_PER_S)


@contextmanager
def _sandbox(loop: VirtualTimeLoop) -> Iterator[SandboxHandle]:
    switches = mode_switches(strict=True, processing=Processing(after_s=60, outcome="finished"), visible_after_s=0)
    switches.calls_per_24_h = switches.containers_per_24_h = 1_000_000
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Settings(folder=Path(folder), switches=switches), Clock(loop.clock)) as url,
    ):
        yield SandboxHandle(url)


def crowd(accounts: int, containers: int) -> int:
    """Simulate the containers of many accounts, which finish within two hours.

    :param accounts: How many accounts.
    :param containers: How many containers in all.
    :return: The exit code: 0 when every limit holds.
    """
    loop, chance = VirtualTimeLoop(START.timestamp()), random.Random(8)  # noqa: S311
    with _sandbox(loop) as sandbox:
        there = [Account(sandbox, loop, number) for number in range(accounts)]
        for account in there:
            account.make([chance.uniform(*FINISH_S) for _ in range(containers // accounts)])
        loop.run(_all_wait(there))
        asked: defaultdict[str, list[float]] = defaultdict(list)
        for entry in sandbox.journal("status"):
            asked[str(entry.account)].append(entry.at)
    noticed = [one for account in there for one in account.lates_s()]
    lates_s = sorted(late_s for late_s, _ in noticed)
    ratios = sorted(late_s / interval_s for late_s, interval_s in noticed)
    worst, p95 = max(map(busiest_hour, asked.values())), int(0.95 * len(ratios))
    print(f"{len(noticed)} of {containers} containers of {accounts} accounts were noticed")
    print(f"calls a container             {sum(map(len, asked.values())) / containers:.1f}")
    print(f"worst account in an hour      {worst} calls (limit {CALLS_LIMIT})")
    print(
        f"noticed after                 {lates_s[len(lates_s) // 2]:.0f} s in the median, {lates_s[p95]:.0f} s at p95"
    )
    print(f"in polling intervals, p95     {ratios[p95]:.2f} (limit 1)")
    return 0 if len(noticed) == containers and worst <= CALLS_LIMIT and ratios[p95] <= 1 else 1


async def _all_wait(accounts: list[Account]) -> None:
    waits = []
    for account in accounts:
        poller = account.poller()
        waits += [account.wait(poller, container_id) for container_id in account.finishes]
    await asyncio.gather(*waits)


def stop(containers: int) -> None:
    """Simulate an account whose calls are refused while several processes wait for its containers.

    :param containers: How many containers each process waits for.
    """
    loop = VirtualTimeLoop(START.timestamp())
    with _sandbox(loop) as sandbox:
        account = Account(sandbox, loop, 0)
        account.make([DEADLINE_S] * PROCESSES * containers)
        loop.run(_wait_through_a_stop(account))
        refused = sum(entry.fault is not None for entry in sandbox.journal("status"))
    print(f"{PROCESSES} processes, an account stopped for {STOP_MINUTES} minutes: {refused} calls refused")


async def _wait_through_a_stop(account: Account) -> None:
    waits = []
    for process in range(PROCESSES):
        poller = account.poller()
        mine = list(account.finishes)[process::PROCESSES]
        waits += [asyncio.ensure_future(account.wait(poller, container_id)) for container_id in mine]
    await asyncio.sleep(STOP_AFTER_S)
    account.sandbox.fail("status", 80002, times=0, regain_minutes=STOP_MINUTES)
    await asyncio.sleep(60 * STOP_MINUTES)
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)


def share(triggerers: int, containers: int) -> None:
    """Simulate an account whose containers wait in several triggerers, without a word of Instagram about its usage.

    :param triggerers: How many triggerers.
    :param containers: How many containers in all, which finish within two hours.
    """
    loop, chance = VirtualTimeLoop(START.timestamp()), random.Random(8)  # noqa: S311
    with _sandbox(loop) as sandbox:
        account = Account(sandbox, loop, 0)
        account.make([chance.uniform(*FINISH_S) for _ in range(containers)])
        loop.run(_wait_in(account, triggerers))
        asked = [entry.at for entry in sandbox.journal("status")]
    delays_s = sorted(late_s for late_s, _ in account.lates_s())
    print(
        f"{triggerers} triggerers: {busiest_hour(asked)} calls in the busiest hour, of {CALLS_LIMIT}; noticed after "
        f"{delays_s[len(delays_s) // 2]:.0f} s in the median, {delays_s[int(0.95 * len(delays_s))]:.0f} s at p95"
    )


async def _wait_in(account: Account, triggerers: int) -> None:
    pollers = [account.poller() for _ in range(triggerers)]
    turns = enumerate(account.finishes)
    await asyncio.gather(*(account.wait(pollers[number % triggerers], each) for number, each in turns))


def main() -> int:
    """Run all simulations and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--containers", type=int, default=5000)
    parser.add_argument("--accounts", type=int, default=200)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    failed = crowd(options.accounts, options.containers)
    stop(25)
    for triggerers in (1, 2, 3, 4):
        share(triggerers, 25)
    return failed


if __name__ == "__main__":
    as_program(main)
