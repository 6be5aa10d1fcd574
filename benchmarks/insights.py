"""Measure an hour of snapshots of many accounts: processor time and calls, beside a naive loop in the same run.

Each account has posts of which one age each becomes due within the hour. Both sides run twice in it, as the DAG does.
The naive loop lists the posts and reads the numbers of each of them, since it does not know what it has read before.
Run ``python -m benchmarks.insights``; exit code 1: a limit was exceeded.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from airflow_provider_instagram.graph.client import GraphClient
from airflow_provider_instagram.graph.models import metrics_of
from airflow_provider_instagram.insights.collector import Collector
from airflow_provider_instagram.insights.schema import SNAPSHOTS
from airflow_provider_instagram.insights.targets import SqlTarget
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.posts.kinds import PostKind
from airflow_provider_instagram.quota.call_budget import InsightsBudget
from benchmarks.day import Store
from benchmarks.program import as_program
from instagram_sandbox.testing.handle import SandboxHandle, sandbox_process

if TYPE_CHECKING:
    from collections.abc import Callable

#: So that the share of insights, 15 %, suffices for 50 posts in an hour.
CALLS_PER_HOUR: Final = 800
CPU_LIMIT_MS: Final = 500
#: The ages whose reading becomes due within the hour, in hours.
AGES_H: Final = (6, 24, 72, 168)


@dataclass
class Account:
    """An account with posts.

    :param user_id: Its Instagram user id.
    :param token: Its access token.
    :param store: The rows of its ledger.
    """

    user_id: str
    token: str
    store: Store = field(default_factory=Store)


class Hour:
    """The measurement.

    :param sandbox: The sandbox.
    :param accounts: The number of accounts.
    :param posts: The number of posts of each account.
    """

    def __init__(self, sandbox: SandboxHandle, accounts: int, posts: int) -> None:
        self.sandbox, self.posts, self.ahead = sandbox, posts, timedelta()
        sandbox.switch(calls_per_24_h=1_000_000)
        self.accounts = [self._account(number) for number in range(accounts)]

    def _account(self, number: int) -> Account:
        user_id = str(17841400000001000 + number)
        token = self.sandbox.add_account(user_id, f"account_{number}")
        for post in range(self.posts):
            # before the hour, the age was read; within the hour, the next one becomes due
            early_s = 1500 if post % 2 else 3300
            self.sandbox.add_foreign_post(f"Post {post}", AGES_H[post % len(AGES_H)] * 3600 - early_s, user_id)
        return Account(user_id, token)

    def now(self) -> datetime:
        """Return the time of the sandbox, whose clock was moved ahead."""
        return datetime.now(timezone.utc) + self.ahead

    def advance(self, how_far: timedelta) -> None:
        """Move both clocks."""
        self.ahead += how_far
        self.sandbox.advance(how_far)

    def collect(self, account: Account, target: SqlTarget) -> None:
        """Read what is due for an account, as a task does."""
        ledger = Ledger(account.store, f"ig_{account.user_id}", self.now)
        budget = InsightsBudget(account.store, self.now, CALLS_PER_HOUR)
        with GraphClient(account.token, base_url=self.sandbox.url) as client:
            batch = Collector(client, ledger, account.user_id, target, budget).run(())
            if batch.error is not None:
                raise batch.error

    def read_naively(self, account: Account, rows: list[dict[str, Any]]) -> None:
        """List the posts of an account, and read the numbers of each."""
        headers = {"Authorization": f"Bearer {account.token}"}
        base, metric = f"{self.sandbox.url}/v27.0", ",".join(metrics_of(PostKind.REEL, of_facebook=False))
        with httpx.Client(headers=headers, trust_env=False, timeout=60) as http:
            listed = http.get(f"{base}/{account.user_id}/media", params={"limit": 100})
            for post in listed.raise_for_status().json()["data"]:
                answer = http.get(f"{base}/{post['id']}/insights", params={"metric": metric})
                rows += [{"post_id": post["id"], **row} for row in answer.raise_for_status().json()["data"]]

    def measure(self, each: Callable[[Account], None]) -> tuple[float, float, float]:
        """Run something for every account, and return processor and wall-clock seconds, and calls, for each account."""
        before = len(self.sandbox.journal())
        began, cpu_began = time.monotonic(), time.process_time()
        for account in self.accounts:
            each(account)
        cpu_s, wall_s = time.process_time() - cpu_began, time.monotonic() - began
        count = len(self.accounts)
        return cpu_s / count, wall_s / count, (len(self.sandbox.journal()) - before) / count


def run(accounts: int, posts: int) -> int:
    """Measure, print a table, and return the exit code."""
    with tempfile.TemporaryDirectory(prefix="insights-") as folder, sandbox_process() as sandbox:
        connection = {"conn_type": "sqlite", "host": str(Path(folder, "warehouse.db"))}
        os.environ["AIRFLOW_CONN_WAREHOUSE"] = json.dumps(connection)
        target, naive_rows = SqlTarget("warehouse"), list[dict[str, Any]]()
        hour = Hour(sandbox, accounts, posts)
        hour.measure(lambda account: hour.collect(account, target))  # what was due before the hour
        ours, naive, before = [0.0] * 3, [0.0] * 3, _read(target)
        for _ in range(2):
            hour.advance(timedelta(minutes=30))
            taken = hour.measure(lambda account: hour.collect(account, target))
            ours = [total + one for total, one in zip(ours, taken, strict=True)]
            taken = hour.measure(lambda account: hour.read_naively(account, naive_rows))
            naive = [total + one for total, one in zip(naive, taken, strict=True)]
        read = _read(target) - before
    print(f"{accounts} accounts with {posts} posts each, an hour of snapshots: {read} were read\n")
    print("| for each account | this provider | naive loop |\n|---|---|---|")
    print(f"| processor time, ms | {1000 * ours[0]:.0f} | {1000 * naive[0]:.0f} |")
    print(f"| calls | {ours[2]:.1f} | {naive[2]:.1f} |")
    print(f"| wall clock, ms | {1000 * ours[1]:.0f} | {1000 * naive[1]:.0f} |")
    complete = read == accounts * posts
    return 0 if complete and 1000 * ours[0] < CPU_LIMIT_MS and ours[2] < naive[2] else 1


def _read(target: SqlTarget) -> int:
    query = f"SELECT COUNT(*) FROM {SNAPSHOTS.name} WHERE status = 'read'"  # noqa: S608 -- a name of ours
    return int(target.hook().get_first(query)[0])


def main() -> int:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--posts", type=int, default=50)
    options = parser.parse_args()
    return run(options.accounts, options.posts)


if __name__ == "__main__":
    as_program(main)
