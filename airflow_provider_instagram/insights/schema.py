"""The tables of posts, snapshots and account days, and the ages at which posts are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    Column,
    Date,
    Double,
    Index,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.graph.models import ACCOUNT_METRICS, MEDIA_METRICS
from airflow_provider_instagram.posts.kinds import PostKind

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine

METADATA: Final = MetaData()
Row = dict[str, Any]
#: The status of a snapshot whose metrics were read, and of one that was not read in time.
READ = "read"
MISSED = "missed"


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC, to the second. Only PostgreSQL is told that it is in UTC."""

    impl = TIMESTAMP
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type in a database."""
        return dialect.type_descriptor(TIMESTAMP(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what is written."""
        if value is None:
            return None
        at = value.astimezone(timezone.utc).replace(microsecond=0)
        return at if dialect.name == "postgresql" else at.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what was written."""
        return value and value.replace(tzinfo=value.tzinfo or timezone.utc)


_ID: Final = String(64)
#: The name of a column, its type, and what it holds, for whoever looks at the table.
_ColumnForm = tuple[str, "TypeEngine[Any]", str]

#: Metrics whose numbers are not whole.
_FRACTIONS: Final = frozenset({"reels_skip_rate", "ig_reels_avg_watch_time"})
_UNITS: Final = {
    "reels_skip_rate": ", in percent",
    "ig_reels_avg_watch_time": ", in milliseconds",
    "ig_reels_video_view_total_time": ", in milliseconds",
}
#: The columns that posts of all kinds share, by their metrics.
_OF_ALL: Final = {"likes": "like_count", "comments": "comment_count"}


def column_of(kind: PostKind, metric: str) -> str:
    """Return the column of a number."""
    if metric in _OF_ALL:
        return _OF_ALL[metric]
    return f"{kind.value}_{metric.removeprefix('ig_').removeprefix('reels_')}"


def _metric_columns() -> Iterable[_ColumnForm]:
    columns = dict[str, _ColumnForm]()
    for kind, metrics in MEDIA_METRICS.items():
        for metric in metrics:
            name = column_of(kind, metric)
            holds = f"Meta's {metric} of a {kind.value}{_UNITS.get(metric, '')}"
            columns[name] = (name, Double() if metric in _FRACTIONS else BigInteger(), holds)
    for metric, name in _OF_ALL.items():
        columns[name] = (name, BigInteger(), f"Meta's {metric} of a post of any kind")
    return columns.values()


def _table(
    name: str, key: tuple[str, ...], about: str, columns: Iterable[_ColumnForm], *indexes: Index
) -> Table:
    """Return a table. A row that exists is never changed.

    :param key: The columns that identify a row.
    """
    made = [
        Column(column, type_, primary_key=column in key, comment=holds)
        for column, type_, holds in columns
    ]
    return Table(name, METADATA, *made, *indexes, comment=about)


_POST: Final = ("post_id", _ID, "Instagram's id of the post")
_USER: Final = ("user_id", _ID, "Instagram's id of the account")
_CONN: Final = ("conn_id", Text(), "The Airflow connection of the account")
_REFUSED: Final = (
    "refused_metrics",
    Text(),
    "The metrics that Instagram refused, separated by commas",
)
_ORIGIN: Final = (
    _CONN,
    ("post_key", Text(), "The key of the post; empty if it was made in the app"),
    ("dag_id", Text(), "The DAG that published the post; empty if it was made in the app"),
    ("calendar", Text(), "The calendar that names the post; empty if none does"),
)

POSTS: Final = _table(
    "instagram_posts",
    ("post_id",),
    "One row for each post of an account on Instagram",
    (
        _POST,
        _USER,
        ("username", Text(), "The name of the account when the post was found"),
        ("post_caption", Text(), "The caption of the post when it was found"),
        ("created_timestamp", UtcTime(), "When the post was published"),
        ("is_story", Boolean(), "Whether the post is a story"),
        ("media_type", Text(), "Meta's media_type: IMAGE, VIDEO or CAROUSEL_ALBUM"),
        ("media_product_type", Text(), "Meta's media_product_type: FEED, REELS or STORY"),
        ("post_url", Text(), "The address of the post"),
        ("shortcode", Text(), "Instagram's short code, which is part of the address"),
        *_ORIGIN,
        ("found_timestamp", UtcTime(), "When the post was found"),
    ),
    Index("instagram_posts_conn_id_created_timestamp", "conn_id", "created_timestamp"),
)
SNAPSHOTS: Final = _table(
    "instagram_post_snapshots",
    ("post_id", "age"),
    "One row for each post and age; a number that does not exist is null, never 0",
    (
        _POST,
        ("age", _ID, "The age of the post, such as 24h or 7d"),
        ("age_seconds", BigInteger(), "The same age in seconds"),
        ("status", Text(), "read, or why it has no metrics"),
        ("due_timestamp", UtcTime(), "When the post reached this age"),
        ("snapshot_timestamp", UtcTime(), "When the metrics were read; empty if they were missed"),
        _USER,
        *_ORIGIN,
        _REFUSED,
        *_metric_columns(),
    ),
)
ACCOUNT_DAYS: Final = _table(
    "instagram_account_days",
    ("user_id", "day"),
    "One row for each account and day of UTC",
    (
        _USER,
        ("day", Date(), "The day"),
        ("status", Text(), "read, or why it has no metrics"),
        _CONN,
        ("snapshot_timestamp", UtcTime(), "When the metrics were read"),
        _REFUSED,
        *(
            (f"account_{metric}", BigInteger(), f"Meta's {metric} of the account")
            for metric in ACCOUNT_METRICS
        ),
    ),
)
TABLES: Final = (POSTS, SNAPSHOTS, ACCOUNT_DAYS)

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
DEFAULT_AGES: Final = (_HOUR, 6 * _HOUR, 24 * _HOUR, 3 * _DAY, 7 * _DAY, 28 * _DAY)
# Source: Meta, Instagram Media Insights: a story and its numbers exist for 24 hours.
STORY_LIFE: Final = timedelta(hours=24)
#: Later, the numbers of a post change little.
COMPARED_WITHIN: Final = timedelta(hours=24)
#: When a story is read for the last time.
LAST_AGE_OF_STORY: Final = timedelta(hours=23)
#: The shortest distance of two ages. A DAG that runs twice an hour keeps it.
SHORTEST_DISTANCE: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Age:
    """An age at which a post is read.

    :param name: Its name in the tables, for example ``24h`` or ``7d``.
    :param after: The age from which a reading counts as one at this age.
    :param until: The age up to which it does.
    """

    name: str
    after: timedelta
    until: timedelta


def checked_ages(ages: Sequence[timedelta]) -> tuple[timedelta, ...]:
    """Return ages in their order. There is at least one, and no two are too close to each other."""
    for age in ages:
        if not isinstance(age, timedelta):
            raise ValidationError(
                f"{age!r} in ages is not a timedelta.",
                hint="Write for example ages=[timedelta(hours=1)].",
            )
    ordered = tuple(sorted(set(ages)))
    # the first age keeps its distance from the publication
    distances = [later - earlier for earlier, later in pairwise((timedelta(), *ordered))]
    if not ordered or min(distances) < SHORTEST_DISTANCE or ordered[-1] > 365 * _DAY:
        raise ValidationError(
            f"{[str(age) for age in ages]} are not valid ages.",
            hint="Name at least one, at most 365 days, and at least half an hour apart.",
        )
    return ordered


def ages_of(kind: PostKind, ages: Sequence[timedelta] = DEFAULT_AGES) -> tuple[Age, ...]:
    """Return the ages at which a kind of medium is read, the youngest first."""
    if kind is PostKind.STORY:
        below = [age for age in ages if age <= LAST_AGE_OF_STORY - SHORTEST_DISTANCE]
        chosen = [*below, LAST_AGE_OF_STORY]
        end = STORY_LIFE
    else:
        chosen = list(ages)
        # The last age has as much time as there is between it and the one before.
        before = chosen[-2] if len(chosen) > 1 else timedelta()
        end = chosen[-1] + (chosen[-1] - before)
    following = [*chosen[1:], end]
    return tuple(
        Age(name_of(after), after, until) for after, until in zip(chosen, following, strict=True)
    )


def compared_age(ages: Sequence[timedelta]) -> timedelta:
    """Return the age at which posts are compared: the last one within a day, or else the first."""
    return max((age for age in ages if age <= COMPARED_WITHIN), default=ages[0])


def name_of(age: timedelta) -> str:
    """Return the name of an age: in days from two days on, in hours, or in minutes."""
    if age >= 2 * _DAY and not age % _DAY:
        return f"{age // _DAY}d"
    if age >= _HOUR and not age % _HOUR:
        return f"{age // _HOUR}h"
    return f"{age // timedelta(minutes=1)}min"
