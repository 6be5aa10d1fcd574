"""Reads what posts reached from the tables of a database, by bounded queries that change nothing."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.graph.insight_reader import Reason
from airflow_provider_instagram.graph.models import MEDIA_METRICS, Media
from airflow_provider_instagram.insights.results import Measured, Reading
from airflow_provider_instagram.insights.schema import OLDER, POSTS, SNAPSHOTS, columns_of
from airflow_provider_instagram.insights.targets import SqlTarget, chunks, stored
from airflow_provider_instagram.utils.urls import shown

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

log = logging.getLogger(__name__)

#: The most posts that are read, the newest ones, and the most days of a period.
MOST_POSTS, MOST_DAYS = 5_000, 366
#: Further queries for a request begin only within this time.
LONGEST_READ_S: Final = 10
#: What makes a connection unable to write, and a query that takes long fail, by the type of the connection.
GUARDS: Final = {
    "postgres": ("SET TRANSACTION READ ONLY", "SET LOCAL statement_timeout = '5s'"),
    "sqlite": ("PRAGMA query_only = ON",),
}


def read_posts(
    target: SqlTarget, accounts: Sequence[str], metric: str, since: datetime, until: datetime
) -> tuple[list[Measured], bool]:
    """Return the posts that accounts published in a span of time, the newest first, and whether there are more.

    :raises ValidationError: If the database cannot be read.
    """
    try:
        hook = target.hook()
        with _guarded_cursor(hook) as cursor:
            marks = ", ".join([hook.placeholder] * len(accounts))
            cursor.execute(
                "SELECT post_id, conn_id, post_caption, created_timestamp, media_type, media_product_type, post_url, "  # noqa: S608
                f"post_key FROM {target.full(POSTS.name)} WHERE conn_id IN ({marks}) "
                f"AND created_timestamp >= {hook.placeholder} AND created_timestamp < {hook.placeholder} "
                f"ORDER BY created_timestamp DESC LIMIT {MOST_POSTS + 1}",
                (*accounts, stored(since), stored(until)),
            )
            rows = cursor.fetchall()
            readings = _readings(hook, cursor, target, metric, [row[0] for row in rows[:MOST_POSTS]])
    except Exception as error:  # noqa: BLE001 -- each database has errors of its own
        log.warning("%s cannot be read: %s", target.name, shown(str(error)))
        raise ValidationError(
            f"The metrics cannot be read from {target.name}.",
            hint="The insights DAG makes the tables at its first run. The log of the API server says more.",
        ) from None
    return [_measured(row, readings[row[0]]) for row in rows[:MOST_POSTS]], len(rows) > MOST_POSTS


@contextmanager
def _guarded_cursor(hook: DbApiHook) -> Iterator[Any]:
    """Open a cursor that cannot write, where the database allows that."""
    connection: Any = hook.get_conn()
    with closing(connection), closing(connection.cursor()) as cursor:
        for guard in GUARDS.get(hook.conn_type, ()):
            cursor.execute(guard)
        yield cursor


def _readings(
    hook: DbApiHook, cursor: Any, target: SqlTarget, metric: str, post_ids: Sequence[str]
) -> dict[str, dict[str, Reading]]:
    """Return the readings of posts by post and age. The rows are found by their key, however large the table is."""
    columns = dict.fromkeys(columns_of(kind, metric)[0] for kind, names in MEDIA_METRICS.items() if metric in names)
    value = f"COALESCE({', '.join(columns)})" if len(columns) > 1 else next(iter(columns))
    readings = defaultdict[str, dict[str, Reading]](dict)
    until_s = time.monotonic() + LONGEST_READ_S
    for some in chunks(post_ids):
        if time.monotonic() > until_s:
            raise TimeoutError(f"the rows were not read within {LONGEST_READ_S} s")
        marks = ", ".join([hook.placeholder] * len(some))
        cursor.execute(
            f"SELECT post_id, age, age_seconds, status, {value}, snapshot_timestamp, refused_metrics "  # noqa: S608
            f"FROM {target.full(SNAPSHOTS.name)} "
            f"WHERE post_id IN ({marks}) AND age <> '{OLDER}'",  # of no age at which posts can be compared
            tuple(some),
        )
        for post_id, age, age_s, status_of_all, number, taken, refused in cursor.fetchall():
            status = Reason.REFUSED.value if metric in (refused or "").split(", ") else status_of_all
            readings[post_id][age] = Reading(age_s, status, number, _moment(taken) if taken else None)
    return readings


def _measured(row: Sequence[Any], readings: dict[str, Reading]) -> Measured:
    post_id, conn_id, caption, created, media_type, product_type, link, post_key = row
    return Measured(
        media_id=post_id,
        conn_id=conn_id,
        kind=Media(post_id, media_type=media_type, media_product_type=product_type).kind,
        at=_moment(created),
        caption=caption or "",
        link=link,
        post_key=post_key,
        readings=readings,
    )


def _moment(written: str | datetime) -> datetime:
    """Return a time as a database has it: as text, or without its zone, which is UTC."""
    at = datetime.fromisoformat(written) if isinstance(written, str) else written
    return at.replace(tzinfo=at.tzinfo or timezone.utc)
