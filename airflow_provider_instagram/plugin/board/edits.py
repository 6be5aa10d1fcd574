"""Edits of posts on the page *Posts*, which are written into the calendar's file, and uploads into its folder.

An edit says what its author saw of the post. Of two people, the second is told what the post says by now. Where the
other one changed another post, the edit is made in the new file.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final, Literal

from fastapi import HTTPException
from fastapi.concurrency import contextmanager_in_threadpool
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from airflow_provider_instagram.calendar.file import edits
from airflow_provider_instagram.calendar.file.model import ACCOUNT, ID, NO_EDITS
from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.calendar.file.writer import CalendarWriter, scratch_file
from airflow_provider_instagram.calendar.planning.fill import proposal_for
from airflow_provider_instagram.calendar.planning.proposal import AsTheyCome, Order
from airflow_provider_instagram.calendar.planning.schedule import utc_now
from airflow_provider_instagram.calendar.planning.vanished import record_removal
from airflow_provider_instagram.exceptions import InstagramError, ValidationError
from airflow_provider_instagram.insights.hours import read_table
from airflow_provider_instagram.plugin.board.airflow_rows import write_act
from airflow_provider_instagram.plugin.board.lines import public_lines
from airflow_provider_instagram.plugin.board.states import State
from airflow_provider_instagram.plugin.bodies import received
from airflow_provider_instagram.plugin.users import opened, own_accounts, sealed
from airflow_provider_instagram.posts.kinds import PLACEMENTS
from airflow_provider_instagram.utils.arguments import check_printable
from airflow_provider_instagram.utils.locations import shown
from airflow_provider_instagram.utils.owned_folder import lack_of_space

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.requests import Request

    from airflow_provider_instagram.calendar.file.writer import Written
    from airflow_provider_instagram.plugin.board.board import Board
    from airflow_provider_instagram.plugin.board.states import Facts
    from airflow_provider_instagram.plugin.users import PageUser

LOCAL_TIME: Final = r"^\d{4}-\d\d-\d\dT\d\d:\d\d$"
#: A name that neither hides a file nor leaves the folder.
FILE_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$"
#: More than any file that Instagram takes, as it comes from a camera.
MAX_UPLOAD_BYTES: Final = 2_000_000_000
BLOCK_BYTES: Final = 1 << 20
#: Uploads at one time in an API server process, whose threads also answer all other requests; those of one user, and of
#: one calendar, so that places are left for others.
MOST_UPLOADS: Final = 8
MOST_OF_A_USER: Final = 2
MOST_OF_A_CALENDAR: Final = 4
LONGEST_DIFF: Final = 20_000
#: More than any text that a post takes. One that is too long is in the file, and has to be mended.
Text = Annotated[str | None, Field(max_length=100_000)]
#: States in which a post takes no edit: it is live, or may be.
OVER: Final = (State.PUBLISHED, State.PUBLISHING, State.UNKNOWN)
#: What is chosen when a post is added, and changed only in the file.
ONLY_NEW: Final = frozenset({"video", "image", "account"})
DONE: Final = {
    "change": "Saved in {file}.",
    "remove": "Removed from {file}.",
    "add": "Added to {file}.",
    "duplicate": "Copied in {file}.",
    "restore": "Brought back into {file}.",
    "fill": "Times filled in in {file}.",
    "import": "Imported into {file}.",
    "copy": "Copied in {file}.",
}
LATER: Final = " The page shows it once Airflow has read the file."
ASKED_AGAIN: Final = "This post is approved already. With this edit, its approval is asked for again."


#: The uploads at this time: of all, of each user, and of each calendar. Only the event loop counts them.
_uploads: Final[Counter[str]] = Counter()


class Values(BaseModel):
    """Values of a post, as the page sends them. None is a value that is not sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    publish_at: str | None = Field(default=None, pattern=f"({LOCAL_TIME})|^$")
    caption: Text = None
    first_comment: Text = None
    alt_text: Text = None
    tags: tuple[str, ...] | None = Field(default=None, max_length=1_000)
    note: Text = None
    placement: Text = None
    audio_id: Text = None
    video: str | None = Field(default=None, pattern=FILE_NAME)
    image: str | None = Field(default=None, pattern=FILE_NAME)
    account: str | None = Field(default=None, pattern=f"^{ACCOUNT}$")

    def given(self) -> dict[str, Any]:
        """Return the values that were sent, as a calendar reads them."""
        return {name: _clean(value) for name, value in self if value is not None}


class EditRequest(BaseModel):
    """An edit, as the page sends it.

    :param sure: Whether the user knows that an approval is asked for again.
    :param undo: What the removal of the post has answered, to bring it back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    form_token: str = ""
    dag_id: str = Field(max_length=250)
    do: Literal["change", "remove", "add", "duplicate", "restore"]
    post_id: str = Field(pattern=f"^{ID}$")
    new_id: str = Field(default="", pattern=f"^({ID})?$")
    seen: Values = Values()
    fields: Values = Values()
    undo: str = Field(default="", max_length=1_000_000)
    sure: bool = False


class FillRequest(BaseModel):
    """A proposal that a user agrees to, as the page sends it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    form_token: str = ""
    dag_id: str = Field(max_length=250)
    proposal: str = Field(max_length=1_500_000)


def offered(board: Board, post_id: str) -> dict[str, Any]:
    """Return what the page offers for a post that a user may edit. A post with a problem is not copied."""
    card, facts = board.cards.get(f"{board.calendar.dag_id}/{post_id}"), board.facts.get(post_id)
    if card is None or card.is_duplicate or board.stored is None:
        return {"does": []}
    does = ["duplicate"] if card.status.state in OVER else ["change", *(["duplicate"] if facts else []), "remove"]
    seen = edits.values_to_edit(board.stored.plan.calendar, post_id, board.stored.text)
    return {"does": does if seen else [], "seen": seen, "placements": PLACEMENTS, "approved": _is_approved(facts)}


async def edit(board: Board, user: PageUser, given: EditRequest) -> dict[str, Any]:
    """Write an edit into the calendar's file, and return what happened, as JSON.

    :raises HTTPException: If the post cannot be edited, has changed, or would have a problem.
    """
    facts = board.facts.get(given.post_id)
    if given.do in ("change", "remove", "duplicate"):
        _check_state(board, given, facts)
    edited = _edit_of(board, given)
    written = await run_in_threadpool(_write, board, edited)
    if written.refused:
        return _as_patch(written)
    if given.do == "remove" or given.fields.publish_at == "":  # it is taken out of the plan on purpose
        await run_in_threadpool(record_removal, board.calendar.plan_file, given.post_id, utc_now())
    changed = ", ".join(edited.fields) if given.do == "change" else None
    key = facts.post.key if facts else None
    about = {"post": given.new_id or given.post_id, "post_key": key, "changed": changed}
    done = await run_in_threadpool(_recorded, board, user, given.do, written, about)
    removed = {"lines": written.edited.removed, "after": written.edited.after}
    undo = sealed("undo", {"dag_id": given.dag_id, "post_id": given.post_id, **removed})
    answer = {"done": done, "undo": undo if given.do == "remove" else ""}
    post = written.edited.post
    return answer if post is None else {**answer, "at": int(post.publish_at.timestamp())}


def proposed(board: Board, *, by_results: bool) -> dict[str, Any]:
    """Return which times the posts without one would get, as JSON. Nothing is written.

    :param by_results: Whether the hours whose posts reached most are preferred, of accounts whose numbers may be seen.
    :raises HTTPException: If the file or the numbers cannot be read.
    """
    writer, now = writer_of(board), utc_now()
    own = own_accounts(board.calendar.dag_id, board.accounts) if by_results else []

    def order_of(account: str, *about: Any) -> Order:
        return read_table(account, *about) if account in own else AsTheyCome()

    with told():
        text = writer.text()
        found = proposal_for(text, board.location, writer.files, now, board.rules, order_of=order_of)
        diff = writer.in_text(text, found.fill, now, board.rules).diff if found.fill is not None else ()
    seal = sealed("fill", {"dag_id": board.calendar.dag_id, **asdict(found.fill)}) if found.fill is not None else ""
    return {"tables": found.tables, "lines": found.lines, "diff": "\n".join(diff), "proposal": seal}


def fill(board: Board, user: PageUser, given: FillRequest) -> dict[str, Any]:
    """Write proposed times into the calendar's file, and return what happened, as JSON.

    :raises HTTPException: If the file has changed since they were proposed.
    """
    content = opened("fill", given.proposal)
    if content is None or content.pop("dag_id") != given.dag_id:
        raise HTTPException(422, "This proposal is too old. Nothing was changed. Ask for a new one.")
    agreed = edits.Fill(**content)
    filled = [*agreed.times, *(copy_id for copies in agreed.repeats.values() for copy_id, _ in copies)]
    return write_agreed(board, user, "fill", agreed, len(filled))


def write_agreed(board: Board, user: PageUser, do: str, agreed: edits.Fill, posts: int) -> dict[str, Any]:
    """Write what a user agrees to into the calendar's file, and return what happened, as JSON.

    :raises HTTPException: If the file has changed since it was proposed.
    """
    written = _write(board, agreed)
    if written.refused:
        return _as_patch(written)
    return {"done": _recorded(board, user, do, written, {"posts": posts})}


@contextmanager
def told() -> Iterator[None]:
    """Turn errors of a proposal into answers: nothing was written."""
    try:
        yield
    except InvalidValue as invalid:
        raise HTTPException(422, f"{shown(invalid.message)} {shown(invalid.remedy)}") from None
    except InstagramError as error:
        raise HTTPException(503, shown(str(error))) from None


def _as_patch(written: Written) -> dict[str, Any]:
    return {"done": "", "refused": written.refused, "patch": "\n".join(written.diff)}


def _recorded(board: Board, user: PageUser, do: str, written: Written, about: dict[str, Any]) -> str:
    """Record an edit in the audit log, and return what happened."""
    about["diff"] = "\n".join(written.diff)[:LONGEST_DIFF]
    if written.unknown:
        about["outcome"] = written.unknown
    write_act(user.name, board.calendar.dag_id, do, about)
    if written.unknown:
        raise HTTPException(503, f"{written.unknown} Look at the file before you try again.")
    return DONE[do].format(file=board.location.rpartition("/")[2]) + LATER


def _check_state(board: Board, given: EditRequest, facts: Facts | None) -> None:
    card = board.cards.get(f"{board.calendar.dag_id}/{given.post_id}")
    if card is None or card.is_duplicate:
        raise HTTPException(404, "The calendar has no such post any more, or it has to be corrected in the file.")
    if given.do == "duplicate":
        return
    state = card.status.state
    if state in OVER:
        raise HTTPException(409, f"The state of this post is now: {state.value}. Nothing was changed.")
    changes_version = given.do == "remove" or set(given.fields.given()) - NO_EDITS
    if _is_approved(facts) and changes_version and not given.sure:
        raise HTTPException(409, {"detail": ASKED_AGAIN, "confirm": True})


def _is_approved(facts: Facts | None) -> bool:
    if facts is None or facts.run is None or facts.post.approval != "required":
        return False
    answer = facts.answer
    return (answer is not None and answer.approved) or facts.run.task("approve").state == "success"


def _edit_of(board: Board, given: EditRequest) -> edits.Edit:
    fields = given.fields.given()
    _check_printable(fields)
    if given.do != "add" and (fixed := fields.keys() & ONLY_NEW):
        raise HTTPException(422, f"{', '.join(sorted(fixed))}: only a new post takes this here. Nothing was changed.")
    if given.do == "restore":
        removed = opened("undo", given.undo)
        if removed is None or (removed["dag_id"], removed["post_id"]) != (given.dag_id, given.post_id):
            raise HTTPException(422, "This can no longer be brought back. Nothing was changed.")
        return edits.Edit("restore", given.post_id, lines=removed["lines"], after=removed["after"])
    return edits.Edit(given.do, given.post_id, given.seen.given(), fields, given.new_id)


def _check_printable(fields: Mapping[str, Any]) -> None:
    try:
        for name, value in fields.items():
            for text in value if isinstance(value, tuple) else (value,):
                check_printable(name, text)
    except ValidationError as error:
        raise HTTPException(422, f"{error} Nothing was changed.") from None


def writer_of(board: Board) -> CalendarWriter:
    """Return what writes into the calendar's file.

    :raises HTTPException: If Airflow has not read it yet.
    """
    if board.stored is None or not board.is_read:  # only what Airflow has read says which folder is the calendar's
        raise HTTPException(503, "Airflow has not read the calendar's file yet. Nothing was changed. Try again later.")
    location = board.location
    public = partial(public_lines, location=location)
    return CalendarWriter(location, board.stored.plan.calendar.pin, board.stored.text, public)


def _write(board: Board, edit: edits.Edit | edits.Fill) -> Written:
    try:
        return writer_of(board).write(edit, utc_now(), board.rules)
    except edits.SeenOther as other:
        raise HTTPException(409, _in_words(other.now)) from None
    except InvalidValue as invalid:
        raise HTTPException(422, f"{shown(invalid.message)} {shown(invalid.remedy)} Nothing was changed.") from None
    except InstagramError as error:
        raise HTTPException(503, f"{shown(error.message)} Nothing was changed. Try again.") from None


def _in_words(now: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what somebody else has changed in a post."""
    if now is None:
        return {"detail": "Somebody else has removed this post from the file. Nothing was changed."}
    words = [f"{name.replace('_', ' ')} is now {_text(value)!r}" for name, value in now.items()]
    message = f"Somebody else has changed this post meanwhile: {'; '.join(words)}. Nothing was changed."
    return {"detail": message, "now": dict(now)}


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value or "").replace("T", " ")


def _clean(value: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """Return a value without what a calendar's reader leaves out."""
    if isinstance(value, tuple):
        return tuple(dict.fromkeys(word for one in value if (word := one.strip())))
    return value.replace("\r\n", "\n").replace("\r", "\n").strip()


def for_new_post(board: Board) -> dict[str, Any]:
    """Return what a new post can have: the files in the calendar's folder, the accounts, and the zone of its time."""
    writer = writer_of(board)
    try:
        names = writer.media_names()
    except Exception as error:  # noqa: BLE001 -- each storage has errors of its own
        raise HTTPException(503, f"The calendar's folder cannot be read: {shown(str(error))}.") from None
    zone = edits.zone_of_new(board.stored.plan.calendar, board.stored.text) if board.stored else ""
    return {"files": names, "accounts": list(board.accounts), "zone": zone}


async def upload(board: Board, user: PageUser, request: Request, name: str) -> str:
    """Write the body of a request into the calendar's folder, and return what happened.

    The bytes go through a scratch file in blocks, so that memory does not depend on the size. What may take long runs
    in a thread, so that the API server answers others meanwhile.

    :raises HTTPException: If the file is too large or no video or picture, if one of this name exists, or if nobody
        knows whether it was written.
    """
    places = {
        "": MOST_UPLOADS,
        f"user {user.id}": MOST_OF_A_USER,
        f"calendar {board.calendar.dag_id}": MOST_OF_A_CALENDAR,
    }
    for whose, most in places.items():
        if _uploads[whose] >= most:
            of = f" by the {whose}" if whose else ""
            raise HTTPException(503, f"{most} files are being uploaded already{of}. Nothing was changed. Try again.")
    _uploads.update(places.keys())
    try:
        writer = await run_in_threadpool(writer_of, board)
        async with contextmanager_in_threadpool(scratch_file(name)) as file:
            await _received(request, file)
            unknown = await run_in_threadpool(writer.add_file, file)
    except InvalidValue as invalid:
        raise HTTPException(422, f"{invalid.message} {invalid.remedy} Nothing was changed.") from None
    except InstagramError as error:
        raise HTTPException(422, f"{shown(error.message)} Nothing was changed.") from None
    finally:
        _uploads.subtract(places.keys())
    await run_in_threadpool(
        write_act, user.name, board.calendar.dag_id, "upload", {"file": name, "outcome": unknown or None}
    )
    if unknown:
        raise HTTPException(503, f"{unknown} Look into the calendar's folder before you try again.")
    return f"{name} is in the calendar's folder."


async def _received(request: Request, file: Path) -> None:
    with file.open("wb") as out:
        block = bytearray()
        async for part in received(request, MAX_UPLOAD_BYTES, "file"):
            block += part
            if len(block) >= BLOCK_BYTES:
                await run_in_threadpool(_write_block, out, bytes(block))
                block.clear()
        await run_in_threadpool(_write_block, out, bytes(block))


def _write_block(out: BinaryIO, block: bytes) -> None:
    if lack_of_space(Path(out.name).parent, len(block)):
        raise HTTPException(503, "The disk of the API server is full. Nothing was changed. Try again later.")
    out.write(block)
