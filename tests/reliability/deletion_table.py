"""What can go wrong at each moment of a deletion, and what has to come of it: one post, one deletion, or *unknown*."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tests.reliability.scenario import ApiFault, Disturbance, ProcessKill, RefusedRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.reliability.scenario import Side


SIDES: Final[tuple[Side, Side]] = ("before", "after")
#: Publish writes the row of a post with its id, its link and its event; the deletion writes it after that.
DELETED_NTH: Final = 4


def deletion_disturbances(answers: Callable[..., Iterator[Disturbance]]) -> Iterator[Disturbance]:
    """Yield the disturbances of a deletion.

    :param answers: Returns every way in which one answer goes wrong.
    """
    for one in (*answers("delete", "delete", "TransientError", None), *_kills(), *_unreadable(), *_rows()):
        yield replace(one, delete=True)


def _kills() -> Iterator[Disturbance]:
    # With the effect, the next try finds the post gone, and asks nobody.
    for side in SIDES:
        yield Disturbance(f"delete, {side} the effect", "killed", (ProcessKill(side, call="delete"),), "Killed")
    for nth, why in ((2, "before the question"), (3, "after the yes")):  # publish reads the link first
        kill = ProcessKill("after", call="media", nth=nth)
        yield Disturbance(f"delete, the post is read {why}", "killed", (kill,), "Killed")


def _unreadable() -> Iterator[Disturbance]:
    """Yield a lost answer after which nothing can be read: the outcome is unknown, and is said to be."""
    unreadable = ApiFault("media", {"status": 500, "times": 4}, begins="before delete")
    for side in SIDES:
        lost = ApiFault("delete", {"drop": side})
        what = "connection dropped, post unreadable meanwhile"
        yield Disturbance(f"delete, {side} the effect", what, (lost, unreadable), "OutcomeUnknownError", "clear anyway")


def _rows() -> Iterator[Disturbance]:
    for side in SIDES:
        kill = ProcessKill(side, row="deletion")
        yield Disturbance(f"ledger write of delete, {side} it (deletion)", "killed", (kill,), "Killed")
    yield Disturbance("ledger write of delete (deletion)", "refused", (RefusedRow("deletion"),), "RuntimeError")
    for side in SIDES:
        kill = ProcessKill(side, row="done", nth=DELETED_NTH)
        yield Disturbance(f"ledger write of delete, {side} it (done)", "killed", (kill,), "Killed")
