"""The results of posts: one metric at one age, read from the tables of the insights DAG and compared.

A post that is younger than this age, or was read too late, is left out, because its number would
look weak or strong. A post is compared with the median of its account and kind, so that a reel is
not measured by stories.
"""

from __future__ import annotations

import csv
import io
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import chain
from statistics import median
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from sqlalchemy import func, null, select, text

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.graph.insight_reader import Reason
from airflow_provider_instagram.graph.models import MEDIA_METRICS, kind_of
from airflow_provider_instagram.insights.schema import (
    LAST_AGE_OF_STORY,
    MISSED,
    POSTS,
    READ,
    SNAPSHOTS,
    column_of,
    compared_age,
    name_of,
)
from airflow_provider_instagram.posts.kinds import PostKind
from airflow_provider_instagram.utils.urls import shown

if TYPE_CHECKING:
    from sqlalchemy import Connection, RowMapping

    from airflow_provider_instagram.insights.targets import SqlTarget

Cell = str | int | float | None

#: The metrics of any kind of post.
METRICS: Final = tuple(dict.fromkeys(chain(*MEDIA_METRICS.values())))
#: A reading that is farther from its age than this share of it is not compared.
MOST_OFF: Final = 0.25
LONGEST_TITLE: Final = 120
TOO_YOUNG = "too young"
NOT_READ = "not read"
NO_VALUE = "no value"
READ_LATE = "read too late"
#: What the status of a snapshot without metrics means.
WORDS: Final = {
    Reason.NO_DATA.value: "no metrics yet",
    Reason.TOO_FEW_VIEWERS.value: "too few viewers",
    Reason.REFUSED.value: "refused by Instagram",
    Reason.GONE.value: "deleted",
    MISSED: "missed",
}
#: Where a formula begins in a spreadsheet: before one of these signs, also in full width.
FORMULA: Final = re.compile(r"(^|[;\t])(?= *[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")
#: The most posts that are read, the newest ones, and the most days of a period.
MOST_POSTS = 5_000
MOST_DAYS = 366
#: What is read of each snapshot, beside its number.
SNAPSHOT_COLUMNS: Final = (
    "post_id",
    "age",
    "age_seconds",
    "status",
    "snapshot_timestamp",
    "refused_metrics",
)
#: Makes PostgreSQL end a query that takes long.
TIME_LIMIT: Final = text("SET LOCAL statement_timeout = '5s'")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a post had reached at one age. If it has no value, the status may be the reason.

    :param taken_at: When it was read; None if it was missed.
    """

    age_s: int
    status: str
    value: float | None
    taken_at: datetime | None = None


@dataclass(frozen=True)
class Measured:
    """A post with its readings, by the names of the ages.

    :param at: When it was published.
    :param tags: Its tags in the calendar.
    """

    media_id: str
    conn_id: str
    kind: PostKind
    at: datetime
    caption: str
    link: str | None
    post_key: str | None
    readings: Mapping[str, Reading]
    tags: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The first line of the caption."""
        line = next((line for line in self.caption.splitlines() if line.strip()), "")
        return line if len(line) <= LONGEST_TITLE else f"{line[:LONGEST_TITLE]}…"

    def reading(self, age_s: int) -> Reading | None:
        """Return what was read at an age."""
        return self.readings.get(name_of(self.own_age(age_s)))

    def own_age(self, age_s: int) -> timedelta:
        """Return the age at which this post is read when others are read at an age: a story by its last one."""
        age = timedelta(seconds=age_s)
        return min(age, LAST_AGE_OF_STORY) if self.kind is PostKind.STORY else age

    def is_late(self, age_s: int) -> bool:
        """Whether it was read too early or too late at an age to be compared."""
        one = self.reading(age_s)
        if one is None or one.taken_at is None:
            return False
        return abs((one.taken_at - self.at).total_seconds() - one.age_s) > MOST_OFF * one.age_s


@dataclass(frozen=True)
class Table:
    """A table that a page shows and a spreadsheet opens."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]

    def as_csv(self) -> str:
        """Return the table as CSV, in which no text of a post is a formula."""
        file = io.StringIO()
        writer = csv.writer(file)
        writer.writerow(self.columns)
        writer.writerows(map(_harmless, row) for row in self.rows)
        return file.getvalue()


@dataclass
class Results:
    """The tables of some posts.

    :param age: The name of the age. If none of the posts was read at it, it is replaced by the age
        at which posts are usually compared.
    :param zone: In which times are shown.
    :param post: The media id of the post whose curve is shown; by default that of the best one.
    """

    posts: Sequence[Measured]
    metric: str
    age: str
    zone: ZoneInfo
    now: datetime
    post: str = ""

    def __post_init__(self) -> None:
        ages = [timedelta(seconds=age_s) for age_s in self.ages.values()]
        if self.age not in self.ages and ages:
            self.age = name_of(compared_age(ages))

    @cached_property
    def ages(self) -> dict[str, int]:
        """The ages at which posts were read, in seconds by name: those of stories only if there is nothing else."""
        others = [post for post in self.posts if post.kind is not PostKind.STORY]
        return _ages(others or self.posts)

    @property
    def age_s(self) -> int:
        """The age in seconds."""
        return self.ages.get(self.age, 0)

    def reached(self, post: Measured, age_s: int) -> Cell:
        """Return the number of a post at an age, or why it has none."""
        reading = post.reading(age_s)
        if reading is None:
            return TOO_YOUNG if self.now < post.at + post.own_age(age_s) else NOT_READ
        if reading.status != READ:
            return WORDS.get(reading.status, reading.status)
        return NO_VALUE if reading.value is None else reading.value

    def compared(self, posts: Iterable[Measured], age_s: int) -> dict[str, float]:
        """Return the numbers of posts that are compared at an age, by media id."""
        numbers = dict[str, float]()
        for post in posts:
            cell = self.reached(post, age_s)
            if isinstance(cell, (int, float)) and not post.is_late(age_s):
                numbers[post.media_id] = cell
        return numbers

    @cached_property
    def values(self) -> dict[str, float]:
        """The numbers of the posts that are compared, by media id."""
        return self.compared(self.posts, self.age_s)

    @cached_property
    def multiples(self) -> dict[str, float]:
        """These numbers as multiples of the median of the same account and kind."""
        groups = defaultdict[tuple[str, PostKind], dict[str, float]](dict)
        for post in self.posts:
            if post.media_id in self.values:
                groups[post.conn_id, post.kind][post.media_id] = self.values[post.media_id]
        multiples = dict[str, float]()
        for values in groups.values():
            if middle := median(values.values()):
                multiples |= {media_id: value / middle for media_id, value in values.items()}
        return multiples

    @cached_property
    def best(self) -> list[Measured]:
        """The posts that are compared, best first, and the older one first of two alike."""
        compared = [post for post in self.posts if post.media_id in self.values]
        return sorted(compared, key=lambda post: (-self.values[post.media_id], post.at))

    def notes(self) -> list[str]:
        """Return what a reader has to know before the tables."""
        if not self.posts:
            return ["The database has no posts of these days."]
        reasons = Counter[str]()
        for post in self.posts:
            if post.media_id not in self.values:
                cell = self.reached(post, self.age_s)
                reasons[cell if isinstance(cell, str) else READ_LATE] += 1
        missing = "".join(f", {count} {reason}" for reason, count in reasons.most_common())
        compared = f"{len(self.values)} of {len(self.posts)} posts are compared"
        return [f"{compared} at {self.age or 'any age'}{missing}."]

    def tables(self) -> list[Table]:
        """Return all tables."""
        apart = [post for post in self.posts if post.media_id not in self.values]
        newest = sorted(apart, key=lambda post: post.at, reverse=True)
        return [
            self._posts("posts", "Posts, best first", self.best),
            self._posts("apart", "Posts that are not compared, newest first", newest),
            self._curve(),
        ]

    def _posts(self, name: str, title: str, posts: Iterable[Measured]) -> Table:
        columns = (
            "Published",
            "Account",
            "Kind",
            "Post",
            self.metric,
            "Times the median",
            "Age",
            "Read at",
            "Tags",
            "Link",
            "Media id",
        )
        return Table(name, title, columns, list(map(self._row, posts)))

    def _row(self, post: Measured) -> tuple[Cell, ...]:
        return (
            self._local(post.at),
            post.conn_id,
            post.kind.value,
            post.title,
            _rounded(self.reached(post, self.age_s)),
            _rounded(self.multiples.get(post.media_id)),
            name_of(post.own_age(self.age_s)),
            self._read_at(post, self.age_s),
            ", ".join(post.tags),
            post.link,
            post.media_id,
        )

    def _local(self, at: datetime) -> str:
        return f"{at.astimezone(self.zone):%Y-%m-%d %H:%M}"

    def _read_at(self, post: Measured, age_s: int) -> str:
        """Return when a post was read at an age, and whether that was too late."""
        reading = post.reading(age_s)
        at = self._local(reading.taken_at) if reading and reading.taken_at else ""
        return f"{at}, {READ_LATE}" if post.is_late(age_s) else at

    def _curve(self) -> Table:
        """Return a post at each age, beside the median of the same account and kind."""
        columns = ("Age", "This post", "Median", "Posts", "Read at")
        chosen = [one for one in self.posts if one.media_id == self.post] + self.best
        if not chosen:
            return Table("curve", "A post by age", columns, [])
        post = chosen[0]
        alike = [one for one in self.posts if (one.conn_id, one.kind) == (post.conn_id, post.kind)]
        rows = []
        for age, age_s in _ages(alike).items():
            numbers = self.compared(alike, age_s).values()
            middle = median(numbers) if numbers else None
            own = self.reached(post, age_s)
            read_at = self._read_at(post, age_s)
            rows.append((age, _rounded(own), _rounded(middle), len(numbers), read_at))
        title = f"{post.title or post.media_id} (beside each {post.kind} of {post.conn_id})"
        return Table("curve", title, columns, rows)


def _ages(posts: Iterable[Measured]) -> dict[str, int]:
    found = dict[str, int]()
    for post in posts:
        found |= {name: reading.age_s for name, reading in post.readings.items()}
    return dict(sorted(found.items(), key=lambda entry: entry[1]))


def _rounded(cell: Cell) -> Cell:
    """Return a cell with at most two places after the point."""
    return round(cell, 2) if isinstance(cell, float) else cell


def _harmless(cell: Cell) -> Cell:
    """Return a cell that no spreadsheet runs as a formula, even if it splits the line at semicolons or tabs."""
    return FORMULA.sub(r"\1'", cell) if isinstance(cell, str) else cell


def read_posts(
    target: SqlTarget, accounts: Sequence[str], metric: str, since: datetime, until: datetime
) -> tuple[list[Measured], bool]:
    """Return the posts that accounts published in a span of time, the newest first, and whether there are more.

    :raises ValidationError: If the database cannot be read.
    """
    newest = (
        select(POSTS)
        .where(POSTS.c.conn_id.in_(accounts))
        .where(POSTS.c.created_timestamp >= since, POSTS.c.created_timestamp < until)
        .order_by(POSTS.c.created_timestamp.desc())
        .limit(MOST_POSTS + 1)
    )
    try:
        with target.connection() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(TIME_LIMIT)
            rows = connection.execute(newest).mappings().all()
            posts = rows[:MOST_POSTS]
            readings = _readings(connection, metric, [row["post_id"] for row in posts])
    except Exception as error:  # noqa: BLE001 -- each database has errors of its own
        log.warning("%s cannot be read: %s", target.name, shown(str(error)))
        raise ValidationError(
            f"The metrics cannot be read from {target.name}.",
            hint="The insights DAG makes the tables at its first run. The log of the API server says more.",
        ) from None
    return [_measured(row, readings.get(row["post_id"], {})) for row in posts], len(
        rows
    ) > MOST_POSTS


def _readings(
    connection: Connection, metric: str, post_ids: Sequence[str]
) -> dict[str, dict[str, Reading]]:
    """Return the readings of posts, by media id and the name of the age.

    The rows are found by their key, however large the table is.
    """
    names = {
        column_of(kind, metric) for kind, metrics in MEDIA_METRICS.items() if metric in metrics
    }
    values = [SNAPSHOTS.c[name] for name in sorted(names)]
    columns = [SNAPSHOTS.c[name] for name in SNAPSHOT_COLUMNS]
    # A snapshot has a number in the columns of its own kind of post only.
    value = func.coalesce(*values, null()).label("value")
    snapshots = select(*columns, value).where(SNAPSHOTS.c.post_id.in_(post_ids))
    readings = defaultdict[str, dict[str, Reading]](dict)
    for row in connection.execute(snapshots).mappings():
        is_refused = metric in (row["refused_metrics"] or "").split(", ")
        status = Reason.REFUSED.value if is_refused else row["status"]
        readings[row["post_id"]][row["age"]] = Reading(
            row["age_seconds"], status, row["value"], row["snapshot_timestamp"]
        )
    return readings


def _measured(row: RowMapping, readings: dict[str, Reading]) -> Measured:
    return Measured(
        media_id=row["post_id"],
        conn_id=row["conn_id"],
        kind=kind_of(row["media_type"], row["media_product_type"]),
        at=row["created_timestamp"],
        caption=row["post_caption"] or "",
        link=row["post_url"],
        post_key=row["post_key"],
        readings=readings,
    )
