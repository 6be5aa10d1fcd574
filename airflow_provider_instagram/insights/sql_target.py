"""Writes rows into the tables of a database, through the Airflow connection of that database."""

from __future__ import annotations

import logging
import random
import re
import time
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.insights.schema import TABLES, VERSION, Column, Row, Table, Type, check_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow.providers.common.sql.hooks.sql import DbApiHook

log = logging.getLogger(__name__)

#: The types of SQL that PostgreSQL, SQLite, DuckDB and most other databases know.
SQL_TYPES: Final[Mapping[Type, str]] = {
    "id": "VARCHAR(64)",
    "text": "TEXT",
    "time": "TIMESTAMP",
    "day": "DATE",
    "integer": "BIGINT",
    "number": "DOUBLE PRECISION",
    "boolean": "BOOLEAN",
}
VERSION_TABLE: Final = "instagram_insights_schema"
#: How many keys a query looks for at once.
KEYS_AT_ONCE: Final = 100
#: How often a write is tried, within about 15 s. Its pauses are random, so that two tasks do not meet again.
MOST_TRIES: Final = 8


@dataclass
class SqlTarget:
    """The tables of a database. They are made when they are missing, and receive columns that a new version adds.

    Tried with PostgreSQL, SQLite and DuckDB. Rows are written by key: a row that exists is not changed.

    :param conn_id: The Airflow connection of the database.
    :param schema: The schema of the tables, if not the connection's own. It must exist.
    :param tables: The tables.
    :param version: The version of their columns.
    """

    conn_id: str
    schema: str | None = None
    tables: tuple[Table, ...] = TABLES
    version: int = VERSION

    def __post_init__(self) -> None:
        if self.schema is not None and not re.fullmatch(r"[A-Za-z_]\w*", self.schema):
            raise ValidationError(f"{self.schema!r} is not a valid name of a schema.", hint="Use letters, digits, `_`.")
        self._is_ready = False

    @property
    def name(self) -> str:
        """What the target is, for log lines."""
        return f"the database of connection {self.conn_id!r}"

    @property
    def identity(self) -> str:
        """What tells the target apart from others."""
        return f"sql {self.conn_id} {self.schema or ''}"

    def location(self, table: Table) -> tuple[str, str]:
        """Return the namespace and the name of a table, for lineage."""
        return f"airflow://{self.conn_id}", self._full(table.name)

    def write(self, table: Table, rows: Sequence[Row]) -> int:
        """Write the rows whose key is new, and return their number.

        If the database refuses this, it is tried again: the task of another account may have made the same table or
        written the same row at this moment, or may hold the file of a DuckDB. What it has written is then left out.
        """
        for tries in range(1, MOST_TRIES):
            try:
                return self._write(table, rows)
            except ValidationError:  # noqa: PERF203 -- each try is a whole write
                raise
            except Exception as error:  # noqa: BLE001 -- each database has errors of its own
                log.info("%s refuses the rows: %s. Trying again.", self.name, error)
                time.sleep(random.uniform(0.2, tries))  # noqa: S311 -- no secret
        return self._write(table, rows)

    def _write(self, table: Table, rows: Sequence[Row]) -> int:
        hook = self._hook()
        if not self._is_ready:
            self._prepare(hook)
            self._is_ready = True
        existing = self._existing(hook, table, rows)
        new = list({key: row for row in rows if (key := table.key_of(row)) not in existing}.values())
        if new:
            columns = [column.name for column in table.columns]
            values = [tuple(_value(row.get(name)) for name in columns) for row in new]
            _insert(hook, self._full(table.name), columns, values)
        return len(new)

    def rows(self, table: Table) -> list[Row]:
        """Read all rows of a table, ordered by key."""
        columns = [column.name for column in table.columns]
        found = self._hook().get_records(
            f"SELECT {', '.join(columns)} FROM {self._full(table.name)} ORDER BY {', '.join(table.key)}"  # noqa: S608
        )
        return [dict(zip(columns, row, strict=True)) for row in found]

    def _hook(self) -> DbApiHook:
        from airflow.sdk import BaseHook

        hook: Any = BaseHook.get_connection(self.conn_id).get_hook()
        if not hasattr(hook, "insert_rows") or not hasattr(hook, "get_records"):
            raise ValidationError(
                f"Connection {self.conn_id!r} is not a database.",
                hint="Use the connection of a database whose provider builds on apache-airflow-providers-common-sql.",
            )
        db_hook: DbApiHook = hook
        return db_hook

    def _full(self, name: str) -> str:
        return f"{self.schema}.{name}" if self.schema else name

    def _prepare(self, hook: DbApiHook) -> None:
        """Create the tables that are missing, and add the columns that they lack."""
        versions = self._full(VERSION_TABLE)
        hook.run(f"CREATE TABLE IF NOT EXISTS {versions} (version INTEGER NOT NULL PRIMARY KEY)", autocommit=False)
        found = max((int(row[0]) for row in hook.get_records(f"SELECT version FROM {versions}")), default=0)  # noqa: S608
        check_version(found, self.version, self.name)
        if found == self.version:
            return
        for table in self.tables:
            hook.run(self._create(table))
            if found:
                for column in table.columns:
                    if column.since > found:
                        self._add(hook, table, column)
        _insert(hook, versions, ["version"], [(self.version,)])
        log.info("The tables in %s have version %d now.", self.name, self.version)

    def _create(self, table: Table) -> str:
        columns = [
            f"{column.name} {SQL_TYPES[column.type]}{' NOT NULL' if column.name in table.key else ''}"
            for column in table.columns
        ]
        key = f"PRIMARY KEY ({', '.join(table.key)})"
        return f"CREATE TABLE IF NOT EXISTS {self._full(table.name)} ({', '.join([*columns, key])})"

    def _add(self, hook: DbApiHook, table: Table, column: Column) -> None:
        """Add a column, unless a migration that was cut off has added it."""
        try:
            hook.get_first(f"SELECT {column.name} FROM {self._full(table.name)} WHERE 1 = 0")  # noqa: S608
        except Exception:  # noqa: BLE001 -- each database has its own error for a missing column
            hook.run(f"ALTER TABLE {self._full(table.name)} ADD COLUMN {column.name} {SQL_TYPES[column.type]}")

    def _existing(self, hook: DbApiHook, table: Table, rows: Sequence[Row]) -> set[tuple[str, ...]]:
        """Return which of the rows' keys the table has."""
        first = table.key[0]
        values = list(dict.fromkeys(str(row[first]) for row in rows))
        found: set[tuple[str, ...]] = set()
        for some in _chunks(values):
            marks = ", ".join([hook.placeholder] * len(some))
            query = f"SELECT {', '.join(table.key)} FROM {self._full(table.name)} WHERE {first} IN ({marks})"  # noqa: S608
            found |= {tuple(str(part) for part in row) for row in hook.get_records(query, parameters=tuple(some))}
        return found


def _insert(hook: DbApiHook, table: str, columns: Sequence[str], values: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows in one transaction. With ``commit_every=0``, Airflow's PostgreSQL hook inserts none."""
    hook.insert_rows(table, values, target_fields=columns, commit_every=len(values))


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), KEYS_AT_ONCE):
        yield values[start : start + KEYS_AT_ONCE]


def _value(value: Any) -> Any:
    """Return a value in a form that every driver takes: times in UTC and booleans as text."""
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, date):
        return value.isoformat()
    return str(int(value)) if isinstance(value, bool) else value
