"""Process a container as Meta does: fetch its media, inspect them, and take a cover."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from instagram_sandbox.simulator import jpeg, media
from instagram_sandbox.simulator.fetch import FetchError
from instagram_sandbox.simulator.fetches import Fetches
from instagram_sandbox.simulator.state import (
    NOT_FETCHED,
    NOT_MIXED,
    TOO_SLOW,
    Container,
    MediaFacts,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instagram_sandbox.simulator.inspections import Inspections
    from instagram_sandbox.simulator.state import Phase
    from instagram_sandbox.simulator.world import World

log = logging.getLogger(__name__)

INSPECTIONS: Final = 2
CONVERSIONS: Final = 2


class Processor:
    """Processes the containers' media in the background.

    The clock decides how long a container is IN_PROGRESS, but that time never ends before the work
    is done. Media are fetched, videos inspected and pictures converted a few at once.

    :param warn: Called with a container's id and a sentence when its media are rejected, or
        accepted with a warning.
    """

    def __init__(
        self, world: World, folder: Path, warn: Callable[[str, str], None], inspections: Inspections
    ) -> None:
        self._world = world
        self.folder = folder
        self._warn = warn
        self.inspections = inspections
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.fetches = Fetches()
        self._inspecting = asyncio.Semaphore(INSPECTIONS)
        self._converting = asyncio.Semaphore(CONVERSIONS)
        self._upload_turns: Counter[str] = Counter()

    def start(self, container: Container) -> asyncio.Task[None]:
        """Start to process a container whose link is known or whose upload is complete."""
        task = asyncio.create_task(self._work(container))
        self._tasks[container.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(container.id, None))
        return task

    def held_bytes(self, container_id: str) -> int:
        """Return how many bytes of a container's source have arrived."""
        files = (self.video(container_id), self.partial(container_id))
        return next((file.stat().st_size for file in files if file.exists()), 0)

    def resume(self) -> None:
        """Resume the work that the death of the previous process interrupted."""
        for container in self._world.containers.values():
            if container.source_at is None and self.held_bytes(container.id) == container.file_size:
                if self.partial(container.id).exists():
                    self.partial(container.id).rename(self.video(container.id))
                container.source_at = self._world.clock.now()
                self._world.containers.keep(container)
            has_source = bool(container.video_url or container.image_url or container.children)
            if (container.source_at is None and has_source) or (
                container.source_at and container.facts is None
            ):
                self.start(container)

    def take_turn(self, container_id: str) -> int:
        """Make a new upload to a container the only one that may write."""
        self._upload_turns[container_id] += 1
        return self._upload_turns[container_id]

    def has_turn(self, container_id: str, turn: int) -> bool:
        """Return whether an upload is still the newest."""
        return self._upload_turns[container_id] == turn

    async def settle(self) -> None:
        """Wait until all running work is done."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def stop(self) -> None:
        """Cancel all work."""
        running = list(self._tasks.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def video(self, container_id: str) -> Path:
        """Return the path of a container's complete source."""
        return self.folder / f"{container_id}.media"

    def partial(self, container_id: str) -> Path:
        """Return the path of an unfinished upload, whose size is the number of bytes received."""
        return self.folder / f"{container_id}.part"

    def cover(self, container_id: str) -> Path:
        """Return the path of a container's cover."""
        return self.folder / f"{container_id}.jpg"

    async def _work(self, container: Container) -> None:
        try:
            facts = await self._facts(container)
        except FetchError as failed:
            # of the source, or the cover
            phase: Phase = "uploading" if container.source_at is None else "processing"
            told = container.link(cover=phase == "processing")
            facts = MediaFacts(subcode=failed.subcode, reason=failed.reason, phase=phase, told=told)
        except jpeg.UnfitPictureError as unfit:
            facts = MediaFacts(subcode=unfit.subcode, reason=str(unfit), told=unfit.told)
        if container.id not in self._world.containers:
            return  # the sandbox was reset meanwhile
        container.facts = facts
        if container.source_at is None:
            container.source_at = self._world.clock.now()
        self._world.containers.keep(container)
        self._world.store.commit()
        if facts.subcode is not None:
            reason = refusal(container, facts)
            self._warn(container.id, reason)
            log.warning("Container %s (error %s): %s", container.id, facts.subcode, reason)
        elif facts.warning:
            self._warn(container.id, facts.warning)

    async def _facts(self, container: Container) -> MediaFacts:
        if container.facts is not None:
            return container.facts  # refused for a reason other than its media
        if container.children or container.processing.outcome != "inspected":
            return MediaFacts()
        if container.image_url:
            return await self._picture(container, container.image_url)
        rules = self._video_rules(container)
        switches = self._world.switches
        video = self.video(container.id)
        if container.video_url:
            await self.fetches.fetch(container.video_url, video, "video", rules.max_bytes, switches)
            container.source_at = self._world.clock.now()
        if container.cover_url:
            cover = self.cover(container.id)
            await self.fetches.fetch(
                container.cover_url, cover, "image", switches.max_picture_bytes, switches
            )
            jpeg.check_signature(cover)
        async with self._inspecting:
            if container.cover_url:
                facts = await media.inspect(video, rules)
            else:
                cover = self.cover(container.id)
                at_ms = container.thumb_offset_ms
                facts = await self.inspections.inspect(video, rules, cover, at_ms)
        if (
            container.audio
            and container.audio.video_volume
            and not facts.has_sound
            and facts.subcode is None
        ):
            facts.subcode = NOT_MIXED
            facts.reason = "it has no sound to mix with the audio: send video_volume 0"
        return facts

    async def _picture(self, container: Container, url: str) -> MediaFacts:
        target = self.cover(container.id)
        switches = self._world.switches
        await self.fetches.fetch(url, target, "image", switches.max_picture_bytes, switches)
        picture = jpeg.read(target)
        warning = ""
        if not picture.has_end:
            if switches.harmless_damage == "refuse" or not await media.is_whole_picture(target):
                raise jpeg.UnfitPictureError(jpeg.WRONG_FORMAT, jpeg.DAMAGED, format="damaged JPEG")
            warning = "The JPEG has no end mark: bytes are missing. Remedy: save it again."
        if container.media_type != "STORIES":
            jpeg.check_shape(picture, switches.tallest_picture)
            warning = jpeg.warning(picture) or warning
        if picture.is_changed:
            async with self._converting:
                if picture.has_profile:
                    warning = await asyncio.to_thread(jpeg.convert_profile, target) or warning
                    picture = jpeg.read(target)
                if picture.is_changed:
                    warning = await media.convert_picture(target, picture.shown_width) or warning
                    picture = jpeg.read(target)
        return MediaFacts(width=picture.width, height=picture.height, warning=warning)

    def _video_rules(self, container: Container) -> media.VideoRules:
        switches = self._world.switches
        rules = media.VideoRules(
            max_bytes=switches.max_video_bytes,
            edit_lists=switches.edit_lists,
            tail=switches.harmless_damage,
        )
        if container.media_type == "STORIES":
            max_bytes = min(rules.max_bytes, media.STORY_MAX_BYTES)
            return replace(rules, max_s=media.STORY_MAX_S, max_bytes=max_bytes)
        return rules


def refusal(container: Container, facts: MediaFacts) -> str:
    """Return what was refused and why, as the page, the journal and the log say it."""
    if container.children or container.processing.outcome != "inspected":
        return facts.reason
    return f"{_subject(container, facts)} was refused because {facts.reason}."


def _subject(container: Container, facts: MediaFacts) -> str:
    if facts.subcode in {NOT_FETCHED, TOO_SLOW}:
        is_cover = container.cover_url is not None and facts.phase == "processing"
        return "Your link to the cover" if is_cover else "Your link"
    return "Your picture" if container.is_picture else "Your video"
