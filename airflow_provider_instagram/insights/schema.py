"""The tables of posts, snapshots and account days, and the ages at which posts are read.

Columns are only added: a target reads what a table has, and adds what it lacks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.graph.models import ACCOUNT_METRICS, MEDIA_METRICS
from airflow_provider_instagram.graph.responses import NUMBERS
from airflow_provider_instagram.posts.kinds import PostKind

Row = dict[str, Any]
#: The status of a snapshot whose metrics were read, and of one whose age had passed before.
READ, MISSED = "read", "missed"
Type = Literal["id", "text", "time", "day", "integer", "number", "boolean"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column. A time is in UTC.

    :param about: What it holds, for whoever looks at the table.
    """

    name: str
    type: Type
    about: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    :param key: The columns that identify a row. A row that exists is never changed.
    :param index: The columns by which a database finds rows fast, beside the key.
    """

    name: str
    key: tuple[str, ...]
    about: str
    columns: tuple[Column, ...]
    index: tuple[str, ...] = ()

    def key_of(self, row: Row) -> tuple[str, ...]:
        """Return the key of a row as text."""
        return tuple(str(row[name]) for name in self.key)


#: How the names of columns begin, where that is not the name of the kind.
_PREFIX: Final = {PostKind.PICTURE: "video_photo", PostKind.CAROUSEL: "carousel_album"}
#: Metrics whose numbers are not whole.
_FRACTIONS: Final = frozenset({"reels_skip_rate", "ig_reels_avg_watch_time"})
_UNITS: Final = {
    "reels_skip_rate": ", in percent",
    "ig_reels_avg_watch_time": ", in milliseconds",
    "ig_reels_video_view_total_time": ", in milliseconds",
}


#: The columns that posts of all kinds share.
_OF_ALL: Final = {"like_count": "likes", "comment_count": "comments"}


def columns_of(kind: str, metric: str) -> tuple[str, ...]:
    """Return the columns of a number."""
    prefix = _PREFIX.get(PostKind(kind), kind)
    own = f"{prefix}_{metric.removeprefix('ig_').removeprefix('reels_')}"
    count = next((name for name, common in _OF_ALL.items() if common == metric), None)
    if count is None:
        return (own,)
    return (count, own) if kind == PostKind.REEL.value else (count,)


def _metric_columns() -> tuple[Column, ...]:
    columns: dict[str, Column] = {}
    for kind, metrics in MEDIA_METRICS.items():
        for metric in metrics:
            number: Type = "number" if metric in _FRACTIONS else "integer"
            about = f"Meta's {metric} of a {kind.value}{_UNITS.get(metric, '')}"
            columns |= {name: Column(name, number, about) for name in columns_of(kind.value, metric)}
    for name, metric in _OF_ALL.items():
        columns[name] = Column(name, "integer", f"Meta's {metric} of a post of any kind")
    return tuple(columns.values())


_REFUSED: Final = Column("refused_metrics", "text", "The metrics that Instagram refused, separated by commas")
_CONN: Final = Column("conn_id", "text", "The Airflow connection of the account")
_USER: Final = Column("user_id", "id", "Instagram's id of the account")
_ORIGIN: Final = (
    _CONN,
    Column("post_key", "text", "The key of the post; empty if it was made in the app"),
    Column("dag_id", "text", "The DAG that published the post; empty if it was made in the app"),
    Column("calendar", "text", "The calendar that names the post; empty if none does"),
)

POSTS: Final = Table(
    "instagram_posts",
    ("post_id",),
    "One row for each post of an account on Instagram",
    (
        Column("post_id", "id", "Instagram's id of the post"),
        _USER,
        Column("username", "text", "The name of the account when the post was found"),
        Column("post_caption", "text", "The caption of the post when it was found"),
        Column("created_timestamp", "time", "When the post was published"),
        Column("is_story", "boolean", "Whether the post is a story"),
        Column("media_type", "text", "Meta's media_type: IMAGE, VIDEO or CAROUSEL_ALBUM"),
        Column("media_product_type", "text", "Meta's media_product_type: FEED, REELS or STORY"),
        Column("post_url", "text", "The address of the post"),
        Column("shortcode", "text", "Instagram's short code, which is part of the address"),
        *_ORIGIN,
        Column("found_timestamp", "time", "When the post was found"),
    ),
    index=("conn_id", "created_timestamp"),
)
SNAPSHOTS: Final = Table(
    "instagram_post_snapshots",
    ("post_id", "age"),
    "One row for each post and age; a number that does not exist is null, never 0",
    (
        Column("post_id", "id", "Instagram's id of the post"),
        Column("age", "id", "The age of the post, such as 24h or 7d; older if it was past all ages when found"),
        Column(
            "age_seconds", "integer", "The same age in seconds; of an older post, its age when its metrics were read"
        ),
        Column("status", "text", "read, or why it has no metrics"),
        Column("due_timestamp", "time", "When the post reached this age"),
        Column("snapshot_timestamp", "time", "When the metrics were read; empty if they were missed"),
        _USER,
        *_ORIGIN,
        _REFUSED,
        *_metric_columns(),
        *(
            Column(name, "integer" if is_whole else "number", f"{name.replace('_', ' ').capitalize()} of the post")
            for name, is_whole in NUMBERS.items()
        ),
    ),
)
ACCOUNT_DAYS: Final = Table(
    "instagram_account_days",
    ("user_id", "day"),
    "One row for each account and day of UTC",
    (
        _USER,
        Column("day", "day", "The day"),
        Column("status", "text", "read, or why it has no metrics"),
        _CONN,
        Column("snapshot_timestamp", "time", "When the metrics were read"),
        _REFUSED,
        *(Column(f"account_{metric}", "integer", f"Meta's {metric} of the account") for metric in ACCOUNT_METRICS),
    ),
)
TABLES: Final = (POSTS, SNAPSHOTS, ACCOUNT_DAYS)

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
DEFAULT_AGES: Final = (_HOUR, 6 * _HOUR, 24 * _HOUR, 3 * _DAY, 7 * _DAY, 28 * _DAY)
# Source: Meta, Instagram Media Insights: a story and its numbers exist for 24 hours.
STORY_LIFE: Final = timedelta(hours=24)
#: Later, the numbers of a post change little, and a calendar would wait longer for what it learns.
COMPARED_WITHIN: Final = timedelta(hours=24)
#: When a story is read for the last time.
LAST_AGE_OF_STORY: Final = timedelta(hours=23)
#: The shortest distance of two ages. A DAG that runs twice an hour keeps it.
SHORTEST_DISTANCE: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Age:
    """An age at which a post is read.

    :param name: Its name in the tables, for example ``24h`` or ``7d``.
    :param until: The age from which a reading counts as the next one, or shows nothing any more.
    """

    name: str
    after: timedelta
    until: timedelta


#: How long Meta keeps the numbers of a post. Source: Meta, Instagram Media Insights.
KEPT: Final = timedelta(days=730)
#: The name of the one age of a post that was too old for all others when it was found.
OLDER: Final = "older"


def checked_ages(ages: Sequence[timedelta]) -> tuple[timedelta, ...]:
    """Return ages in their order. There is at least one, and no two are too close to each other."""
    written: Any = ages  # what an author wrote
    listed = list(written) if isinstance(written, Collection) and not isinstance(written, str) else [written]
    for age in listed:
        if not isinstance(age, timedelta):
            raise ValidationError(
                f"{age!r} in ages is not a timedelta.", hint="Write for example ages=[timedelta(hours=1)]."
            )
    ordered = tuple(sorted(set(listed)))
    distances = [later - earlier for earlier, later in zip((timedelta(), *ordered), ordered, strict=False)]
    if not ordered or min(distances) < SHORTEST_DISTANCE or ordered[-1] > 365 * _DAY:
        raise ValidationError(
            f"{[str(age) for age in ages]} are not valid ages.",
            hint="Name at least one, at most 365 days, and at least half an hour apart.",
        )
    return ordered


def ages_of(kind: str, ages: Sequence[timedelta] = DEFAULT_AGES) -> tuple[Age, ...]:
    """Return the ages at which a kind of medium is read, the youngest first."""
    if kind == PostKind.STORY.value:
        below = [age for age in ages if age <= LAST_AGE_OF_STORY - SHORTEST_DISTANCE]
        chosen, end = [*below, LAST_AGE_OF_STORY], STORY_LIFE
    else:
        chosen = list(ages)
        end = chosen[-1] + (chosen[-1] - chosen[-2] if len(chosen) > 1 else chosen[-1])
    following = [*chosen[1:], end]
    return tuple(Age(name_of(after), after, until) for after, until in zip(chosen, following, strict=True))


def compared_age(kind: str, ages: Sequence[timedelta]) -> Age:
    """Return the age at which posts of a kind are compared: the last one within a day, or else the first."""
    all_ages = ages_of(kind, ages)
    return next((age for age in reversed(all_ages) if age.after <= COMPARED_WITHIN), all_ages[0])


def name_of(age: timedelta) -> str:
    """Return the name of an age: in days from two days on, in hours, or in minutes."""
    for unit, letter, least in ((_DAY, "d", 2 * _DAY), (_HOUR, "h", _HOUR)):
        if age >= least and not age % unit:
            return f"{age // unit}{letter}"
    return f"{age // timedelta(minutes=1)}min"
