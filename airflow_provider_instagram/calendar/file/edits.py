"""Edits of a calendar: what is asked for, and the text of the file with it.

1. The text is changed in the places of the posts only.
2. The new text is read again. It must hold what was asked for, and every other post as before: an
   anchor of YAML may make one text the value of many posts.
3. It is checked as ``airflow instagram calendar check`` does. A problem that was not there before
   refuses the edit.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.calendar.file.columns import AnyPost, Calendar, ScheduledPost
from airflow_provider_instagram.calendar.file.parser import EMPTY, Rules, parse_rows
from airflow_provider_instagram.calendar.file.problems import EDIT_THE_FILE, InvalidValue, Problem
from airflow_provider_instagram.calendar.file.reader import read_rows
from airflow_provider_instagram.calendar.file.texts import GONE, Changes, NewPost, TreeText
from airflow_provider_instagram.calendar.file.times import DATE_AND_TIME, offset_of, read_local_time
from airflow_provider_instagram.calendar.file.values import (
    FIELDS,
    LOCATIONS,
    file_value,
    is_same,
    known_locations,
    shown_value,
    shown_values,
    written_values,
)
from airflow_provider_instagram.posts.limits import Values
from airflow_provider_instagram.posts.post import MEDIA

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.entries import Row, Rows
    from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles

#: A message names lines, which move with an edit.
LINE: Final = re.compile(r"\blines? \d+")
UNUSUAL: Final = InvalidValue(
    "this edit cannot be written: the post shares text with others, or is written in an unusual form.",
    EDIT_THE_FILE,
)


@dataclass(frozen=True)
class Edit:
    """What is to become of one post.

    :param do: ``change``, ``remove``, ``add``, ``duplicate`` or ``restore``.
    :param post_id: The post; for a duplicate, the one that is copied.
    :param seen: What its author saw of the post. If the file says something else by now, the edit
        is refused.
    :param fields: The new values, in the form of :func:`values_to_edit`. ``publish_at`` is a local
        time of the post's zone, or of the one that :func:`zone_of_new` returns; empty for a draft.
    :param lines: The text of the removed post that is restored.
    :param after: The post after which that one stood.
    """

    do: str
    post_id: str
    seen: Values = field(default_factory=dict)
    fields: Values = field(default_factory=dict)
    new_id: str = ""
    lines: str = field(default="", repr=False)
    after: str | None = None


@dataclass(frozen=True)
class Fill:
    """Times for posts without one, and new posts.

    :param seen: The digest of the text for which they were chosen. In another one, none of them is
        written.
    :param times: The times by post id, as the file is to contain them.
    :param added: New posts, which stand after all others. Their values are texts, or as another
        post has them.
    """

    seen: str
    times: Mapping[str, str] = field(default_factory=dict)
    added: Sequence[Values] = ()


@dataclass(frozen=True)
class Edited:
    """A calendar's text with an edit.

    :param post: The post as it is now; None if it was removed, or has more problems.
    :param after: The post after which a removed one stood.
    """

    text: str
    post: ScheduledPost | None
    removed: str = ""
    after: str | None = None


class SeenOther(Exception):  # noqa: N818 -- not an error of the calendar: another person was first
    """Somebody has changed the post since the author of an edit saw it.

    :param now: What the file says by now, by field. None for a post that is gone.
    """

    def __init__(self, now: Values | None) -> None:
        super().__init__("The post was changed.")
        self.now = now


def values_to_edit(
    text: str, location: str, post_id: str, files: CalendarFiles, rules: Rules
) -> dict[str, Any] | None:
    """Return the values of a post that an edit may change, as a form shows them. None if it cannot be read.

    The items of a carousel are objects. No link has its query, which may be a signature.
    """
    rows = _rows(text, location)
    if (row := rows.of(post_id)) is None:
        return None
    post = post_of(
        parse_rows(replace(rows, rows=[row], problems=[]), location, files, **rules), post_id
    )
    return None if post is None else shown_values(post, rows)


def values_of_new(text: str, location: str) -> dict[str, Any]:
    """Return the values that a new post has by the file's defaults."""
    shared = _rows(text, location).defaults.values
    return {name: shown_value(name, shared.get(name)) for name in FIELDS}


@lru_cache(maxsize=4)
def _rows(text: str, location: str) -> Rows:
    """Return the rows of a text. Nobody changes them: a large file takes a second to read."""
    return read_rows(text, location)


def zone_of_new(calendar: Calendar, text: str) -> str:
    """Return the zone in which the time of a new post is meant."""
    return _zone_of_new(_rows(text, calendar.location), calendar)


def post_of(calendar: Calendar, post_id: str) -> AnyPost | None:
    """Return the post with an id: a valid one, one with a problem, or a draft."""
    others: tuple[AnyPost, ...] = (*calendar.invalid, *calendar.drafts)
    return calendar.post(post_id) or next((post for post in others if post.id == post_id), None)


def apply(
    text: str,
    location: str,
    edits: Sequence[Edit],
    files: CalendarFiles,
    now: datetime,
    rules: Rules,
) -> Edited:
    """Return a calendar's text with an edit, or with changes of several posts, which are checked together.

    :param now: The current time. No post may be moved to a time before.
    :param rules: What the DAG requires of the calendar, as ``calendar check`` takes it.
    :raises SeenOther: If the post of the only edit is another one than its author saw.
    :raises InvalidValue: If the file does not take the edits, in the words of the problem.
    """
    rows = read_rows(text, location)
    before = parse_rows(rows, location, files, **rules)
    ids = [row.text("id") for row in rows.rows]
    first = edits[0]
    if first.do == "remove":
        _seen_post(first, before, rows, is_alone=True)
        edited, removed = TreeText(text).remove(first.post_id)
        new_rows = _read_again(edited, location)
        others = [row for row in rows.rows if row.text("id") != first.post_id]
        _check_content(rows, new_rows, [plain(row) for row in others])
        _check_problems(before, parse_rows(new_rows, location, files, **rules))
        place = ids.index(first.post_id)
        return Edited(edited, None, removed, ids[place - 1] or None if place else None)
    changes, new = dict[str, Values](), list[NewPost]()
    for edit in edits:
        if edit.do == "restore":
            new.append((edit.after if edit.after in ids else None, edit.lines))
        elif edit.do == "add":
            approval = rules.get("approval") or rows.defaults.text("approval")
            new.append((_last_id(rows), _fields_of_new(edit, rows, before, approval)))
        else:
            post, row = _seen_post(edit, before, rows, is_alone=len(edits) == 1)
            fields = _changed_fields(edit, post, row, rows, before)
            if edit.do == "change":
                changes[edit.post_id] = fields
            else:
                new.append((edit.post_id, plain(row) | {"id": edit.new_id} | fields))
    edited, new_rows = _rewritten(text, location, rows, changes, new)
    after = parse_rows(new_rows, location, files, **rules)
    is_back = first.do == "restore" and first.post_id not in ids
    _check_problems(before, after, restored=first.post_id if is_back else None)
    for edit in edits:
        post_after = post_of(after, edit.new_id or edit.post_id)
        if post_after is None:  # an edit changes no id
            raise UNUSUAL
        _check_time(edit, post_after, now)
        _check_files(edit, post_after, files)
    return Edited(edited, after.post(first.new_id or first.post_id))


def digest(text: str) -> str:
    """Return a digest of a text of the file."""
    return hashlib.sha256(text.encode()).hexdigest()


def apply_fill(text: str, location: str, fill: Fill, files: CalendarFiles, rules: Rules) -> Edited:
    """Return a calendar's text with times and new posts.

    :raises InvalidValue: If it is another text by now, or does not take them.
    """
    if digest(text) != fill.seen:
        raise InvalidValue(
            "the file has changed since this was proposed.", "Ask for a new proposal."
        )
    rows = read_rows(text, location)
    changes = {post_id: {"publish_at": at} for post_id, at in fill.times.items()}
    last = _last_id(rows)
    edited, new_rows = _rewritten(
        text, location, rows, changes, [(last, one) for one in fill.added]
    )
    before, after = (parse_rows(one, location, files, **rules) for one in (rows, new_rows))
    _check_problems(before, after)
    return Edited(edited, None)


def _last_id(rows: Rows) -> str | None:
    """Return the id of the last post that has one."""
    ids = [row.text("id") for row in rows.rows]
    return next(filter(None, reversed(ids)), None)


def _seen_post(
    edit: Edit, calendar: Calendar, rows: Rows, *, is_alone: bool
) -> tuple[AnyPost, Row]:
    """Return the post of an edit, if it is as the author saw it and the file has it once.

    :param is_alone: Whether it is the only edit, whose author is told what the post says by now.
    :raises SeenOther: If the post of the only edit is another one by now.
    """
    post = post_of(calendar, edit.post_id)
    row = rows.of(edit.post_id)
    values = shown_values(post, rows) if post is not None else {}
    now = {
        name: values[name]
        for name in edit.seen
        if name in values and not is_same(values[name], edit.seen[name])
    }
    if post is None or row is None or now:
        if is_alone:
            raise SeenOther(None if post is None else now)
        why = f"{edit.post_id}: somebody else has changed this post meanwhile."
        raise InvalidValue(why, "Look at it, and choose the posts again.")
    count = sum(one.text("id") == edit.post_id for one in rows.rows)
    if count != 1:
        raise InvalidValue(f"the file has {count} posts with the id {edit.post_id}.", EDIT_THE_FILE)
    return post, row


def _fields_of_new(
    edit: Edit, rows: Rows, calendar: Calendar, approval: str | None
) -> dict[str, Any]:
    """Return the values of a new post as the file contains them."""
    fields: dict[str, Any] = {"id": edit.post_id}
    for name, value in edit.fields.items():
        written = file_value(name, value, {})
        if written not in (None, []):
            fields[name] = written
    if approval == "required":  # whoever reads the file sees it, too
        fields.setdefault("approval", approval)
    if at := edit.fields.get("publish_at"):
        fields["publish_at"] = _first_time(at, rows, calendar)
    return fields


def _changed_fields(
    edit: Edit, post: AnyPost, row: Row, rows: Rows, calendar: Calendar
) -> dict[str, Any]:
    """Return the new values of a post as the file contains them, and its time in the form of the present one."""
    shared = rows.defaults.values
    known = {}
    if edit.fields.keys() & {*MEDIA, *LOCATIONS}:
        known = known_locations(written_values(row, rows))
    fields = dict[str, Any]()
    for name, value in edit.fields.items():
        written = file_value(name, value, known)
        if written is None and name in MEDIA and name not in row.values:
            continue  # media of its own override those of the defaults
        is_gone = written is None and name in row.values and name not in shared
        fields[name] = GONE if is_gone and edit.do == "change" else written
    if at := edit.fields.get("publish_at"):
        if post.publish_at is None and not row.text("timezone"):
            fields["publish_at"] = _first_time(at, rows, calendar)
        else:
            fields["publish_at"] = _moved_time(at, post, row, rows)
    return fields


def _first_time(local: str, rows: Rows, calendar: Calendar) -> str:
    """Return the time of a post that had none, with its zone if the defaults do not name one."""
    at = local.replace("T", " ")
    if rows.defaults.text("timezone"):
        return at
    zone_name = _zone_of_new(rows, calendar)
    return f"{at} {zone_name.removeprefix('UTC') or 'UTC'}"


def _zone_of_new(rows: Rows, calendar: Calendar) -> str:
    """Return the zone for a new post: that of the defaults or else of the last post. UTC in a file without any."""
    if name := rows.defaults.text("timezone"):
        return name
    for row in reversed(rows.rows):
        if name := row.text("timezone"):
            return name
        post = post_of(calendar, row.text("id"))
        if post is not None and post.publish_at is not None:
            return str(post.publish_at.tzname())
    return "UTC"


def _moved_time(local: str, post: AnyPost, row: Row, rows: Rows) -> str:
    """Return a local time in the form of the time that a post has: with a zone or an offset, if it has one there.

    :param local: The new time, as ``2030-05-06T08:30``.
    """
    written = row.text("publish_at")
    if written and post.publish_at and local == f"{post.publish_at:%Y-%m-%dT%H:%M}":
        return written  # it may be the second of two in the night of a clock change
    at = local.replace("T", " ")
    found = DATE_AND_TIME.fullmatch(written)
    if found is None:
        return at
    if "T" in written[:11]:
        at = local
    if found["zone"]:
        return f"{at} {found['zone']}"  # the offset of another day may be another one
    zone_name = row.text("timezone") or rows.defaults.text("timezone")
    if not found["offset"] or not zone_name:
        return f"{at}{written[found.end('time') :]}"
    try:
        return f"{at}{offset_of(read_local_time(local, zone_name))}"
    except InvalidValue:  # the clocks skip or repeat this time, which its reader says
        return at


def plain(row: Row) -> dict[str, Any]:
    """Return the values of a row as they are written."""
    return _without_none({name: value.value for name, value in row.values.items()})


def _without_none(values: Values) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _rewritten(
    text: str, location: str, rows: Rows, changes: Changes, new: Sequence[NewPost]
) -> tuple[str, Rows]:
    """Return a text with other values of posts and with new posts, and its rows, which hold these and nothing else."""
    edited = TreeText(text).change(changes, new)
    new_rows = _read_again(edited, location)
    if len(new_rows.rows) != len(rows.rows) + len(new):
        raise UNUSUAL
    ids = list[str]()
    posts = list[Values]()
    for row in rows.rows:
        ids.append(row.text("id"))
        posts.append(plain(row) | _as_texts(changes.get(ids[-1], {})))
    for follows, post in reversed(new):
        at = ids.index(follows) + 1 if follows is not None else 0
        ids.insert(at, "")
        posts.insert(at, plain(new_rows.rows[at]) if isinstance(post, str) else _as_texts(post))
    _check_content(rows, new_rows, [_without_none(post) for post in posts])
    return edited, new_rows


def _read_again(edited: str, location: str) -> Rows:
    try:
        return read_rows(edited, location)
    except InvalidValue:  # such as an alias whose anchor is gone
        raise UNUSUAL from None


def _check_content(before: Rows, after: Rows, posts: list[Values]) -> None:
    """Check that a new text has the head of the old one, and the expected posts."""
    if _head(after) != _head(before) or [plain(row) for row in after.rows] != posts:
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
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    return None if value is GONE else value


def _check_problems(before: Calendar, after: Calendar, restored: str | None = None) -> None:
    """Refuse an edit that makes a problem. A restored post may have those with which it was removed."""
    known = {_without_lines(problem) for problem in before.problems}
    for problem in after.problems:
        is_own = restored is not None and problem.post_id == restored
        if is_own or problem == EMPTY or _without_lines(problem) in known:
            continue
        about = f"{problem.post_id}: " if problem.post_id else ""
        raise InvalidValue(f"{about}{problem.message}", problem.remedy, problem.field)


def _without_lines(problem: Problem) -> tuple[str | None, str]:
    return problem.post_id, LINE.sub("line", problem.message)


def _check_time(edit: Edit, post: AnyPost, now: datetime) -> None:
    if not edit.fields.get("publish_at") or post.publish_at is None:
        return
    if post.publish_at <= now:
        message = f"{post.id}: {post.publish_at:%Y-%m-%d %H:%M} has passed."
        raise InvalidValue(message, "Choose a later time.", "publish_at")


def _check_files(edit: Edit, post: AnyPost, files: CalendarFiles) -> None:
    """Check that the files exist which an edit gives to a post."""
    if isinstance(post, ScheduledPost) and edit.fields.keys() & {*MEDIA}:
        for location in post.media:
            try:
                files.found(location, check=True)
            except InvalidValue as invalid:  # noqa: PERF203 -- the first one is enough
                raise InvalidValue(invalid.message, invalid.remedy, MEDIA[0]) from None
