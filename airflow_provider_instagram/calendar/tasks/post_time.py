"""The trigger of a publisher that waits for the time of its post."""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Final

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_instagram.calendar.planning.stored_snapshot import read_versions
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.utils.deferral import shortest_deferral
from airflow_provider_instagram.utils.locations import shown
from airflow_provider_instagram.utils.server_clock import CLOCK

LOOK_EVERY_S: Final = 10.0
#: How long after one replaced wait of a calendar the next one ends. Each of them needs a slot for some seconds. A
#: post that is due meanwhile must not wait behind all that an edit has replaced.
NEXT_ENDS_AFTER_S: Final = 10.0
#: Reads the snapshots. If their storage hangs, the other work of the triggerer does not wait for its threads.
_readers: Final = ThreadPoolExecutor(4, "snapshots")

log = logging.getLogger(__name__)


class PostTimeTrigger(BaseTrigger):
    """Trigger that fires at a moment, or soon after an edit has replaced or removed the version of the post.

    What became of the post is for the task to find out. If the triggerer cannot read the calendar's snapshot, the
    trigger fires at the moment.
    """

    def __init__(self, moment: datetime, snapshot: str, post_id: str, version: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.moment = moment
        self.snapshot = snapshot
        self.post_id = post_id
        self.version = version

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Serialize the trigger."""
        names = ("moment", "snapshot", "post_id", "version")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and yield one event."""
        watches = _watches.setdefault(asyncio.get_running_loop(), {})
        watch, since = watches.setdefault(self.snapshot, _Watch(self.snapshot)), time.monotonic()
        pause_s = max(LOOK_EVERY_S, shortest_deferral().total_seconds())
        while (left_s := self._left_s()) > 0:
            await asyncio.sleep(min(left_s, pause_s))
            if watch.has_replaced(self.post_id, self.version, since):
                await asyncio.sleep(max(0.0, min(self._left_s(), watch.turn_in_s())))
                break
        yield TriggerEvent(self.moment.isoformat())

    def _left_s(self) -> float:
        return (self.moment - CLOCK.now()).total_seconds()


class _Watch:
    """Reads the snapshot of a calendar for all waits for its posts in this process."""

    def __init__(self, snapshot: str) -> None:
        self.snapshot = snapshot
        self._versions: Mapping[str, str] = {}
        self._known_at = self._asked_at = self._last_turn = float("-inf")
        self._reading: asyncio.Future[None] | None = None
        self._fails = False

    def has_replaced(self, post_id: str, version: str, since: float) -> bool:
        """Return whether a read after ``since`` has found another version of a post, or none.

        This begins the next read, if one is due. A version with a problem replaces none: its author may correct it.
        """
        now = time.monotonic()
        if self._reading is None and now - self._asked_at >= LOOK_EVERY_S:
            self._asked_at = now
            self._reading = asyncio.ensure_future(self._read(now))
        return self._known_at >= since and self._versions.get(post_id) not in (version, "")

    def turn_in_s(self) -> float:
        """Return in how many seconds the next replaced wait ends."""
        now = time.monotonic()
        self._last_turn = max(now, self._last_turn + NEXT_ENDS_AFTER_S)
        return self._last_turn - now

    async def _read(self, now: float) -> None:
        try:
            content = await asyncio.get_running_loop().run_in_executor(_readers, storage.read, self.snapshot)
            if content is not None:
                self._versions, self._known_at = read_versions(content), now
            self._fails = False
        except Exception as error:  # noqa: BLE001 -- each storage has errors of its own; the posts keep their time
            if not self._fails:
                log.warning("The snapshot %s cannot be read: %s", shown(self.snapshot), shown(str(error)))
            self._fails = True
        finally:
            self._reading = None


#: A watch lives as long as the event loop in which it reads.
_watches: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Watch]] = weakref.WeakKeyDictionary()
