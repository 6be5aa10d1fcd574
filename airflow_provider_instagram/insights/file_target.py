"""Writes rows into files, one for each table, day and account, in a folder or in object storage."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.operators.lineage import dataset_of
from airflow_provider_instagram.utils.locations import shown

if TYPE_CHECKING:
    from airflow_provider_instagram.insights.schema import Row, Table

FORMATS: Final = ("parquet", "jsonl")
#: Readers of folders skip a name that begins so.
TEST_FILE: Final = ".write-test"


@dataclass
class FileTarget:
    """Files such as ``instagram_post_snapshots/day=2026-11-26/brand.parquet``.

    A file has the rows of one account and one day of UTC: the day of a post's publication, the day on which a snapshot
    is due, or the day of an account. Rows are written by key: a row that exists is not changed.

    :param prefix: The folder, or the prefix in object storage, as ObjectStoragePath opens it.
    :param format: ``parquet``, which needs the extra ``parquet``, or ``jsonl``.
    """

    prefix: str
    format: Literal["parquet", "jsonl"] = "parquet"

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValidationError(f"{self.format!r} is not a valid format.", hint=f"Use one of {', '.join(FORMATS)}.")
        self.prefix = self.prefix.rstrip("/")

    @property
    def name(self) -> str:
        """What the target is, for log lines."""
        return shown(self.prefix)

    @property
    def identity(self) -> str:
        """What identifies the target."""
        return f"{self.format} {self.prefix}"

    def location(self, table: Table) -> tuple[str, str]:
        """Return the namespace and the name of a table, for lineage."""
        return dataset_of(f"{self.prefix}/{table.name}")

    def prepare(self) -> None:
        """Check that files can be written, before any call is spent on them."""
        if self.format == "parquet":
            _pyarrow()
        storage.write(f"{self.prefix}/{TEST_FILE}", b"")
        with suppress(Exception):  # it may be allowed to write only
            storage.remove(f"{self.prefix}/{TEST_FILE}")

    def write(self, table: Table, rows: Sequence[Row]) -> int:
        """Write the rows whose key is new, and return their number.

        Each file is written whole, in one step. Only one task at a time writes the rows of an account.
        """
        files: dict[str, list[Row]] = {}
        for row in rows:
            files.setdefault(self._file(table, row), []).append(row)
        return sum(self._extend(table, file, some) for file, some in files.items())

    def _file(self, table: Table, row: Row) -> str:
        day, account = _day(row[table.day]).isoformat(), quote(str(row["conn_id"]), safe="")
        return f"{self.prefix}/{table.name}/day={day}/{account}.{self.format}"

    def _extend(self, table: Table, file: str, rows: Sequence[Row]) -> int:
        content = storage.read(file)
        before = [] if content is None else self.read_rows(content)
        known = {table.key_of(row) for row in before}
        new = list({key: row for row in rows if (key := table.key_of(row)) not in known}.values())
        if new:
            storage.write(file, self._content(table, [*before, *new], content))
        return len(new)

    def read_rows(self, content: bytes) -> list[Row]:
        """Return the rows in the content of a file."""
        if self.format == "parquet":
            _, parquet = _pyarrow()
            rows: list[Row] = parquet.read_table(io.BytesIO(content), partitioning=None).to_pylist()
            return rows
        # Not splitlines: it also splits at separators such as U+2028, which a caption may contain.
        return [json.loads(line) for line in content.decode().split("\n") if line]

    def _content(self, table: Table, rows: Sequence[Row], before: bytes | None) -> bytes:
        """Return the content of a file. Rows of an earlier provider lack columns, those of a later one have more."""
        if self.format == "jsonl":
            complete = [dict.fromkeys(column.name for column in table.columns) | row for row in rows]
            return "".join(f"{json.dumps(row, ensure_ascii=False, default=_text)}\n" for row in complete).encode()
        arrow, parquet = _pyarrow()
        types = {
            "id": arrow.string(),
            "text": arrow.string(),
            "time": arrow.timestamp("us", tz="UTC"),
            "day": arrow.date32(),
            "integer": arrow.int64(),
            "number": arrow.float64(),
            "boolean": arrow.bool_(),
        }
        fields = {column.name: types[column.type] for column in table.columns}
        if before is not None:
            fields |= {field.name: field.type for field in parquet.read_schema(io.BytesIO(before))}
        out = io.BytesIO()
        parquet.write_table(arrow.Table.from_pylist(rows, schema=arrow.schema(list(fields.items()))), out)
        return out.getvalue()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ValidationError(
            "Parquet files need pyarrow, which is not installed on this worker.",
            hint='Install airflow-provider-instagram[parquet], or use FileTarget(…, format="jsonl").',
        ) from None
    return pyarrow, parquet


def _day(value: Any) -> date:
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).date()
    day: date = value
    return day


def _text(value: date) -> str:
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat(timespec="seconds")
    return value.isoformat()
