"""Fetch many media at once with few connections, and let no link that hangs or is slow delay another."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from instagram_sandbox.simulator.fetch import FetchError, fetch
from instagram_sandbox.simulator.state import TOO_SLOW

if TYPE_CHECKING:
    from pathlib import Path

    from instagram_sandbox.simulator.switches import Switches

OF_ONE_HOST: Final = 16
MOVING: Final = 32
SLOW: Final = 32
HANGS_AFTER_S: Final = 1.0
SLOW_AFTER_S: Final = 3.0
MOST_DESCRIPTORS: Final = 2 * (MOVING + SLOW)
"""Each fetch has a connection and a file."""


class Fetches:
    """The places for fetching. Without one, a link has neither a connection nor a file.

    1. A link waits for one of its host's :data:`OF_ONE_HOST` places, so that no host takes them
       all.
    2. It is fetched in one of :data:`MOVING` places, which it gives up once no more bytes arrive,
       and after
       :data:`SLOW_AFTER_S` in any case: a link that trickles never falls silent.
    3. Then it goes on in one of :data:`SLOW` places. If none is free, it is disconnected, and
       begins again in the first that becomes free. Its time counts from the call, so that it ends
       on time even without a place.
    """

    def __init__(self) -> None:
        self._of_hosts: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._moving = asyncio.Semaphore(MOVING)
        self._slow = asyncio.Semaphore(SLOW)

    async def fetch(
        self, url: str, target: Path, kind: str, max_bytes: int, switches: Switches
    ) -> None:
        """Fetch a file as Meta does.

        :param switches: How long it may take, and whether the server must support ``Range`` for a
            video.
        :raises FetchError: With the documented subcode.
        """
        limit_s = switches.fetch_timeout_s
        need_range = switches.require_range and kind == "video"
        ends = time.monotonic() + limit_s

        def begun() -> asyncio.Task[None]:
            fetching = fetch(
                url,
                target,
                kind=kind,
                limit_s=limit_s,
                max_bytes=max_bytes,
                require_range=need_range,
            )
            return asyncio.create_task(fetching)

        places = self._of_hosts.setdefault(urlsplit(url).netloc, asyncio.Semaphore(OF_ONE_HOST))
        try:
            async with places, self._moving:
                task = begun()
                await _while_it_moves(task, target, min(limit_s, SLOW_AFTER_S))
                if task.done():
                    return await task
                if begins_again := self._slow.locked():
                    await _cancelled(task)
                else:
                    await self._slow.acquire()  # at once, so that no other link can take the place
            if begins_again:
                await asyncio.wait_for(self._slow.acquire(), ends - time.monotonic())
                task = begun()
            try:
                await asyncio.wait_for(task, ends - time.monotonic())
            finally:
                self._slow.release()
        except asyncio.TimeoutError:
            raise FetchError(TOO_SLOW, f"the download took more than {limit_s:g} s") from None


async def _while_it_moves(task: asyncio.Task[None], target: Path, most_s: float) -> None:
    """Return once a fetch is done, no byte has arrived for a while, or it takes long."""
    held = -1
    slow_at = time.monotonic() + most_s
    try:
        while (
            not task.done()
            and time.monotonic() < slow_at
            and held < (now := target.stat().st_size if target.exists() else 0)
        ):
            held = now
            await asyncio.wait({task}, timeout=min(HANGS_AFTER_S, most_s))
    except asyncio.CancelledError:
        await _cancelled(task)
        raise


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
