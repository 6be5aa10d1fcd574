"""Databases and files: the same rows read back, by key, in tables that are made and that new versions extend."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.insights import FileTarget, SqlTarget
from airflow_provider_instagram.insights.schema import ACCOUNT_DAYS, POSTS, SNAPSHOTS, TABLES, Column, Table
from airflow_provider_instagram.insights.targets import open_target
from tests.integration.insights.conftest import plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_instagram.insights.schema import Row

AT = datetime(2026, 9, 1, 23, 30, tzinfo=timezone.utc)
POST: dict[str, Any] = {
    "post_id": "17900000000000001",
    "user_id": "17841400000000001",
    "username": "brand",
    "post_caption": "Größe: 'drop table' \\ 🎬\nsecond line",
    "created_timestamp": AT,
    "is_story": False,
    "media_type": "VIDEO",
    "media_product_type": "REELS",
    "post_url": "https://www.instagram.com/reel/abc/",
    "shortcode": "abc",
    "conn_id": "brand",
    "post_key": "brand/teaser",
    "dag_id": "content",
    "calendar": None,
    "found_timestamp": AT + timedelta(minutes=12),
}
SNAPSHOT: dict[str, Any] = {
    "post_id": POST["post_id"],
    "age": "1h",
    "age_seconds": 3600,
    "status": "read",
    "due_timestamp": AT + timedelta(hours=1),
    "snapshot_timestamp": AT + timedelta(hours=1, minutes=12),
    "user_id": POST["user_id"],
    "conn_id": "brand",
    "post_key": "brand/teaser",
    "reel_views": 9_007_199_254_740_993,
    "like_count": 0,
    "reel_skip_rate": 31.25,
    "reel_saved": None,
}
DAY: dict[str, Any] = {
    "user_id": POST["user_id"],
    "day": date(2026, 9, 1),
    "conn_id": "brand",
    "snapshot_timestamp": AT,
    "account_views": 1200,
}


@pytest.fixture(params=["parquet", "jsonl"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., FileTarget]:
    return lambda **more: FileTarget(str(tmp_path / "insights"), request.param, **more)


def expected(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    return {column.name: plain(row.get(column.name)) for column in table.columns}


def read(rows: list[Row]) -> list[dict[str, Any]]:
    return [{name: plain(value) for name, value in row.items()} for row in rows]


def test_a_database_returns_what_was_written_and_a_rerun_changes_nothing(sql: Callable[..., SqlTarget]) -> None:
    for table, row in ((POSTS, POST), (SNAPSHOTS, SNAPSHOT), (ACCOUNT_DAYS, DAY)):
        assert sql().write(table, [row]) == 1
        found = read(sql().rows(table))
        assert found == [expected(table, row)]
        assert sql().write(table, [row | {"conn_id": "another"}, row]) == 0
        assert read(sql().rows(table)) == found


def test_new_keys_are_added_beside_those_that_exist(sql: Callable[..., SqlTarget]) -> None:
    sql().write(SNAPSHOTS, [SNAPSHOT])
    assert sql().write(SNAPSHOTS, [SNAPSHOT, SNAPSHOT | {"age": "6h"}, SNAPSHOT | {"age": "6h"}]) == 1
    assert [row["age"] for row in sql().rows(SNAPSHOTS)] == ["1h", "6h"]


def test_many_rows_are_written_at_once(sql: Callable[..., SqlTarget]) -> None:
    rows = [SNAPSHOT | {"post_id": str(17900000000000000 + number)} for number in range(250)]
    assert sql().write(SNAPSHOTS, rows) == 250
    assert sql().write(SNAPSHOTS, rows) == 0
    assert len(sql().rows(SNAPSHOTS)) == 250


def test_tasks_that_find_no_tables_at_the_same_moment_all_write(sql: Callable[..., SqlTarget]) -> None:
    """The first run of several accounts: the database refuses all but one that make the same table."""
    together = threading.Barrier(4)

    def write(number: int) -> int:
        together.wait()
        return sql().write(SNAPSHOTS, [SNAPSHOT | {"post_id": str(number)}])

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(write, range(4))) == [1, 1, 1, 1]
    assert [row["post_id"] for row in sql().rows(SNAPSHOTS)] == ["0", "1", "2", "3"]


def with_a_new_column() -> tuple[Table, ...]:
    return tuple(
        replace(table, columns=(*table.columns, Column("reel_new", "integer", since=2)))
        if table is SNAPSHOTS
        else table
        for table in TABLES
    )


def test_tables_of_an_earlier_version_receive_new_columns(sql: Callable[..., SqlTarget]) -> None:
    sql().write(SNAPSHOTS, [SNAPSHOT])
    tables = with_a_new_column()
    later = sql(tables=tables, version=2)
    assert later.write(tables[1], [SNAPSHOT | {"age": "6h", "reel_new": 7}]) == 1
    assert [(row["age"], row["reel_new"]) for row in later.rows(tables[1])] == [("1h", None), ("6h", 7)]
    with pytest.raises(ValidationError, match="version 2, but this provider writes version 1"):
        sql().write(SNAPSHOTS, [SNAPSHOT])


def test_a_migration_that_was_cut_off_is_finished(sql: Callable[..., SqlTarget]) -> None:
    sql().write(SNAPSHOTS, [SNAPSHOT])
    sql()._hook().run("ALTER TABLE instagram_post_snapshots ADD COLUMN reel_new BIGINT")
    tables = with_a_new_column()
    assert sql(tables=tables, version=2).write(tables[1], [SNAPSHOT | {"age": "6h", "reel_new": 7}]) == 1


def test_files_are_partitioned_by_day_and_a_rerun_changes_nothing(files: Callable[..., FileTarget]) -> None:
    target = files()
    for table, row, day in (
        (POSTS, POST, "2026-09-01"),
        (SNAPSHOTS, SNAPSHOT, "2026-09-02"),
        (ACCOUNT_DAYS, DAY, "2026-09-01"),
    ):
        assert files().write(table, [row]) == 1
        file = f"{target.prefix}/{table.name}/day={day}/brand.{target.format}"
        content = storage.read(file)
        assert content is not None
        assert read(target.read_rows(content)) == [expected(table, row)]
        assert files().write(table, [row | {"user_id": row["user_id"], "snapshot_timestamp": AT}]) == 0
        assert storage.read(file) == content


def test_a_caption_may_contain_any_separator_of_lines(files: Callable[..., FileTarget]) -> None:
    """Phones write U+2028 into captions, and JSON does not escape it."""
    caption = "one\u2028two\u2029three\x85four\nfive\x1esix\rseven"
    files().write(POSTS, [POST | {"post_caption": caption}])
    target = files()
    assert target.write(POSTS, [POST | {"post_id": "17900000000000002"}]) == 1
    content = storage.read(f"{target.prefix}/instagram_posts/day=2026-09-01/brand.{target.format}")
    assert content is not None
    assert [row["post_caption"] for row in target.read_rows(content)] == [caption, POST["post_caption"]]


def test_files_of_an_earlier_version_are_kept_and_extended(files: Callable[..., FileTarget]) -> None:
    files().write(SNAPSHOTS, [SNAPSHOT])
    table = with_a_new_column()[1]
    later = files(version=2)
    later.write(table, [SNAPSHOT | {"post_id": "17900000000000002", "reel_new": 7}])
    content = storage.read(f"{later.prefix}/{table.name}/day=2026-09-02/brand.{later.format}")
    assert content is not None
    assert [row["reel_new"] for row in later.read_rows(content)] == [None, 7]
    with pytest.raises(ValidationError, match="version 2, but this provider writes version 1"):
        files().write(SNAPSHOTS, [SNAPSHOT])


def test_files_may_be_in_object_storage(bucket: str) -> None:
    target = FileTarget(f"{bucket}/insights/")
    assert target.write(SNAPSHOTS, [SNAPSHOT]) == 1
    assert FileTarget(f"{bucket}/insights").write(SNAPSHOTS, [SNAPSHOT]) == 0
    content = storage.read(f"{bucket}/insights/instagram_post_snapshots/day=2026-09-02/brand.parquet")
    assert content is not None
    assert [row["reel_views"] for row in target.read_rows(content)] == [9_007_199_254_740_993]
    assert target.location(SNAPSHOTS) == ("s3://clips", "insights/instagram_post_snapshots")


def test_a_text_is_a_connection_or_a_place_for_files() -> None:
    assert open_target("warehouse") == SqlTarget("warehouse")
    assert open_target("s3://media@clips/insights/") == FileTarget("s3://media@clips/insights")
    assert open_target("/data/insights") == FileTarget("/data/insights")
    with pytest.raises(ValidationError, match="empty"):
        open_target(" ")


def test_a_connection_that_is_no_database_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "instagram", "password": "x"}))
    with pytest.raises(ValidationError, match="is not a database"):
        SqlTarget("warehouse").write(POSTS, [POST])


def test_the_names_of_dbt_instagram_business_are_kept() -> None:
    """The names are those of the package's staging models, version 1.0, where the numbers still exist."""
    posts = {"post_id", "user_id", "username", "post_caption", "created_timestamp", "is_story", "media_type"}
    numbers = {
        *("carousel_album_reach", "carousel_album_saved", "carousel_album_shares", "carousel_album_views"),
        *("comment_count", "like_count", "story_reach", "story_replies", "story_shares", "story_views"),
        *("video_photo_reach", "video_photo_saved", "video_photo_shares", "video_photo_views"),
        *("reel_comments", "reel_likes", "reel_reach", "reel_shares", "reel_total_interactions", "reel_views"),
    }
    assert posts | {"post_url", "shortcode"} <= {column.name for column in POSTS.columns}
    assert numbers <= {column.name for column in SNAPSHOTS.columns}
    assert {"post_key", "dag_id", "calendar", "age"} <= {column.name for column in SNAPSHOTS.columns}
