"""Reading fields of Meta's answers: strict about ids, tolerant of everything else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar
from urllib.parse import parse_qs, urlsplit

A = TypeVar("A")

#: The longest text that is taken from an answer, in characters, and the longest id.
LONGEST_TEXT: Final = 4_000
LONGEST_ID: Final = 40
#: The most names in a list, such as those of scopes.
MOST_NAMES: Final = 1_000
#: No number of Meta is larger, and no time or span of time in seconds.
LARGEST_NUMBER: Final = 10**15
MOST_SECONDS: Final = 10**10


def cut(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return the beginning of a text from a server, up to the end of a word, before anything else reads it."""
    return text if len(text) <= longest else f"{text[:longest].rpartition(' ')[0]} …"


def read_json(text: str | bytes) -> Any:
    """Return the content of JSON, or None if the text is none. A whole number of too many digits is infinite."""
    try:
        return json.loads(text, parse_int=_integer)
    except (ValueError, RecursionError):
        return None


def read_object(text: str | bytes) -> Mapping[str, Any]:
    """Read a JSON object, or an empty one if the text is anything else."""
    data = read_json(text)
    return data if isinstance(data, dict) else {}


def first_row(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Unwrap ``{"data": [{…}]}``, which Meta documents but does not always send."""
    rows = data.get("data", data)
    row = rows[0] if isinstance(rows, list) and rows else rows
    return row if isinstance(row, Mapping) else {}


def read_rows(data: Mapping[str, Any], what: str) -> list[Mapping[str, Any]]:
    """Read the rows of a list. What is not an object is left out."""
    rows = data.get("data")
    if not isinstance(rows, list):
        raise ValueError(f"no list of {what}")
    return [row for row in rows if isinstance(row, Mapping)]


def read_id(data: Mapping[str, Any], key: str = "id") -> str:
    """Read an id. Ids are decimal strings, or at login, numbers that are too large for a float."""
    value = data.get(key)
    text = str(value) if isinstance(value, int) else value
    if not isinstance(text, str) or not (text.isascii() and text.isdigit() and len(text) <= LONGEST_ID):
        raise ValueError(f"no {key}")
    return text


def read_text(data: Mapping[str, Any], key: str) -> str | None:
    """Read a text, or None if the field is missing or is not a text."""
    value = data.get(key)
    # JSON can contain half of a surrogate pair, which cannot be encoded, and NUL, which PostgreSQL cannot store.
    return cut(value).replace("\0", "\ufffd").encode(errors="replace").decode() if isinstance(value, str) else None


def read_success(data: Mapping[str, Any]) -> bool:
    """Read the answer to a change that returns nothing else."""
    if data.get("success") is not True:
        raise ValueError("no success")
    return True


def read_integer(data: Mapping[str, Any], key: str, most: int = LARGEST_NUMBER) -> int | None:
    """Read a whole number, also if it is sent as text, or None if it is not one.

    :raises ValueError: If it is larger than ``most``.
    """
    value = data.get(key)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = _integer(value)
    number = read_number(value, key, most)
    return number if isinstance(number, int) and number >= 0 else None


def read_number(value: object, what: str, most: int = LARGEST_NUMBER) -> int | float | None:
    """Read a number, or None if it is not one.

    :raises ValueError: If it is larger than ``most``, or not a number although JSON says so, as NaN does.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not -most <= value <= most:
        raise ValueError(f"{what} is not a possible number")
    return value


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONGEST_ID else float("inf")


def read_mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Read an object, or an empty one if the field is missing or is not an object."""
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def read_names(value: object) -> tuple[str, ...]:
    """Read names: a list, or one text with commas."""
    if isinstance(value, str):
        value = cut(value).split(",")
    return tuple(cut(str(name)) for name in value[:MOST_NAMES]) if isinstance(value, Sequence) else ()


def read_time(data: Mapping[str, Any], key: str) -> datetime | None:
    """Read a time in Meta's format, or None if it is not one. Those near the first and last year have no UTC."""
    try:
        time = datetime.strptime(read_text(data, key) or "", "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        return None
    return time if 1 < time.year < 9999 else None


@dataclass(frozen=True, slots=True)
class ListPage(Generic[A]):
    """A page of a list. Without ``after``, it is the last one."""

    items: tuple[A, ...]
    after: str | None = None


def read_cursor(data: Mapping[str, Any]) -> str | None:
    """Read the cursor of the page after a page of a list, or None on the last page.

    The link to the next page is never followed, because Meta puts the access token into it.
    """
    paging = read_mapping(data, "paging")
    if not (following := read_text(paging, "next")):
        return None
    after = read_text(read_mapping(paging, "cursors"), "after")
    return after or parse_qs(urlsplit(following).query).get("after", [""])[0] or None
