"""Posts that are added to a calendar at once: the rows of a sheet. A proposal.

What a sheet says is untrusted: it comes from another tool, and whoever uploads it may write into
one file only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.calendar.file.edits import Fill, digest
from airflow_provider_instagram.calendar.file.parser import Rules, parse_rows
from airflow_provider_instagram.calendar.file.post_parser import items_in
from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.file.reader import read_rows, split_csv
from airflow_provider_instagram.calendar.file.rows import Row, Rows, Value
from airflow_provider_instagram.calendar.file.sheet_import import Asked, SheetReading, import_sheet
from airflow_provider_instagram.calendar.file.times import in_words, zone
from airflow_provider_instagram.calendar.file.values import NAME_A_FILE, OPEN_TO_ALL
from airflow_provider_instagram.calendar.planning.proposal import next_id
from airflow_provider_instagram.posts.kinds import PostKind
from airflow_provider_instagram.posts.post import MEDIA
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID
from airflow_provider_instagram.utils.urls import shown

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
    from airflow_provider_instagram.calendar.file.model import Calendar

#: More than a year of a team, and few enough to be read again at each choice of a user.
MOST_ROWS: Final = 1_000
#: So many rows a user sees of a sheet.
SHOWN_ROWS: Final = 5
LONGEST_CELL: Final = 200
#: What a sheet may say. Everything else of a post is what the file's defaults say: who approves it,
#: and which other files it names.
FIELDS: Final = (
    *(
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
    ),
    *("collaborators", "location_id", *MEDIA),
)
#: What a spreadsheet program would run when it opens the file again: a formula, or a call that
#: begins as one. A name and a word, as in "@lena is here!" and "- Rezept(e)", are none.
RUN_BY_SHEETS: Final = re.compile(
    r"[=\uff1d]|[+\-@][\w.+\-*/ ]*\|[^!]*![\w']|"
    r"[+\-@][+\-@ ]*(?:[\w.$%]+ *[+\-*/&^<>=,;] *)*[A-Za-z][\w.]*\((?![^\W\d_]+\))"
)
#: The id of a row that has no words.
NAMELESS: Final = "post"


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


@dataclass(frozen=True)
class SheetProposal:
    """A sheet, what was understood of it, and what is added.

    :param columns: The title, the meaning and the first cells of each column.
    :param account: The account of rows without one; empty if somebody has to choose it.
    """

    columns: tuple[tuple[str, str, tuple[str, ...]], ...]
    asked: tuple[Asked, ...]
    needs: frozenset[str]
    account: str
    additions: Additions


class Target:
    """The calendar to which posts are added."""

    def __init__(
        self, text: str, location: str, files: CalendarFiles, now: datetime, rules: Rules
    ) -> None:
        self.text, self.location, self.files, self.now, self.rules = (
            text,
            location,
            files,
            now,
            rules,
        )
        self.rows = read_rows(text, location)
        self.calendar = parse_rows(self.rows, location, files, **rules)
        self.ids = {row.text("id") for row in self.rows.rows}

    def default(self, name: str) -> str:
        """Return the value that a post has which says nothing."""
        return self.rows.defaults.text(name) or (DEFAULT_CONN_ID if name == "account" else "")

    def with_rows(self, new: Iterable[Row]) -> Calendar:
        """Return the calendar as it is with new posts."""
        rows = Rows(
            **{
                **self.rows.__dict__,
                "rows": [*self.rows.rows, *new],
                "problems": [*self.rows.problems],
            }
        )
        return parse_rows(rows, self.location, self.files, **self.rules)

    def add(
        self, new: Sequence[Row], left_out: Sequence[Problem] = (), present: int = 0
    ) -> Additions:
        """Return those of the new posts that the calendar takes, and why it does not take the others."""
        told, known = [*left_out], {(one.post_id, one.message) for one in self.calendar.problems}
        kept = {row.text("id"): row for row in new}
        calendar = self.with_rows(kept.values())
        while found := [
            one for one in calendar.problems if (one.post_id, one.message) not in known
        ]:
            refused = {one.post_id: one for one in reversed(found) if one.post_id in kept}
            # A new post right before another one makes that one a problem.
            refused = refused or {
                id_: one for one in found for id_ in kept if f"post {id_!r}" in one.message
            }
            if not refused:
                raise InvalidValue(found[0].message, found[0].remedy)
            told += [
                Problem(kept[id_].line, one.message, one.remedy, id_)
                for id_, one in refused.items()
                if id_
            ]
            kept = {id_: row for id_, row in kept.items() if id_ not in refused}
            calendar = self.with_rows(kept.values())
        for post in [
            post for post in calendar.posts if post.id in kept and post.publish_at <= self.now
        ]:
            about = f"{post.publish_at:%Y-%m-%d %H:%M} has passed ({in_words(self.now - post.publish_at)} ago)."
            told.append(Problem(kept.pop(post.id).line, about, "Give it another time.", post.id))
        added = [{name: value.value for name, value in row.values.items()} for row in kept.values()]
        days = [post.publish_at.date() for post in calendar.posts if post.id in kept]
        drafts = sum(draft.id in kept for draft in calendar.drafts)
        fill = Fill(digest(self.text), added=added) if added else None
        told.sort(key=lambda one: one.line)
        return Additions(
            fill, tuple(told), len(kept) - drafts, drafts, present, min(days, default=None)
        )


def sheet_proposal(
    target: Target, sheet: str, reading: SheetReading, zone_name: str, account: str
) -> SheetProposal:
    """Propose the rows of a sheet as posts of a calendar. Nothing is written.

    :param zone_name: The zone of times without one; empty for that of the calendar.
    :param account: The account of rows without one; empty for that of the file, or the only one of
        the calendar.
    :raises InvalidValue: If the sheet cannot be read, or has too many rows.
    """
    records = [one for one in split_csv(sheet) if any(cell.strip() for cell in one.cells)]
    if len(records) - 1 > MOST_ROWS:
        raise InvalidValue(
            f"the sheet has {len(records) - 1:,} rows; at most {MOST_ROWS:,} are allowed.",
            "Split it.",
        )
    imported = import_sheet(sheet, defaults={}, reading=reading)
    left_out = [*imported.problems]
    account = account or _own_account(target, reading)
    named = {"timezone": zone_name, "account": account}
    if zone_name:
        zone(zone_name)
    shared = {name: text for name, text in named.items() if text and text != target.default(name)}
    new, taken, present = dict[str, Row](), {*target.ids}, 0
    refused = {problem.line for problem in left_out}
    if records and records[0].line in refused:  # two columns mean the same
        refused |= {row.line for row in imported.rows.rows}
    for row in (row for row in imported.rows.rows if row.line not in refused):
        try:
            values = _checked(row) | {
                name: text for name, text in shared.items() if name not in row.values
            }
            if "publish_at" not in values:
                values.pop("timezone", None)
        except InvalidValue as invalid:
            left_out.append(Problem(row.line, invalid.message, invalid.remedy))
            continue
        if (post_id := _new_id(values, target, taken)) is None:
            present += 1
        elif not (account or "account" in values):
            left_out.append(
                Problem(
                    row.line, "the row names no account.", "Choose the account of rows without one."
                )
            )
        elif post_id in new:
            about = f"the row has the name of the one in line {new[post_id].line}, and its time."
            left_out.append(Problem(row.line, about, "Remove one of them, or give them an id."))
        else:
            new[post_id] = _row(row.line, {**values, "id": post_id})
            taken.add(post_id)
    return SheetProposal(
        tuple(_columns(records, reading)),
        imported.asked,
        imported.needs,
        account,
        target.add([*new.values()], left_out, present),
    )


def _own_account(target: Target, reading: SheetReading) -> str:
    """Return the account that the calendar's file has for rows without one, or the only one that it may use."""
    accounts, default = [*(reading.accounts or ())], target.default("account")
    return (
        default
        if default in accounts or reading.accounts is None
        else accounts[0]
        if len(accounts) == 1
        else ""
    )


def _checked(row: Row) -> dict[str, str]:
    """Return the values of a row that a sheet may say.

    :raises InvalidValue: If one is a formula, or a file that only who maintains the calendar may
        name.
    """
    values = {
        name: value.value.replace("\r\n", "\n")
        for name, value in row.values.items()
        if name in FIELDS
    }
    for name, text in values.items():
        if RUN_BY_SHEETS.match(text):
            raise InvalidValue(
                f"{name} holds a formula: {text[:40]!r}.", "Write its result as a text."
            )
    for name in MEDIA:
        written = values.get(name, "")
        for file in items_in(written) if name == PostKind.CAROUSEL and written else [written]:
            if file and not (isinstance(file, str) and OPEN_TO_ALL.fullmatch(file)):
                raise InvalidValue(f"{name} is {shown(str(file))[:80]!r}.", NAME_A_FILE)
    return values


def _new_id(values: Mapping[str, str], target: Target, taken: set[str]) -> str | None:
    """Return the id of a row in the calendar, or None if the calendar has its post already.

    A title is used again in another month. A post of the same name and time is the same one.
    """
    post_id, at = values["id"], values.get("publish_at", "")
    if not post_id:
        return NAMELESS if NAMELESS not in taken else next_id(NAMELESS, taken)
    if post_id not in target.ids:
        return post_id
    dated = f"{at[:10]}-{post_id}" if at else ""
    row = next(row for row in target.rows.rows if row.text("id") == post_id)
    is_same = (
        row.text("publish_at")[:16] == at[:16]
        and row.text("caption") == values.get("caption", "").strip()
    )
    if is_same or dated in target.ids:
        return None
    return dated or next_id(post_id, target.ids)


def _columns(
    records: Sequence[Any], reading: SheetReading
) -> Iterable[tuple[str, str, tuple[str, ...]]]:
    titles = records[0].cells if records else []
    for place, title in enumerate(titles):
        rows = records[1 : SHOWN_ROWS + 1]
        cells = tuple(
            row.cells[place][:LONGEST_CELL] if place < len(row.cells) else "" for row in rows
        )
        if title.strip() or any(cells):
            yield title.strip(), reading.field_of(title) or "", cells


def _row(line: int, values: Mapping[str, Any]) -> Row:
    return Row(line, {name: Value(value, line) for name, value in values.items()})
