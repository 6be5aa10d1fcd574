"""The tables of posts, snapshots and account days.

Columns that the dbt package ``dbt_instagram_business`` has are named as there. Columns are only added: a target reads
what a table has, and adds what it lacks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from airflow_provider_instagram.graph.models import ACCOUNT_METRICS, MEDIA_METRICS
from airflow_provider_instagram.graph.responses import NUMBERS
from airflow_provider_instagram.posts.kinds import PostKind

Row = dict[str, Any]
#: The status of a snapshot whose numbers were read, and of one whose age had passed before.
READ, MISSED = "read", "missed"
Type = Literal["id", "text", "time", "day", "integer", "number", "boolean"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column. A time is in UTC."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    :param key: The columns that identify a row. A row that exists is never changed.
    :param day: The column by whose day files are partitioned.
    :param index: The columns by which a database finds rows fast, beside the key.
    """

    name: str
    key: tuple[str, ...]
    day: str
    columns: tuple[Column, ...]
    index: tuple[str, ...] = ()

    def key_of(self, row: Row) -> tuple[str, ...]:
        """Return the key of a row as text."""
        return tuple(str(row[name]) for name in self.key)


#: How the names of columns begin, where that is not the name of the kind.
_PREFIX: Final = {PostKind.PICTURE: "video_photo", PostKind.CAROUSEL: "carousel_album"}
#: Metrics whose numbers are not whole.
_FRACTIONS: Final = frozenset({"reels_skip_rate", "ig_reels_avg_watch_time"})


def columns_of(kind: str, metric: str) -> tuple[str, ...]:
    """Return the columns of a number."""
    prefix = _PREFIX.get(PostKind(kind), kind)
    own = f"{prefix}_{metric.removeprefix('ig_').removeprefix('reels_')}"
    count = {"likes": "like_count", "comments": "comment_count"}.get(metric)
    if count is None:
        return (own,)
    return (count, own) if kind == PostKind.REEL.value else (count,)


def _metric_columns() -> tuple[Column, ...]:
    columns: dict[str, Column] = {}
    for kind, metrics in MEDIA_METRICS.items():
        for metric in metrics:
            number: Type = "number" if metric in _FRACTIONS else "integer"
            columns |= {name: Column(name, number) for name in columns_of(kind.value, metric)}
    return tuple(columns.values())


_ORIGIN: Final = (
    Column("conn_id", "text"),
    Column("post_key", "text"),
    Column("dag_id", "text"),
    Column("calendar", "text"),
)

POSTS: Final = Table(
    "instagram_posts",
    ("post_id",),
    "created_timestamp",
    (
        Column("post_id", "id"),
        Column("user_id", "text"),
        Column("username", "text"),
        Column("post_caption", "text"),
        Column("created_timestamp", "time"),
        Column("is_story", "boolean"),
        Column("media_type", "text"),
        Column("media_product_type", "text"),
        Column("post_url", "text"),
        Column("shortcode", "text"),
        *_ORIGIN,
        Column("found_timestamp", "time"),
    ),
    index=("conn_id", "created_timestamp"),
)
SNAPSHOTS: Final = Table(
    "instagram_post_snapshots",
    ("post_id", "age"),
    "due_timestamp",
    (
        Column("post_id", "id"),
        Column("age", "id"),
        Column("age_seconds", "integer"),
        Column("status", "text"),
        Column("due_timestamp", "time"),
        Column("snapshot_timestamp", "time"),
        Column("user_id", "text"),
        *_ORIGIN,
        *_metric_columns(),
        *(Column(name, "integer" if is_whole else "number") for name, is_whole in NUMBERS.items()),
    ),
)
ACCOUNT_DAYS: Final = Table(
    "instagram_account_days",
    ("user_id", "day"),
    "day",
    (
        Column("user_id", "id"),
        Column("day", "day"),
        Column("status", "text"),
        Column("conn_id", "text"),
        Column("snapshot_timestamp", "time"),
        *(Column(f"account_{metric}", "integer") for metric in ACCOUNT_METRICS),
    ),
)
TABLES: Final = (POSTS, SNAPSHOTS, ACCOUNT_DAYS)
