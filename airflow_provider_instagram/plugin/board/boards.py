"""All boards of this process, and the part of them that a user may see.

Users share a look at the database for two seconds. An API server process does not answer a page
with what is older than what that page shows, although another process has answered before: each
answer says when the look ended that it is from, and the page sends that with its next request.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from airflow.utils.session import create_session
from fastapi import HTTPException

from airflow_provider_instagram.calendar.stored_dags import CalendarDag, calendars
from airflow_provider_instagram.plugin.board.board import Board, BoardReader
from airflow_provider_instagram.plugin.board.queries import stands_still
from airflow_provider_instagram.plugin.board.states import State
from airflow_provider_instagram.plugin.users import READ, may, may_edit
from airflow_provider_instagram.utils.clock import utc_now

if TYPE_CHECKING:
    from airflow_provider_instagram.plugin.board.board import PostCard
    from airflow_provider_instagram.plugin.bodies import Json
    from airflow_provider_instagram.plugin.users import PageUser

log = logging.getLogger(__name__)
T = TypeVar("T")

#: How long a look counts as current, in seconds.
LIFE_S: Final = 2.0
#: What a page has seen that shows nothing yet.
NOTHING: Final = 0.0
#: When the look of an answer ended, and what the answer contains. Proxies add to an ETag, so it is
#: searched for.
ETAG: Final = re.compile(r"([0-9]{1,11}\.[0-9]{3})-([0-9a-f]*)")
#: Posts in these states are shown whatever the days: a person has to decide about them.
DECIDED_BY_SOMEBODY: Final = (State.WAITING, State.UNKNOWN, State.FAILED)
#: The most posts that a search finds.
MOST_FOUND: Final = 500
#: A post that failed longer ago waits for nobody any more.
FAILED_FOR: Final = timedelta(days=30)


def now_s() -> float:
    """Return the current time in seconds since the epoch."""
    return utc_now().timestamp()


def etag(seen_s: float, digest: str = "") -> str:
    """Return what a page sends with its next request, so that the answer is not older."""
    return f'"{seen_s:.3f}-{digest}"'


def read_etag(text: str) -> tuple[float, str]:
    """Read what a page sends. A time to come is from a machine whose clock is fast, and counts as no time."""
    parts = ETAG.search(text)
    seen_s = float(parts[1]) if parts else NOTHING
    return (seen_s if seen_s <= now_s() else NOTHING), (parts[2] if parts else "")


def _distance(card: PostCard, window: tuple[int, int]) -> float:
    """Return by how many seconds the time of a post is outside of a window. A draft without a time is in each."""
    if card.post.publish_at is None:
        return 0
    at = card.post.publish_at.timestamp()
    return max(window[0] - at, at - window[1], 0)


def needs_somebody(card: PostCard) -> bool:
    """Return whether a person has to decide about a post."""
    state = card.status.state
    at = card.post.publish_at
    is_old = state is State.FAILED and at is not None and at < utc_now() - FAILED_FOR
    return state in DECIDED_BY_SOMEBODY and not is_old


@dataclass
class SharedLook(Generic[T]):
    """What several users look at together."""

    _result: T | None = None
    _of: object = None
    _began_s: float = NOTHING
    _ended_s: float = -1e9
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, look: Callable[[], T], seen_s: float, of: object = None) -> T:
        """Return the result of the last look, or look again if it is too old or of something else."""
        with self._lock:
            is_current = (
                time.monotonic() - self._ended_s < LIFE_S
                and self._began_s >= seen_s
                and of == self._of
            )
            if self._result is None or not is_current:
                began_s = now_s()
                self._result = look()
                self._of = of
                self._began_s = began_s
                self._ended_s = time.monotonic()
            return self._result


@dataclass
class Boards:
    """The boards of all calendars."""

    _listed: SharedLook[list[CalendarDag]] = field(default_factory=SharedLook)
    _still: SharedLook[bool] = field(default_factory=SharedLook)
    _boards: dict[str, tuple[BoardReader, SharedLook[Board]]] = field(default_factory=dict)

    def calendars(self, seen_s: float = NOTHING) -> list[CalendarDag]:
        """Return all calendars."""

        def look() -> list[CalendarDag]:
            with create_session(scoped=False) as session:
                return calendars(session)

        return self._listed.get(look, seen_s)

    def board(self, dag_id: str, seen_s: float = NOTHING, *, is_fresh: bool = False) -> Board:
        """Return the board of a calendar as it is now.

        :param seen_s: What the page has seen already, perhaps from another API server process.
        :param is_fresh: Whether to look again even if the last look was a moment ago.
        """
        if is_fresh:
            seen_s = now_s()
        calendar = next((one for one in self.calendars(seen_s) if one.dag_id == dag_id), None)
        if calendar is None:
            raise HTTPException(
                404,
                f"The DAG {dag_id!r} is not a content calendar, or Airflow has not read it yet.",
            )
        is_still = self._still.get(stands_still, NOTHING)
        reader, shared = self._boards.setdefault(dag_id, (BoardReader(dag_id), SharedLook()))
        return shared.get(partial(reader.look, calendar, is_still), seen_s, (calendar, is_still))

    def readable(self, user: PageUser, seen_s: float = NOTHING) -> list[Board]:
        """Return the boards that a user may read. One that cannot be made concerns no other calendar."""
        boards = []
        for calendar in self.calendars(seen_s):
            if may(user, calendar.dag_id, READ):
                try:
                    boards.append(self.board(calendar.dag_id, seen_s))
                except Exception:
                    log.exception("The calendar %s cannot be shown", calendar.dag_id)
        return boards

    def answer(
        self,
        user: PageUser,
        dag_id: str | None,
        window: tuple[int, int],
        shown: str,
        search: str = "",
    ) -> tuple[str, bytes | None]:
        """Return the posts in a span of time, and those that need attention, as JSON, and their ETag.

        The JSON is None if the page shows it already.

        :param dag_id: The calendar, which the user may read, or None for all that the user may
            read.
        :param window: The first and the last time, in seconds since the epoch.
        :param search: A text. Posts that contain it are sent whatever their time: those near to the
            window first.
        """
        seen_s, shown_digest = read_etag(shown)
        boards = self.readable(user, seen_s) if dag_id is None else [self.board(dag_id, seen_s)]
        listed = [card for board in boards for card in board.cards.values()]
        chosen = [card for card in listed if needs_somebody(card) or not _distance(card, window)]
        if wanted := search.strip().lower():
            found = sorted(
                (card for card in listed if wanted in card.texts),
                key=partial(_distance, window=window),
            )
            chosen = [*{card.key: card for card in (*chosen, *found[:MOST_FOUND])}.values()]
        cards = ",".join(card.as_json for card in chosen)
        heads: list[Json] = [
            {
                **board.head,
                "edit": not board.is_edited_elsewhere and may_edit(user, board.dag_id),
            }
            for board in boards
        ]
        is_still = json.dumps(self._still.get(stands_still, NOTHING))
        content = (
            f'{{"calendars":{json.dumps(heads)},"still":{is_still},"cards":[{cards}]}}'.encode()
        )
        digest = hashlib.sha256(content).hexdigest()[:16]
        tag = etag(max((board.seen_s for board in boards), default=NOTHING), digest)
        return tag, None if digest == shown_digest else content
