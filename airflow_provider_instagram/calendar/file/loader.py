"""A calendar's file as rows: each value as the text in the file, with its line. YAML, JSON and CSV."""

from __future__ import annotations

from pathlib import PurePosixPath

from airflow_provider_instagram.calendar.file.csv_reader import read_table
from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles, read_or_invalid
from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.calendar.file.rows import Row, Rows, Value
from airflow_provider_instagram.calendar.file.yaml_reader import read_json, read_yaml
from airflow_provider_instagram.files.access import read_file
from airflow_provider_instagram.utils.locations import is_web

MAX_BYTES = 10_000_000
FORMATS = (".yaml", ".yml", ".json", ".csv")


def read_text(location: str, files: CalendarFiles | None = None) -> str:
    """Read a calendar's file. Without ``files``, it is a sheet that its owner names on the command line."""
    if is_web(location):
        raise InvalidValue("only its DAG reads a sheet at a web address.", "Download it, and use calendar import.")
    data = read_or_invalid(location, lambda: (files.text if files else read_file)(location, MAX_BYTES))
    return as_text(data)


def as_text(data: bytes) -> str:
    """Return the text of a file, which must be UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InvalidValue(f"line {line} is not UTF-8 text.", "Save the file as UTF-8 (in Excel: CSV UTF-8).") from None


def parse(text: str, location: str) -> Rows:
    """Read the rows of a calendar."""
    ending = PurePosixPath(location.partition("?")[0]).suffix.lower()
    if ending not in FORMATS:
        raise InvalidValue(f"{ending or 'no ending'!r} is not a calendar format.", f"Use one of {', '.join(FORMATS)}.")
    if ending == ".csv":
        return _csv(text)
    return read_json(text) if ending == ".json" else read_yaml(text)


def _csv(text: str) -> Rows:
    table = read_table(text, lambda title: title.strip() or None)
    if "id" not in table.names:
        raise InvalidValue(
            "the first line must name the columns, including id.",
            "Put id,publish_at,timezone,account,video,caption,… there; for a sheet with columns of its own, use "
            "airflow instagram calendar import.",
        )
    columns = Row(table.line, {name: Value(name, table.line) for name in table.names if name})
    return Rows(rows=table.rows, columns=columns, problems=table.problems)
