"""The content of a calendar's file before it is interpreted: text by field, with its lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.utils.urls import is_web, shown, shown_in

#: More posts than a team plans in years, and few enough to parse the DAG file in seconds.
MAX_POSTS = 10_000
MAX_MESSAGE_LENGTH = 1_000


@dataclass(frozen=True)
class Value:
    """A value as the file contains it: text, a list or an object of texts, or None."""

    value: Any
    line: int
    item_lines: tuple[int, ...] = ()

    def line_of_item(self, index: int) -> int:
        """Return the line of an item, if the value is a list with several lines."""
        return self.item_lines[index] if index < len(self.item_lines) else self.line


def without_secrets(message: str, value: Value | None) -> str:
    """Return a message about a value without secrets: any value of a row may be or contain a signed link."""
    for written in _texts_in(value.value if value is not None else None):
        # as a whole: white space does not end the signature of a link
        for spelling in (written, written.strip()):
            for form in (str, repr, partial(json.dumps, ensure_ascii=False)):
                if (quoted := form(spelling)) in message:
                    message = message.replace(quoted, form(shown(spelling)))
    cut = message if len(message) <= MAX_MESSAGE_LENGTH else f"{message[:MAX_MESSAGE_LENGTH]}…"
    return shown_in(cut)  # and a link within a list


def public_name(name: str) -> str:
    """Return the name of a field, a setting or a column without secrets. A link without a colon or a title is one."""
    return without_secrets(name, Value(name, 0)) if "/" in name else name


def _texts_in(value: Any) -> Iterator[str]:
    """Return the text of a value, or the web addresses among the texts of a list or an object."""
    if isinstance(value, str):
        yield value
        return
    parts = value.values() if isinstance(value, dict) else value
    for part in parts if isinstance(value, (dict, list)) else ():
        for text in _texts_in(part):
            if is_web(text.strip()) or text.lstrip().startswith("//"):
                yield text


@dataclass
class Row:
    """What the file contains about one post.

    :param problems: Problems of its form, whatever the values mean.
    :param broken: Whether its post is left out because of a problem that is reported elsewhere, as
        for a column.
    """

    line: int
    values: dict[str, Value] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    broken: bool = False

    def text(self, name: str) -> str:
        """Return a value that is a text, or an empty text."""
        value = self.values.get(name)
        return value.value.strip() if value is not None and isinstance(value.value, str) else ""


def row_of(line: int, values: Mapping[str, str]) -> Row:
    """Return a row with some values, which stand in one line."""
    return Row(line, {name: Value(value, line) for name, value in values.items()})


@dataclass
class Rows:
    """What a file contains. Its problems are those outside the rows."""

    rows: list[Row] = field(default_factory=list)
    defaults: Row = field(default_factory=lambda: Row(0))
    slots: Row = field(default_factory=lambda: Row(0))
    min_spacing: Value | None = None
    problems: list[Problem] = field(default_factory=list)

    def of(self, post_id: str) -> Row | None:
        """Return the row of a post."""
        return next((row for row in self.rows if row.text("id") == post_id), None)


def check_count(posts: int) -> None:
    """Check that a calendar is not too large."""
    if posts > MAX_POSTS:
        raise InvalidValue(
            f"the calendar has {posts:,} posts; at most {MAX_POSTS:,} are allowed.",
            "Split the calendar.",
        )
