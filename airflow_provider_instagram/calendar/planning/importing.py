"""Posts that are added to a calendar at once: the rows of a sheet. A proposal.

What a sheet says is untrusted: it comes from another tool, and whoever uploads it may write into
one file only.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import count, zip_longest
from typing import TYPE_CHECKING, Final, NamedTuple

from airflow_provider_instagram.calendar.file.edits import Fill, digest, plain
from airflow_provider_instagram.calendar.file.entries import Row, row_of
from airflow_provider_instagram.calendar.file.parser import Rules, parse_rows
from airflow_provider_instagram.calendar.file.post_parser import items_in
from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem, sorted_problems
from airflow_provider_instagram.calendar.file.reader import Record, read_rows, split_csv
from airflow_provider_instagram.calendar.file.sheet_import import Asked, SheetReading, import_sheet
from airflow_provider_instagram.calendar.file.times import zone
from airflow_provider_instagram.calendar.file.values import NAME_A_FILE, OPEN_TO_ALL
from airflow_provider_instagram.posts.kinds import PostKind
from airflow_provider_instagram.posts.post import MEDIA
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID
from airflow_provider_instagram.utils.urls import shown

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.columns import Calendar
    from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles

#: So many rows a user sees of a sheet.
SHOWN_ROWS: Final = 5
LONGEST_CELL: Final = 200
#: What a sheet may say. Everything else of a post is what the file's defaults say: who approves it,
#: and which other files it names.
FIELDS: Final = (
    "id",
    "publish_at",
    "timezone",
    "account",
    "caption",
    "first_comment",
    "alt_text",
    "placement",
    "tags",
    "note",
    "collaborators",
    "location_id",
    *MEDIA,
)
LONGEST_ID: Final = 100
#: How a problem of a post names another one.
NAMED_POST: Final = re.compile("post '([^']+)'")


@dataclass(frozen=True)
class Additions:
    """New posts, and what is left out.

    :param fill: None if nothing is to be written.
    :param first: The first day of the new posts, if they have times.
    """

    fill: Fill | None
    left_out: tuple[Problem, ...]
    posts: int = 0
    drafts: int = 0
    present: int = 0
    first: date | None = None


class SheetColumn(NamedTuple):
    """A column of a sheet.

    :param field: What it means; empty for nothing.
    :param cells: The first cells.
    """

    title: str
    field: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class SheetProposal:
    """A sheet, what was understood of it, and what is added.

    :param account: The account of rows without one; empty if somebody has to choose it.
    """

    columns: tuple[SheetColumn, ...]
    asked: tuple[Asked, ...]
    needs: frozenset[str]
    account: str
    additions: Additions


class Target:
    """The calendar to which posts are added. A new post whose time has passed is a problem."""

    def __init__(
        self, text: str, location: str, files: CalendarFiles, now: datetime, rules: Rules
    ) -> None:
        self.text = text
        self.location = location
        self.files = files
        self.rules: Rules = {**rules, "now": now}
        self.rows = read_rows(text, location)
        self.calendar = self.with_rows([])
        self.ids = {row.text("id"): row for row in reversed(self.rows.rows)}

    def default(self, name: str) -> str:
        """Return the value that a post has which says nothing."""
        return self.rows.defaults.text(name) or (DEFAULT_CONN_ID if name == "account" else "")

    def with_rows(self, new: Iterable[Row]) -> Calendar:
        """Return the calendar as it is with new posts."""
        rows = replace(self.rows, rows=[*self.rows.rows, *new])
        return parse_rows(rows, self.location, self.files, **self.rules)

    def add(
        self, new: Sequence[Row], left_out: Sequence[Problem] = (), present: int = 0
    ) -> Additions:
        """Return those of the new posts that the calendar takes, and why it does not take the others."""
        told = [*left_out]
        kept = {row.text("id"): row for row in new}
        calendar = self.with_rows(kept.values())
        while found := self._new_problems(calendar):
            refused = _refused(found, kept)
            if not refused:
                raise InvalidValue(found[0].message, found[0].remedy)
            for post_id, one in refused.items():
                told.append(Problem(kept.pop(post_id).line, one.message, one.remedy, post_id))
            calendar = self.with_rows(kept.values())
        added = [plain(row) for row in kept.values()]
        days = [post.publish_at.date() for post in calendar.posts if post.id in kept]
        drafts = sum(draft.id in kept for draft in calendar.drafts)
        return Additions(
            Fill(digest(self.text), added=added) if added else None,
            sorted_problems(told),
            posts=len(kept) - drafts,
            drafts=drafts,
            present=present,
            first=min(days, default=None),
        )

    def _new_problems(self, calendar: Calendar) -> list[Problem]:
        known = {(one.post_id, one.message) for one in self.calendar.problems}
        return [one for one in calendar.problems if (one.post_id, one.message) not in known]


def _refused(problems: Iterable[Problem], new: Mapping[str, Row]) -> dict[str, Problem]:
    """Return the problems of new posts, by post id."""
    own = {one.post_id: one for one in problems if one.post_id is not None}
    refused = {post_id: own[post_id] for post_id in new if post_id in own}
    if not refused:  # a new post right before another one makes that one a problem
        for one in problems:
            refused.update(dict.fromkeys(NAMED_POST.findall(one.message), one))
    return {post_id: one for post_id, one in refused.items() if post_id in new}


def sheet_proposal(
    target: Target, sheet: str, reading: SheetReading, zone_name: str, account: str
) -> SheetProposal:
    """Propose the rows of a sheet as posts of a calendar. Nothing is written.

    :param zone_name: The zone of times without one; empty for that of the calendar.
    :param account: The account of rows without one; empty for that of the file, or the only one of
        the calendar.
    :raises InvalidValue: If the sheet cannot be read.
    """
    records = split_csv(sheet)
    if zone_name:
        zone(zone_name)
    imported = import_sheet(sheet, reading)
    account = account or _own_account(target, reading)
    named = {"timezone": zone_name, "account": account}
    shared = {name: text for name, text in named.items() if text and text != target.default(name)}
    new = _NewRows(target, shared, has_account=bool(account))
    refused = {problem.line for problem in imported.problems}
    # two columns that mean the same are a problem of the line of titles, and so of each row
    if not (records and records[0].line in refused):
        for row in imported.rows.rows:
            if row.line not in refused:
                new.add(row)
    left_out = [*imported.problems, *new.left_out]
    additions = target.add([*new.rows.values()], left_out, new.present)
    columns = tuple(_columns(records, reading))
    return SheetProposal(columns, imported.asked, imported.needs, account, additions)


@dataclass
class _NewRows:
    """The rows of a sheet that become posts, by their ids.

    :param shared: The values of rows without their own.
    :param present: How many rows the calendar has already.
    :param numbers: Those of rows without an id and a title that are not used yet.
    """

    target: Target
    shared: Mapping[str, str]
    has_account: bool
    rows: dict[str, Row] = field(default_factory=dict)
    left_out: list[Problem] = field(default_factory=list)
    present: int = 0
    numbers: Iterator[int] = field(default_factory=lambda: count(2))

    def add(self, row: Row) -> None:
        """Add a row, or say why it is left out."""
        values = _said(row)
        values |= {name: text for name, text in self.shared.items() if name not in values}
        if "publish_at" not in values:
            values.pop("timezone", None)
        post_id = self._id(values)
        if post_id is None:
            self.present += 1
            return
        try:
            _check_files(values)
            if not self.has_account and "account" not in values:
                remedy = "Choose the account of rows without one."
                raise InvalidValue("the row names no account.", remedy)
            if post_id in self.rows:
                line = self.rows[post_id].line
                message = f"the row has the name of the one in line {line}, and its time."
                raise InvalidValue(message, "Remove one of them, or give them an id.")
        except InvalidValue as invalid:
            self.left_out.append(Problem(row.line, invalid.message, invalid.remedy))
            return
        self.rows[post_id] = row_of(row.line, {**values, "id": post_id})

    def _id(self, values: Mapping[str, str]) -> str | None:
        """Return the id of a row in the calendar, or None if the calendar has its post already.

        A title is used again in another month. A post of the same name and time is the same one.
        """
        post_id = values["id"]
        at = values.get("publish_at", "")
        ids = self.target.ids
        if not post_id:
            return _free_id("post", ChainMap(self.rows, ids), self.numbers)
        present = ids.get(post_id)
        if present is None:
            return post_id
        dated = f"{at[:10]}-{post_id}" if at else ""
        is_same_time = present.text("publish_at")[:16] == at[:16]
        is_same = is_same_time and present.text("caption") == values.get("caption", "").strip()
        if is_same or dated in ids:
            return None
        return dated or _free_id(post_id, ids, count(2))


def _free_id(name: str, ids: Collection[str], numbers: Iterable[int]) -> str:
    """Return an id that no post has: the name, or the name with a number."""
    if name not in ids:
        return name
    for number in numbers:
        end = f"-{number}"
        post_id = name[: LONGEST_ID - len(end)] + end
        if post_id not in ids:
            return post_id
    raise AssertionError


def _own_account(target: Target, reading: SheetReading) -> str:
    """Return the account that the calendar's file has for rows without one, or the only one that it may use."""
    default = target.default("account")
    if reading.accounts is None or default in reading.accounts:
        return default
    return next(iter(reading.accounts)) if len(reading.accounts) == 1 else ""


def _said(row: Row) -> dict[str, str]:
    """Return the values of a row that a sheet may say."""
    values = {name: row.text(name).replace("\r\n", "\n") for name in row.values}
    return {name: text for name, text in values.items() if name in FIELDS}


def _check_files(values: Mapping[str, str]) -> None:
    """Check that no file is named that only who maintains the calendar may name."""
    for name in MEDIA:
        written = values.get(name, "")
        for file in items_in(written) if name == PostKind.CAROUSEL else [written]:
            if file and not (isinstance(file, str) and OPEN_TO_ALL.fullmatch(file)):
                raise InvalidValue(f"{name} is {shown(str(file))[:80]!r}.", NAME_A_FILE)


def _columns(records: Sequence[Record], reading: SheetReading) -> Iterable[SheetColumn]:
    if not records:
        return
    rows = [record.cells for record in records[1 : SHOWN_ROWS + 1]]
    for title, *cells in zip_longest(records[0].cells, *rows, fillvalue=""):
        if title.strip() or any(cells):
            first_cells = tuple(cell[:LONGEST_CELL] for cell in cells)
            yield SheetColumn(title.strip(), reading.field_of(title) or "", first_cells)
