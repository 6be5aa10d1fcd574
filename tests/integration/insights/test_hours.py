"""What slots are ordered by, read from databases: one age, in time, of one account, and no story."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.insights.hours import read_table
from airflow_provider_instagram.insights.schema import POSTS, SNAPSHOTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_instagram.insights.targets import SqlTarget

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 9, 7, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


def written(target: SqlTarget, post_id: str, at: datetime, after: timedelta, age: str = "24h", **more: Any) -> None:
    """Write a post, and a reading of it that was taken so long after it."""
    kind = {"media_type": "VIDEO", "media_product_type": more.pop("product", "REELS")}
    conn_id = more.pop("conn_id", "brand")
    ages = {"1h": 3600, "23h": 82_800, "24h": 86_400, "7d": 604_800}
    target.write(POSTS, [{"post_id": post_id, "created_timestamp": at, "conn_id": conn_id, "is_story": False, **kind}])
    about = {"post_id": post_id, "conn_id": conn_id, "age": age, "age_seconds": ages[age], "status": "read"}
    target.write(SNAPSHOTS, [{**about, "snapshot_timestamp": at + after, **more}])


def test_a_reading_counts_up_to_a_quarter_after_its_age(
    sql: Callable[..., SqlTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__INSIGHTS_TARGET", "warehouse")
    target, at = sql(), NOW - timedelta(days=30)
    for number in range(12):
        written(target, f"p{number}", at + timedelta(days=number, hours=7), 24 * HOUR, reel_reach=100 + number)
    written(target, "in-time", at + 10 * HOUR, 30 * HOUR, reel_reach=0)
    written(target, "late", at + 10 * HOUR, 30.5 * HOUR, reel_reach=900)
    written(target, "other-age", at + 10 * HOUR, HOUR, "1h", reel_reach=900)
    written(target, "refused", at + 10 * HOUR, 24 * HOUR, status="refused")
    written(target, "story", at + 10 * HOUR, 23 * HOUR, "23h", product="STORY", story_reach=900)
    written(target, "others", at + 10 * HOUR, 24 * HOUR, conn_id="other", reel_reach=900)
    written(target, "old", NOW - timedelta(days=400), 24 * HOUR, reel_reach=900)
    found = read_table("brand", {9, 12}, BERLIN, NOW)
    assert found.age == "24h"
    assert [(line.hour, line.posts, line.dates, line.median) for line in found.lines.values()] == [
        (9, 12, 12, 106),
        (12, 1, 1, None),
    ]
    assert [one.reach for one in found.reached if one.at == at + 10 * HOUR] == [0]


def test_an_account_without_posts_has_an_empty_table(
    sql: Callable[..., SqlTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__INSIGHTS_TARGET", "warehouse")
    sql().prepare()
    found = read_table("brand", {9}, BERLIN, NOW)
    assert (found.age, found.lines[9].posts, found.median) == ("", 0, None)


def test_without_a_database_the_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__INSIGHTS_TARGET", "")
    with pytest.raises(ValidationError, match="insights_target"):
        read_table("brand", {9}, BERLIN, NOW)
