"""Change a calendar's text, and refuse what an edit must not do.

An edit must not change another post, make a problem, or write a value that is read otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.calendar.file.model import AnyPost, Calendar, ScheduledPost
from airflow_provider_instagram.calendar.file.parser import EMPTY
from airflow_provider_instagram.calendar.file.problems import EDIT_THE_FILE, InvalidValue
from airflow_provider_instagram.calendar.file.reader import read_rows
from airflow_provider_instagram.calendar.file.texts import GONE, Changes, NewPost, TreeText
from airflow_provider_instagram.calendar.file.values import is_same, read_new, shown_values
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


def _document(text: str, location: str) -> TreeText:
    """Return a text whose posts can be changed."""
    ending = PurePosixPath(location.partition("?")[0]).suffix.lower()
    return TreeText(text, is_json=ending == ".json")


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def plain(row: Row) -> dict[str, Any]:
    """Return the values of a row as they are written."""
    return _without_none({name: value.value for name, value in row.values.items()})


def rewritten(text: str, location: str, rows: Rows, changes: Changes, new: Sequence[NewPost]) -> tuple[str, Rows]:
    """Return a text with other values of posts and with new posts, and its rows, which hold these and nothing else."""
    try:
        edited = _document(text, location).change(changes, new)
    except RecursionError:  # an alias of YAML that contains itself
        raise UNUSUAL from None
    new_rows = _read_again(edited, location)
    if len(new_rows.rows) != len(rows.rows) + len(new):
        raise UNUSUAL
    ids = [row.text("id") for row in rows.rows]
    posts = [plain(row) | _as_texts(changes.get(post_id, {})) for post_id, row in zip(ids, rows.rows, strict=True)]
    for follows, post in reversed(new):
        at = ids.index(follows) + 1 if follows is not None else 0
        ids.insert(at, "")
        posts.insert(at, plain(new_rows.rows[at]) if isinstance(post, str) else _as_texts(post))
    _check_content(rows, new_rows, [_without_none(post) for post in posts])
    return edited, new_rows


def without_post(text: str, location: str, rows: Rows, post_id: str) -> tuple[str, str, Rows]:
    """Return a text without a post, what was removed, and its rows, which hold the other posts as before."""
    try:
        edited, removed = _document(text, location).remove(post_id)
    except RecursionError:
        raise UNUSUAL from None
    new_rows = _read_again(edited, location)
    _check_content(rows, new_rows, [plain(row) for row in rows.rows if row.text("id") != post_id])
    return edited, removed, new_rows


def _read_again(edited: str, location: str) -> Rows:
    try:
        return read_rows(edited, location)
    except InvalidValue:
        raise UNUSUAL from None


def _check_content(before: Rows, after: Rows, posts: list[dict[str, Any]]) -> None:
    """Check that a new text has the head of the old one, and the expected posts."""
    if (_head(after), [plain(row) for row in after.rows]) != (_head(before), posts):
        raise UNUSUAL


def _head(rows: Rows) -> tuple[Any, ...]:
    spacing = rows.min_spacing.value if rows.min_spacing else None
    return spacing, plain(rows.defaults), plain(rows.slots)


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
    """Check that the post is as its author wants it, and that its new files exist."""
    if post is None:
        raise UNUSUAL
    if edit.fields.get("publish_at") and (post.publish_at is None or post.publish_at <= now):
        message = f"{post.id}: {post.publish_at:%Y-%m-%d %H:%M} has passed."
        raise InvalidValue(message, "Choose a later time.", "publish_at")
    values = shown_values(post, rows)
    for name, value in edit.fields.items():
        if name in values and not any(is_same(values[name], one) for one in (value, read_new(name, value))):
            raise InvalidValue(f"{name} would not be as you wrote it.", EDIT_THE_FILE, name)
    check_files(edit, post, files)


def check_files(edit: Edit, post: AnyPost | None, files: CalendarFiles) -> None:
    """Check that the files exist which an edit gives to a post."""
    if isinstance(post, ScheduledPost) and edit.fields.keys() & {*MEDIA}:
        for location in post.media:
            try:
                files.found(location, check=True)
            except InvalidValue as invalid:  # noqa: PERF203 -- the first one is enough
                raise InvalidValue(invalid.message, invalid.remedy, MEDIA[0]) from None
