"""A calendar's file as rows: each value as the text that stands there, with its line. YAML, JSON and CSV."""

from __future__ import annotations

from pathlib import PurePosixPath

from airflow_provider_instagram import storage
from airflow_provider_instagram.calendar.faults import Refusal
from airflow_provider_instagram.calendar.rows import Row, Rows, Value
from airflow_provider_instagram.calendar.table import read_table
from airflow_provider_instagram.calendar.tree import read_json, read_yaml

LARGEST_BYTES = 10_000_000
FORMATS = (".yaml", ".yml", ".json", ".csv")


def read_text(location: str) -> str:
    """Read a calendar's file: on local disk, or wherever ObjectStoragePath reaches.

    :raises Refusal: When it cannot be read.
    """
    try:
        if storage.is_local(location):
            data = storage.local_path(location).read_bytes()
        else:
            from airflow.sdk import ObjectStoragePath

            data = ObjectStoragePath(location).read_bytes()
    except FileNotFoundError:
        raise Refusal("there is no such file.", "Check the path, also upper and lower case.") from None
    except Exception as error:  # noqa: BLE001 -- every storage has errors of its own; a calendar must never break a DAG
        raise Refusal(
            f"the file cannot be read: {type(error).__name__}: {error}.",
            "Check the path, its rights and its connection.",
        ) from None
    if len(data) > LARGEST_BYTES:
        raise Refusal(f"the file has {len(data):,} bytes: at most {LARGEST_BYTES:,} are read.", "Split the calendar.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise Refusal(f"line {line} is not UTF-8 text.", "Save the file as UTF-8 (in Excel: CSV UTF-8).") from None


def parse(text: str, location: str) -> Rows:
    """Read the rows of a calendar.

    :param text: The file's text.
    :param location: Its name, whose ending tells the format.
    :return: The rows, and the faults of single ones.
    :raises Refusal: When nothing of it can be read.
    """
    ending = PurePosixPath(location.partition("?")[0]).suffix.lower()
    if ending not in FORMATS:
        raise Refusal(f"{ending or 'no ending'!r} is no format of a calendar.", f"Use one of {', '.join(FORMATS)}.")
    if ending == ".csv":
        return _csv(text)
    return read_json(text) if ending == ".json" else read_yaml(text)


def _csv(text: str) -> Rows:
    table = read_table(text, lambda title: title.strip() or None)
    if "id" not in table.names:
        raise Refusal(
            "the first line must name the columns, id among them.",
            "Put id,publish_at,timezone,account,video,caption,… there; for a sheet with columns of its own, use "
            "airflow instagram calendar import.",
        )
    columns = Row(table.line, {name: Value(name, table.line) for name in table.names if name})
    return Rows(rows=table.rows, columns=columns, faults=table.faults)
