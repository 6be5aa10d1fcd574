"""What Meta does between a container's creation and its end: fetch the media, look at it, take a cover from it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from airflow_provider_instagram.sandbox import media
from airflow_provider_instagram.sandbox.fetch import TOO_SLOW, FetchError, fetch
from airflow_provider_instagram.sandbox.state import Container, MediaFacts

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_instagram.sandbox.world import World

log = logging.getLogger(__name__)


class Processor:
    """Works on the containers' media in the background.

    The time that a container spends IN_PROGRESS is the clock's affair; but it never ends before the work is done.

    :param world: Where containers live.
    :param folder: Where the media files are kept.
    """

    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self.folder = folder
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(2)

    def start(self, container: Container) -> None:
        """Begin to work on a container whose source is known or wholly here."""
        task = asyncio.create_task(self._work(container))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def resume(self) -> None:
        """Take up the work that the death of the former process interrupted."""
        for container in self._world.containers.values():
            has_source = bool(container.video_url or container.image_url or container.children)
            if container.facts is None and (has_source or container.source_at is not None):
                self.start(container)

    async def settle(self) -> None:
        """Wait until all work that has begun is done."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        """Give up all work."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def video(self, container_id: str) -> Path:
        """Return where a container's whole source is kept."""
        return self.folder / f"{container_id}.media"

    def partial(self, container_id: str) -> Path:
        """Return where the bytes of an unfinished upload are kept; its size is what the server has."""
        return self.folder / f"{container_id}.part"

    def cover(self, container_id: str) -> Path:
        """Return where a container's cover is kept."""
        return self.folder / f"{container_id}.jpg"

    async def _work(self, container: Container) -> None:
        try:
            async with self._turns:
                facts = await self._facts(container)
        except FetchError as failed:
            facts = MediaFacts(subcode=failed.subcode, reason=failed.reason)
        if container.id not in self._world.containers:
            return  # the sandbox was reset meanwhile
        container.facts = facts
        if container.source_at is None:
            container.source_at = self._world.clock.now()
        self._world.keep(container)
        self._world.store.commit()
        if facts.subcode is not None:
            log.warning("Container %s is not fit: %s: %s", container.id, facts.subcode, facts.reason)

    async def _facts(self, container: Container) -> MediaFacts:
        if container.children:
            return MediaFacts()
        if container.image_url:
            await self._fetch(container.image_url, self.cover(container.id), "image")
            return MediaFacts()
        switches = self._world.switches
        video = self.video(container.id)
        if container.video_url:
            await self._fetch(container.video_url, video, "video")
            container.source_at = self._world.clock.now()
        if container.cover_url:
            await self._fetch(container.cover_url, self.cover(container.id), "image")
        facts = await media.inspect(
            video,
            thumb_offset_ms=0 if container.cover_url else container.thumb_offset_ms,
            edit_lists=switches.edit_lists,
            max_bytes=switches.max_video_bytes,
        )
        if facts.subcode is None and not container.cover_url:
            await media.grab_cover(video, self.cover(container.id), container.thumb_offset_ms)
        return facts

    async def _fetch(self, url: str, target: Path, kind: str) -> None:
        switches = self._world.switches
        fetching = fetch(
            url,
            target,
            kind=kind,
            limit_s=switches.fetch_timeout_s,
            max_bytes=switches.max_video_bytes,
            require_range=switches.require_range and kind == "video",
        )
        try:
            await asyncio.wait_for(fetching, switches.fetch_timeout_s)
        except asyncio.TimeoutError:
            raise FetchError(TOO_SLOW, f"the download took more than {switches.fetch_timeout_s:g} s") from None
