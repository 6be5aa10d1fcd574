"""Reads what is due for an account, and writes it to the target."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.exceptions import (
    AuthenticationError,
    InstagramError,
    PermissionDeniedError,
    RateLimitError,
)
from airflow_provider_instagram.graph.insight_reader import InsightReader, Reason
from airflow_provider_instagram.graph.models import ACCOUNT_METRICS, metrics_of
from airflow_provider_instagram.graph.responses import read_responses
from airflow_provider_instagram.insights import schema
from airflow_provider_instagram.insights.schema import MISSED, READ, Age, Row, columns_of
from airflow_provider_instagram.insights.tracking import Discovery, PostEvent, TrackedPost, Tracking
from airflow_provider_instagram.ledger.insights import (
    LatestNumbers,
    StoredRefusals,
    record_numbers,
    record_unnamed_rows,
    unnamed_rows,
)
from airflow_provider_instagram.posts.kinds import PostKind

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.insights.targets import SqlTarget
    from airflow_provider_instagram.ledger.ledger import Ledger
    from airflow_provider_instagram.quota.call_budget import InsightsBudget

log = logging.getLogger(__name__)

#: How often to look for posts made elsewhere. A story made elsewhere is then found before its last reading.
LOOK_EVERY: Final = timedelta(hours=20)
#: How long after the end of a day its account numbers are read: once, when they change no more. Source: Meta, Instagram
#: User Insights, which may be late by 48 hours.
ACCOUNT_AFTER: Final = timedelta(hours=48)
#: How far back account numbers are read after an outage. Source: Meta, Instagram User Insights.
ACCOUNT_DAYS_BACK: Final = 30
#: How much later than its time an event may become visible.
EVENTS_OVERLAP: Final = timedelta(minutes=10)
#: After so many posts that could not be read, it is not the posts: the network is down, for example.
MOST_FAILURES: Final = 3
#: When an older post that could not be read is read again.
OLDER_AGAIN: Final = timedelta(days=1)


@dataclass
class Batch:
    """What one run has read.

    :param left: How many posts and days are due, but are left for a later run.
    """

    posts: list[Row] = field(default_factory=list)
    snapshots: list[Row] = field(default_factory=list)
    days: list[Row] = field(default_factory=list)
    latest: dict[str, LatestNumbers] = field(default_factory=dict)
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


@dataclass
class Collector:
    """Reads the metrics of an account that are due, once each.

    1. Find new posts.
    2. Of each post, mark the ages that can no longer be read, and read the present one.
    3. Read the account's days whose metrics are complete.
    4. With the calls that are left, read older posts, and find a page of those that are still older.
    5. Write all rows to the target, by key.
    6. Record in the ledger the latest metrics of its posts, and how many rows no event has announced yet.
    7. Record in the ledger what is done.

    If the process dies before step 7, the next run reads the same again, and rows that exist stay as they are. If it
    dies after that, the event of the next run announces the rows. If the calls are used up, the rest is for that run.

    :param backfill: Up to which age posts from before the first run are read, once each. Default: none is.
    :param is_of_facebook: Whether the login is on Facebook's host. It has more metrics, and says how people respond to
        polls, prompts and invitations.
    """

    client: GraphClient
    ledger: Ledger
    user_id: str
    target: SqlTarget
    budget: InsightsBudget
    ages: Sequence[timedelta] = schema.DEFAULT_AGES
    look_every: timedelta = LOOK_EVERY
    backfill: timedelta | None = None
    is_of_facebook: bool = False

    def __post_init__(self) -> None:
        self.budget.charge(self.client)
        self.tracking = Tracking(self.ledger.store, self.ages, self.target.identity)
        self._reader = InsightReader(self.client, StoredRefusals(self.ledger.store, self.ledger.clock))

    def run(self, events: Iterable[PostEvent]) -> Batch:
        """Read and write what is due."""
        batch = Batch()
        discovery = Discovery(self.client, self.budget, self.ledger, self.tracking, self.user_id, self.look_every)
        try:
            batch.posts.extend(discovery.find(events))
            self._read_posts(batch)
            if batch.error is None:
                self._read_days(batch)
                if self.backfill is not None:
                    self._read_posts(batch, older=True)
                    if not batch.left and self.budget.left():
                        batch.posts.extend(discovery.find_older(self.backfill))
        except RateLimitError as error:
            self.budget.stop(error.retry_after)
            log.warning("%s The rest is left for a later run.", error)
        except InstagramError as error:
            batch.error = error
        if not self.budget.left():
            until = self.budget.available_at()
            log.warning("Posts and days left: %d. The calls for insights are used up until %s.", batch.left, until)
        try:
            rows = (batch.posts, batch.snapshots, batch.days)
            for table, some in zip(schema.TABLES, rows, strict=True):
                if some:
                    self.target.write(table, some)
            for media_id, numbers in batch.latest.items():
                record_numbers(self.ledger.store, media_id, numbers)
            unnamed, new = unnamed_rows(self.ledger.store, self.target.identity), batch.rows()
            if unnamed or new["read"] or new["days"]:  # posts and missed ages alone have no event
                unnamed = {kind: unnamed.get(kind, 0) + number for kind, number in new.items()}
                record_unnamed_rows(self.ledger.store, self.target.identity, unnamed)
            self.tracking.save()
        finally:
            self.budget.save()
        return batch

    def events_since(self) -> datetime:
        """Return the time since which events of posts are needed."""
        until = self.tracking.head.events_until
        first = self.ledger.clock() - LOOK_EVERY  # the first look at the media list shows what is older
        return datetime.fromisoformat(until) - EVENTS_OVERLAP if until else first

    def _read_posts(self, batch: Batch, *, older: bool = False) -> None:
        due, failed, left = self._due(batch, older=older), list[InstagramError](), batch.left
        for number, (_, post, age) in enumerate(due):
            batch.left = left + len(due) - number + len(failed)
            if not self.budget.left():
                return
            try:
                batch.snapshots.extend(self._read(post, age, batch))
            except (AuthenticationError, PermissionDeniedError, RateLimitError):
                raise
            except InstagramError as error:  # perhaps of this post only, so the others are read all the same
                log.warning("%s The post is left for a later run.", error)
                failed.append(error)
                if older:
                    post.again_at = (self.ledger.clock() + OLDER_AGAIN).timestamp()
                    self.tracking.changed(post)
                if len(failed) == MOST_FAILURES:
                    break
        else:
            batch.left = left + len(failed)
        if failed and not older and len(failed) == min(len(due), MOST_FAILURES):
            batch.error = failed[-1]

    def _due(self, batch: Batch, *, older: bool) -> list[tuple[datetime, TrackedPost, Age]]:
        """Mark the ages that can no longer be read, and return what is to be read now, the most urgent first."""
        now = self.ledger.clock()
        due: list[tuple[datetime, TrackedPost, Age]] = []
        for post in [one for one in self.tracking.due(now.timestamp()) if one.older is older]:
            for age in post.open_ages(self.ages):
                if post.published + age.until <= now:
                    status = MISSED if post.again_at is None else Reason.NO_DATA.value
                    batch.snapshots.append(self._row(post, age, status))
                    self._close(post, age)
                elif post.published + age.after <= now and (post.again_at or 0.0) <= now.timestamp():
                    due.append((post.published + age.until, post, age))
        return sorted(due, key=lambda entry: entry[0])

    def _read(self, post: TrackedPost, age: Age, batch: Batch) -> Iterator[Row]:
        metrics = metrics_of(PostKind(post.kind), of_facebook=self.is_of_facebook)
        reading = self._reader.of_media(post.media_id, post.kind, metrics)
        if reading.reason is Reason.NO_DATA and post.again_at is None and not post.older:
            middle = post.published + age.after + (age.until - age.after) / 2
            if middle > self.ledger.clock():
                post.again_at = middle.timestamp()
                self.tracking.changed(post)
                return
        row = self._row(post, age, reading.reason.value or READ, self.ledger.clock())
        read_at_age = age.name
        if post.older:
            so_old = self.ledger.clock() - post.published
            row["age_seconds"], read_at_age = int(so_old.total_seconds()), f"{so_old.days}d"
        for metric, value in reading.values.items():
            row |= dict.fromkeys(columns_of(post.kind, metric), value)
        numbers = {metric: value for metric, value in reading.values.items() if value is not None}
        post_key = post.post_key if self.is_of_facebook and reading.reason is not Reason.GONE else None
        row["refused_metrics"] = _listed(reading.refused)
        responses = read_responses(self.client, post.media_id, self.ledger.response_edges(post_key))
        row |= responses.numbers
        if (numbers or responses.words) and post.post_key is not None:  # the page shows only posts of the ledger
            batch.latest[post.media_id] = LatestNumbers(
                post.post_key, read_at_age, self.ledger.now(), numbers, responses.words, tuple(sorted(reading.refused))
            )
        self._close(post, age)
        yield row
        if reading.reason is Reason.GONE:
            for later in post.open_ages(self.ages):
                yield self._row(post, later, Reason.GONE.value)
                self._close(post, later)

    def _close(self, post: TrackedPost, age: Age) -> None:
        post.done.append(age.name)
        post.again_at = None
        self.tracking.changed(post)

    def _row(self, post: TrackedPost, age: Age, status: str, read_at: datetime | None = None) -> Row:
        return {
            "post_id": post.media_id,
            "age": age.name,
            "age_seconds": int(age.after.total_seconds()),
            "status": status,
            "due_timestamp": post.published + age.after,
            "snapshot_timestamp": read_at,
            "user_id": self.user_id,
            "conn_id": self.ledger.conn_id,
            "post_key": post.post_key,
            "dag_id": post.dag_id,
            "calendar": post.calendar,
        }

    def _read_days(self, batch: Batch) -> None:
        """Read the days whose metrics are complete: the last one, and after an outage those before it."""
        head, now = self.tracking.head, self.ledger.clock()
        last = (now - ACCOUNT_AFTER).date() - timedelta(days=1)
        first = date.fromisoformat(head.account_day) + timedelta(days=1) if head.account_day else last
        first = max(first, last - timedelta(days=ACCOUNT_DAYS_BACK - 1))
        while first <= last and self.budget.left():
            batch.days.append(self._day_row(first))
            head.account_day = first.isoformat()
            first += timedelta(days=1)
        batch.left += max(0, (last - first).days + 1)

    def _day_row(self, day: date) -> Row:
        begins = datetime.combine(day, time(), timezone.utc)
        reading = self._reader.of_account(self.user_id, ACCOUNT_METRICS, begins, begins + timedelta(days=1))
        values: dict[str, Any] = {f"account_{metric}": value for metric, value in reading.values.items()}
        return {
            "user_id": self.user_id,
            "day": day,
            "status": reading.reason.value or READ,
            "conn_id": self.ledger.conn_id,
            "snapshot_timestamp": self.ledger.clock(),
            "refused_metrics": _listed(reading.refused),
            **values,
        }


def _listed(metrics: Iterable[str]) -> str | None:
    return ", ".join(sorted(metrics)) or None
