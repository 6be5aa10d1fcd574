"""What can go wrong at each moment of a first comment, and what has to come of it: one post, and one comment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.reliability.scenario import ApiFault, Disturbance, ProcessKill, RefusedRow, TokenRevocation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.reliability.scenario import Side


def comment_disturbances(answers: Callable[..., Iterator[Disturbance]]) -> Iterator[Disturbance]:
    """Yield the disturbances of a first comment.

    :param answers: Returns every way in which one answer goes wrong.
    """
    for one in (*answers("comment", "comment", "TransientError", None), *_other_answers(), *_ledger_of_comment()):
        yield replace(one, comment=True)


def _other_answers() -> Iterator[Disturbance]:
    # Lost with the comment live: the try finds it. Lost without: certain only after a wait, then a failure to retry.
    for side in ("before", "after"):
        yield Disturbance(f"comment, {side} the effect", "killed", (ProcessKill(side, call="comment"),), "Killed")
    faults: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("80002", {"code": 80002, "regain_minutes": 0}, "RateLimitError"),
        ("100/33", {"code": 100, "subcode": 33}, "NotReadyError"),
    )
    for what, fault, first in faults:
        yield Disturbance("comment, before the effect", what, (ApiFault("comment", fault),), first)
    yield Disturbance(
        "comment, before the effect", "190, another token is there", (TokenRevocation("comment", replaced=True),), None
    )
    yield Disturbance(
        "comment, after the effect",
        "connection dropped, comments unreadable meanwhile",
        (ApiFault("comment", {"drop": "after"}), ApiFault("comments", {"status": 500, "times": 4})),
        "TransientError",
    )


def _ledger_of_comment() -> Iterator[Disturbance]:
    moments: tuple[tuple[str, Side], ...] = (
        ("comment-intent", "before"),
        ("comment-intent", "after"),
        ("comment", "before"),
        ("comment", "after"),
        ("comment-id", "after"),
    )
    for row, side in moments:
        kill = ProcessKill(side, row=row)
        yield Disturbance(f"ledger write of comment, {side} it ({row})", "killed", (kill,), "Killed")
    for row in ("comment-intent", "comment"):
        yield Disturbance(f"ledger write of comment ({row})", "refused", (RefusedRow(row),), "RuntimeError")
