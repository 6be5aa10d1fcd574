"""The views of ``docs/insights/targets.md``, made in each database, on rows whose answers are written by hand."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.insights.schema import POSTS, SNAPSHOTS
from tests.integration.docs.pages import ROOT, blocks_of
from tests.integration.insights.conftest import postgres_url as postgres_url
from tests.integration.insights.conftest import sql as sql

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_instagram.insights.schema import Row
    from airflow_provider_instagram.insights.targets import SqlTarget

NUMBERS, LATEST, COMPARED = (block.code.strip().rstrip(";") for block in blocks_of(ROOT / "docs/insights/targets.md"))
MADE = datetime(2026, 8, 1, 9, tzinfo=timezone.utc)


def post(post_id: str, media_type: str, product: str) -> Row:
    is_story = product == "STORY"
    about = {"media_type": media_type, "media_product_type": product, "is_story": is_story}
    return {"post_id": post_id, "conn_id": "brand", "created_timestamp": MADE, **about}


def snapshot(post_id: str, age: str, hours: int, status: str = "read", **numbers: float) -> Row:
    at = MADE + timedelta(hours=hours)
    key = {"post_id": post_id, "age": age, "age_seconds": hours * 3600, "status": status}
    return {**key, "due_timestamp": at, "snapshot_timestamp": at, "conn_id": "brand", **numbers}


POSTS_BY_HAND = [
    post("1", "IMAGE", "FEED"),
    post("2", "CAROUSEL_ALBUM", "FEED"),
    post("3", "VIDEO", "STORY"),
    post("4", "VIDEO", "FEED"),
    post("5", "VIDEO", "REELS"),
]
SNAPSHOTS_BY_HAND = [
    # As text, "6h" is after "24h", and "3d" before "6h".
    snapshot("1", "6h", 6, picture_views=50, picture_reach=0),
    snapshot("1", "24h", 24, picture_views=90, picture_reach=10, like_count=3),
    snapshot("1", "3d", 72, "no_data"),
    snapshot("2", "1h", 1, carousel_reach=40, carousel_follows=2),
    snapshot("2", "6h", 6, "gone"),
    snapshot("2", "24h", 24, "gone"),
    snapshot("3", "1h", 1, "too_few_viewers"),
    snapshot("3", "6h", 6, "missed"),
    snapshot("5", "1h", 1, reel_views=7, like_count=2),
    snapshot("5", "24h", 24, reel_views=9, reel_reach=6, like_count=2),
]


def test_each_post_has_one_row_with_its_latest_numbers(sql: Callable[..., SqlTarget]) -> None:
    target = sql()
    target.write(POSTS, POSTS_BY_HAND)
    target.write(SNAPSHOTS, SNAPSHOTS_BY_HAND)
    hook = target.hook()
    hook.run([NUMBERS, LATEST])
    asked = (
        "SELECT post_id, kind, status, age, views, reach, likes, follows FROM instagram_latest_posts ORDER BY post_id"
    )
    found: list[Any] = [tuple(row) for row in hook.get_records(asked)]
    assert found == [
        ("1", "picture", "read", "24h", 90, 10, 3, None),
        ("2", "carousel", "read", "1h", None, 40, None, 2),
        ("3", "story", "missed", "6h", None, None, None, None),
        ("4", "picture", None, None, None, None, None, None),
        ("5", "reel", "read", "24h", 9, 6, 2, None),
    ]
    compared = sorted((kind, posts, float(reach)) for kind, posts, reach in hook.get_records(COMPARED))
    assert compared == [("picture", 1, 10), ("reel", 1, 6)]
