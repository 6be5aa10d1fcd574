"""The fields of one post of a calendar: each is read and checked, and each problem has its line."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow_provider_instagram.calendar.file.model import ACCOUNT, CALENDAR_FIELDS, CalendarPost
from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.file.rows import Row, Value, without_secrets
from airflow_provider_instagram.calendar.file.times import (
    MissingTimezone,
    in_words,
    read_local_time,
    zone,
)
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.posts.fields import declared
from airflow_provider_instagram.posts.item import Item
from airflow_provider_instagram.posts.kinds import OTHER_ENDINGS, ItemKind, PostKind, kind_by_name
from airflow_provider_instagram.posts.limits import (
    BrokenLimit,
    broken_by_carousel,
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
JSON_LIST: Final = 'Write it like ["one", "two"], or without brackets, separated by commas.'
JSON_TAGS: Final = 'Write it like [{"username": "ann", "x": 0.5, "y": 0.4}], or in a reel without brackets: ann, jo.'
#: How a cell that is meant as JSON begins.
JSON_BEGINS: Final = ("[", '{"')
SEVERAL: Final = "Several files are a carousel, and commas separate them: a.jpg, b.jpg."
COMMAS: Final = 'Separate the items by commas, and put a name that contains a comma in quotation marks: "one, two.jpg".'
LIST: Final = "Write a list of files, of {image: …, alt_text: …} and of {video: …}."
LISTS = tuple(name for name, field in CalendarPost.model_fields.items() if field.default == ())
TRAILING_COMMA = re.compile(r",\s*[\]}]")


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
        known = name is None or self._tried("timezone", lambda: zone(name)) is not None
        try:
            at = read_local_time(written, name if known else None)
        except InvalidValue as invalid:
            if known or not isinstance(invalid, MissingTimezone):
                self._add_problem("publish_at", invalid.message, invalid.remedy)
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
        if named is None:
            return values  # its limits depend on what it will show
        unwritten = {
            name: CalendarPost.model_fields[name].default
            for name in OPTIONS
            if self._value(name) is None
        }
        limits = broken_limits(unwritten | values, kind, CalendarPost)
        limits += broken_comment_limits(values.get("first_comment") or "", "first_comment")
        if values.get("first_comment") and not values.get("comment_enabled", True):
            message = "first_comment is set, but comment_enabled is false."
            limits.append(BrokenLimit("comment_enabled", message, "Keep one of them."))
        self._add_limits(limits)
        if values.get("cover_url") and not any(limit.option == "cover_url" for limit in limits):
            self._location("cover_url", values["cover_url"], check=False)
        self._check_links(values, named)
        return values

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
        if (written := self._text(name)) is None or (
            location := self._location(name, written, check)
        ) is None:
            return None
        self._tried(name, lambda: _check_kind(name, location))
        return location

    def _carousel(self, check: bool) -> tuple[Item, ...]:
        if (
            written := self._tried("carousel", lambda: items_in(self.values["carousel"].value))
        ) is None:
            return ()

        def read(written: Any) -> Item:
            item = read_item(written)
            return item.model_copy(update={"location": self._found(item.location, check)})

        read_items = (
            self._tried("carousel", lambda: read(one), f"carousel, item {index + 1}: ", index)  # noqa: B023 -- at once
            for index, one in enumerate(written)
        )
        items = tuple(item for item in read_items if item is not None)
        if len(items) == len(written):
            self._add_limits(broken_by_carousel(items))
        return items

    def _options(self, kind: PostKind) -> dict[str, Any]:
        """Return the fields beside the media that can be read. Defaults that the kind does not take are ignored."""
        given = {
            name: arguments.literal(value.value)
            for name in FIELDS
            if name not in MEDIA
            and not self._is_unused(name, kind)
            and (value := self._value(name)) is not None
        }
        values = {}
        for name, value in given.items():
            try:
                is_json = (
                    name in LISTS
                    and isinstance(value, str)
                    and value.lstrip().startswith(JSON_BEGINS)
                )
                values[name] = FIELDS[name].read(
                    name, _json_list(name, value) if is_json else value
                )
            except InvalidValue as invalid:  # noqa: PERF203 -- each field is reported
                self._add_problem(name, invalid.message, invalid.remedy)
            except ValidationError as error:
                # the message says more than the value where it has a hint, and where it names the
                # invalid item
                says_more = error.hint or name in LISTS
                message = error.message if says_more else f"{name} is {arguments.in_quotes(value)}."
                self._add_problem(name, message, error.hint or FIELDS[name].remedy)
        return values

    def _check_links(self, values: dict[str, Any], named: str) -> None:
        how, items = values.get("upload", "auto"), values.get("carousel", ())
        for location in (
            *(item.location for item in items),
            *filter(None, map(values.get, ItemKind)),
        ):
            if (
                how == "url"
                and urls.is_local(location)
                and kind_by_name(location) is not ItemKind.PICTURE
            ):
                message = "upload is url, but Instagram cannot fetch a local file."
                name = "upload" if "upload" in self.row.values else named
                self._add_problem(
                    name, message, f"Write upload: file, or give the {named}'s https address."
                )
                continue
            is_fetched = urls.is_public_url(location) or (
                how == "file" and location.lower().startswith("https:")
            )
            if urls.is_web(location) and not is_fetched:
                message = f"{named} {urls.shown(location)}: a link must be https, in plain ASCII."
                remedy = "Write its https address, with characters outside ASCII percent-encoded."
                self._add_problem(named, message, remedy)

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
        def read() -> str:
            _check_separators(written)
            return self._found(written, check)

        return self._tried(name, read, f"{name}: ")

    def _found(self, written: str, check: bool) -> str:
        try:
            location = self.files.found(written, check=check)
        except InvalidValue:
            names = [one for one in re.split(r"[\s;|,]+", written) if kind_by_name(one)]
            if len(names) > 1 and not urls.is_web(written):
                raise InvalidValue(f"these are {len(names)} files.", SEVERAL) from None
            raise
        if location != written:
            self.names[location] = written.removeprefix("./")
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
        line = (
            self.row.line
            if value is None
            else value.line
            if item is None
            else value.line_of_item(item)
        )
        is_shared = value is not None and name not in self.row.values
        self.problems.append(
            Problem(
                line,
                without_secrets(message, value),
                remedy,
                None if is_shared else self.post_id,
                name,
            )
        )


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
        items = (
            _json_list("carousel", written)
            if written.lstrip().startswith(JSON_BEGINS)
            else _separated(written)
        )
    elif isinstance(written, list):
        items = written
    else:
        raise InvalidValue("carousel is not a list.", LIST)
    return items[:MOST_READ]


def _json_list(name: str, written: str) -> list[Any]:
    """Return the list that a cell contains as JSON. A list of Python is none, also where both look alike."""
    text, remedy = written.strip(), JSON_TAGS if name == "user_tags" else JSON_LIST
    try:
        found: list[Any] = json.loads(text if text[0] == "[" else "")
    except RecursionError:
        raise InvalidValue(f"{name} has too many brackets.", remedy) from None
    except ValueError as error:
        at = getattr(error, "pos", 0)
        if text[0] != "[":
            why = "square brackets around it are missing"
        elif TRAILING_COMMA.match(text, len(text[:at].rstrip().rstrip(","))):
            why = "a comma stands before its closing bracket"
        elif text[at : at + 1].isalnum():
            why = "each text in it needs quotation marks"
        else:
            why = f"it cannot be read from its character {at + 1} on"
        # a part of a link may be a part of its signature
        shown = f" {text}" if "://" not in text else ""
        raise InvalidValue(
            f"{name} is not valid JSON, because {why}:{shown}".rstrip(":") + ".", remedy
        ) from None
    return [_without_flags(one) for one in found]


def _without_flags(value: Any) -> Any:
    """Return a value in which true and false are texts, as those of YAML are."""
    if isinstance(value, dict):
        return {name: _without_flags(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_without_flags(part) for part in value]
    return str(value).lower() if isinstance(value, bool) else value


def _check_separators(text: str) -> None:
    """Check that a text is not the names of several files with semicolons between them."""
    names = [one.strip() for one in text.split(";") if one.strip()]
    if (
        len(names) > 1
        and all(map(kind_by_name, names))
        and (not urls.is_web(text) or urls.is_web(names[1]))
    ):
        message = f"these are {len(names)} files, with semicolons between them."
        raise InvalidValue(message, SEVERAL)


def _separated(written: str) -> list[str]:
    """Return names that are separated by commas, or by the ends of lines within a cell."""
    lines = [line for line in written.splitlines() if line.strip()]
    try:
        names = [
            name for row in csv.reader(lines, skipinitialspace=True, strict=True) for name in row
        ]
    except csv.Error:
        raise InvalidValue("the quotation marks in carousel do not match.", COMMAS) from None
    return [name.strip() for name in names if name.strip()]


def read_item(written: Any) -> Item:
    """Read an item of a carousel: a file, or an object."""
    if not isinstance(written, (str, dict)) or not written:
        raise InvalidValue("it is neither a file nor an object.", LIST)
    if isinstance(written, str):
        _check_separators(written)
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
    return (
        [_as_literal(part) for part in value]
        if isinstance(value, list)
        else arguments.literal(value)
    )
