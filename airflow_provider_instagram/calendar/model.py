"""A content calendar: what its file says, as posts, and everything that is wrong with it, at once."""

from __future__ import annotations

import difflib
import logging
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram import arguments, storage
from airflow_provider_instagram.account_task import DEFAULT_CONN_ID
from airflow_provider_instagram.calendar import source
from airflow_provider_instagram.calendar.faults import Fault, Refusal
from airflow_provider_instagram.calendar.files import CalendarFiles
from airflow_provider_instagram.calendar.limits import beyond_limits
from airflow_provider_instagram.calendar.post import DEFAULT_SPACING, Calendar, Post
from airflow_provider_instagram.calendar.times import NoZone, length, moment, spoken, zone
from airflow_provider_instagram.container_options import ContainerOptions
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.operators.container import OPTIONS, UPLOADS

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from pydantic import JsonValue

    from airflow_provider_instagram.calendar.rows import Row, Rows, Value

__all__ = ["Calendar", "Post", "read_calendar", "understood", "understood_rows"]

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
REMEDIES = {
    "caption": "Write a text.",
    "placement": "Write reels or feed.",
    "video_cover_timestamp_ms": "Write the milliseconds from the start of the video: 1500.",
    "cover_url": "Write the public https address of a JPEG, with signs beyond ASCII percent-encoded.",
    "location_id": "Write the digits of the Page's id, or leave it out.",
    "collaborators": "Write user names: [studio_two, jane.doe].",
    "user_tags": "Write user names: [studio_two, jane.doe].",
    "share_to_feed": "Write true or false.",
    "audio_name": "Write a short text.",
    "trial_graduation": "Write MANUAL or SS_PERFORMANCE, or leave it out.",
    "is_ai_generated": "Write true or false.",
}
LIMITS = "This post cannot be created: "  # before every limit that ContainerOptions finds broken
_NOTHING = dict.fromkeys(OPTIONS)

log = logging.getLogger(__name__)


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
    return understood_rows(rows, location, min_spacing=min_spacing, now=now, check_files=check_files)


def understood_rows(
    rows: Rows,
    location: str,
    *,
    min_spacing: timedelta | None = None,
    now: datetime | None = None,
    check_files: bool = False,
) -> Calendar:
    """Make posts of a calendar's rows; otherwise as :func:`read_calendar`."""
    reader = _Reader(rows, CalendarFiles(location), list(rows.faults), now=now, check_files=check_files)
    spacing = min_spacing if min_spacing is not None else reader.spacing(rows.min_spacing)
    reader.check_shared()
    posts = [post for row in rows.rows if (post := reader.post(row)) is not None]
    beyond = beyond_limits(posts, spacing)
    kept = sorted((post for post in posts if post.id not in beyond), key=lambda post: (post.publish_at, post.line))
    # What comes too close to a faulty post is told too, or it would only be when that one is repaired.
    crowded = beyond_limits([*posts, *reader.faulty], spacing) if reader.faulty else beyond
    faults = sorted(
        {*reader.faults, *beyond.values(), *crowded.values()}, key=lambda fault: (fault.line, fault.message)
    )
    whole = not any("caption_file" in row.values for row in rows.rows)
    left_out = frozenset(reader.lines) - {post.id for post in kept}
    return Calendar(location, tuple(kept), tuple(faults), spacing, whole, left_out)


@dataclass
class _Reader:
    """Reads row after row, and goes on whatever it finds."""

    rows: Rows
    files: CalendarFiles
    faults: list[Fault]
    now: datetime | None
    check_files: bool
    faulty: list[Post] = field(default_factory=list)
    lines: dict[str, list[int]] = field(init=False)
    shared: dict[str, Value] = field(init=False)

    def __post_init__(self) -> None:
        self.lines = _lines_by_id(self.rows)
        self.shared = {name: value for name, value in self.rows.defaults.values.items() if name not in OWN}

    def spacing(self, written: Value | None) -> timedelta:
        """Read the file's min_spacing."""
        if written is None or written.value is None:
            return DEFAULT_SPACING
        try:
            return length("min_spacing", str(written.value))
        except Refusal as refusal:
            self.faults.append(Fault(written.line, refusal.message, refusal.remedy))
            return DEFAULT_SPACING

    def check_shared(self) -> None:
        """Find what is wrong for all posts: in the defaults, and in the columns' names."""
        defaults = self.rows.defaults
        self.faults += defaults.faults
        for shared in (defaults, self.rows.columns):
            self.faults += [
                _unknown(name, value.line, None) for name, value in shared.values.items() if name not in KEYS
            ]
        for name in OWN:
            if name in defaults.values:
                self.faults.append(
                    Fault(defaults.values[name].line, f"{name} cannot be a default.", "Give every post its own.")
                )

    def post(self, row: Row) -> Post | None:
        """Read a post; None when something is wrong with it."""
        try:
            return self._post(row)
        except Exception as error:  # a mistake of ours takes no other post away
            log.exception("The post in line %s cannot be understood", row.line)
            why = f"the post cannot be understood: {type(error).__name__}: {error}."
            self.faults.append(Fault(row.line, why, "Please report this."))
            return None

    def _post(self, row: Row) -> Post | None:
        before = len(self.faults)
        self.faults += row.faults
        if not row.values:
            return None
        post_id = self._id(row)
        self._find_unknown(row, post_id)
        read = _Fields(row, self.shared, post_id, self.faults, self.files)
        account, publish_at, video = read.account(), read.publish_at(self.now), read.video(self.check_files)
        options, upload, approval = read.options(), read.upload(video), read.choice("approval", APPROVALS)
        dry_run, tags = read.boolean("dry_run"), read.names("tags")
        if post_id is None or publish_at is None:
            return None
        right = len(self.faults) == before and not row.broken
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
        first, *others = self.lines[post_id]
        if others:
            other = others[0] if row.line == first else first
            self.faults.append(
                Fault(
                    given.line,
                    f"the id is also that of the post in line {other}, so none of them is published.",
                    "Give one of them another: the id is what keeps a post from being published twice.",
                    post_id,
                )
            )
        return post_id

    def _find_unknown(self, row: Row, post_id: str | None) -> None:
        for name, value in row.values.items():
            if name in KEYS:
                continue
            if name in self.rows.columns.values:  # told once, where the column is named
                row.broken = True
            else:
                self.faults.append(_unknown(name, value.line, post_id))


def _lines_by_id(rows: Rows) -> dict[str, list[int]]:
    lines: dict[str, list[int]] = {}
    for row in rows.rows:
        if (given := row.values.get("id")) is not None and isinstance(given.value, str):
            lines.setdefault(given.value.strip(), []).append(row.line)
    return lines


def _unknown(name: str, line: int, post_id: str | None) -> Fault:
    close = difflib.get_close_matches(name.lower(), KEYS, 1)
    remedy = f"Did you mean {close[0]}?" if close else f"Use some of {', '.join(KEYS)}."
    return Fault(line, f"{name!r} is nothing a post has.", remedy, post_id)


@dataclass
class _Fields:
    """The values of one post, its own before the defaults."""

    row: Row
    shared: dict[str, Value]
    post_id: str | None
    faults: list[Fault]
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
        name = self._text("timezone")
        known = name is None or self._is_zone(name)
        try:
            at = moment(written, name if known else None)
        except Refusal as refusal:
            if known or not isinstance(refusal, NoZone):
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
        given = {name: arguments.literal(value.value) for name in OPTIONS if (value := self._value(name)) is not None}
        if (text := self._caption_file()) is not None:
            given["caption"] = arguments.literal(text)
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

    def upload(self, video: str | None) -> Any:
        """Read how the video is brought to Instagram."""
        how = self.choice("upload", UPLOADS)
        if how == "url" and video is not None and storage.is_local(video):
            self._fault(
                "upload" if "upload" in self.row.values else "video",
                "upload is url, but Instagram cannot fetch a file from here.",
                "Write upload: file, or name the video's https address.",
            )
        elif video is not None and storage.is_web(video) and not _is_link(video, how):
            self._fault(
                "video",
                f"video {storage.shown(video)}: a link must be https, in plain ASCII.",
                "Write its https address, with signs beyond ASCII percent-encoded.",
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
            self._fault(name, error.message, "Write them with commas between them.")
            return ()

    def _is_zone(self, name: str) -> bool:
        try:
            zone(name)
        except Refusal as refusal:
            self._fault("timezone", refusal.message, refusal.remedy)
            return False
        return True

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
                own = self.row.values
                where = "caption_file" if name == "caption" and "caption_file" in own and name not in own else name
                self._fault(where, *_told(name, value, error))
        if len(self.faults) == before:  # each is right alone, but not together
            self._fault("placement", *_parted(whole))

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
        value = self.values.get(name)
        return None if value is None or value.value is None else value

    def _fault(self, name: str, message: str, remedy: str) -> None:
        line = self.values[name].line if name in self.values else self.row.line
        is_shared = name in self.values and name not in self.row.values
        self.faults.append(Fault(line, message, remedy, None if is_shared else self.post_id))


def _is_link(address: str, upload: str) -> bool:
    """Tell whether a video can be fetched: by Instagram, or by us where its bytes are sent."""
    return storage.is_public(address) or (upload == "file" and address.lower().startswith("https:"))


def _told(name: str, value: Any, error: ValidationError) -> tuple[str, str]:
    """Say what is wrong with an option, and what to write instead, once."""
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
