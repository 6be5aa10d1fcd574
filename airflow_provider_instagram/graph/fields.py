"""Reading fields of Meta's answers: strict about ids, tolerant of everything else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit


def read_object(text: str | bytes) -> Mapping[str, Any]:
    """Read a JSON object, or an empty one if the text is anything else."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def first_row(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Unwrap ``{"data": [{…}]}``, which Meta documents but does not always send."""
    rows = data.get("data", data)
    row = rows[0] if isinstance(rows, list) and rows else rows
    return row if isinstance(row, Mapping) else {}


def read_rows(data: Mapping[str, Any], what: str) -> list[Any]:
    """Read the rows of a list."""
    rows = data.get("data")
    if not isinstance(rows, list):
        raise ValueError(f"no list of {what}")
    return rows


def read_id(data: Mapping[str, Any], key: str = "id") -> str:
    """Read an id. Ids are decimal strings, or at login, numbers that are too large for a float."""
    value = data.get(key)
    text = str(value) if isinstance(value, int) else value
    if not isinstance(text, str) or not (text.isascii() and text.isdigit()):
        raise ValueError(f"no {key}")
    return text


def read_text(data: Mapping[str, Any], key: str) -> str | None:
    """Read a text, or None if the field is missing or is not a text."""
    value = data.get(key)
    # JSON can contain half of a surrogate pair, which cannot be encoded, and NUL, which PostgreSQL cannot store.
    return value.replace("\0", "\ufffd").encode(errors="replace").decode() if isinstance(value, str) else None


def read_success(data: Mapping[str, Any]) -> bool:
    """Read the answer to a change that returns nothing else."""
    if data.get("success") is not True:
        raise ValueError("no success")
    return True


def read_integer(data: Mapping[str, Any], key: str) -> int | None:
    """Read a whole number, also if it is sent as text, or None if it is not one."""
    value = data.get(key)
    text = str(value) if isinstance(value, (int, str)) else ""
    return int(text) if text.isascii() and text.isdigit() else None


def read_mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Read an object, or an empty one if the field is missing or is not an object."""
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def read_names(value: object) -> tuple[str, ...]:
    """Read names: a list, or one text with commas."""
    if isinstance(value, str):
        return tuple(value.split(","))
    return tuple(str(name) for name in value) if isinstance(value, Sequence) else ()


def read_time(data: Mapping[str, Any], key: str) -> datetime | None:
    """Read a time in Meta's format, or None if it is not one."""
    try:
        return datetime.strptime(read_text(data, key) or "", "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        return None


def read_cursor(data: Mapping[str, Any]) -> str | None:
    """Read the cursor of the page after a page of a list, or None on the last page.

    The link to the next page is never followed, because Meta puts the access token into it.
    """
    paging = read_mapping(data, "paging")
    if not (following := read_text(paging, "next")):
        return None
    after = read_text(read_mapping(paging, "cursors"), "after")
    return after or parse_qs(urlsplit(following).query).get("after", [""])[0] or None
