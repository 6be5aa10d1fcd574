"""Reads what is due for an account, and writes it to the target."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from airflow_provider_instagram.exceptions import (
    AuthenticationError,
    InstagramError,
    PermissionDeniedError,
    RateLimitError,
)
from airflow_provider_instagram.graph.capabilities import MetaLogin
from airflow_provider_instagram.graph.insight_reader import InsightReader, Reading
from airflow_provider_instagram.graph.models import ACCOUNT_METRICS, kind_of, metrics_of
from airflow_provider_instagram.insights.discovery import Discovery, PostEvent, Progress, oldest_age
from airflow_provider_instagram.insights.schema import (
    ACCOUNT_DAYS,
    DEFAULT_AGES,
    MISSED,
    POSTS,
    READ,
    SNAPSHOTS,
    Age,
    Row,
    ages_of,
    column_of,
)
from airflow_provider_instagram.ledger.insights import LatestNumbers, StoredRefusals, record_numbers

if TYPE_CHECKING:
    from datetime import date

    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.insights.targets import SqlTarget
    from airflow_provider_instagram.ledger.ledger import Ledger
    from airflow_provider_instagram.posts.kinds import PostKind
    from airflow_provider_instagram.quota.call_budget import InsightsBudget

log = logging.getLogger(__name__)

#: How often to look for posts made elsewhere. A story made elsewhere is then found before its last
#: reading.
LOOK_EVERY: Final = timedelta(hours=20)
#: How long after the end of a day its account numbers are read: once, when they change no more.
#: Source: Meta, Instagram User Insights, which may be late by 48 hours.
ACCOUNT_AFTER: Final = timedelta(hours=48)
#: How far back account numbers are read after an outage. Source: Meta, Instagram User Insights.
ACCOUNT_DAYS_BACK: Final = 30
#: How much later than its time an event may become visible.
EVENTS_OVERLAP: Final = timedelta(minutes=10)
#: After so many posts that could not be read, it is not the posts: the network is down, for
#: example.
MOST_FAILURES: Final = 3
_DAY: Final = timedelta(days=1)


@dataclass
class Batch:
    """What one run has read.

    :param left: How many posts and days are due, but are left for a later run.
    """

    posts: list[Row] = field(default_factory=list)
    snapshots: list[Row] = field(default_factory=list)
    days: list[Row] = field(default_factory=list)
    left: int = 0
    error: InstagramError | None = None

    def rows(self) -> dict[str, int]:
        """Return how many rows there are of each kind."""
        missed = sum(row["status"] == MISSED for row in self.snapshots)
        read = len(self.snapshots) - missed
        return {"posts": len(self.posts), "read": read, "missed": missed, "days": len(self.days)}

    def counts(self) -> dict[str, int]:
        """Return how many rows there are of each kind, and how many posts and days are left."""
        return {**self.rows(), "left": self.left}


@dataclass(frozen=True)
class Post:
    """A post that may have ages without a snapshot.

    :param origin: Its key, its DAG and its calendar, as its snapshots repeat them.
    :param ages: The ages at which it is read.
    :param done: The ages that have a snapshot.
    """

    media_id: str
    kind: PostKind
    published: datetime
    origin: Row
    ages: tuple[Age, ...]
    done: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, row: Any, ages: Sequence[timedelta]) -> Post:
        """Return the post of a row, without its snapshots."""
        kind = kind_of(row["media_type"], row["media_product_type"])
        origin = {name: row[name] for name in ("post_key", "dag_id", "calendar")}
        return cls(row["post_id"], kind, row["created_timestamp"], origin, ages_of(kind, ages))


@dataclass
class Collector:
    """Reads the metrics of an account that are due, once each.

    1. Find new posts, and write their rows.
    2. Of each post, mark the ages that can no longer be read, and read the present one. The tables
       tell which ages have a snapshot.
    3. Read the account's days whose metrics are complete.
    4. Write the snapshots and days, by key.
    5. Record in the ledger how many rows no event has announced yet.

    If the process dies before step 4, the next run reads the same again. If it dies after that,
    that run finds in the tables what is done. If the calls are used up, the rest is for that run.

    :param login: How the account is connected. Those on Facebook's host have more metrics.
    """

    client: GraphClient
    ledger: Ledger
    user_id: str
    target: SqlTarget
    budget: InsightsBudget
    ages: Sequence[timedelta] = DEFAULT_AGES
    look_every: timedelta = LOOK_EVERY
    login: MetaLogin = MetaLogin.INSTAGRAM

    def __post_init__(self) -> None:
        self.budget.charge(self.client)
        self.progress = Progress.of(self.ledger.store, self.target.identity)
        self._reader = InsightReader(
            self.client, StoredRefusals(self.ledger.store, self.ledger.clock)
        )

    def run(self, events: Iterable[PostEvent]) -> Batch:
        """Read and write what is due."""
        batch = Batch()
        discovery = Discovery(
            self.client,
            self.budget,
            self.ledger,
            self.target,
            self.user_id,
            self.ages,
            self.progress,
            batch.posts,
        )
        try:
            discovery.find(events, self.look_every)
            self._read_posts(batch)
            self._read_days(batch)
        except RateLimitError as error:
            self.budget.stop(error.retry_after)
            log.warning("%s The rest is left for a later run.", error)
        except InstagramError as error:
            batch.error = error
        if not self.budget.left():
            until = self.budget.available_at()
            said = "Posts and days left: %d. The calls for insights are used up until %s."
            log.warning(said, batch.left, until)
        try:
            self.target.write(SNAPSHOTS, batch.snapshots)
            self.target.write(ACCOUNT_DAYS, batch.days)
            self.progress.unnamed.update(batch.rows())
            self.progress.save(self.ledger.store, self.target.identity)
        finally:
            self.budget.save()
        return batch

    def events_since(self) -> datetime:
        """Return the time since which events of posts are needed."""
        if self.progress.events_until is None:
            # the first look at the media list shows what is older
            return self.ledger.clock() - LOOK_EVERY
        return self.progress.events_until - EVENTS_OVERLAP

    def _posts(self) -> list[Post]:
        """Return the posts that are young enough to be read, with the ages that have a snapshot."""
        statement = (
            select(POSTS, SNAPSHOTS.c.age)
            .select_from(POSTS.outerjoin(SNAPSHOTS, SNAPSHOTS.c.post_id == POSTS.c.post_id))
            .where(POSTS.c.user_id == self.user_id)
            .where(POSTS.c.created_timestamp > self.ledger.clock() - 2 * oldest_age(self.ages))
        )
        posts = dict[str, Post]()
        for row in self.target.read(statement):
            media_id = row["post_id"]
            if media_id not in posts:
                posts[media_id] = Post.of(row, self.ages)
            posts[media_id].done.add(row["age"])
        return list(posts.values())

    def _read_posts(self, batch: Batch) -> None:
        """Read the posts that are due, as far as the calls suffice.

        :raises InstagramError: If none can be read, or too many cannot.
        """
        due = self._due(batch)
        failed = self._read_due(due, batch)
        if failed and len(failed) == min(len(due), MOST_FAILURES):
            raise failed[-1]

    def _due(self, batch: Batch) -> list[tuple[Post, Age]]:
        """Mark the ages that can no longer be read, and return what is to be read now, the most urgent first."""
        now = self.ledger.clock()
        due = list[tuple[datetime, Post, Age]]()
        for post in self._posts():
            for age in post.ages:
                ends = post.published + age.until
                if age.name in post.done:
                    continue
                if ends <= now:
                    batch.snapshots.append(self._row(post, age, MISSED))
                elif post.published + age.after <= now:
                    due.append((ends, post, age))
        due.sort(key=lambda entry: entry[0])
        return [(post, age) for _, post, age in due]

    def _read_due(self, due: Sequence[tuple[Post, Age]], batch: Batch) -> list[InstagramError]:
        """Read posts as far as the calls suffice, and return the errors of those that cannot be read."""
        failed = list[InstagramError]()
        batch.left += len(due)
        for post, age in due:
            if not self.budget.left() or len(failed) == MOST_FAILURES:
                break
            try:
                row = self._read(post, age)
            except (AuthenticationError, PermissionDeniedError, RateLimitError):
                raise
            except InstagramError as error:
                # perhaps of this post only, so the others are read all the same
                log.warning("%s The post is left for a later run.", error)
                failed.append(error)
                continue
            batch.left -= 1
            batch.snapshots.append(row)
        return failed

    def _read(self, post: Post, age: Age) -> Row:
        """Read a post, and return its row."""
        metrics = metrics_of(post.kind, self.login)
        reading = self._reader.of_media(post.media_id, post.kind.value, metrics)
        row = self._row(post, age, reading.reason.value or READ, self.ledger.clock())
        row["refused_metrics"] = _listed(reading.refused)
        for metric, value in reading.values.items():
            row[column_of(post.kind, metric)] = value
        self._record_latest(post, age, reading)
        return row

    def _record_latest(self, post: Post, age: Age, reading: Reading) -> None:
        """Record the latest numbers of a post of the ledger. The page shows no other posts."""
        key: str | None = post.origin["post_key"]
        numbers = {metric: value for metric, value in reading.values.items() if value is not None}
        if key is None or not numbers:
            return
        refused = tuple(sorted(reading.refused))
        latest = LatestNumbers(key, age.name, self.ledger.now(), numbers, refused)
        record_numbers(self.ledger.store, post.media_id, latest)

    def _row(self, post: Post, age: Age, status: str, read_at: datetime | None = None) -> Row:
        return {
            "post_id": post.media_id,
            "age": age.name,
            "age_seconds": int(age.after.total_seconds()),
            "status": status,
            "due_timestamp": post.published + age.after,
            "snapshot_timestamp": read_at,
            "user_id": self.user_id,
            "conn_id": self.ledger.conn_id,
            **post.origin,
        }

    def _read_days(self, batch: Batch) -> None:
        """Read the days whose metrics are complete: the last one, and after an outage those before it."""
        newest_day = func.max(ACCOUNT_DAYS.c.day).label("day")
        found = self.target.read(select(newest_day).where(ACCOUNT_DAYS.c.user_id == self.user_id))
        newest: date | None = found[0]["day"]
        last = (self.ledger.clock() - ACCOUNT_AFTER).date() - _DAY
        day = last
        if newest is not None:
            day = max(newest + _DAY, last - (ACCOUNT_DAYS_BACK - 1) * _DAY)
        while day <= last and self.budget.left():
            batch.days.append(self._day_row(day))
            day += _DAY
        batch.left += max(0, (last - day).days + 1)

    def _day_row(self, day: date) -> Row:
        begins = datetime.combine(day, time(), timezone.utc)
        reading = self._reader.of_account(self.user_id, ACCOUNT_METRICS, begins, begins + _DAY)
        return {
            "user_id": self.user_id,
            "day": day,
            "status": reading.reason.value or READ,
            "conn_id": self.ledger.conn_id,
            "snapshot_timestamp": self.ledger.clock(),
            "refused_metrics": _listed(reading.refused),
            **{f"account_{metric}": value for metric, value in reading.values.items()},
        }


def _listed(metrics: Iterable[str]) -> str | None:
    return ", ".join(sorted(metrics)) or None
