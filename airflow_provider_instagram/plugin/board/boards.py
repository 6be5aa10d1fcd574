"""All boards of this process, and the part of them that a user may see."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from airflow.utils.session import create_session
from fastapi import HTTPException

from airflow_provider_instagram.calendar.stored_dags import CalendarDag, Calendars
from airflow_provider_instagram.plugin.board.board import Board, Revisions
from airflow_provider_instagram.plugin.board.cards import problem_as_data
from airflow_provider_instagram.plugin.board.rights import READ, may
from airflow_provider_instagram.plugin.board.seen import NOTHING, now_s, written

if TYPE_CHECKING:
    from airflow_provider_instagram.plugin.users import PageUser

log = logging.getLogger(__name__)

#: How long the list of calendars counts as current, in seconds.
LIST_LIFE_S: Final = 2.0
#: The most problems of a calendar that are sent.
MOST_PROBLEMS: Final = 200


@dataclass(frozen=True)
class Window:
    """The posts that a page shows.

    :param dag_id: The calendar, or None for all that the user may read.
    :param first_s: The earliest time, in seconds since the epoch.
    :param last_s: The latest time.
    """

    dag_id: str | None
    first_s: int
    last_s: int


@dataclass
class Boards:
    """The boards of all calendars."""

    _boards: dict[str, Board] = field(default_factory=dict)
    _calendars: Calendars = field(default_factory=Calendars)
    _revisions: Revisions = field(default_factory=Revisions)
    _listed: list[CalendarDag] = field(default_factory=list)
    _listed_s: float = -1e9
    _listing_began_s: float = NOTHING
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def calendars(self, seen_s: float = NOTHING) -> list[CalendarDag]:
        """Return all calendars, as they are at least since a page has seen them."""
        with self._lock:
            is_old = time.monotonic() - self._listed_s > LIST_LIFE_S
            if is_old or self._listing_began_s < seen_s:
                self._listing_began_s = now_s()
                with create_session(scoped=False) as session:
                    self._listed = self._calendars.all(session)
                self._listed_s = time.monotonic()
            return self._listed

    def board(self, dag_id: str, seen_s: float = NOTHING, *, is_fresh: bool = False) -> Board:
        """Return the board of a calendar as it is now.

        :param dag_id: The calendar's DAG.
        :param seen_s: What the page has seen already, perhaps from another API server process.
        :param is_fresh: Whether to look again even if the last look was a moment ago.
        :raises HTTPException: 404 if the DAG is no calendar.
        """
        if is_fresh:
            seen_s = now_s()
        calendar = next((one for one in self.calendars(seen_s) if one.dag_id == dag_id), None)
        if calendar is None:
            raise HTTPException(404, f"The DAG {dag_id!r} is not a content calendar, or Airflow has not read it yet.")
        with self._lock:
            board = self._boards.setdefault(dag_id, Board(self._revisions, calendar))
        board.refresh(calendar, seen_s)
        return board

    def _board_or_none(self, calendar: CalendarDag, seen_s: float) -> Board | None:
        """Return the board of a calendar; None if it cannot be made, which concerns no other calendar."""
        try:
            return self.board(calendar.dag_id, seen_s)
        except Exception:
            log.exception("The calendar %s cannot be shown", calendar.dag_id)
            return None

    def answer(self, user: PageUser, window: Window, since: str, seen_s: float) -> bytes | None:
        """Return the cards that a user may see, as JSON, or None if nothing changed.

        :param user: The user.
        :param window: The posts that the page shows.
        :param since: What the last answer contained as ``token``. Only later changes are returned. Another API server
            process may have answered: the numbers of its changes mean nothing here, but equal cards are equal.
        :param seen_s: How new that answer was. This one is not older.
        """
        readable = [one for one in self.calendars(seen_s) if may(user, one.dag_id, READ)]
        shown = [one for one in readable if window.dag_id in (None, one.dag_id)]
        boards = [board for one in shown if (board := self._board_or_none(one, seen_s)) is not None]
        latest, heads = self._revisions.latest, [_head(board) for board in boards]
        scope = _digest([heads, vars(window)])
        digest = _digest([board.digest for board in boards])
        if since.startswith(f"{scope}-{digest}-"):
            return None
        token = f"{scope}-{digest}-{self._revisions.instance}-{latest}"
        after = _change_after(since, scope, self._revisions.instance)
        cards, removed = [], []
        for board in boards:
            cards += [
                card.as_data()
                for card, revision in board.cards.values()
                if revision > after and window.first_s <= card.publish_at.timestamp() <= window.last_s
            ]
            removed += [key for key, revision in board.removed.items() if revision > after]
        content: dict[str, Any] = {"token": token, "full": not after, "calendars": heads, "cards": cards}
        content["seen"] = written(max((board.seen_s for board in boards), default=NOTHING))
        return json.dumps({**content, "removed": removed}, separators=(",", ":")).encode()


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _change_after(since: str, scope: str, instance: str) -> int:
    """Return the number of the last change that a page has, or 0 if it has to get everything."""
    parts = since.split("-")
    is_ours = len(parts) == 4 and (parts[0], parts[2]) == (scope, instance)
    return int(parts[3]) if is_ours and parts[3].isdecimal() and len(parts[3]) < 16 else 0


def _head(board: Board) -> dict[str, Any]:
    """Return what the page shows of a calendar itself."""
    calendar = board.calendar
    return {
        "dag": calendar.dag_id,
        "name": calendar.name,
        "paused": calendar.is_paused,
        "file": calendar.location.rpartition("/")[2],
        "read": board.stored is not None,
        "dry": calendar.is_dry,
        "problems": [problem_as_data(problem) for problem in board.problems[:MOST_PROBLEMS]],
        "more_problems": max(0, len(board.problems) - MOST_PROBLEMS),
        "first": _day(board, min),
        "last": _day(board, max),
    }


def _day(board: Board, which: Any) -> int | None:
    times = [int(card.publish_at.timestamp()) for card, _ in board.cards.values()]
    return which(times) if times else None
