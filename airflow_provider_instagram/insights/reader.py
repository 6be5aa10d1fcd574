"""Reads what posts reached from the tables of a database, by bounded queries that change nothing."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, null, select, text

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.graph.insight_reader import Reason
from airflow_provider_instagram.graph.models import MEDIA_METRICS, kind_of
from airflow_provider_instagram.insights.results import Measured, Reading
from airflow_provider_instagram.insights.schema import OLDER, POSTS, SNAPSHOTS, columns_of
from airflow_provider_instagram.utils.urls import shown

if TYPE_CHECKING:
    from sqlalchemy import Connection, RowMapping

    from airflow_provider_instagram.insights.targets import SqlTarget

log = logging.getLogger(__name__)

#: The most posts that are read, the newest ones, and the most days of a period.
MOST_POSTS, MOST_DAYS = 5_000, 366
READ_OF_SNAPSHOTS: Final = (
    "post_id",
    "age",
    "age_seconds",
    "status",
    "snapshot_timestamp",
    "refused_metrics",
)
#: What makes a connection unable to write, and a query that takes long fail, by the name of the
#: database.
GUARDS: Final = {
    "postgresql": ("SET TRANSACTION READ ONLY", "SET LOCAL statement_timeout = '5s'"),
    "sqlite": ("PRAGMA query_only = ON",),
}


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
            guard(connection)
            rows = connection.execute(newest).mappings().all()
            posts = rows[:MOST_POSTS]
            readings = _readings(connection, metric, [row["post_id"] for row in posts])
    except Exception as error:  # noqa: BLE001 -- each database has errors of its own
        log.warning("%s cannot be read: %s", target.name, shown(str(error)))
        raise ValidationError(
            f"The metrics cannot be read from {target.name}.",
            hint="The insights DAG makes the tables at its first run. The log of the API server says more.",
        ) from None
    return [_measured(row, readings[row["post_id"]]) for row in posts], len(rows) > MOST_POSTS


def guard(connection: Connection) -> None:
    """Make a connection unable to write, where the database allows that."""
    for statement in GUARDS.get(connection.dialect.name, ()):
        connection.execute(text(statement))


def _readings(
    connection: Connection, metric: str, post_ids: Sequence[str]
) -> dict[str, dict[str, Reading]]:
    """Return the readings of posts by post and age. The rows are found by their key, however large the table is."""
    names = {
        columns_of(kind, metric)[0] for kind, metrics in MEDIA_METRICS.items() if metric in metrics
    }
    values = [SNAPSHOTS.c[name] for name in sorted(names)]
    columns = [SNAPSHOTS.c[name] for name in READ_OF_SNAPSHOTS]
    snapshots = (
        select(*columns, func.coalesce(*values, null()).label("value"))
        .where(SNAPSHOTS.c.post_id.in_(post_ids))
        .where(SNAPSHOTS.c.age != OLDER)  # of no age at which posts can be compared
    )
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
