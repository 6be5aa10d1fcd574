"""The queries of ``analytics/questions.md``, run on tables whose numbers are known."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.insights.schema import POSTS, SNAPSHOTS
from tests.integration.docs.pages import ROOT, blocks_of
from tests.integration.insights.conftest import postgres_url as postgres_url
from tests.integration.insights.conftest import sql as sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_instagram.insights.targets import SqlTarget

VIEWS, WEEKDAYS, HOURS, WORDS, SIDES = (block.code for block in blocks_of(ROOT / "analytics/questions.md"))
#: Monday, the last day of August, 00:30 in Berlin.
MONDAY = datetime(2026, 8, 30, 22, 30, tzinfo=timezone.utc)


@pytest.fixture
def answer(sql: Callable[..., SqlTarget]) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
    """Return a function that runs a query on reels of 100 to 300, and on pictures that reach ten times as much."""
    target = sql()
    posts, snapshots = list[dict[str, Any]](), list[dict[str, Any]]()

    def add(day: int, reach: int, caption: str | None = "New in, again", late_h: float = 0.2, **more: Any) -> None:
        number, at = f"p{len(posts)}", MONDAY + timedelta(days=day)
        about = {"media_type": "VIDEO", "media_product_type": "REELS", "is_story": False, **more}
        posts.append({"post_id": number, "conn_id": "brand", "post_caption": caption, "created_timestamp": at, **about})
        prefix = {"VIDEO": "reel", "IMAGE": "video_photo"}[about["media_type"]]
        due = {"due_timestamp": at + timedelta(hours=24), "snapshot_timestamp": at + timedelta(hours=24 + late_h)}
        row = {"post_id": number, "age": "24h", "age_seconds": 86_400, "status": "read", "conn_id": "brand", **due}
        snapshots.append({**row, f"{prefix}_reach": reach})

    for week in range(6):
        add(7 * week - 7, 100)
        add(7 * week - 7 + 1, 200)
        add(7 * week - 7 + 2, 300)
    for reach in (1000, 3000):
        add(0, reach, None, media_type="IMAGE", media_product_type="FEED")
    add(3, 10**6, late_h=6.1)
    target.write(POSTS, posts)
    target.write(SNAPSHOTS, [*snapshots, {**snapshots[0], "age": "3d", "reel_reach": 10**6}])
    connection: Any = target.hook().get_conn()
    with closing(connection), closing(connection.cursor()) as cursor:
        cursor.execute(VIEWS)

        def ask(query: str) -> list[tuple[Any, ...]]:
            cursor.execute(query)
            return [tuple(cell if isinstance(cell, str) else float(cell) for cell in row) for row in cursor.fetchall()]

        yield ask


@pytest.mark.parametrize("sql", ["duckdb", "postgres"], indirect=True)
def test_each_question_is_answered_as_by_hand(answer: Callable[[str], list[tuple[Any, ...]]]) -> None:
    """The median of the reels is 200, and that of the pictures 2000. The two pictures were published on a Monday."""
    assert answer(WEEKDAYS) == [(1, 8, 0.5), (2, 6, 1), (3, 6, 1.5)]
    assert answer(HOURS) == [(0, 20, 18, 1)]
    assert answer(WORDS) == [("new in,", 18, 1)]
    assert answer(SIDES) == [("before", 6, 0.75), ("after", 14, 1)]  # the one of Monday, 31 August, is before
