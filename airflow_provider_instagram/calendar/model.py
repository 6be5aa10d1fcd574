"""A content calendar: what its file says, as posts, and everything that is wrong with it, at once."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from airflow_provider_instagram import arguments, storage
from airflow_provider_instagram.calendar import source
from airflow_provider_instagram.calendar.faults import Fault, Refusal
from airflow_provider_instagram.calendar.files import CalendarFiles
from airflow_provider_instagram.calendar.limits import beyond_limits
from airflow_provider_instagram.calendar.times import length, moment, spoken
from airflow_provider_instagram.container_options import ContainerOptions
from airflow_provider_instagram.exceptions import ValidationError

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.source import Row, Value

OPTIONS = tuple(option.name for option in fields(ContainerOptions))
UPLOADS = ("auto", "file", "url")
APPROVALS = ("none", "required")
KEYS = (
    *("id", "publish_at", "timezone", "account", "video", "caption_file"),
    *OPTIONS,
    *("upload", "approval", "dry_run", "tags"),
)
OWN = ("id", "publish_at", "caption_file")  # what no two posts share
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,149}")
TASKS = re.compile(r"calendar|due_.*")  # the DAG's own, which no account's group can be called
DEFAULT_ACCOUNT = "instagram_default"
DEFAULT_SPACING = timedelta(minutes=5)
REMEDIES = {
    "caption": "Shorten it, or leave some of them out.",
    "placement": "Write reels or feed.",
    "video_cover_timestamp_ms": "Write the milliseconds from the start of the video: 1500.",
    "cover_url": "Write the public https address of a JPEG.",
    "location_id": "Write the digits of the Page's id, or leave it out.",
    "collaborators": "Write at most three user names: [studio_two, jane.doe].",
    "user_tags": "Write user names: [studio_two, jane.doe].",
    "share_to_feed": "Write true or false.",
    "audio_name": "Write a short text.",
    "trial_graduation": "Write one of the two, or leave it out.",
    "is_ai_generated": "Write true or false.",
}
_NOTHING = dict.fromkeys(OPTIONS)


class Post(BaseModel):
    """One post of a calendar, right in itself.

    :param id: Its name, alone in the calendar.
    :param publish_at: When it is published, in its own time zone.
    :param account: Its account's connection.
    :param video: Where its video is.
    :param options: The caption and what else CreateContainerOperator takes, where it is set.
    :param upload: How the video is brought to Instagram.
    :param approval: Whether a person has to say yes.
    :param dry_run: Whether everything but the publication happens.
    :param tags: For the reader.
    :param line: Where it stands in the file.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    publish_at: datetime
    account: str
    video: str
    options: dict[str, JsonValue]
    upload: Literal["auto", "file", "url"] = "auto"
    approval: Literal["none", "required"] = "none"
    dry_run: bool = False
    tags: tuple[str, ...] = ()
    line: int = 0

    @property
    def key(self) -> str:
        """What the post is known by, exactly once, whatever happens to its file, its DAG and its runs."""
        return f"{self.account}/{self.id}"

    @property
    def caption(self) -> str:
        """The post's text."""
        return str(self.options.get("caption") or "")

    @property
    def placement(self) -> str:
        """``reels`` or ``feed``."""
        return str(self.options.get("placement") or "reels")

    @cached_property
    def version(self) -> str:
        """Tell this content at this time from what an edit makes of it."""
        said = (self.id, self.publish_at.timestamp(), self.account, self.video, self.options, self.upload)
        asked = (self.approval, self.dry_run)
        return hashlib.sha256(json.dumps((*said, *asked), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Calendar:
    """A calendar as it was read.

    :param location: Its file.
    :param posts: The posts that nothing is wrong with, by time.
    :param faults: What is wrong, by line.
    :param min_spacing: The smallest distance of two posts of an account.
    :param whole: Whether all of it stands in the one file, and no caption in another.
    :param left_out: The ids of posts that stand in the file, but something is wrong with them.
    """

    location: str
    posts: tuple[Post, ...] = ()
    faults: tuple[Fault, ...] = ()
    min_spacing: timedelta = DEFAULT_SPACING
    whole: bool = True
    left_out: frozenset[str] = frozenset()

    @property
    def accounts(self) -> list[str]:
        """The connections that posts are for, sorted."""
        return sorted({post.account for post in self.posts})

    def post(self, post_id: str) -> Post | None:
        """Find a post by its id."""
        return next((post for post in self.posts if post.id == post_id), None)


def read_calendar(
    location: str, *, min_spacing: timedelta | None = None, now: datetime | None = None, check_files: bool = False
) -> Calendar:
    """Read a calendar's file.

    :param location: A path or any URI that ObjectStoragePath opens; its ending tells YAML, JSON or CSV.
    :param min_spacing: Wins over the file's own.
    :param now: With it, posts whose time is over are faults.
    :param check_files: Whether to look if the videos are there.
    :raises Refusal: When nothing of the file can be read.
    """
    return understood(source.read_text(location), location, min_spacing=min_spacing, now=now, check_files=check_files)


def understood(
    text: str,
    location: str,
    *,
    min_spacing: timedelta | None = None,
    now: datetime | None = None,
    check_files: bool = False,
) -> Calendar:
    """Make posts of a calendar's text; otherwise as :func:`read_calendar`."""
    rows = source.parse(text, location)
    reader = _Reader(rows.defaults, CalendarFiles(location), list(rows.faults), now=now, check_files=check_files)
    spacing = min_spacing if min_spacing is not None else reader.spacing(rows.min_spacing)
    reader.check_defaults()
    posts = [post for row in rows.rows if (post := reader.post(row)) is not None]
    beyond = beyond_limits(posts, spacing)
    kept = sorted((post for post in posts if post.id not in beyond), key=lambda post: (post.publish_at, post.line))
    # What comes too close to a faulty post is told too, or it would only be when that one is repaired.
    crowded = beyond_limits([*posts, *reader.faulty], spacing) if reader.faulty else beyond
    faults = sorted(
        {*reader.faults, *beyond.values(), *crowded.values()}, key=lambda fault: (fault.line, fault.message)
    )
    whole = not any("caption_file" in row.values for row in rows.rows)
    left_out = frozenset(reader.seen) - {post.id for post in kept}
    return Calendar(location, tuple(kept), tuple(faults), spacing, whole, left_out)


@dataclass
class _Reader:
    """Reads row after row, and goes on whatever it finds."""

    defaults: Row
    files: CalendarFiles
    faults: list[Fault]
    now: datetime | None
    check_files: bool
    seen: dict[str, int] = field(default_factory=dict)
    faulty: list[Post] = field(default_factory=list)

    def spacing(self, written: Value | None) -> timedelta:
        """Read the file's min_spacing."""
        if written is None or written.value is None:
            return DEFAULT_SPACING
        try:
            return length("min_spacing", str(written.value))
        except Refusal as refusal:
            self.faults.append(Fault(written.line, refusal.message, refusal.remedy))
            return DEFAULT_SPACING

    def check_defaults(self) -> None:
        """Find what cannot hold for all posts."""
        self.faults += self.defaults.faults
        self._unknown_keys(self.defaults, None)
        for name in OWN:
            if name in self.defaults.values:
                self.faults.append(
                    Fault(self.defaults.values[name].line, f"{name} cannot be a default.", "Give every post its own.")
                )

    def post(self, row: Row) -> Post | None:
        """Read a post; None when something is wrong with it."""
        before = len(self.faults)
        self.faults += row.faults
        if not row.values:
            return None
        post_id = self._id(row)
        self._unknown_keys(row, post_id)
        read = _Fields(row, self.defaults, post_id, self.faults, self.files)
        account, publish_at, video = read.account(), read.publish_at(self.now), read.video(self.check_files)
        options, upload, approval = read.options(), read.choice("upload", UPLOADS), read.choice("approval", APPROVALS)
        dry_run, tags = read.boolean("dry_run"), read.names("tags")
        if post_id is None or publish_at is None:
            return None
        right = len(self.faults) == before
        post = Post.model_construct(
            id=post_id, publish_at=publish_at, account=account, video=video, options=options,
            upload=upload, approval=approval, dry_run=dry_run, tags=tags, line=row.line,
        )  # fmt: skip
        if not right:
            self.faulty.append(post)
        return post if right else None

    def _id(self, row: Row) -> str | None:
        given = row.values.get("id")
        if given is None or not given.value:
            self.faults.append(
                Fault(row.line, "this post has no id.", "Give it a short name of its own: id: monday-teaser")
            )
            return None
        if not isinstance(given.value, str) or not ID.fullmatch(given.value.strip()):
            self.faults.append(
                Fault(
                    given.line,
                    f"the id {given.value!r} does not do.",
                    "Use letters, digits, dots, dashes and underscores, at most 100.",
                )
            )
            return None
        post_id = given.value.strip()
        if post_id in self.seen:
            self.faults.append(
                Fault(
                    given.line,
                    f"the id is taken by the post in line {self.seen[post_id]}.",
                    "Give it another: the id is what keeps a post from being published twice.",
                    post_id,
                )
            )
            return post_id
        self.seen[post_id] = row.line
        return post_id

    def _unknown_keys(self, row: Row, post_id: str | None) -> None:
        for name, value in row.values.items():
            if name in KEYS:
                continue
            close = difflib.get_close_matches(name.lower(), KEYS, 1)
            remedy = f"Did you mean {close[0]}?" if close else f"Use some of {', '.join(KEYS)}."
            self.faults.append(Fault(value.line, f"{name!r} is nothing a post has.", remedy, post_id))


@dataclass
class _Fields:
    """The values of one post, its own before the defaults."""

    row: Row
    defaults: Row
    post_id: str | None
    faults: list[Fault]
    files: CalendarFiles

    def account(self) -> str:
        """Read the account's connection."""
        name = self._text("account") or DEFAULT_ACCOUNT
        if not ACCOUNT.fullmatch(name):
            self._fault(
                "account",
                f"account is {name!r}, which is no id of a connection that a task group can be named after.",
                "Use letters, digits, dashes and underscores, and name the connection alike.",
            )
        elif TASKS.fullmatch(name):
            self._fault(
                "account",
                f"account is {name!r}, and the DAG has tasks that are called so.",
                "Give the connection a name that is not calendar and does not begin with due_.",
            )
        return name

    def publish_at(self, now: datetime | None) -> datetime | None:
        """Read the time."""
        if (written := self._text("publish_at")) is None:
            self._fault("publish_at", "publish_at is missing.", "Say when: publish_at: 2026-12-24 18:00")
            return None
        try:
            at = moment(written, self._text("timezone"))
        except Refusal as refusal:
            self._fault("publish_at", refusal.message, refusal.remedy)
            return None
        if now is not None and at <= now:
            self._fault(
                "publish_at",
                f"{at.strftime('%Y-%m-%d %H:%M')} is over ({spoken(now - at)} ago).",
                "Move it to the future, or leave it if it has been published.",
            )
        return at

    def video(self, check: bool) -> str | None:
        """Read where the video is, and look whether it is there."""
        if (written := self._text("video")) is None:
            self._fault("video", "video is missing.", "Name its file, beside the calendar or with its whole path.")
            return None
        return self._place("video", written, check)

    def options(self) -> dict[str, JsonValue]:
        """Read the caption and everything else that CreateContainerOperator takes."""
        given = {name: value.value for name in OPTIONS if (value := self._value(name)) is not None}
        if (text := self._caption_file()) is not None:
            given["caption"] = text
        try:
            options = ContainerOptions.read(**_NOTHING | given)
        except ValidationError as error:
            self._find_broken(given, error)
            return {}
        return {name: _as_json(getattr(options, name)) for name in OPTIONS if name in given}

    def choice(self, name: str, choices: tuple[str, ...]) -> Any:
        """Read one of a few words; the first is the default."""
        word = (self._text(name) or choices[0]).lower()
        if word not in choices:
            self._fault(name, f"{name} is {word!r}.", f"Use one of {', '.join(choices)}.")
        return word

    def boolean(self, name: str) -> bool:
        """Read a yes or no; no is the default."""
        try:
            return bool(arguments.boolean(name, self._text(name)))
        except ValidationError as error:
            self._fault(name, error.message, "Write true or false.")
            return False

    def names(self, name: str) -> tuple[str, ...]:
        """Read a list of words."""
        value = self._value(name)
        try:
            return tuple(str(word) for word in arguments.sequence(name, value.value if value else None))
        except ValidationError as error:
            self._fault(name, error.message, "Write them with commas between them.")
            return ()

    def _caption_file(self) -> str | None:
        if (written := self._text("caption_file")) is None:
            return None
        if "caption" in self.row.values:
            self._fault("caption_file", "the post has a caption and a caption_file.", "Keep one of them.")
            return None
        if (place := self._place("caption_file", written, check=False)) is None:
            return None
        try:
            return source.read_text(place).strip()
        except Refusal as refusal:
            self._fault("caption_file", f"caption_file {written}: {refusal.message}", refusal.remedy)
            return None

    def _find_broken(self, given: dict[str, Any], whole: ValidationError) -> None:
        """Say which values are broken, each at its line."""
        before = len(self.faults)
        for name, value in given.items():
            try:
                ContainerOptions.read(**_NOTHING | {name: value})
            except ValidationError as error:  # noqa: PERF203 -- all of them are wanted
                where = "caption_file" if name == "caption" and name not in self.row.values else name
                self._fault(where, _bare(error), REMEDIES.get(name, "Change it."))
        if len(self.faults) == before:  # each is right alone, but not together
            self._fault("placement", _bare(whole), "Change one of them.")

    def _place(self, name: str, written: str, check: bool) -> str | None:
        try:
            return self.files.found(written, check=check)
        except Refusal as refusal:
            self._fault(name, f"{name} {storage.shown(written)}: {refusal.message}", refusal.remedy)
            return None

    def _text(self, name: str) -> str | None:
        value = self._value(name)
        if value is None:
            return None
        if not isinstance(value.value, str):
            self._fault(name, f"{name} must be a text.", "Write it behind the colon, on one line.")
            return None
        return value.value.strip() or None

    def _value(self, name: str) -> Value | None:
        value = self.row.values.get(name)
        if value is None and name not in OWN:
            value = self.defaults.values.get(name)
        return None if value is None or value.value is None else value

    def _fault(self, name: str, message: str, remedy: str) -> None:
        own = self.row.values.get(name)
        shared = None if own is not None or name in OWN else self.defaults.values.get(name)
        line = own.line if own else shared.line if shared else self.row.line
        self.faults.append(Fault(line, message, remedy, None if shared else self.post_id))


def _bare(error: ValidationError) -> str:
    return error.message.removeprefix("This post cannot be created: ")


def _as_json(value: Any) -> JsonValue:
    return list(value) if isinstance(value, tuple) else value
