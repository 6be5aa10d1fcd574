"""A content calendar: the posts of its file, and all of its problems at once."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter

from typing_extensions import TypedDict, Unpack

from airflow_provider_instagram.calendar.file.columns import (
    CALENDAR_FIELDS,
    DEFAULT_SPACING,
    ID,
    Calendar,
    Draft,
    InvalidPost,
    ScheduledPost,
)
from airflow_provider_instagram.calendar.file.entries import Row, Rows, Value, without_secrets
from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.file.post_parser import PostFields, unnamed_account
from airflow_provider_instagram.calendar.file.problems import (
    InvalidValue,
    Problem,
    remedy_for_name,
    sorted_problems,
)
from airflow_provider_instagram.calendar.file.reader import is_table, read_rows, read_text
from airflow_provider_instagram.calendar.file.sheet import SheetForm
from airflow_provider_instagram.calendar.file.slots import read_slots
from airflow_provider_instagram.calendar.file.times import (
    as_written,
    in_words,
    moment,
    named_zone,
    read_duration,
)
from airflow_provider_instagram.utils.arguments import in_quotes

KEYS = tuple(CALENDAR_FIELDS)
NO_DEFAULTS = tuple(name for name, about in CALENDAR_FIELDS.items() if not about.has_default)
EMPTY = Problem(
    0,
    "the calendar has no posts, so nothing is published.",
    "Add posts. If it is over, pause its DAG.",
)
#: What the ids of runs begin with that are not the planner's: Airflow's own, and *Publish now* on
#: the page.
RESERVED = (
    "asset_materialization",
    "asset_triggered",
    "backfill",
    "manual",
    "now",
    "operator_triggered",
    "scheduled",
)
#: The fields of a post that its draft shows.
SHOWN_OF_DRAFTS = ("caption", "note", "tags")
#: Suggestions are slow, so none are made after this many problems.
MAX_SUGGESTIONS = 1_000

log = logging.getLogger(__name__)


def is_reserved(run_id: str) -> bool:
    """Return whether an id is that of a run which the planner has not started."""
    kind, mark, _ = run_id.partition("__")
    return bool(mark) and kind in RESERVED


class Rules(TypedDict, total=False):
    """What must be true of a calendar, beside what its file says.

    :param min_spacing: Overrides the file's own.
    :param accounts: The connections that the file may name. None allows any.
    :param approval: ``required`` if each post requires an approval, whatever the file says.
    :param now: If given, posts whose time has passed are problems.
    :param check_files: Whether the videos must exist.
    """

    min_spacing: timedelta | None
    accounts: Collection[str] | None
    approval: str | None
    now: datetime | None
    check_files: bool


def read_calendar(location: str, **rules: Unpack[Rules]) -> Calendar:
    """Read a calendar's file.

    :param location: A path or any URI that ObjectStoragePath can open. Its ending determines YAML,
        JSON or CSV.
    """
    files = CalendarFiles(location)
    text = read_text(location, files)
    return parse_calendar(text, location, files, **rules)


def parse_calendar(
    text: str, location: str, files: CalendarFiles | None = None, **rules: Unpack[Rules]
) -> Calendar:
    """Read the posts from a calendar's text.

    :param files: The files that it may name. None for those of its location.
    """
    rows = SheetForm().rows(text) if is_table(location) else read_rows(text, location)
    return parse_rows(rows, location, files, **rules)


def parse_rows(
    rows: Rows, location: str, files: CalendarFiles | None = None, **rules: Unpack[Rules]
) -> Calendar:
    """Read the posts from a calendar's rows."""
    files = files or CalendarFiles(location)
    reader = _Reader(rows, files, rules, list(rows.problems))
    spacing = reader.spacing()
    reader.check_shared()
    reader.check_slots()
    if not (rows.rows or reader.problems):
        reader.problems.append(EMPTY)
    in_order = attrgetter("publish_at", "line")
    valid = sorted(filter(None, map(reader.post, rows.rows)), key=in_order)
    close = _too_close(valid, spacing)
    posts = tuple(post for post in valid if post.id not in close)
    known = {post.id for post in posts} | {draft.id for draft in reader.drafts}
    invalid = [*reader.invalid, *(post for post in valid if post.id in close)]
    return Calendar(
        location,
        posts=posts,
        problems=sorted_problems([*reader.problems, *close.values()]),
        min_spacing=spacing,
        left_out=frozenset(reader.lines) - known,
        invalid=tuple(
            InvalidPost(post.id, post.publish_at, str(post.account or ""), post.line)
            for post in sorted(invalid, key=in_order)
        ),
        drafts=tuple(reader.drafts),
        pin=files.pin,
    )


def _too_close(posts: Iterable[ScheduledPost], min_spacing: timedelta) -> dict[str, Problem]:
    """Return the problems of posts that follow another post of their account too closely, by post id.

    A post with such a problem does not count for the posts after it.

    :param posts: The posts, in the order of their times.
    """
    problems: dict[str, Problem] = {}
    last: dict[str, ScheduledPost] = {}
    for post in posts:
        before = last.get(post.account)
        if before is None or post.publish_at - before.publish_at >= min_spacing:
            last[post.account] = post
            continue
        earliest = moment(
            before.publish_at + min_spacing, named_zone(str(post.publish_at.tzname()))
        )
        problems[post.id] = Problem(
            post.line,
            f"it is {in_words(post.publish_at - before.publish_at)} after post {before.id!r} "
            f"(line {before.line}) of the same account; min_spacing is {in_words(min_spacing)}.",
            f"Move it to {as_written(earliest)} or later.",
            post.id,
            "publish_at",
        )
    return problems


@dataclass
class _Reader:
    """Reads all rows, and collects their problems."""

    rows: Rows
    files: CalendarFiles
    rules: Rules
    problems: list[Problem]
    invalid: list[ScheduledPost] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    lines: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    shared: dict[str, Value] = field(init=False)

    def __post_init__(self) -> None:
        for row in self.rows.rows:
            if post_id := row.text("id"):
                self.lines[post_id].append(row.line)
        defaults = self.rows.defaults.values
        self.shared = {name: one for name, one in defaults.items() if name not in NO_DEFAULTS}

    def spacing(self) -> timedelta:
        """Return the smallest distance between two posts: the DAG's, or else the file's."""
        of_dag = self.rules.get("min_spacing")
        written = self.rows.min_spacing
        if of_dag is not None:
            return of_dag
        if written is None or written.value is None:
            return DEFAULT_SPACING
        try:
            return read_duration("min_spacing", str(written.value))
        except InvalidValue as invalid:
            self._add(written.line, without_secrets(invalid.message, written), invalid.remedy)
            return DEFAULT_SPACING

    def check_shared(self) -> None:
        """Add the problems that concern all posts: those of the defaults."""
        defaults = self.rows.defaults
        self.problems += defaults.problems
        for name, value in defaults.values.items():
            if name not in KEYS:
                self._add_unknown(name, value.line, None)
            elif name in NO_DEFAULTS:
                self._add(value.line, f"{name} cannot be a default.", "Give every post its own.")

    def check_slots(self) -> None:
        """Add the problems of the slots, from which times are filled in."""
        read_slots(self.rows, self.problems)
        for account, value in self.rows.slots.values.items():
            unnamed = unnamed_account(account, self.rules.get("accounts"))
            if unnamed is not None:
                self._add(value.line, f"slots of {account}: {unnamed.message}", unnamed.remedy)

    def post(self, row: Row) -> ScheduledPost | None:
        """Read a post, or return None if it has a problem or is a draft."""
        try:
            return self._post(row)
        except Exception as error:  # a defect of the provider must not affect the other posts
            log.exception("The post in line %s cannot be understood", row.line)
            why = f"the post cannot be understood ({type(error).__name__})."
            self._add(row.line, why, "Please report this.")
            return None

    def _post(self, row: Row) -> ScheduledPost | None:
        before = len(self.problems)
        self.problems += row.problems
        if not row.values:
            return None
        post_id = self._id(row)
        for name, value in row.values.items():
            if name not in KEYS:
                self._add_unknown(name, value.line, post_id)
        accounts = self.rules.get("accounts")
        fields = PostFields(row, self.shared, post_id, self.problems, self.files, accounts)
        account = fields.account()
        content = fields.post(check=self.rules.get("check_files", False))
        if approval := self.rules.get("approval"):
            content["approval"] = approval
        publish_at = fields.publish_at(self.rules.get("now") if fields.has_file else None)
        if not (fields.has_file and fields.has("publish_at")):
            if post_id is not None and len(self.lines[post_id]) == 1:
                more = {name: content[name] for name in SHOWN_OF_DRAFTS if content.get(name)}
                draft = Draft(post_id, publish_at, account, row.line, fields.has_file, **more)
                self.drafts.append(draft)
            return None
        if post_id is None or publish_at is None:
            return None
        post = ScheduledPost.model_construct(
            id=post_id,
            publish_at=publish_at,
            account=account,
            line=row.line,
            names=fields.names,
            **content,
        )
        if len(self.problems) == before and not row.broken:
            return post
        self.invalid.append(post)
        return None

    def _id(self, row: Row) -> str | None:
        given = row.values.get("id")
        if given is None or not given.value:
            self._add(row.line, "this post has no id.", "Add one: id: monday-teaser")
            return None
        post_id = row.text("id")
        if not re.fullmatch(ID, post_id):
            message = without_secrets(f"{in_quotes(given.value)} is not a valid id.", given)
            self._add(given.line, message, CALENDAR_FIELDS["id"].remedy, None, "id")
            return None
        if is_reserved(post_id) or ".." in post_id:
            message = f"{post_id!r} cannot be the id of a run."
            remedy = "Give the post another id, without two dots in a row."
            self._add(given.line, message, remedy, post_id, "id")
            return None
        lines = self.lines[post_id]
        if len(lines) > 1:
            other = lines[1] if row.line == lines[0] else lines[0]
            message = f"the post in line {other} has the same id, so none of them is published."
            remedy = "Give one of them another id: it keeps a post from being published twice."
            self._add(given.line, message, remedy, post_id, "id")
        return post_id

    def _add_unknown(self, name: str, line: int, post_id: str | None) -> None:
        remedy = remedy_for_name(name, KEYS, suggest=len(self.problems) < MAX_SUGGESTIONS)
        self._add(line, f"Unknown field {name!r}.", remedy, post_id)

    def _add(
        self, line: int, message: str, remedy: str, post_id: str | None = None, field: str = ""
    ) -> None:
        self.problems.append(Problem(line, message, remedy, post_id, field))
