"""The values of posts as a form shows them, and as the file contains them.

A form shows numbers, lists and objects. It shows no query of a link, which may be a signature, and
of a file what its author wrote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.calendar.file.columns import CALENDAR_FIELDS
from airflow_provider_instagram.calendar.file.post_parser import items_in, read_item
from airflow_provider_instagram.calendar.file.problems import EDIT_THE_FILE, InvalidValue
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.posts.kinds import ItemKind, PostKind, kind_by_name
from airflow_provider_instagram.posts.post import MEDIA
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.urls import shown

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.columns import AnyPost
    from airflow_provider_instagram.calendar.file.entries import Row, Rows, Value
    from airflow_provider_instagram.posts.item import Item

#: What is written when a post is added, and changed only in the file: the key, under which it is
#: published once.
ONLY_NEW: Final = ("id", "account")
#: What may be changed of a post, beside its time. The zone stays that of the file.
FIELDS: Final = tuple(
    name for name in CALENDAR_FIELDS if name not in (*ONLY_NEW, "publish_at", "timezone")
)
#: What may be named beside the calendar's own author: a file in the calendar's folder or below it,
#: or a link.
OPEN_TO_ALL: Final = re.compile(
    r"https://\S+|(?!\.\.?(/|$))[^/\\:\s][^/\\:]*(/(?!\.\.?(/|$))[^/\\:]+)*"
)
NAME_A_FILE: Final = "Name a file in the calendar's folder, or an https:// link."
#: The fields whose values are files or links.
LOCATIONS: Final = tuple(name for name, about in CALENDAR_FIELDS.items() if about.is_location)


def shown_values(post: AnyPost, rows: Rows) -> dict[str, Any]:
    """Return the values of a post."""
    at = f"{post.publish_at:%Y-%m-%dT%H:%M}" if post.publish_at else None
    written = written_values(rows.of(post.id), rows)
    return {"publish_at": at, **{name: shown_value(name, written.get(name)) for name in FIELDS}}


def written_values(row: Row | None, rows: Rows) -> dict[str, Value]:
    """Return the values of a post with those of the defaults. A post with media of its own has no others."""
    own = row.values if row is not None else {}
    values = dict(rows.defaults.values)
    if any(own[name].value for name in MEDIA if name in own):
        for name in MEDIA:
            values.pop(name, None)
    return values | own


def shown_value(name: str, value: Value | None) -> Any:
    """Return a value as a calendar reads it. Files are shown as they are written."""
    written = value.value if value is not None else None
    if name == PostKind.CAROUSEL:
        return [_shown_item(item) for item in _items(value)]
    if name in LOCATIONS:
        return shown(written.strip()) if isinstance(written, str) else None
    return _read(name, written)


def _read(name: str, value: Any) -> Any:
    """Return a value as a calendar reads it, or as it is if it cannot be read."""
    if isinstance(value, str):
        value = value.replace("\r\n", "\n").strip()
    try:
        return _plain_value(CALENDAR_FIELDS[name].read(name, arguments.literal(value)))
    except ValidationError:
        return value


def _plain_value(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _items(value: Value | None) -> list[Item]:
    """Return the items of a carousel as they are written, as far as they can be read."""
    if value is None or not value.value:
        return []
    try:
        return [read_item(one) for one in items_in(value.value)]
    except InvalidValue:
        return []


def _shown_item(item: Item) -> dict[str, Any]:
    kind = item.kind or kind_by_name(item.location) or ItemKind.PICTURE
    found: dict[str, Any] = {str(kind): shown(item.location)}
    if item.alt_text:
        found["alt_text"] = item.alt_text
    if item.user_tags:
        found["user_tags"] = list(item.user_tags)
    return found


def is_same(one: Any, other: Any) -> bool:
    """Return whether two values mean the same. No value, an empty one and false do."""
    empty: tuple[Any, ...] = (None, "", [], ())
    one, other = (None if value in empty or value is False else value for value in (one, other))
    return bool(_plain_value(one) == _plain_value(other))


def known_locations(written: Mapping[str, Value]) -> dict[str, str]:
    """Return the files and links of a post as they are written, by what the page shows of them.

    :raises InvalidValue: If the page shows two of them alike.
    """
    texts = [
        one.value.strip()
        for name in LOCATIONS
        if (one := written.get(name)) and isinstance(one.value, str)
    ]
    known: dict[str, str] = {}
    for text in (*texts, *(item.location for item in _items(written.get(PostKind.CAROUSEL)))):
        if known.setdefault(shown(text), text) != text:
            raise InvalidValue(
                f"two links of this post differ after {shown(text)} only.", EDIT_THE_FILE
            )
    return known


def file_value(name: str, value: Any, known: Mapping[str, str]) -> Any:
    """Return a new value as the file contains it: a link with its query, and a file alone as its name.

    :raises InvalidValue: If it names a file elsewhere that the post does not have yet.
    """
    if name == PostKind.CAROUSEL and isinstance(value, (list, tuple)):
        return [_file_item(one, known) for one in value] or None
    if name in LOCATIONS and isinstance(value, str):
        return _location(name, value, known) if value else None
    return None if value in ("", (), []) else _plain_value(value)


def _location(name: str, value: str, known: Mapping[str, str]) -> str:
    if value not in known and not OPEN_TO_ALL.fullmatch(value):
        raise InvalidValue(f"{name} is {value[:80]!r}.", NAME_A_FILE, name)
    return known.get(value, value)


def _file_item(item: Any, known: Mapping[str, str]) -> Any:
    if isinstance(item, str):
        return _location(PostKind.CAROUSEL, item, known)
    if not isinstance(item, Mapping):
        return item
    files = {
        name: _location(PostKind.CAROUSEL, text, known)
        for name, text in item.items()
        if name in (*ItemKind,) and isinstance(text, str)
    }
    item = {**item, **files}
    ((kind, location), *more) = item.items() or (("", ""),)
    return location if not more and kind == kind_by_name(str(location)) else item
