"""Databases that a test may fill: SQLite, DuckDB and PostgreSQL."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.insights import SqlTarget
from tests.reliability.postgres import postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Table

    from airflow_provider_instagram.insights.schema import Row


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    with postgres() as settings:
        yield settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]


def database(kind: str, folder: Path, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the connection of an empty database."""
    if kind != "postgres":
        return {"conn_type": kind, "host": str(folder / f"insights.{kind}")}
    import psycopg2
    from sqlalchemy.engine import make_url

    url = make_url(request.getfixturevalue("postgres_url"))
    name = f"insights_{abs(hash(str(folder)))}"
    made = psycopg2.connect(host=url.host, port=url.port, user=url.username, dbname=url.database)
    made.autocommit = True
    made.cursor().execute(f"CREATE DATABASE {name}")
    made.close()
    return {"conn_type": "postgres", "host": url.host, "port": url.port, "login": url.username, "schema": name}


@pytest.fixture(params=["sqlite", "duckdb", "postgres"])
def sql(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SqlTarget]:
    """Open the target of one empty database, each time as a new task does."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(database(request.param, tmp_path, request)))

    def opened(**more: str) -> SqlTarget:
        target = SqlTarget("warehouse", **more)
        target.prepare()
        return target

    return opened


def rows_of(target: SqlTarget, table: Table) -> list[Row]:
    """Read all rows of a table, ordered by key, as whoever looks at the database does."""
    columns = [column.name for column in table.columns]
    key = ", ".join(column.name for column in table.primary_key)
    query = f"SELECT {', '.join(columns)} FROM {target.full(table.name)} ORDER BY {key}"  # noqa: S608
    return [dict(zip(columns, row, strict=True)) for row in target.hook().get_records(query)]


def plain(value: Any) -> Any:
    """Return a value without the differences of drivers: times as ISO text in UTC, booleans as such."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or timezone.utc).astimezone(timezone.utc).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str) and value[:2] == "20" and value[4:5] == "-" and value[10:11] in (" ", "T"):
        return plain(datetime.fromisoformat(value))
    return value
