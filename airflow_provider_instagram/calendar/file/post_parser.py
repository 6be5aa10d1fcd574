"""The fields of one post of a calendar: each is read and checked, and each problem has its line."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow_provider_instagram.calendar.file.columns import ACCOUNT, CALENDAR_FIELDS, CalendarPost
from airflow_provider_instagram.calendar.file.entries import Row, Value, without_secrets
from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.file.times import in_words, read_local_time, zone
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.posts.fields import declared
from airflow_provider_instagram.posts.item import Item
from airflow_provider_instagram.posts.kinds import OTHER_ENDINGS, ItemKind, PostKind, kind_by_name
from airflow_provider_instagram.posts.limits import (
    BrokenLimit,
    broken_by_carousel,
    broken_by_links,
    broken_comment_limits,
    broken_limits,
    may_have_video,
)
from airflow_provider_instagram.posts.post import MEDIA, OPTIONS, kind_in
from airflow_provider_instagram.utils import arguments, urls
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles

T = TypeVar("T")

FIELDS = declared(CalendarPost)
#: More items than any carousel has, so that a broken cell does not become a thousand problems.
MOST_READ: Final = 50
SEVERAL: Final = "Several files are a carousel, and commas separate them: a.jpg, b.jpg."
COMMAS: Final = 'Separate the items by commas, and put a name that contains a comma in quotation marks: "one, two.jpg".'
LIST: Final = "Write a list of files, of {image: …, alt_text: …} and of {video: …}."
LISTS = tuple(name for name, field in CalendarPost.model_fields.items() if field.default == ())


@dataclass
class PostFields:
    """The fields of one post. Its own values override the defaults."""

    row: Row
    shared: dict[str, Value]
    post_id: str | None
    problems: list[Problem]
    files: CalendarFiles
    accounts: Collection[str] | None = None
    values: dict[str, Value] = field(init=False)
    #: The names of files that begin at the calendar's folder, by their locations.
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values = self.shared | self.row.values

    def account(self) -> str:
        """Read the account's connection."""
        name = self._text("account") or DEFAULT_CONN_ID
        if not re.fullmatch(ACCOUNT, name):
            message = f"account is {name!r}. No task can have this name."
            self._add_problem("account", message, CALENDAR_FIELDS["account"].remedy)
        elif (unnamed := unnamed_account(name, self.accounts)) is not None:
            self._add_problem("account", f"account is {name!r}. {unnamed.message}", unnamed.remedy)
        return name

    def has(self, name: str) -> bool:
        """Return whether a field has a value."""
        value = self._value(name)
        return value is not None and (not isinstance(value.value, str) or bool(value.value.strip()))

    @property
    def has_file(self) -> bool:
        """Whether the post has something to show."""
        return any(map(self.has, MEDIA))

    def publish_at(self, now: datetime | None) -> datetime | None:
        """Read when the post is published. A draft may have no time.

        :param now: The current time, if a time that has passed is a problem.
        """
        if (written := self._text("publish_at")) is None:
            return None
        name = self._text("timezone")
        is_known = name is None or self._tried("timezone", lambda: zone(name)) is not None
        at = self._tried(
            "publish_at", lambda: read_local_time(written, name if is_known else "UTC")
        )
        if at is None or not is_known:
            return None
        if now is not None and at <= now:
            message = f"{at.strftime('%Y-%m-%d %H:%M')} is in the past ({in_words(now - at)} ago)."
            self._add_problem(
                "publish_at",
                message,
                "Move it to the future. If the post has been published, leave it.",
            )
        return at

    def post(self, *, check: bool) -> dict[str, Any]:
        """Read the values by field. A value with a problem is left out."""
        named = self._media_field()
        placement = self._value("placement")
        word = str(placement.value).strip().lower() if placement is not None else None
        kind = kind_in({"placement": word, str(named): True})
        values: dict[str, Any] = {}
        if named == PostKind.CAROUSEL:
            values[named] = self._carousel(check)
        elif named is not None and (location := self._file(named, check)) is not None:
            values[named] = location
        values |= self._options(kind)
        if "upload" not in self.row.values and not may_have_video(values):
            values.pop("upload", None)  # a default is for the videos of the calendar
        if named is not None:  # the limits of a post depend on what it shows
            self._check_limits(values, kind)
            self._check_links(values, named)
        return values

    def _check_limits(self, values: dict[str, Any], kind: PostKind) -> None:
        defaults = {name: CalendarPost.model_fields[name].default for name in OPTIONS}
        unwritten = {name: one for name, one in defaults.items() if self._value(name) is None}
        comment = values.get("first_comment") or ""
        limits = broken_limits(unwritten | values, kind, CalendarPost)
        limits += broken_comment_limits(comment, "first_comment")
        if comment and not values.get("comment_enabled", True):
            message = "first_comment is set, but comment_enabled is false."
            limits.append(BrokenLimit("comment_enabled", message, "Keep one of them."))
        self._add_limits(limits)
        cover = values.get("cover_url")
        if cover and not any(limit.option == "cover_url" for limit in limits):
            self._location("cover_url", cover, check=False)

    def _media_field(self) -> str | None:
        """Return which of ``video``, ``image`` and ``carousel`` the post has, if any.

        Its own overrides the defaults' one.
        """
        named = sorted(filter(self.has, MEDIA), key=lambda name: self.values[name].line)
        given = [name for name in named if name in self.row.values] or named
        if not given:
            return None
        if len(given) > 1:
            remedy = "Keep one of them. A carousel shows several pictures and videos."
            self._add_problem(given[1], f"the post has {given[0]} and {given[1]}.", remedy)
        return given[0]

    def _file(self, name: str, check: bool) -> str | None:
        written = self._text(name)
        location = None if written is None else self._location(name, written, check)
        if location is not None:
            self._tried(name, lambda: _check_kind(name, location))
        return location

    def _carousel(self, check: bool) -> tuple[Item, ...]:
        written = self._tried("carousel", lambda: items_in(self.values["carousel"].value))
        if written is None:
            return ()
        items = [self._item(one, index, check) for index, one in enumerate(written)]
        read = tuple(item for item in items if item is not None)
        if len(read) == len(items):
            self._add_limits(broken_by_carousel(read))
        return read

    def _item(self, written: Any, index: int, check: bool) -> Item | None:
        def read() -> Item:
            item = read_item(written)
            return item.model_copy(update={"location": self._found(item.location, check)})

        return self._tried("carousel", read, f"carousel, item {index + 1}: ", index)

    def _options(self, kind: PostKind) -> dict[str, Any]:
        """Return the fields beside the media that can be read. Defaults that the kind does not take are ignored."""
        values = {}
        for name, about in FIELDS.items():
            given = self._value(name)
            if given is None or name in MEDIA or self._is_unused(name, kind):
                continue
            value = arguments.literal(given.value)
            try:
                values[name] = about.read(name, value)
            except ValidationError as error:
                # the message says more than the value where it has a hint, and where it names the
                # invalid item
                says_more = error.hint or name in LISTS
                message = error.message if says_more else f"{name} is {arguments.in_quotes(value)}."
                self._add_problem(name, message, error.hint or about.remedy)
        return values

    def _check_links(self, values: dict[str, Any], named: str) -> None:
        self._add_limits(broken_by_links(values))
        if values.get("upload") != "url":
            return
        items = [item.location for item in values.get("carousel", ())]
        for location in (*items, *(values[kind] for kind in ItemKind if kind in values)):
            if urls.is_local(location) and kind_by_name(location) is not ItemKind.PICTURE:
                self._add_problem(
                    "upload" if "upload" in self.row.values else named,
                    "upload is url, but Instagram cannot fetch a local file.",
                    f"Write upload: file, or give the {named}'s https address.",
                )

    def _is_unused(self, name: str, kind: PostKind) -> bool:
        """Return whether an option is a default that a post of this kind does not take."""
        if name in self.row.values:
            return False
        if name == "placement":  # without one, a picture or a carousel is in the feed
            return kind in (PostKind.PICTURE, PostKind.CAROUSEL)
        return kind not in CALENDAR_FIELDS[name].kinds

    def _add_limits(self, broken: Iterable[BrokenLimit]) -> None:
        for limit in broken:
            self._add_problem(limit.option, limit.message, limit.remedy, limit.item)

    def _location(self, name: str, written: str, check: bool) -> str | None:
        return self._tried(name, lambda: self._found(written, check), f"{name}: ")

    def _found(self, written: str, check: bool) -> str:
        _check_is_one(written)
        location = self.files.found(written, check=check)
        name = written.removeprefix("./")
        if location != written and not name.startswith("/"):
            self.names[location] = name
        return location

    def _tried(
        self, name: str, read: Callable[[], T], about: str = "", item: int | None = None
    ) -> T | None:
        """Return what ``read`` returns. If the value cannot be used, add the problem and return None."""
        try:
            return read()
        except InvalidValue as invalid:
            self._add_problem(name, f"{about}{invalid.message}", invalid.remedy, item)
            return None

    def _text(self, name: str) -> str | None:
        value = self._value(name)
        if value is None:
            return None
        if not isinstance(value.value, str):
            self._add_problem(
                name, f"{name} must be text.", "Write it after the colon, on one line."
            )
            return None
        return value.value.strip() or None

    def _value(self, name: str) -> Value | None:
        value = self.values.get(name)
        return None if value is None or value.value is None else value

    def _add_problem(self, name: str, message: str, remedy: str, item: int | None = None) -> None:
        value = self.values.get(name)
        line = self.row.line
        if value is not None:
            line = value.line if item is None else value.line_of_item(item)
        is_shared = value is not None and name not in self.row.values
        post_id = None if is_shared else self.post_id
        message = without_secrets(message, value)
        self.problems.append(Problem(line, message, remedy, post_id, name))


def unnamed_account(name: str, accounts: Collection[str] | None) -> InvalidValue | None:
    """Return the problem of an account that the author of the DAG did not name. Who edits a file may not choose it."""
    if accounts is None or name in accounts:
        return None
    return InvalidValue(
        "The DAG may not use this account.", f"Add {name!r} to accounts=[…] in the DAG file."
    )


def _check_kind(name: str | None, location: str) -> None:
    """Check that the name of a file fits the field that contains it; None for an item whose kind is not written."""
    if urls.ending(location) in OTHER_ENDINGS:
        raise InvalidValue(
            f"{urls.shown(location)} is neither a picture nor a video.",
            "Name a picture or a video.",
        )
    kind = kind_by_name(location)
    if kind is not None and name is not None and kind != name:
        message = f"{name} is {urls.shown(location)}, which is {kind.in_words}."
        raise InvalidValue(message, f"Write it after {kind}: instead.")


def items_in(written: Any) -> list[Any]:
    """Return the items of a carousel: a list, its JSON text, or names separated by commas."""
    if isinstance(written, str):
        items = _items_of_text(written)
    elif isinstance(written, list):
        items = written
    else:
        raise InvalidValue("carousel is not a list.", LIST)
    return items[:MOST_READ]


def _items_of_text(written: str) -> list[Any]:
    if written.lstrip().startswith("["):
        try:
            return arguments.sequence("carousel", written)
        except ValidationError as error:
            raise InvalidValue(error.message, error.hint or LIST) from None
    lines = [line for line in written.splitlines() if line.strip()]
    try:
        rows = [*csv.reader(lines, skipinitialspace=True, strict=True)]
    except csv.Error:
        raise InvalidValue("the quotation marks in carousel do not match.", COMMAS) from None
    return [name.strip() for name in chain.from_iterable(rows) if name.strip()]


def _check_is_one(written: str) -> None:
    """Check that a text is not the names of several files."""
    names = [name.strip() for name in re.split("[;,]", written) if name.strip()]
    if len(names) < 2 or not all(map(kind_by_name, names)):
        return
    if urls.is_web(written) == urls.is_web(names[1]):
        raise InvalidValue(f"these are {len(names)} files.", SEVERAL)


def read_item(written: Any) -> Item:
    """Read an item of a carousel: a file, or an object."""
    if not isinstance(written, (str, dict)) or not written:
        raise InvalidValue("it is neither a file nor an object.", LIST)
    try:
        item = Item.read(_as_literal(written))
    except ValidationError as error:
        raise InvalidValue(error.message, error.hint or LIST) from None
    _check_kind(item.kind, item.location)
    return item


def _as_literal(value: Any) -> Any:
    """Return a value in which each text is marked as data."""
    if isinstance(value, dict):
        return {name: _as_literal(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_as_literal(part) for part in value]
    return arguments.literal(value)
