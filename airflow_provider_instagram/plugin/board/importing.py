"""Posts that are added at once on the Posts page: the rows of a sheet; and a draft's time.

The page shows what would be written, and sends it again with the digest of that. Nothing else is
written: if the file has changed meanwhile, or another answer makes other posts, the user sees those
first.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Annotated, Final, Literal

from fastapi import APIRouter, Query
from pydantic import Base64Bytes, Field

from airflow_provider_instagram.calendar.file.columns import ACCOUNT, ID
from airflow_provider_instagram.calendar.file.edits import zone_of_new
from airflow_provider_instagram.calendar.file.reader import sheet_text
from airflow_provider_instagram.calendar.file.sheet_import import WORDS, SheetReading
from airflow_provider_instagram.calendar.file.sheet_times import DateOrder
from airflow_provider_instagram.calendar.file.times import YEARS
from airflow_provider_instagram.calendar.planning.fill import time_on
from airflow_provider_instagram.calendar.planning.importing import (
    FIELDS,
    Additions,
    Target,
    sheet_proposal,
)
from airflow_provider_instagram.plugin import users  # noqa: TC001 -- FastAPI reads the annotation
from airflow_provider_instagram.plugin.board import edits
from airflow_provider_instagram.plugin.board.board import problem_as_data
from airflow_provider_instagram.plugin.board.forms import writer_of
from airflow_provider_instagram.plugin.board.routes import editable_board
from airflow_provider_instagram.plugin.bodies import Json, PageRequest, json_body
from airflow_provider_instagram.posts.kinds import ItemKind, PostKind
from airflow_provider_instagram.utils.clock import utc_now
from airflow_provider_instagram.utils.urls import shown

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.writer import CalendarWriter

MAX_SHEET_BYTES: Final = 1_000_000
MOST_TOLD: Final = 100
#: What a user can say a column means, and a word of a column.
MEANINGS: Final = ("date", "time", "media", "title", "hashtags", *FIELDS[1:])
FORMATS: Final = (*(str(kind) for kind in PostKind), "feed")
Title = Annotated[str, Field(max_length=1_000)]
Word = Annotated[str, Field(pattern=f"^({'|'.join(WORDS)})$")]
Meaning = Annotated[str, Field(pattern=f"^({'|'.join(MEANINGS)})?$")]
Day = Annotated[date, Query(ge=date(YEARS[0], 1, 1), le=date(YEARS[1], 12, 31))]

router = APIRouter(prefix="/calendar")


class SheetRequest(PageRequest):
    """A sheet, and what a user says about it.

    :param agreed: The digest of the text that the user agrees to; empty for a look at it.
    :param sheet: Its bytes, in Base64.
    :param columns: What columns mean, by their titles.
    :param words: What words of a column mean; empty to leave out their rows.
    :param time: The time of day of dates without one.
    """

    agreed: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    sheet: Base64Bytes = Field(max_length=MAX_SHEET_BYTES)
    columns: dict[Title, Meaning] = Field(default={}, max_length=200)
    words: dict[Word, dict[Title, Title]] = Field(default={})
    order: DateOrder | Literal[""] = ""
    time: str = Field(default="", pattern="^(([01][0-9]|2[0-3]):[0-5][0-9])?$")
    timezone: str = Field(default="", max_length=100)
    account: str = Field(default="", pattern=f"^({ACCOUNT})?$")


@router.post("/api/import")
def import_sheet(
    given: Annotated[SheetRequest, json_body(SheetRequest)], user: users.Viewer
) -> Json:
    """Return what a sheet adds to the calendar's file, or write it if the user agrees to that."""
    board = editable_board(user, given.dag_id)
    accounts = list(board.accounts)
    reading = SheetReading(given.columns, given.order or None, given.time, given.words, accounts)
    writer = writer_of(board)
    with edits.errors_as_answers():
        target = Target(writer.text(), board.location, writer.files, utc_now(), board.rules)
        text = sheet_text(given.sheet)
        found = sheet_proposal(target, text, reading, given.timezone, given.account)
        fill = found.additions.fill
        answer = edits.propose_or_write(board, user, "import", target.text, fill, given.agreed)
    choices = {"account": accounts, "placement": FORMATS}
    asks = [{**asdict(one), "choices": choices[one.field]} for one in found.asked]
    return {
        **answer,
        **_found(found.additions),
        "columns": [one._asdict() for one in found.columns],
        "meanings": MEANINGS,
        "asks": asks,
        "needs": sorted(found.needs),
        "accounts": accounts,
        "account": found.account,
        "zone": zone_of_new(target.calendar, target.text),
        "missing": _missing(writer, found.additions),
    }


@router.get("/api/drafts/time")
def draft_time(
    dag_id: str, post_id: Annotated[str, Query(pattern=f"^{ID}$")], day: Day, user: users.Viewer
) -> Json:
    """Return the time that a draft gets on a day, as an edit has it."""
    board = editable_board(user, dag_id)
    writer = writer_of(board)
    now = utc_now()
    with edits.errors_as_answers():
        at = time_on(day, post_id, writer.text(), board.location, writer.files, now, board.rules)
    return {"at": at}


def _found(found: Additions) -> Json:
    """Return what a sheet adds, and what of it is left out."""
    told = [problem_as_data(problem) for problem in found.left_out]
    return {
        "posts": found.posts,
        "drafts": found.drafts,
        "present": found.present,
        "first": found.first and found.first.isoformat(),
        "problems": told[:MOST_TOLD],
        "more_problems": max(0, len(told) - MOST_TOLD),
    }


def _missing(writer: CalendarWriter, found: Additions) -> list[str]:
    """Return the names of files beside the calendar that new posts show, and that are not there yet."""
    names = set[str]()
    for post in found.fill.added if found.fill else ():
        names.update(str(post[kind]) for kind in ItemKind if kind in post)
    try:
        there = writer.media_names()
        missing = [shown(name) for name in names if "/" not in name and name not in there]
        return sorted(missing)[:MOST_TOLD]
    except Exception:  # noqa: BLE001 -- each storage has errors of its own, and this is a hint only
        return []
