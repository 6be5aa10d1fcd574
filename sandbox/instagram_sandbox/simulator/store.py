"""Store the sandbox's records so that they survive a killed process."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


class Store:
    """Records by kind and key in one SQLite file.

    Committed records survive the death of the process. They are not synced to disk, because a
    sandbox need not survive a loss of power.

    :param path: The database file.
    :raises sqlite3.OperationalError: Another process uses the file.
    """

    def __init__(self, path: Path) -> None:
        # One thread uses the database, but not always the one that opened it: a simulation runs the
        # server in a thread.
        self._database = sqlite3.connect(path, check_same_thread=False)
        # One process at a time: two processes with one folder would not see each other's changes.
        self._database.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS record"
            " (kind TEXT, key TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID"
        )

    def put(self, kind: str, key: str, record: Any) -> None:
        """Store a record, or another value, in place of the one with this key. :meth:`commit` makes it durable."""
        self._database.execute(
            "INSERT INTO record VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body",
            (kind, key, to_json(record).decode()),
        )

    def delete(self, kind: str, key: str) -> None:
        """Delete a record. :meth:`commit` makes it durable."""
        self._database.execute("DELETE FROM record WHERE kind = ? AND key = ?", (kind, key))

    def one(self, kind: str, form: type[T]) -> T | None:
        """Return a value of which there is one."""
        found = self._database.execute("SELECT body FROM record WHERE kind = ?", (kind,))
        return next((TypeAdapter(form).validate_json(body) for (body,) in found), None)

    def each(
        self, kind: str, model: type[M], after: str = "", *, newest_first: bool = False
    ) -> Iterator[M]:
        """Yield the records of a kind whose keys come after a key, in the order of the keys."""
        order = "DESC" if newest_first else "ASC"
        found = self._database.execute(
            f"SELECT body FROM record WHERE kind = ? AND key > ? ORDER BY key {order}",  # noqa: S608
            (kind, after),
        )
        for (body,) in found:
            yield model.model_validate_json(body)

    def commit(self) -> None:
        """Make all changes since the last commit durable."""
        self._database.commit()

    def clear(self) -> None:
        """Delete everything."""
        self._database.execute("DELETE FROM record")
        self._database.commit()

    def close(self) -> None:
        """Close the database file."""
        self._database.commit()
        self._database.close()


class Table(dict[str, M]):
    """The records of a kind by their keys, in memory and in the store.

    :param key: The field that is the key.
    """

    def __init__(self, store: Store, kind: str, model: type[M], key: str = "id") -> None:
        super().__init__((getattr(record, key), record) for record in store.each(kind, model))
        self._store = store
        self._kind = kind
        self._key = key

    def keep(self, record: M) -> M:
        """Store a new record, or a change of one, and return it."""
        key = getattr(record, self._key)
        self[key] = record
        self._store.put(self._kind, key, record)
        return record

    def forget(self, record: M) -> None:
        """Delete a record."""
        key = getattr(record, self._key)
        self.pop(key, None)
        self._store.delete(self._kind, key)
