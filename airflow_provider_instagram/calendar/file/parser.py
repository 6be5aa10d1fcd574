"""A content calendar: what its file says, as posts, and everything that is wrong with it, at once."""

from __future__ import annotations

import difflib
import logging
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_instagram.calendar.file import loader
from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.file.model import DEFAULT_SPACING, Calendar, Post
from airflow_provider_instagram.calendar.file.post_parser import Fields
from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.file.rows import publishable
from airflow_provider_instagram.calendar.file.spacing import too_close
from airflow_provider_instagram.calendar.file.times import length
from airflow_provider_instagram.publishing.options import OPTIONS

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from airflow_provider_instagram.calendar.file.rows import Row, Rows, Value

__all__ = ["Calendar", "Post", "parse_calendar", "parse_rows", "read_calendar"]

APPROVALS = ("none", "required")
KEYS = (
    *("id", "publish_at", "timezone", "account", "video", "caption_file"),
    *OPTIONS,
    *("upload", "approval", "dry_run", "tags"),
)
OWN = ("id", "publish_at", "caption_file")  # what no two posts share
#: Looking for a name that may be meant takes time; who has made so many mistakes is not helped by it.
MOST_SUGGESTIONS = 1_000
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

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
    return parse_calendar(
        loader.read_text(location), location, min_spacing=min_spacing, now=now, check_files=check_files
    )


def parse_calendar(
    text: str,
    location: str,
    *,
    min_spacing: timedelta | None = None,
    now: datetime | None = None,
    check_files: bool = False,
) -> Calendar:
    """Make posts of a calendar's text; otherwise as :func:`read_calendar`."""
    rows = loader.parse(text, location)
    return parse_rows(rows, location, min_spacing=min_spacing, now=now, check_files=check_files)


def parse_rows(
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
    close = too_close(posts, spacing)
    kept = sorted((post for post in posts if post.id not in close), key=lambda post: (post.publish_at, post.line))
    # What comes too close to a faulty post is told too, or it would only be when that one is repaired.
    crowded = too_close([*posts, *reader.faulty], spacing) if reader.faulty else close
    faults = sorted({*reader.faults, *close.values(), *crowded.values()}, key=lambda fault: (fault.line, fault.message))
    whole = not any("caption_file" in row.values for row in rows.rows)
    left_out = frozenset(reader.lines) - {post.id for post in kept}
    return Calendar(location, tuple(kept), tuple(faults), spacing, whole, left_out)


@dataclass
class _Reader:
    """Reads row after row, and goes on whatever it finds."""

    rows: Rows
    files: CalendarFiles
    faults: list[Problem]
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
        except InvalidValue as refusal:
            self.faults.append(Problem(written.line, refusal.message, refusal.remedy))
            return DEFAULT_SPACING

    def check_shared(self) -> None:
        """Find what is wrong for all posts: in the defaults, and in the columns' names."""
        defaults = self.rows.defaults
        self.faults += defaults.faults
        for shared in (defaults, self.rows.columns):
            self.faults += [
                self._unknown(name, value.line, None) for name, value in shared.values.items() if name not in KEYS
            ]
        for name in OWN:
            if name in defaults.values:
                self.faults.append(
                    Problem(defaults.values[name].line, f"{name} cannot be a default.", "Give every post its own.")
                )

    def post(self, row: Row) -> Post | None:
        """Read a post; None when something is wrong with it."""
        try:
            return self._post(row)
        except Exception as error:  # a mistake of ours takes no other post away
            log.exception("The post in line %s cannot be understood", row.line)
            why = f"the post cannot be understood: {type(error).__name__}: {error}."
            self.faults.append(Problem(row.line, why, "Please report this."))
            return None

    def _post(self, row: Row) -> Post | None:
        before = len(self.faults)
        self.faults += row.faults
        if not row.values:
            return None
        post_id = self._id(row)
        self._find_unknown(row, post_id)
        read = Fields(row, self.shared, post_id, self.faults, self.files)
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
            self.faults.append(Problem(row.line, "this post has no id.", "Add one: id: monday-teaser"))
            return None
        if not isinstance(given.value, str) or not ID.fullmatch(given.value.strip()):
            self.faults.append(
                Problem(
                    given.line,
                    publishable(f"{given.value!r} is not a valid id.", given),
                    "Use up to 100 letters, digits, dots, dashes and underscores.",
                )
            )
            return None
        post_id = given.value.strip()
        if len(lines := self.lines[post_id]) > 1:
            other = lines[1] if row.line == lines[0] else lines[0]
            self.faults.append(
                Problem(
                    given.line,
                    f"the post in line {other} has the same id, so none of them is published.",
                    "Give one of them another id: it keeps a post from being published twice.",
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
                self.faults.append(self._unknown(name, value.line, post_id))

    def _unknown(self, name: str, line: int, post_id: str | None) -> Problem:
        few = len(self.faults) < MOST_SUGGESTIONS
        close = difflib.get_close_matches(name.lower(), KEYS, 1) if few else []
        remedy = f"Did you mean {close[0]}?" if close else f"The fields are {', '.join(KEYS)}."
        return Problem(line, f"Unknown field {name!r}.", remedy, post_id)


def _lines_by_id(rows: Rows) -> dict[str, list[int]]:
    lines: dict[str, list[int]] = {}
    for row in rows.rows:
        if (given := row.values.get("id")) is not None and isinstance(given.value, str):
            lines.setdefault(given.value.strip(), []).append(row.line)
    return lines
