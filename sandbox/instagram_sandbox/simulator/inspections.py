"""Inspect a video once, however often it is published: tests publish the same few videos again and again."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Final

from instagram_sandbox.simulator import media

if TYPE_CHECKING:
    from pathlib import Path

    from instagram_sandbox.simulator.media import VideoRules
    from instagram_sandbox.simulator.state import MediaFacts

#: Of so many videos the facts are kept.
MOST_KEPT: Final = 64


class Inspections:
    """What the inspections of fit videos returned, by the videos' bytes."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, VideoRules, int], tuple[MediaFacts, bytes]] = {}

    async def inspect(self, video: Path, rules: VideoRules, cover: Path, at_ms: int) -> MediaFacts:
        """Return the facts about a video, and write its cover if Meta accepts it."""
        key = await asyncio.to_thread(_digest, video), rules, at_ms
        if key in self._kept:
            facts, picture = self._kept[key]
            cover.write_bytes(picture)
            return facts.model_copy()
        facts = await media.inspect(video, rules, cover, at_ms)
        if facts.subcode is None and cover.exists():
            self._kept[key] = facts.model_copy(), cover.read_bytes()
            if len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]
        return facts


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
