"""Writes rows into the tables of a database, which is reached through its Airflow connection."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.insights.schema import TABLES, Column, Row, Table, Type

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

T = TypeVar("T")

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
#: How many keys a query looks for at once.
KEYS_AT_ONCE: Final = 100
#: How often a write is tried, within about 15 s. Its pauses are random, so that two tasks do not meet again.
MOST_TRIES: Final = 8


@dataclass
class SqlTarget:
    """The tables of a database. They are made when they are missing, and receive the columns that they lack.

    Tried with PostgreSQL, SQLite and DuckDB. Rows are written by key: a row that exists is not changed.

    :param schema: The schema of the tables, if not the connection's own. It must exist.
    """

    conn_id: str
    schema: str | None = None

    def __post_init__(self) -> None:
        if self.schema is not None and not re.fullmatch(r"[A-Za-z_]\w*", self.schema):
            raise ValidationError(f"{self.schema!r} is not a valid name of a schema.", hint="Use letters, digits, `_`.")
        self._columns: dict[str, list[str]] = {}

    @property
    def name(self) -> str:
        """What the target is, for log lines."""
        return f"the database of connection {self.conn_id!r}"

    @property
    def identity(self) -> str:
        """What identifies the target."""
        return f"sql {self.conn_id} {self.schema or ''}"

    def location(self, table: Table) -> tuple[str, str]:
        """Return the namespace and the name of a table, for lineage."""
        return f"airflow://{self.conn_id}", self.full(table.name)

    def prepare(self) -> None:
        """Make the tables, and check that rows can be written, before any call is spent on them."""
        self._tried(lambda hook: [self._columns_of(hook, table) for table in TABLES])

    def write(self, table: Table, rows: Sequence[Row]) -> int:
        """Write the rows whose key is new, and return their number."""
        return self._tried(lambda hook: self._write(hook, table, rows))

    def _tried(self, work: Callable[[DbApiHook], T]) -> T:
        """Return what the work with the database returns.

        If the database refuses it, it is tried again: the task of another account may have made the same table or
        written the same row at this moment, or may hold the file of a DuckDB. What it has written is then left out.
        """
        for tries in range(1, MOST_TRIES):
            try:
                return work(self.hook())
            except ValidationError:  # noqa: PERF203 -- each try is a whole one
                raise
            except Exception as error:  # noqa: BLE001 -- each database has errors of its own
                log.info("%s refuses the rows: %s. Trying again.", self.name, error)
                time.sleep(random.uniform(0.2, tries))  # noqa: S311 -- no secret
        return work(self.hook())

    def _write(self, hook: DbApiHook, table: Table, rows: Sequence[Row]) -> int:
        columns = self._columns_of(hook, table)
        existing = self._existing(hook, table, rows)
        new = list({key: row for row in rows if (key := table.key_of(row)) not in existing}.values())
        if new:
            values = [tuple(stored(row.get(name)) for name in columns) for row in new]
            # In one transaction. With commit_every=0, Airflow's PostgreSQL hook inserts none.
            hook.insert_rows(self.full(table.name), values, target_fields=columns, commit_every=len(values))
        return len(new)

    def hook(self) -> DbApiHook:
        """Return the hook of the database."""
        from airflow.sdk import BaseHook

        hook: Any = BaseHook.get_connection(self.conn_id).get_hook()
        if not hasattr(hook, "insert_rows") or not hasattr(hook, "get_records"):
            raise ValidationError(
                f"Connection {self.conn_id!r} is not a database.",
                hint="Use the connection of a database whose provider builds on apache-airflow-providers-common-sql.",
            )
        db_hook: DbApiHook = hook
        return db_hook

    def full(self, name: str) -> str:
        """Return the name of a table with its schema."""
        return f"{self.schema}.{name}" if self.schema else name

    def _columns_of(self, hook: DbApiHook, table: Table) -> list[str]:
        """Return our columns that a table has, once it exists and what it lacks was added."""
        if table.name not in self._columns:
            name = self.full(table.name)
            try:
                existing = _names(hook, name)
            except Exception:  # noqa: BLE001 -- each database has its own error for a missing table
                hook.run(self._create(hook, table))
                existing = _names(hook, name)
            for column in table.columns:
                if column.name not in existing:
                    existing |= self._added(hook, name, column)
            if table.index:
                self._add_index(hook, table)
            columns = [column.name for column in table.columns if column.name in existing]
            listed = ", ".join(columns)
            hook.run(f"INSERT INTO {name} ({listed}) SELECT {listed} FROM {name} WHERE 1 = 0")  # noqa: S608
            self._columns[table.name] = columns
        return self._columns[table.name]

    def _added(self, hook: DbApiHook, table: str, column: Column) -> set[str]:
        """Add a column, unless another task just does, and return the names of those that the table has then."""
        for _ in range(3):
            try:
                added = f"ALTER TABLE {table} ADD COLUMN {column.name} {_type(hook, column)}"
                hook.run([added, *_comments(hook, table, [column])])
            except Exception as error:  # noqa: BLE001, PERF203 -- another task adds it, or only an administrator may
                refused = error
                if column.name in (existing := _names(hook, table)):
                    return existing
                time.sleep(0.2)
            else:
                return {column.name}
        log.warning("%s in %s lacks the column %s, and its values are lost: %s", table, self.name, column.name, refused)
        return existing

    def _add_index(self, hook: DbApiHook, table: Table) -> None:
        """Add the index by which results are read. Without it, rows are written all the same."""
        index = f"{table.name}_{'_'.join(table.index)}"
        try:
            hook.run(f"CREATE INDEX IF NOT EXISTS {index} ON {self.full(table.name)} ({', '.join(table.index)})")
        except Exception as error:  # noqa: BLE001 -- another task makes it, or only the owner of the table may
            log.info("The index %s is not added in %s: %s", index, self.name, error)

    def _create(self, hook: DbApiHook, table: Table) -> list[str]:
        name, columns = self.full(table.name), table.columns
        written = [
            f"{column.name} {_type(hook, column)}{' NOT NULL' if column.name in table.key else ''}"
            for column in columns
        ]
        key = f"PRIMARY KEY ({', '.join(table.key)})"
        created = f"CREATE TABLE IF NOT EXISTS {name} ({', '.join([*written, key])})"
        return [created, *_comments(hook, name, columns, table.about)]

    def _existing(self, hook: DbApiHook, table: Table, rows: Sequence[Row]) -> set[tuple[str, ...]]:
        first = table.key[0]
        values = list(dict.fromkeys(str(row[first]) for row in rows))
        existing: set[tuple[str, ...]] = set()
        for some in chunks(values):
            marks = ", ".join([hook.placeholder] * len(some))
            query = f"SELECT {', '.join(table.key)} FROM {self.full(table.name)} WHERE {first} IN ({marks})"  # noqa: S608
            existing |= {tuple(str(part) for part in row) for row in hook.get_records(query, parameters=tuple(some))}
        return existing


def _type(hook: DbApiHook, column: Column) -> str:
    return "TIMESTAMPTZ" if column.type == "time" and hook.conn_type == "postgres" else SQL_TYPES[column.type]


def _comments(hook: DbApiHook, table: str, columns: Sequence[Column], about: str | None = None) -> list[str]:
    """Return the statements that say in the database what columns hold, and a new table. Only PostgreSQL has them."""
    if hook.conn_type != "postgres":
        return []
    texts = {f"COLUMN {table}.{column.name}": column.about for column in columns}
    texts |= {f"TABLE {table}": about} if about else {}
    return [f"COMMENT ON {what} IS '{text.replace(chr(39), chr(39) * 2)}'" for what, text in texts.items()]


def _names(hook: DbApiHook, table: str) -> set[str]:
    described: Any = hook.run(f"SELECT * FROM {table} WHERE 1 = 0", handler=lambda cursor: cursor.description)  # noqa: S608
    return {str(column[0]).lower() for column in described}


def chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield as many keys as a query looks for at once."""
    for start in range(0, len(values), KEYS_AT_ONCE):
        yield values[start : start + KEYS_AT_ONCE]


def stored(value: Any) -> Any:
    """Return a value in a form that every driver takes: times in UTC and booleans as text."""
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    return str(int(value)) if isinstance(value, bool) else value
