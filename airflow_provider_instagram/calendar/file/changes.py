"""Changes of several posts of a calendar in one text: read once, checked once. Steps as in :mod:`.edits`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_instagram.calendar.file.edit_checks import (
    UNUSUAL,
    check_problems,
    check_result,
    content_of,
    document_of,
    expected_content,
)
from airflow_provider_instagram.calendar.file.edits import (
    Edit,
    Edited,
    SeenOther,
    check_seen,
    place_of,
    post_of,
    written_fields,
)
from airflow_provider_instagram.calendar.file.parser import Rules, parse_rows
from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.calendar.file.reader import read_rows

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
    from airflow_provider_instagram.calendar.file.model import AnyPost, Calendar
    from airflow_provider_instagram.calendar.file.rows import Rows


def apply_changes(
    text: str, location: str, changes: Sequence[Edit], files: CalendarFiles, now: datetime, rules: Rules
) -> Edited:
    """Return a calendar's text with changes of several posts, which are checked together.

    :raises InvalidValue: If the file does not take all of them, or somebody has changed one of the posts.
    """
    rows = read_rows(text, location)
    before, ids = parse_rows(rows, location, files, **rules), [row.text("id") for row in rows.rows]
    fields = {one.post_id: written_fields(one, _seen(one, before, rows), rows, before, None) for one in changes}
    try:
        edited = document_of(text, location).change(fields)
        new_rows = read_rows(edited, location)
    except (RecursionError, InvalidValue):
        raise UNUSUAL from None
    *shared, posts = content_of(rows)
    for one in changes:
        at = place_of(one, ids)
        posts[at] = expected_content(rows, one, fields[one.post_id], new_rows, at)[-1][at]
    if content_of(new_rows) != (*shared, posts):
        raise UNUSUAL
    after = parse_rows(new_rows, location, files, **rules)
    check_problems(before, after, None)
    for one in changes:
        check_result(one, post_of(after, one.post_id), new_rows, files, now)
    return Edited(edited, None)


def _seen(edit: Edit, calendar: Calendar, rows: Rows) -> AnyPost | None:
    """Return a post of several that are changed, if it is as the author of the edit saw it."""
    post = post_of(calendar, edit.post_id)
    try:
        check_seen(edit, post, rows)
    except SeenOther:
        why = f"{edit.post_id}: somebody else has changed this post meanwhile."
        raise InvalidValue(why, "Look at it, and choose the posts again.") from None
    return post
