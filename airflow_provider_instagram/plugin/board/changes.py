"""Changes of several posts on the page *Posts*: one write of the calendar's file, of all of them or of none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_instagram.plugin.board import edits
from airflow_provider_instagram.plugin.board.airflow_rows import write_act

if TYPE_CHECKING:
    from airflow_provider_instagram.plugin.board.board import Board
    from airflow_provider_instagram.plugin.users import PageUser


class Change(BaseModel):
    """A change of one post, as :class:`edits.EditRequest` has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    post_id: str = Field(max_length=250)
    seen: dict[str, Any] = Field(default_factory=dict)
    fields: dict[str, Any] = Field(default_factory=dict)


class ChangesRequest(BaseModel):
    """Changes of several posts, as the page sends them.

    :param sure: Whether the user knows that approvals are asked for again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    form_token: str = ""
    dag_id: str = Field(max_length=250)
    changes: tuple[Change, ...] = Field(min_length=1, max_length=1_000)
    sure: bool = False


def change_all(board: Board, user: PageUser, given: ChangesRequest) -> dict[str, Any]:
    """Write changes of several posts into the calendar's file, and return what happened, as JSON.

    :raises HTTPException: If one of them cannot be written.
    """
    try:
        requests = [
            edits.EditRequest(dag_id=given.dag_id, do="change", sure=given.sure, **dict(one)) for one in given.changes
        ]
    except ValueError:  # as for a request of one post
        raise HTTPException(422, "A change has a value that its field does not take. Nothing was changed.") from None
    if again := [one.post_id for one in requests if _is_asked_again(board, one)]:
        asked = f"Approved already, and asked for again with this edit: {', '.join(again)}."
        raise HTTPException(409, {"detail": asked, "confirm": True})
    written = edits.write(board, [edits.edit_of(board, one) for one in requests])
    if written.refused:
        return edits.as_patch(written)
    first, *others = ({"post": one.post_id, "changed": ", ".join(one.fields)} for one in given.changes)
    for about in others:  # the first one has the diff of all
        write_act(user.name, given.dag_id, "change", {**about, "outcome": written.unknown or None})
    return {"done": edits.recorded(board, user, "change", written, dict(first))}


def _is_asked_again(board: Board, given: edits.EditRequest) -> bool:
    """Check that a post can be changed. Return whether its approval would be asked for again."""
    try:
        edits.check_state(board, given, board.facts.get(given.post_id))
    except HTTPException as refused:
        detail: Any = refused.detail  # an object, if a yes of the user is all that is missing
        if isinstance(detail, dict):
            return True
        raise HTTPException(refused.status_code, f"{given.post_id}: {refused.detail}") from None
    return False
