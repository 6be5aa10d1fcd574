"""What posts reached, read back from databases: of some accounts and days, at all ages, without writing anything."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select, text

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.insights import results as reader
from airflow_provider_instagram.insights.results import METRICS, Reading, read_posts
from airflow_provider_instagram.insights.schema import POSTS, SNAPSHOTS
from airflow_provider_instagram.insights.targets import SqlTarget

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_mock import MockerFixture

AT = datetime(2026, 9, 1, 23, 30, tzinfo=timezone.utc)
WEEK = (AT, AT + timedelta(days=7))


def posts_of(*days: float, **more: Any) -> list[dict[str, Any]]:
    common = {"conn_id": "brand", "is_story": False, "media_type": "VIDEO", "media_product_type": "REELS", **more}
    return [{"post_id": f"p{day}", "created_timestamp": AT + timedelta(days=day), **common} for day in days]


def snapshot(post_id: str, age: str, age_s: int, status: str = "read", **numbers: Any) -> dict[str, Any]:
    return {"post_id": post_id, "age": age, "age_seconds": age_s, "status": status, "conn_id": "brand", **numbers}


def test_the_posts_of_an_account_and_a_span_of_time_come_with_all_their_readings(sql: Callable[..., SqlTarget]) -> None:
    target = sql()
    text = {"post_caption": "Größe: 'drop'\nsecond", "post_url": "https://x.com/a", "post_key": "brand/a"}
    target.write(POSTS, [*posts_of(0, **text), *posts_of(6.99), *posts_of(-0.01, 7), *posts_of(3, conn_id="other")])
    target.write(POSTS, posts_of(2, media_type="IMAGE", media_product_type="FEED"))
    target.write(SNAPSHOTS, [snapshot("p0", "1h", 3600, reel_reach=40), snapshot("p0", "24h", 86_400, reel_reach=0)])
    target.write(SNAPSHOTS, [snapshot("p2", "1h", 3600, picture_reach=7), snapshot("p6.99", "1h", 3600, "refused")])
    found, is_cut = read_posts(sql(), ["brand"], "reach", *WEEK)
    assert [(post.media_id, post.kind, post.readings) for post in found] == [
        ("p6.99", "reel", {"1h": Reading(3600, "refused", None)}),
        ("p2", "picture", {"1h": Reading(3600, "read", 7)}),
        ("p0", "reel", {"1h": Reading(3600, "read", 40), "24h": Reading(86_400, "read", 0)}),
    ]
    last = found[-1]
    assert (last.at, last.caption, last.link, last.post_key) == (AT, *text.values())
    assert not is_cut
    both, _ = read_posts(sql(), ["brand", "other"], "reach", *WEEK)
    assert {post.conn_id for post in both} == {"brand", "other"}


def test_each_metric_of_each_kind_is_read(sql: Callable[..., SqlTarget]) -> None:
    target = sql()
    target.write(POSTS, posts_of(0))
    numbers: dict[str, Any] = {
        "reel_saved": 5,
        "like_count": 6,
        "reel_skip_rate": 31.25,
        "reel_avg_watch_time": 2.5,
    }
    target.write(SNAPSHOTS, [snapshot("p0", "1h", 3600, **numbers)])
    found = {}
    for metric in METRICS:
        (post,), _ = read_posts(sql(), ["brand"], metric, *WEEK)
        found[metric] = post.readings["1h"].value
    expected = {"saved": 5, "likes": 6, "reels_skip_rate": 31.25, "ig_reels_avg_watch_time": 2.5}
    assert found == {**dict.fromkeys(METRICS), **expected}


def test_a_metric_that_instagram_refused_is_told_from_one_without_a_value(sql: Callable[..., SqlTarget]) -> None:
    target = sql()
    target.write(POSTS, posts_of(0))
    target.write(SNAPSHOTS, [snapshot("p0", "1h", 3600, refused_metrics="reposts, shares")])
    statuses = [
        read_posts(sql(), ["brand"], metric, *WEEK)[0][0].readings["1h"].status for metric in ("shares", "reach")
    ]
    assert statuses == ["refused", "read"]


def test_of_too_many_posts_the_newest_are_read(sql: Callable[..., SqlTarget], mocker: MockerFixture) -> None:
    mocker.patch.object(reader, "MOST_POSTS", 2)
    sql().prepare()
    sql().write(POSTS, posts_of(0, 1, 2))
    found, is_cut = read_posts(sql(), ["brand"], "reach", *WEEK)
    assert ([post.media_id for post in found], is_cut) == (["p2", "p1"], True)


@pytest.mark.parametrize("sql", ["postgres"], indirect=True)
def test_a_query_that_takes_long_is_ended(sql: Callable[..., SqlTarget], mocker: MockerFixture) -> None:
    mocker.patch.object(reader, "TIME_LIMIT", text("SET LOCAL statement_timeout = '50ms'"))
    slow = select(POSTS, func.pg_sleep(30))
    mocker.patch.object(reader, "select", return_value=slow)
    sql().write(POSTS, posts_of(0))
    with pytest.raises(ValidationError, match="cannot be read"):
        read_posts(sql(), ["brand"], "reach", *WEEK)


@pytest.mark.parametrize("sql", ["postgres"], indirect=True)
def test_an_account_is_found_by_the_index_that_the_insights_dag_adds(sql: Callable[..., SqlTarget]) -> None:
    target = sql()
    target.prepare()
    (index,) = [
        name
        for (name,) in target.hook().get_records("SELECT indexdef FROM pg_indexes WHERE tablename = 'instagram_posts'")
        if "created_timestamp" in name
    ]
    assert index.endswith("(conn_id, created_timestamp)")


def test_a_database_without_tables_says_what_makes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "empty.db")}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    with pytest.raises(ValidationError, match=r"cannot be read from the database of connection 'warehouse'.*first run"):
        read_posts(SqlTarget("warehouse"), ["brand"], "reach", *WEEK)
