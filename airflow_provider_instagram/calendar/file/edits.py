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
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.calendar.file.model import AnyPost, Calendar, ScheduledPost
from airflow_provider_instagram.calendar.file.parser import EMPTY, Rules, parse_rows
from airflow_provider_instagram.calendar.file.problems import EDIT_THE_FILE, InvalidValue
from airflow_provider_instagram.calendar.file.reader import read_rows
from airflow_provider_instagram.calendar.file.texts import GONE, Changes, NewPost, TreeText
from airflow_provider_instagram.calendar.file.times import DATE_AND_TIME, offset_of, read_local_time
from airflow_provider_instagram.calendar.file.values import (
    FIELDS,
    LOCATIONS,
    file_value,
    is_same,
    known_locations,
    read_new,
    shown_value,
    shown_values,
    written_values,
)
from airflow_provider_instagram.posts.post import MEDIA

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
    from airflow_provider_instagram.calendar.file.rows import Row, Rows

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
    seen: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
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
    added: Sequence[Mapping[str, Any]] = ()


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

    def __init__(self, now: Mapping[str, Any] | None) -> None:
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
    return {name: shown_value(name, None, shared.get(name)) for name in FIELDS}


@lru_cache(maxsize=4)
def _rows(text: str, location: str) -> Rows:
    """Return the rows of a text. Nobody changes them: a large file takes a second to read."""
    return read_rows(text, location)


def zone_of_new(calendar: Calendar, text: str) -> str:
    """Return the zone in which the time of a new post is meant."""
    return _zone_of_new(_rows(text, calendar.location), calendar)[0]


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
    rows, first = read_rows(text, location), edits[0]
    ids = [row.text("id") for row in rows.rows]
    before = parse_rows(rows, location, files, **rules)
    seen = [_seen_post(edit, before, rows, ids, is_alone=len(edits) == 1) for edit in edits]
    if first.do == "remove":
        edited, removed, new_rows = without_post(text, location, rows, first.post_id)
        check_problems(before, parse_rows(new_rows, location, files, **rules), None)
        return Edited(edited, None, removed, _follows(ids, ids.index(first.post_id)))
    approval = rules.get("approval") or rows.defaults.text("approval")
    changes, new = dict[str, Mapping[str, Any]](), list[NewPost]()
    for edit, post in zip(edits, seen, strict=True):
        fields = _written_fields(edit, post, rows, before, approval)
        if edit.do == "change":
            changes[edit.post_id] = fields
        else:
            new.append(
                (
                    _follows(ids, _place_of(edit, ids)),
                    edit.lines if edit.do == "restore" else fields,
                )
            )
    edited, new_rows = rewritten(text, location, rows, changes, new)
    after = parse_rows(new_rows, location, files, **rules)
    check_problems(
        before, after, first.post_id if first.do == "restore" and first.post_id not in ids else None
    )
    for edit in edits:
        check_result(edit, post_of(after, edit.new_id or edit.post_id), new_rows, files, now)
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
    last = next(filter(None, (row.text("id") for row in reversed(rows.rows))), None)
    edited, new_rows = rewritten(text, location, rows, changes, [(last, one) for one in fill.added])
    before, after = (parse_rows(one, location, files, **rules) for one in (rows, new_rows))
    check_problems(before, after, None)
    return Edited(edited, None)


def _seen_post(
    edit: Edit, calendar: Calendar, rows: Rows, ids: list[str], *, is_alone: bool
) -> AnyPost | None:
    """Return the post of an edit, if it is as the author saw it and the file has it once. A new one has not been seen.

    :param is_alone: Whether it is the only edit, whose author is told what the post says by now.
    :raises SeenOther: If the post of the only edit is another one by now.
    """
    post = post_of(calendar, edit.post_id)
    if edit.do in ("add", "restore"):
        return post
    values = shown_values(post, rows) if post is not None else {}
    now = {
        name: values[name]
        for name in edit.seen
        if name in values and not is_same(values[name], edit.seen[name])
    }
    if post is None or now:
        if is_alone:
            raise SeenOther(None if post is None else now)
        why = f"{edit.post_id}: somebody else has changed this post meanwhile."
        raise InvalidValue(why, "Look at it, and choose the posts again.")
    if (count := ids.count(edit.post_id)) != 1:
        raise InvalidValue(f"the file has {count} posts with the id {edit.post_id}.", EDIT_THE_FILE)
    return post


def _written_fields(
    edit: Edit, post: AnyPost | None, rows: Rows, calendar: Calendar, approval: str | None
) -> dict[str, Any]:
    """Return the values as the file contains them: empty ones as None, and the time in the form of the present one."""
    row, shared = rows.of(edit.post_id), rows.defaults.values
    known = (
        known_locations(written_values(row, rows))
        if edit.fields.keys() & {*MEDIA, *LOCATIONS}
        else {}
    )
    fields = {name: file_value(name, value, known) for name, value in edit.fields.items()}
    own = row.values if row is not None else {}  # media of its own override those of the defaults
    fields = {
        name: value
        for name, value in fields.items()
        if value is not None or name in own or name not in MEDIA
    }
    if edit.do == "duplicate" and row is not None:
        fields = {name: value.value for name, value in row.values.items()} | {
            "id": edit.new_id,
            **fields,
        }
    if edit.do == "change" and row is not None:
        gone = [
            name
            for name, value in fields.items()
            if value is None and name in row.values.keys() - shared.keys()
        ]
        fields |= dict.fromkeys(gone, GONE)
    at = edit.fields.get("publish_at")
    if edit.do == "add":
        fields = {
            "id": edit.post_id,
            **{name: value for name, value in fields.items() if value not in (None, [])},
        }
        if approval == "required":  # whoever reads the file sees it, too
            fields.setdefault("approval", approval)
    has_no_zone = (
        post is not None
        and post.publish_at is None
        and row is not None
        and not row.text("timezone")
    )
    if at and (edit.do == "add" or has_no_zone):
        zone_name, stands_in = _zone_of_new(rows, calendar)
        time = at.replace("T", " ")
        fields["publish_at"] = (
            f"{time} {_in_time(zone_name)}" if stands_in == "publish_at" else time
        )
        fields |= {"timezone": zone_name} if stands_in == "timezone" else {}
    elif at and post is not None and row is not None:
        written = row.values.get("publish_at")
        if written is not None and post.publish_at and at == f"{post.publish_at:%Y-%m-%dT%H:%M}":
            # it may be the second of two in the night of a clock change
            fields["publish_at"] = written.value
        else:
            fields["publish_at"] = time_like(
                at, row, row.text("timezone") or rows.defaults.text("timezone")
            )
    return fields


def _zone_of_new(rows: Rows, calendar: Calendar) -> tuple[str, str]:
    """Return the zone for a new post: that of the defaults or else of the last post. UTC in a file without any.

    :return: Its name or offset, and what says it: ``defaults``, or the post's own ``timezone`` or
        ``publish_at``.
    """
    if name := rows.defaults.text("timezone"):
        return name, "defaults"
    for row in reversed(rows.rows):
        if name := row.text("timezone"):
            return name, "timezone"
        if (post := post_of(calendar, row.text("id"))) is not None and post.publish_at is not None:
            return str(post.publish_at.tzname()), "publish_at"
    return "UTC", "publish_at"


def _in_time(zone_name: str) -> str:
    """Return the name of a moment's zone as a time may end with it."""
    return zone_name.removeprefix("UTC") or "UTC"


def time_like(local: str, row: Row, zone_name: str) -> str:
    """Return a local time in the form of the time that a post has: with a zone or an offset, if it has one there.

    :param local: The new time, as ``2030-05-06T08:30``.
    :param zone_name: The zone for a time of this post without one; may be empty.
    """
    at, written = local.replace("T", " "), row.text("publish_at")
    if (found := DATE_AND_TIME.fullmatch(written)) is None:
        return at
    if "T" in written[:11]:
        at = local
    if found["zone"]:
        return f"{at} {found['zone']}"  # the offset of another day may be another one
    if not found["offset"] or not zone_name:
        return f"{at}{written[found.end('time') :]}"
    try:
        return f"{at}{offset_of(read_local_time(local, zone_name))}"
    except InvalidValue:  # the clocks skip or repeat this time, which its reader says
        return at


def _place_of(edit: Edit, ids: list[str]) -> int:
    """Return the place of a new post among all."""
    after = {"duplicate": edit.post_id, "restore": edit.after}.get(
        edit.do, ids[-1] if ids else None
    )
    return ids.index(after) + 1 if after and after in ids else 0


def _follows(ids: Sequence[str], place: int) -> str | None:
    """Return the id of the post before a place, if it has one."""
    return (ids[place - 1] or None) if place else None


def _document(text: str, location: str) -> TreeText:
    """Return a text whose posts can be changed."""
    ending = PurePosixPath(location.partition("?")[0]).suffix.lower()
    return TreeText(text, is_json=ending == ".json")


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def plain(row: Row) -> dict[str, Any]:
    """Return the values of a row as they are written."""
    return _without_none({name: value.value for name, value in row.values.items()})


def rewritten(
    text: str, location: str, rows: Rows, changes: Changes, new: Sequence[NewPost]
) -> tuple[str, Rows]:
    """Return a text with other values of posts and with new posts, and its rows, which hold these and nothing else."""
    try:
        edited = _document(text, location).change(changes, new)
    except RecursionError:  # an alias of YAML that contains itself
        raise UNUSUAL from None
    new_rows = _read_again(edited, location)
    if len(new_rows.rows) != len(rows.rows) + len(new):
        raise UNUSUAL
    ids = [row.text("id") for row in rows.rows]
    posts = [
        plain(row) | _as_texts(changes.get(post_id, {}))
        for post_id, row in zip(ids, rows.rows, strict=True)
    ]
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
    return (
        None
        if value is GONE
        else json.dumps(value)
        if isinstance(value, (bool, int, float))
        else value
    )


def check_problems(before: Calendar, after: Calendar, restored: str | None) -> None:
    """Refuse an edit that makes a problem. A restored post may have those with which it was removed."""

    def problems(calendar: Calendar) -> dict[tuple[str | None, str], Any]:
        return {(one.post_id, LINE.sub("line", one.message)): one for one in calendar.problems}

    known = problems(before)
    for key, problem in problems(after).items():
        if (
            key not in known
            and problem != EMPTY
            and (restored is None or problem.post_id != restored)
        ):
            about = f"{problem.post_id}: " if problem.post_id else ""
            raise InvalidValue(f"{about}{problem.message}", problem.remedy, problem.field)


def check_result(
    edit: Edit, post: AnyPost | None, rows: Rows, files: CalendarFiles, now: datetime
) -> None:
    """Check that the post is as its author wants it, and that its new files exist."""
    if post is None:
        raise UNUSUAL
    if edit.fields.get("publish_at") and (post.publish_at is None or post.publish_at <= now):
        message = f"{post.id}: {post.publish_at:%Y-%m-%d %H:%M} has passed."
        raise InvalidValue(message, "Choose a later time.", "publish_at")
    values = shown_values(post, rows)
    for name, value in edit.fields.items():
        if name in values and not any(
            is_same(values[name], one) for one in (value, read_new(name, value))
        ):
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
