"""Databases: the same rows read back, by key, in tables that are made."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Table, func, select

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.insights import SqlTarget, targets
from airflow_provider_instagram.insights.dag import open_target
from airflow_provider_instagram.insights.schema import ACCOUNT_DAYS, POSTS, SNAPSHOTS, TABLES
from tests.integration.insights.conftest import database, plain, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_mock import MockerFixture

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
    "status": "read",
    "conn_id": "brand",
    "snapshot_timestamp": AT,
    "account_views": 1200,
}


def expected(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    columns = [column.name for column in table.columns]
    assert row.keys() <= set(columns), "the table has a column for each value"
    return {name: plain(row.get(name)) for name in columns}


def read(rows: list[Row]) -> list[dict[str, Any]]:
    return [{name: plain(value) for name, value in row.items()} for row in rows]


def test_a_database_returns_what_was_written_and_a_rerun_changes_nothing(sql: Callable[..., SqlTarget]) -> None:
    for table, row in ((POSTS, POST), (SNAPSHOTS, SNAPSHOT), (ACCOUNT_DAYS, DAY)):
        sql().write(table, [row])
        found = read(rows_of(sql(), table))
        assert found == [expected(table, row)]
        sql().write(table, [row | {"conn_id": "another"}, row])
        assert read(rows_of(sql(), table)) == found


def test_tables_are_made_in_the_schema_that_a_target_names(
    postgres_url: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = database("postgres", tmp_path, request)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    target = SqlTarget("warehouse", schema="marketing")
    target.hook().run("CREATE SCHEMA marketing")
    target.prepare()
    target.write(SNAPSHOTS, [SNAPSHOT])
    assert [row["reel_views"] for row in rows_of(target, SNAPSHOTS)] == [SNAPSHOT["reel_views"]]


def test_tasks_that_make_the_same_tables_at_the_same_moment_all_write(sql: Callable[..., SqlTarget]) -> None:
    """The first run of several accounts: the database refuses all but one that make the same."""
    together = threading.Barrier(4)

    def write(number: int) -> None:
        together.wait()
        sql().write(SNAPSHOTS, [SNAPSHOT | {"post_id": str(number)}])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert [row["post_id"] for row in rows_of(SqlTarget("warehouse"), SNAPSHOTS)] == ["0", "1", "2", "3"]


@pytest.fixture
def in_tokyo(
    postgres_url: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> SqlTarget:
    """Open a PostgreSQL whose sessions have a time zone of their own."""
    connection = database("postgres", tmp_path, request)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    target = SqlTarget("warehouse")
    target.hook().run(f"ALTER DATABASE {connection['schema']} SET timezone TO 'Asia/Tokyo'")
    target.prepare()
    return target


def test_postgresql_knows_the_moment_of_each_time(in_tokyo: SqlTarget) -> None:
    in_tokyo.write(POSTS, [POST])
    (row,) = rows_of(in_tokyo, POSTS)
    assert (row["created_timestamp"], row["created_timestamp"].utcoffset()) == (AT, timedelta(hours=9))
    local = in_tokyo.hook().get_records(
        "SELECT created_timestamp::date, extract(hour from created_timestamp) FROM instagram_posts"
    )
    assert local == [(date(2026, 9, 2), 8)]


def test_postgresql_says_what_each_table_and_column_holds(in_tokyo: SqlTarget) -> None:
    found = in_tokyo.hook().get_records(
        "SELECT relname, attname, col_description(pg_class.oid, attnum), obj_description(pg_class.oid) FROM pg_class "
        "JOIN pg_attribute ON attrelid = pg_class.oid WHERE relname LIKE 'instagram%' AND relkind = 'r' AND attnum > 0"
    )
    wanted = [(table.name, column.name, column.comment, table.comment) for table in TABLES for column in table.columns]
    assert sorted(found) == sorted(wanted)


def test_the_extra_of_a_connection_reaches_postgresql(in_tokyo: SqlTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = json.loads(os.environ["AIRFLOW_CONN_WAREHOUSE"]) | {"extra": {"application_name": "numbers"}}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    assert in_tokyo.read(select(func.current_setting("application_name").label("name")))[0]["name"] == "numbers"


@pytest.fixture
def granted(
    postgres_url: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], SqlTarget]:
    """Make the tables as an administrator, and open them as a user who has some rights only."""
    connection = database("postgres", tmp_path, request)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    SqlTarget("warehouse").prepare()
    hook = SqlTarget("warehouse").hook()

    def grant(rights: str) -> SqlTarget:
        role = f"{connection['schema']}_writer"
        tables = ", ".join(table.name for table in TABLES)
        hook.run([f"CREATE ROLE {role} LOGIN", f"GRANT {rights} ON {tables} TO {role}"])
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection | {"login": role}))
        return SqlTarget("warehouse")

    return grant


def test_a_target_that_may_only_be_read_is_refused_before_there_are_rows(
    granted: Callable[[str], SqlTarget], mocker: MockerFixture
) -> None:
    mocker.patch.object(targets, "MOST_TRIES", 1)
    with pytest.raises(Exception, match="permission denied for table instagram_posts"):
        granted("SELECT").prepare()


def test_a_text_is_a_connection() -> None:
    assert open_target("warehouse") == SqlTarget("warehouse")
    with pytest.raises(ValidationError, match="empty"):
        open_target(" ")


def test_a_connection_that_is_no_database_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "instagram", "password": "x"}))
    with pytest.raises(ValidationError, match="is not a database"):
        SqlTarget("warehouse").prepare()
