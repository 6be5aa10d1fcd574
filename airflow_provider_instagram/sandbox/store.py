"""Where the sandbox keeps its records, so that a killed process finds them again."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

if TYPE_CHECKING:
    from pathlib import Path

M = TypeVar("M", bound=BaseModel)


class Store:
    """Records by kind and key in one SQLite file.

    What was committed survives the death of the process. It is not synced to the disk on every call: the loss of
    power is no concern of a sandbox.

    :param path: The database file; None keeps everything in memory.
    :raises sqlite3.OperationalError: Another process uses the file.
    """

    def __init__(self, path: Path | None) -> None:
        # One thread uses it, but not always the one that opened it: a simulation runs the server in a thread.
        self._database = sqlite3.connect(path or ":memory:", check_same_thread=False)
        # One process at a time: two with one folder would each go on from what the other does not know.
        self._database.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS record"
            " (kind TEXT, key TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID"
        )

    def put(self, kind: str, key: str, record: BaseModel) -> None:
        """Keep a record in place of the former one of that key. Lasting after :meth:`commit`."""
        self._database.execute(
            "INSERT INTO record VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body",
            (kind, key, record.model_dump_json()),
        )

    def load(self, kind: str, model: type[M]) -> dict[str, M]:
        """Return all records of a kind by their keys, in the order of the keys."""
        rows = self._database.execute("SELECT key, body FROM record WHERE kind = ? ORDER BY key", (kind,))
        return {key: model.model_validate_json(body) for key, body in rows}

    def commit(self) -> None:
        """Make lasting what was put since the last commit."""
        self._database.commit()

    def clear(self) -> None:
        """Forget everything."""
        self._database.execute("DELETE FROM record")
        self._database.commit()

    def close(self) -> None:
        """Close the database file."""
        self._database.commit()
        self._database.close()
