"""What can go wrong at each moment of a comment, a reply, a hiding and a private reply, and what has to come of it.

One post, and one comment: no second one, and none that is lost without a word.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tests.reliability.scenario import ApiFault, Disturbance, ProcessKill, RefusedRow, TokenRevocation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.reliability.scenario import CommentAct, Side

#: The request of each act, as the sandbox names it.
REQUEST: Final[dict[CommentAct, str]] = {"reply": "comment", "hide": "moderate", "private_reply": "message"}


def comment_disturbances(answers: Callable[..., Iterator[Disturbance]]) -> Iterator[Disturbance]:
    """Yield the disturbances of a first comment.

    :param answers: Returns every way in which one answer goes wrong.
    """
    for one in (
        *answers("comment", "comment", "TransientError", None),
        *_others("comment", "comment"),
        *_rows("comment"),
    ):
        yield replace(one, comment=True)


def act_disturbances(answers: Callable[..., Iterator[Disturbance]]) -> Iterator[Disturbance]:
    """Yield the disturbances of what is done to the comment of a stranger."""
    for act in ("reply", "hide"):
        request = REQUEST[act]
        for one in (*answers(request, act, "TransientError", None), *_others(act, request), *_rows(act)):
            yield replace(one, act=act)
    for one in _private_replies(answers):
        yield replace(one, act="private_reply")


def _private_replies(answers: Callable[..., Iterator[Disturbance]]) -> Iterator[Disturbance]:
    """Yield those of a private reply, whose outcome cannot be read: a person looks once it may have been sent."""
    unknown = "OutcomeUnknownError"
    for one in answers("message", "private_reply", unknown, unknown):
        yield replace(one, left=int("after the effect" in one.when))
    before, after = (f"private_reply, {side} the effect" for side in ("before", "after"))
    yield Disturbance(before, "killed", (ProcessKill("before", call="message"),), "Killed", left=0)
    yield Disturbance(after, "killed", (ProcessKill("after", call="message"),), "Killed", left=1)
    yield Disturbance(before, "100/33", (ApiFault("message", {"code": 100, "subcode": 33}),), unknown, left=0)
    yield Disturbance(before, "80002", (ApiFault("message", {"code": 80002, "regain_minutes": 0}),), "RateLimitError")
    yield Disturbance(before, "190, another token is there", (TokenRevocation("message", replaced=True),), None)
    left = {"before it (comment-intent)": None, "after it (comment-intent)": 0, "before it (comment)": 1}
    for one in _rows("private_reply"):
        moment = one.when.partition(", ")[2] or one.when.rpartition(" ")[2]
        yield replace(one, left=1 if moment == "(comment)" else left.get(moment))


def _others(act: str, request: str) -> Iterator[Disturbance]:
    # Lost with the comment live: the try finds it. Lost without: certain only after a wait, then a failure to retry.
    for side in ("before", "after"):
        yield Disturbance(f"{act}, {side} the effect", "killed", (ProcessKill(side, call=request),), "Killed")
    faults: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("80002", {"code": 80002, "regain_minutes": 0}, "RateLimitError"),
        ("100/33", {"code": 100, "subcode": 33}, "NotReadyError"),
    )
    for what, fault, first in faults:
        yield Disturbance(f"{act}, before the effect", what, (ApiFault(request, fault),), first)
    yield Disturbance(
        f"{act}, before the effect", "190, another token is there", (TokenRevocation(request, replaced=True),), None
    )
    unreadable = ApiFault("comments", {"status": 500, "times": 4}, begins=f"before {request}")
    yield Disturbance(
        f"{act}, after the effect",
        "connection dropped, comments unreadable meanwhile",
        (ApiFault(request, {"drop": "after"}), unreadable),
        "TransientError",
    )


def _rows(act: str) -> Iterator[Disturbance]:
    moments: tuple[tuple[str, Side], ...] = (
        ("comment-intent", "before"),
        ("comment-intent", "after"),
        ("comment", "before"),
        ("comment", "after"),
        ("comment-id", "after"),
    )
    for row, side in moments:
        kill = ProcessKill(side, row=row)
        yield Disturbance(f"ledger write of {act}, {side} it ({row})", "killed", (kill,), "Killed")
    for row in ("comment-intent", "comment"):
        yield Disturbance(f"ledger write of {act} ({row})", "refused", (RefusedRow(row),), "RuntimeError")
