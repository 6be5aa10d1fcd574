"""What an edit must not do: change another post, make a problem, or write a value that is read otherwise."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.calendar.file.model import AnyPost, Calendar, ScheduledPost
from airflow_provider_instagram.calendar.file.parser import EMPTY
from airflow_provider_instagram.calendar.file.problems import EDIT_THE_FILE, InvalidValue
from airflow_provider_instagram.calendar.file.table_text import TableText, cell
from airflow_provider_instagram.calendar.file.texts import GONE, TreeText
from airflow_provider_instagram.calendar.file.values import (
    is_same,
    read_new,
    shown_values,
)
from airflow_provider_instagram.posts.post import MEDIA

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.edits import Edit
    from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
    from airflow_provider_instagram.calendar.file.rows import Row, Rows


#: A message names lines, which move with an edit.
LINE: Final = re.compile(r"\blines? \d+")
UNUSUAL: Final = InvalidValue(
    "this edit cannot be written: the post shares text with others, or is written in an unusual form.", EDIT_THE_FILE
)


def document_of(text: str, location: str) -> TableText | TreeText:
    """Return a text whose posts can be changed, by its ending."""
    ending = PurePosixPath(location.partition("?")[0]).suffix.lower()
    return TableText(text) if ending == ".csv" else TreeText(text, is_json=ending == ".json")


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def plain(row: Row) -> dict[str, Any]:
    """Return the values of a row as they are written."""
    return _without_none({name: value.value for name, value in row.values.items()})


def content_of(rows: Rows) -> tuple[Any, ...]:
    """Return the content of a calendar: its head, and the values of its posts at the end."""
    head = [value.value for value in (rows.min_spacing, rows.slots_per_day) if value]
    return head, plain(rows.defaults), plain(rows.slots), [plain(row) for row in rows.rows]


def expected_content(rows: Rows, edit: Edit, fields: Mapping[str, Any], new: Rows, at: int) -> tuple[Any, ...]:
    """Return the content that a calendar has to have after an edit.

    :param rows: The calendar before it.
    :param new: The calendar after it, which has the values of a restored post.
    :param at: The place of the post.
    """
    *shared, posts = content_of(rows)
    if rows.columns.values:
        fields = {name: text if (text := cell(value)).strip() else None for name, value in fields.items()}
    if edit.do == "remove":
        del posts[at]
    elif edit.do == "change":
        posts[at] = _without_none({**posts[at], **_as_texts(fields)})
    else:
        restored = new.of(edit.post_id) if edit.do == "restore" else None
        posts.insert(at, _without_none(_as_texts(fields)) if restored is None else plain(restored))
    return (*shared, posts)


def _as_texts(value: Any) -> Any:
    """Return a value as a file is read: each number, true and false is a text."""
    if isinstance(value, Mapping):
        return {name: _as_texts(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_as_texts(part) for part in value]
    return None if value is GONE else json.dumps(value) if isinstance(value, (bool, int, float)) else value


def check_problems(before: Calendar, after: Calendar, restored: str | None) -> None:
    """Refuse an edit that makes a problem. A restored post may have those with which it was removed."""

    def problems(calendar: Calendar) -> dict[tuple[str | None, str], Any]:
        return {(one.post_id, LINE.sub("line", one.message)): one for one in calendar.problems}

    known = problems(before)
    for key, problem in problems(after).items():
        if key not in known and problem != EMPTY and (restored is None or problem.post_id != restored):
            about = f"{problem.post_id}: " if problem.post_id else ""
            raise InvalidValue(f"{about}{problem.message}", problem.remedy, problem.field)


def check_result(edit: Edit, post: AnyPost | None, rows: Rows, files: CalendarFiles, now: datetime) -> None:
    """Check that the post is as its author wants it, and that the file of a new one exists."""
    if post is None:
        raise UNUSUAL
    if edit.fields.get("publish_at") and (post.publish_at is None or post.publish_at <= now):
        message = f"{post.id}: {post.publish_at:%Y-%m-%d %H:%M} has passed."
        raise InvalidValue(message, "Choose a later time.", "publish_at")
    values = shown_values(post, rows)
    for name, value in edit.fields.items():
        if name in values and not any(is_same(values[name], one) for one in (value, read_new(name, value))):
            raise InvalidValue(f"{name} would not be as you wrote it.", EDIT_THE_FILE, name)
    if isinstance(post, ScheduledPost) and edit.fields.keys() & {*MEDIA}:
        for location in post.media:
            try:
                files.found(location, check=True)
            except InvalidValue as invalid:  # noqa: PERF203 -- the first one is enough
                raise InvalidValue(invalid.message, invalid.remedy, MEDIA[0]) from None
