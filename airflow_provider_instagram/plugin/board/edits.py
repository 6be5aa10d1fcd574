"""Edits of posts on the Posts page, which are written into the calendar's file.

An edit says what its author saw of the post. Of two people, the second is told what the post says
by now. Where the other one changed another post, the edit is made in the new file.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from airflow_provider_instagram.calendar.file import edits
from airflow_provider_instagram.calendar.file.columns import ACCOUNT, CALENDAR_FIELDS, ID, NO_EDITS
from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.calendar.file.values import FIELDS
from airflow_provider_instagram.calendar.planning.fill import proposal_for
from airflow_provider_instagram.exceptions import InstagramError, ValidationError
from airflow_provider_instagram.plugin.board.forms import is_approved, writer_of
from airflow_provider_instagram.plugin.board.queries import write_act
from airflow_provider_instagram.plugin.bodies import Json, PageRequest, PostId
from airflow_provider_instagram.plugin.users import opened, sealed
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.clock import utc_now
from airflow_provider_instagram.utils.urls import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_provider_instagram.calendar.file.writer import Written
    from airflow_provider_instagram.plugin.board.board import Board
    from airflow_provider_instagram.plugin.users import PageUser

#: What the values of a form must look like before a calendar reads them, and what to enter instead.
FORMS: Final = {
    "publish_at": ("([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2})?", "Enter a date and a time."),
    "account": (ACCOUNT, "Choose an account."),
    "id": (ID, CALENDAR_FIELDS["id"].remedy),
}
#: A list of objects with lists of objects, such as the tags in the items of a carousel.
DEEPEST: Final = 5
LONGEST_DIFF: Final = 20_000
DONE: Final = {
    "change": "Saved in {file}.",
    "remove": "Removed from {file}.",
    "add": "Added to {file}.",
    "duplicate": "Copied in {file}.",
    "restore": "Brought back into {file}.",
    "fill": "Times filled in in {file}.",
    "import": "Imported into {file}.",
}
CHANGED: Final = (
    "The calendar's file, or what is added, has changed. Nothing was written. Look at it again."
)
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
LATER: Final = " The page shows it once Airflow has read the file."
ASKED_AGAIN: Final = (
    "This post is approved already. With this edit, its approval is asked for again."
)


class EditRequest(PageRequest):
    """An edit, as the page sends it.

    :param sure: Whether the user knows that an approval is asked for again.
    :param undo: What the removal of the post has answered, to bring it back.
    """

    do: Literal["change", "remove", "add", "duplicate", "restore"]
    post_id: PostId
    new_id: PostId = ""
    seen: Json = Field(default={})
    fields: Json = Field(default={})
    undo: str = Field(default="", max_length=1_000_000)
    sure: bool = False


class Change(BaseModel):
    """A change of one post, with the fields of an :class:`EditRequest`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    post_id: PostId
    seen: Json = Field(default={})
    fields: Json = Field(default={})


class ChangesRequest(PageRequest):
    """Changes of several posts of a calendar.

    :param sure: Whether the user knows that approvals are asked for again.
    """

    changes: tuple[Change, ...] = Field(min_length=1, max_length=1_000)
    sure: bool = False

    def requests(self) -> list[EditRequest]:
        """Return a request for each post."""
        about: Json = {"dag_id": self.dag_id, "do": "change", "sure": self.sure}
        return [EditRequest(**about, **dict(one)) for one in self.changes]


class FillRequest(PageRequest):
    """A proposal that a user agrees to, as the page sends it.

    :param proposal: The digest of the text that it makes of the file.
    """

    proposal: Digest


async def edit(board: Board, user: PageUser, given: EditRequest) -> Json:
    """Write an edit into the calendar's file, and return what happened, as JSON.

    :raises HTTPException: If the post cannot be edited, has changed, or would have a problem.
    """
    facts = board.facts.get(given.post_id)
    if given.do in ("change", "remove", "duplicate"):
        _check_state(board, given)
        if given.do != "duplicate" and _is_asked_again(board, given):
            raise HTTPException(409, {"detail": ASKED_AGAIN, "confirm": True})
    edited = _edit_of(given)
    written = await run_in_threadpool(_write, board, [edited])
    changed = ", ".join(edited.fields).replace("_", " ") if given.do == "change" else None
    key = facts.post.key if facts else None
    about = {"post": edited.new_id or edited.post_id, "post_key": key, "changed": changed}
    done = await run_in_threadpool(_recorded, board, user, given.do, written, about)
    removed = {"lines": written.edited.removed, "after": written.edited.after}
    undo = sealed("undo", {"dag_id": given.dag_id, "post_id": given.post_id, **removed})
    answer = {"done": done, "undo": undo if given.do == "remove" else ""}
    post = written.edited.post
    return answer if post is None else {**answer, "at": int(post.publish_at.timestamp())}


def fill(board: Board, user: PageUser, agreed: str = "") -> Json:
    """Return which times the posts without one would get, or write them, as JSON.

    :param agreed: The digest of what the user agrees to; empty for a look at it.
    :raises HTTPException: If the file cannot be read, or the result is not what the user agreed to.
    """
    writer = writer_of(board)
    now = utc_now()
    with errors_as_answers():
        text = writer.text()
        found = proposal_for(text, board.location, writer.files, now, board.rules)
        answer = propose_or_write(board, user, "fill", text, found.fill, agreed)
    return {"lines": found.lines, **answer}


def propose_or_write(
    board: Board, user: PageUser, do: str, text: str, filled: edits.Fill | None, agreed: str
) -> Json:
    """Return what would be written into a calendar's text, or write it if the user agrees to just that.

    :raises HTTPException: If the user has agreed to something else.
    """
    proposal = ""
    diff = ""
    if filled is not None:
        written = writer_of(board).in_text(text, filled, utc_now(), board.rules)
        proposal = edits.digest(written.edited.text)
        diff = "\n".join(written.diff)
        if agreed == proposal:
            written = _write(board, filled)
            posts = len(filled.times) + len(filled.added)
            return {"done": _recorded(board, user, do, written, {"posts": posts})}
    if agreed:
        raise HTTPException(409, CHANGED)
    return {"diff": diff, "proposal": proposal}


@contextmanager
def errors_as_answers() -> Iterator[None]:
    """Turn errors of a proposal into answers: nothing was written."""
    try:
        yield
    except InvalidValue as invalid:
        raise HTTPException(422, f"{shown(invalid.message)} {shown(invalid.remedy)}") from None
    except InstagramError as error:
        raise HTTPException(503, shown(str(error))) from None


def change_all(board: Board, user: PageUser, requests: Sequence[EditRequest]) -> Json:
    """Write changes of several posts into the calendar's file at once, and return what happened, as JSON.

    :raises HTTPException: If one of them cannot be written: then, none is.
    """
    for one in requests:
        try:
            _check_state(board, one)
        except HTTPException as refused:  # noqa: PERF203 -- the first one is enough
            message = f"{one.post_id}: {refused.detail}"
            raise HTTPException(refused.status_code, message) from None
    again = [one.post_id for one in requests if _is_asked_again(board, one)]
    if again:
        asked = f"Approved already, and asked for again with this edit: {', '.join(again)}."
        raise HTTPException(409, {"detail": asked, "confirm": True})
    changes = [_edit_of(one) for one in requests]
    written = _write(board, changes)
    first, *others = ({"post": one.post_id, "changed": ", ".join(one.fields)} for one in changes)
    for about in others:  # the first one has the diff of all
        outcome = {"outcome": written.unknown}
        write_act(user.name, board.dag_id, "change", about | outcome)
    return {"done": _recorded(board, user, "change", written, first)}


def _is_asked_again(board: Board, given: EditRequest) -> bool:
    """Return whether a change needs a user's yes, because the approval would be asked for again."""
    changes_version = given.do == "remove" or given.fields.keys() - NO_EDITS
    return bool(changes_version and not given.sure and is_approved(board.facts.get(given.post_id)))


def _recorded(board: Board, user: PageUser, do: str, written: Written, about: Json) -> str:
    """Record an edit in the audit log, and return what happened."""
    about["diff"] = "\n".join(written.diff)[:LONGEST_DIFF]
    about["outcome"] = written.unknown
    write_act(user.name, board.dag_id, do, about)
    if written.unknown:
        raise HTTPException(503, f"{written.unknown} Look at the file before you try again.")
    return DONE[do].format(file=board.location.rpartition("/")[2]) + LATER


def _check_state(board: Board, given: EditRequest) -> None:
    card = board.cards.get(f"{board.dag_id}/{given.post_id}")
    if card is None or card.is_duplicate:
        raise HTTPException(
            404, "The calendar has no such post any more, or it has to be corrected in the file."
        )
    if card.status.is_over and given.do != "duplicate":
        raise HTTPException(
            409,
            f"The state of this post is now: {card.status.state.in_words}. Nothing was changed.",
        )


def _edit_of(given: EditRequest) -> edits.Edit:
    fields = {name: _clean(name, value) for name, value in given.fields.items()}
    new_id = given.new_id if given.do == "duplicate" else ""
    for name, value in {"id": new_id or given.post_id, **fields}.items():
        form, remedy = FORMS.get(name, ("", ""))
        if name not in {*FORMS, *FIELDS} or (name == "account" and given.do != "add"):
            raise _refused(f"{name} cannot be changed here.", name)
        if form and not (isinstance(value, str) and re.fullmatch(form, value)):
            raise _refused(f"{arguments.in_quotes(value)} is not valid. {remedy}", name)
    if given.do == "restore":
        removed = opened("undo", given.undo)
        about = (given.dag_id, given.post_id)
        if removed is None or (removed["dag_id"], removed["post_id"]) != about:
            raise HTTPException(422, "This can no longer be brought back. Nothing was changed.")
        return edits.Edit("restore", given.post_id, lines=removed["lines"], after=removed["after"])
    return edits.Edit(given.do, given.post_id, given.seen, fields, new_id)


def _refused(message: str, field: str) -> HTTPException:
    """Return the error of a value that is refused, which the form shows beside its field."""
    return HTTPException(422, {"detail": f"{message} Nothing was changed.", "field": field})


def _write(board: Board, edit: Sequence[edits.Edit] | edits.Fill) -> Written:
    try:
        return writer_of(board).write(edit, utc_now(), board.rules)
    except edits.SeenOther as other:
        raise HTTPException(409, _in_words(other.now)) from None
    except InvalidValue as invalid:
        raise _refused(f"{shown(invalid.message)} {shown(invalid.remedy)}", invalid.field) from None
    except InstagramError as error:
        raise HTTPException(
            503, f"{shown(error.message)} Nothing was changed. Try again."
        ) from None


def _in_words(now: Mapping[str, Any] | None) -> Json:
    """Return what somebody else has changed in a post."""
    if now is None:
        return {"detail": "Somebody else has removed this post from the file. Nothing was changed."}
    words = [f'{name.replace("_", " ")} is now "{_text(value)}"' for name, value in now.items()]
    message = (
        f"Somebody else has changed this post meanwhile: {'; '.join(words)}. Nothing was changed."
    )
    return {"detail": message, "now": dict(now)}


def _text(value: Any) -> str:
    """Return a value in words. Of an object, such as an item of a carousel, that is what names it."""
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, dict):
        return _text(next(iter(value.values()), ""))
    return "" if value is None else str(value)


def _clean(name: str, value: Any, depth: int = 0) -> Any:
    """Return a value without what is empty, and without what a calendar's reader leaves out."""
    if depth > DEEPEST:
        raise _refused(f"{name} has too many brackets.", name)
    if isinstance(value, dict):
        parts = {one: _clean(name, part, depth + 1) for one, part in value.items()}
        return {one: part for one, part in parts.items() if part not in (None, "", [])}
    if isinstance(value, list):
        cleaned = [_clean(name, part, depth + 1) for part in value]
        items = [one for one in cleaned if one not in (None, "", {})]
        return list(dict.fromkeys(items)) if all(isinstance(one, str) for one in items) else items
    if not isinstance(value, str):
        return value
    try:
        arguments.check_printable(name, value)
    except ValidationError as error:
        raise _refused(str(error), name) from None
    return value.replace("\r\n", "\n").replace("\r", "\n").strip()
