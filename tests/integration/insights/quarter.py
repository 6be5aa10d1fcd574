"""A quarter of an account, by the real classes over real HTTP, on one simulated clock with the sandbox."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from sqlalchemy import create_engine, select
from sqlalchemy.pool import StaticPool

from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.client import GraphClient
from airflow_provider_instagram.insights.collector import Collector
from airflow_provider_instagram.insights.discovery import PostEvent
from airflow_provider_instagram.insights.targets import SqlTarget
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import PublishedPost
from airflow_provider_instagram.quota.call_budget import InsightsBudget
from instagram_sandbox.http.server import running
from instagram_sandbox.simulator.clock import Clock
from instagram_sandbox.simulator.sandbox import Settings
from instagram_sandbox.simulator.state import Processing
from instagram_sandbox.simulator.switches import mode_switches
from instagram_sandbox.testing.handle import SandboxHandle
from tests.integration.account import DictStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Table

    from airflow_provider_instagram.insights.collector import Batch
    from airflow_provider_instagram.insights.schema import Row

START: Final = datetime(2026, 9, 1, tzinfo=timezone.utc)
HALF_HOUR: Final = timedelta(minutes=30)
CALLS_PER_HOUR: Final = 200
#: How a post is made, in turn: by this provider, or in the app.
KINDS: Final = ("reel", "reel", "story", "reel", "app", "reel", "reel")


class MemoryTarget(SqlTarget):
    """A SQLite in memory, and what was written to it."""

    def __init__(self) -> None:
        super().__init__("memory")
        self.engine = create_engine("sqlite://", poolclass=StaticPool)
        self.batches: list[tuple[Table, list[Row]]] = []
        self.prepare()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        with self.engine.begin() as connection:
            yield connection

    def write(self, table: Table, rows: Sequence[Row]) -> None:
        self.batches.append((table, list(rows)))
        super().write(table, rows)

    def rows(self, table: Table) -> list[Row]:
        return [dict(row) for row in self.read(select(table).order_by(*table.primary_key))]


@dataclass
class Made:
    """A post of the quarter."""

    media_id: str
    kind: str
    at: datetime
    key: str | None = None


@dataclass
class Quarter:
    """The account, the clock, and what was made, read and found wrong."""

    sandbox: SandboxHandle
    now: datetime
    store: DictStore = field(default_factory=DictStore)
    target: MemoryTarget = field(default_factory=MemoryTarget)
    events: list[PostEvent] = field(default_factory=list)
    made: list[Made] = field(default_factory=list)
    sent: int = 0
    wrong: list[str] = field(default_factory=list)
    busiest_hour: int = 0
    _client: GraphClient | None = None

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.store, "brand", lambda: self.now)

    def client(self) -> GraphClient:
        if self._client is None:
            self._client = GraphClient(self.sandbox.token, base_url=self.sandbox.url, sleep=lambda _: None)
        return self._client

    def new_token(self) -> None:
        """Do what the refresh of a token does: it lives 60 days, and the quarter is longer."""
        self.sandbox.token, self._client = self.sandbox.add_token(self.sandbox.user_id), None

    def publish(self, kind: str) -> None:
        """Make a post, in the app or by this provider, whose ledger and event then have it."""
        number = len(self.made)
        if kind == "app":
            self.made.append(Made(self.sandbox.add_foreign_post(f"Post {number}"), "reel", self.now))
            return
        media_type, user_id = {"reel": "REELS", "story": "STORIES"}[kind], self.sandbox.user_id
        options = {"media_type": media_type, "video_url": "https://example.com/a.mp4"}
        call = calls.create_container(user_id, options)
        container_id = self.client().send(call).id
        self.sandbox.settle()
        self.now += timedelta(seconds=70)
        media_id, key = self.client().send(calls.publish(user_id, container_id)), f"brand/post-{number}"
        self.ledger.record_post(PublishedPost(key, container_id, self.now.isoformat(), media_id, user_id))
        self.events.append(PostEvent(media_id, self.now, key, "content", "spring.yaml"))
        self.made.append(Made(media_id, kind, self.now.replace(microsecond=0), key))

    def run(self, *, rerun: bool = True) -> Batch:
        """Do what one run of the DAG does, and then the same run again, a bit later, as if its state had been lost."""
        before, client = json.dumps(self.store), self.client()
        sent = client.sent
        batch = self._collect()
        self.sent += client.sent - sent
        if batch.error is not None:
            raise batch.error
        self._compare(batch)
        spent = self.store.get("insights-calls") or {"spent": []}
        self.busiest_hour = max(self.busiest_hour, sum(number for _, number in spent["spent"]))
        if rerun and client.sent > sent:
            after = self.store
            self.store, self.now = DictStore(json.loads(before)), self.now + timedelta(minutes=5)
            self._collect()
            self.store, self.now = after, self.now - timedelta(minutes=5)
        return batch

    def _collect(self) -> Batch:
        budget = InsightsBudget(self.store, lambda: self.now, CALLS_PER_HOUR)
        collector = Collector(self.client(), self.ledger, self.sandbox.user_id, self.target, budget)
        since = collector.events_since()
        return collector.run([event for event in self.events if event.at >= since])

    def _compare(self, batch: Batch) -> None:
        """Compare what was read with what the sandbox has at this moment."""
        names = {"reel_views": "views", "reel_saved": "saved", "story_views": "views", "story_navigation": "navigation"}
        for row in batch.snapshots:
            if row["status"] == "read":
                truth = self.sandbox.insights(row["post_id"])
                read = {column: row[column] for column in names if column in row}
                if read != {column: truth[names[column]] for column in read} or not read:
                    self.wrong.append(f"{row}: {truth}")


@contextmanager
def opened() -> Iterator[Quarter]:
    """Open an account on a clock that only the test moves."""
    moment = [START]
    processing = Processing(after_s=30, outcome="finished")
    chosen = mode_switches(strict=True, processing=processing, visible_after_s=30)

    class OnClock(Quarter):
        @property
        def now(self) -> datetime:
            return moment[0]

        @now.setter
        def now(self, value: datetime) -> None:
            moment[0] = value

    with (
        TemporaryDirectory() as folder,
        running(Settings(folder=Path(folder), switches=chosen), Clock(lambda: moment[0].timestamp())) as url,
    ):
        yield OnClock(SandboxHandle(url), START)


def play(quarter: Quarter, *, posts: int, days: float, outage: tuple[datetime, datetime]) -> None:
    """Publish posts at even distances, and run the DAG twice an hour, except during the outage.

    :param posts: The number of posts.
    :param days: How many days to play. Posts are made in the first of them, as far as the last ages allow.
    :param outage: The beginning and the end of an outage of Airflow. Posts go out all the same.
    """
    end = START + timedelta(days=days)
    pause = timedelta(days=days) / posts
    next_post, next_run, renewed = START + pause / 2, START + timedelta(minutes=12), START
    while next_run < end:
        if next_post < next_run:
            quarter.now = max(quarter.now, next_post)
            quarter.publish(KINDS[len(quarter.made) % len(KINDS)])
            next_post += pause
            continue
        quarter.now = next_run
        if quarter.now - renewed > timedelta(days=30):
            quarter.new_token()
            renewed = quarter.now
        if not outage[0] <= quarter.now < outage[1]:
            quarter.run()
        next_run += HALF_HOUR
