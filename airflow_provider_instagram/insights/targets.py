"""Writes rows into the tables of a database, which is reached through its Airflow connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import bindparam, exists, false, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.insights.schema import METADATA, TABLES, Row

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from sqlalchemy import Connection, Executable, Insert, RowMapping, Table

T = TypeVar("T")

#: How often work with the database is tried, within about 15 s. Pauses are random, so that two
#: tasks do not meet again.
MOST_TRIES: Final = 8


@dataclass
class SqlTarget:
    """The tables of a database, which are made when they are missing.

    Tried with PostgreSQL, SQLite and DuckDB. Rows are written by key: a row that exists is not
    changed.

    :param schema: The schema of the tables, if not the connection's own. It must exist.
    """

    conn_id: str
    schema: str | None = None

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

    def full(self, name: str) -> str:
        """Return the name of a table with its schema."""
        return f"{self.schema}.{name}" if self.schema else name

    def hook(self) -> DbApiHook:
        """Return the hook of the database."""
        from airflow.sdk import BaseHook

        hook: Any = BaseHook.get_connection(self.conn_id).get_hook()
        if not hasattr(hook, "get_sqlalchemy_engine"):
            raise ValidationError(
                f"Connection {self.conn_id!r} is not a database.",
                hint="Use the connection of a database whose provider builds on apache-airflow-providers-common-sql.",
            )
        db_hook: DbApiHook = hook
        return db_hook

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Open a connection with a transaction, which is committed if the block ends without an error."""
        hook = self.hook()
        options: dict[str, Any] = {"poolclass": NullPool}
        if hook.conn_type != "duckdb":  # SQLAlchemy wraps the connections of DuckDB
            options["creator"] = hook.get_conn  # knows the extra of the connection, such as sslmode
        engine = hook.get_sqlalchemy_engine(options)
        with engine.execution_options(
            schema_translate_map={None: self.schema}
        ).begin() as connection:
            yield connection

    def prepare(self) -> None:
        """Make the tables, and check that rows can be written, before any call is spent on them."""

        def make(connection: Connection) -> None:
            METADATA.create_all(connection)
            for table in TABLES:
                # Writes nothing. It fails if the connection may not write.
                nothing = select(table).where(false())
                connection.execute(insert(table).from_select(table.c.keys(), nothing))

        self._run(make)

    def write(self, table: Table, rows: Sequence[Row]) -> None:
        """Write the rows whose key is new."""
        names = table.columns.keys()
        values = [{f"new_{name}": row.get(name) for name in names} for row in rows]
        if values:
            self._run(lambda connection: connection.execute(_insert_new(table), values))

    def read(self, statement: Executable) -> Sequence[RowMapping]:
        """Return the rows that a statement selects."""
        return self._run(lambda connection: connection.execute(statement).mappings().all())

    def _run(self, work: Callable[[Connection], T]) -> T:
        """Return what work with the database returns. It is done in one transaction.

        If the database refuses it, it is tried again: the task of another account may make the same
        table or write the same row at this moment, or may hold the file of a DuckDB.
        """

        def once() -> T:
            with self.connection() as connection:
                return work(connection)

        retrying = Retrying(
            retry=retry_if_exception_type(DBAPIError),
            stop=stop_after_attempt(MOST_TRIES),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            reraise=True,
        )
        return retrying(once)


def _insert_new(table: Table) -> Insert:
    """Return the statement that writes a row unless its key exists, in SQL that each database understands.

    A parameter has another name than its column, or SQLAlchemy takes it for a value to insert.
    """
    values = {
        column.name: bindparam(f"new_{column.name}", type_=column.type) for column in table.columns
    }
    has_key = exists().where(*(column == values[column.name] for column in table.primary_key))
    return insert(table).from_select(list(values), select(*values.values()).where(~has_key))
