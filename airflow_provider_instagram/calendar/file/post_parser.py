"""The values of one post of a calendar: each is read, and what is wrong with it stands at its line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.file.rows import publishable
from airflow_provider_instagram.calendar.file.times import NoZone, moment, spoken, zone
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.files import locations
from airflow_provider_instagram.operators.container import UPLOADS
from airflow_provider_instagram.publishing.options import OPTIONS, REMEDIES, ContainerOptions
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from datetime import datetime

    from pydantic import JsonValue

    from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
    from airflow_provider_instagram.calendar.file.rows import Row, Value

ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,149}")
TASKS = re.compile(r"calendar|due_.*")  # the DAG's own, which no account's group can be called
LIMITS = "This post cannot be created: "  # before every limit that ContainerOptions finds broken


@dataclass
class Fields:
    """The values of one post, its own before the defaults."""

    row: Row
    shared: dict[str, Value]
    post_id: str | None
    faults: list[Problem]
    files: CalendarFiles
    values: dict[str, Value] = field(init=False)

    def __post_init__(self) -> None:
        self.values = self.shared | self.row.values

    def account(self) -> str:
        """Read the account's connection."""
        name = self._text("account") or DEFAULT_CONN_ID
        if not ACCOUNT.fullmatch(name):
            self._fault(
                "account",
                f"account is {name!r}. No task group can have this name.",
                "Use letters, digits, dashes and underscores, and give the connection the same id.",
            )
        elif TASKS.fullmatch(name):
            self._fault(
                "account",
                f"account is {name!r}. The DAG has tasks with this name.",
                "Give the connection an id other than calendar, without due_ at its beginning.",
            )
        return name

    def publish_at(self, now: datetime | None) -> datetime | None:
        """Read the time."""
        if (written := self._text("publish_at")) is None:
            self._fault("publish_at", "publish_at is missing.", "Add it: publish_at: 2026-12-24 18:00")
            return None
        name = self._text("timezone")
        known = name is None or self._is_zone(name)
        try:
            at = moment(written, name if known else None)
        except InvalidValue as refusal:
            if known or not isinstance(refusal, NoZone):
                self._fault("publish_at", refusal.message, refusal.remedy)
            return None
        if now is not None and at <= now:
            self._fault(
                "publish_at",
                f"{at.strftime('%Y-%m-%d %H:%M')} is in the past ({spoken(now - at)} ago).",
                "Move it to the future. If the post has been published, leave it.",
            )
        return at

    def video(self, check: bool) -> str | None:
        """Read where the video is, and look whether it is there."""
        if (written := self._text("video")) is None:
            self._fault(
                "video", "video is missing.", "Add it: a file beside the calendar, a full path, or an https address."
            )
            return None
        return self._place("video", written, check)

    def options(self) -> dict[str, JsonValue]:
        """Read the caption and everything else that CreateContainerOperator takes."""
        given = {name: arguments.literal(value.value) for name in OPTIONS if (value := self._value(name)) is not None}
        if (text := self._caption_file()) is not None:
            given["caption"] = arguments.literal(text)
        try:
            options = ContainerOptions.read(**given)
        except ValidationError as error:
            self._find_broken(given, error)
            return {}
        if options.cover_url:
            self._place("cover_url", options.cover_url, check=False)
        return {name: _as_json(getattr(options, name)) for name in OPTIONS if name in given}

    def choice(self, name: str, choices: tuple[str, ...]) -> Any:
        """Read one of a few words; the first is the default."""
        written = self._text(name) or choices[0]
        if written.lower() not in choices:
            self._fault(name, f"{name} is {written!r}.", f"Use one of {', '.join(choices)}.")
        return written.lower()

    def upload(self, video: str | None) -> Any:
        """Read how the video is brought to Instagram."""
        how = self.choice("upload", UPLOADS)
        if how == "url" and video is not None and locations.is_local(video):
            self._fault(
                "upload" if "upload" in self.row.values else "video",
                "upload is url, but Instagram cannot fetch a local file.",
                "Write upload: file, or give the video's https address.",
            )
        elif video is not None and locations.is_web(video) and not _is_link(video, how):
            self._fault(
                "video",
                f"video {locations.shown(video)}: a link must be https, in plain ASCII.",
                "Write its https address, with characters outside ASCII percent-encoded.",
            )
        return how

    def boolean(self, name: str) -> bool:
        """Read a yes or no; no is the default."""
        try:
            return bool(arguments.boolean(name, arguments.literal(self._text(name))))
        except ValidationError:
            self._fault(name, f"{name} is {self._text(name)!r}.", "Write true or false.")
            return False

    def names(self, name: str) -> tuple[str, ...]:
        """Read a list of words."""
        value = self._value(name)
        try:
            words = arguments.sequence(name, arguments.literal(value.value) if value else None)
            return tuple(str(word) for word in words)
        except ValidationError as error:
            self._fault(name, error.message, "Separate them by commas.")
            return ()

    def _is_zone(self, name: str) -> bool:
        try:
            zone(name)
        except InvalidValue as refusal:
            self._fault("timezone", refusal.message, refusal.remedy)
            return False
        return True

    def _caption_file(self) -> str | None:
        if (written := self._text("caption_file")) is None:
            return None
        if "caption" in self.row.values:
            self._fault("caption_file", "the post has a caption and a caption_file.", "Keep one of them.")
            return None
        try:
            return self.files.caption(written)
        except InvalidValue as refusal:
            self._fault("caption_file", f"caption_file: {refusal.message}", refusal.remedy)
            return None

    def _find_broken(self, given: dict[str, Any], whole: ValidationError) -> None:
        """Record a fault for each broken value, at its line."""
        before = len(self.faults)
        for name, value in given.items():
            try:
                ContainerOptions.read(**{name: value})
            except ValidationError as error:  # noqa: PERF203 -- all of them are wanted
                own = self.row.values
                where = "caption_file" if name == "caption" and "caption_file" in own and name not in own else name
                self._fault(where, *_told(name, value, error))
        if len(self.faults) == before:  # each is right alone, but not together
            self._fault("placement", *_parted(whole))

    def _place(self, name: str, written: str, check: bool) -> str | None:
        try:
            return self.files.found(written, check=check)
        except InvalidValue as refusal:
            self._fault(name, f"{name}: {refusal.message}", refusal.remedy)
            return None

    def _text(self, name: str) -> str | None:
        value = self._value(name)
        if value is None:
            return None
        if not isinstance(value.value, str):
            self._fault(name, f"{name} must be text.", "Write it after the colon, on one line.")
            return None
        return value.value.strip() or None

    def _value(self, name: str) -> Value | None:
        value = self.values.get(name)
        return None if value is None or value.value is None else value

    def _fault(self, name: str, message: str, remedy: str) -> None:
        line = self.values[name].line if name in self.values else self.row.line
        is_shared = name in self.values and name not in self.row.values
        message = publishable(message, self.values.get(name))
        self.faults.append(Problem(line, message, remedy, None if is_shared else self.post_id))


def _is_link(address: str, upload: str) -> bool:
    """Return whether a video can be fetched: by Instagram, or by the worker if its bytes are sent."""
    return locations.is_public_url(address) or (upload == "file" and address.lower().startswith("https:"))


def _told(name: str, value: Any, error: ValidationError) -> tuple[str, str]:
    """Return what is wrong with an option, and what to write instead, without repetition."""
    if name in ("caption", "collaborators") and error.message.startswith(LIMITS):
        return _parted(error)
    if name in ("collaborators", "user_tags"):  # which of them it is
        return error.message, REMEDIES[name]
    return f"{name} is {value!r}.", REMEDIES[name]


def _parted(error: ValidationError) -> tuple[str, str]:
    """Part what is wrong from what to do; a colon stands between them."""
    message, _, remedy = error.message.removeprefix(LIMITS).partition(": ")
    return f"{message}.", f"{remedy[:1].upper()}{remedy[1:]}"


def _as_json(value: Any) -> JsonValue:
    return list(value) if isinstance(value, tuple) else value
