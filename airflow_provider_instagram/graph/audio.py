"""Audio that a reel can have, as Meta's search describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_instagram.graph.fields import read_id, read_integer, read_text


@dataclass(frozen=True, slots=True)
class Audio:
    """Music or the sound of a reel, which another reel may have. Source: Meta, Instagram Audio API, 2026-06-16.

    :param creator: The artist of music, or the user who made a sound.
    """

    audio_id: str
    title: str
    creator: str
    duration_s: float | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Audio:
        """Read an audio asset of a search."""
        duration_ms = read_integer(data, "duration_in_ms")
        return cls(
            read_id({"id": data.get("audio_id")}),
            read_text(data, "title") or "",
            read_text(data, "display_artist") or read_text(data, "ig_username") or "",
            None if duration_ms is None else duration_ms / 1000,
        )


def read_audio(data: Mapping[str, Any]) -> tuple[Audio, ...]:
    """Read the answer to a search, which has a list of audio."""
    found = data.get("audio")
    if not isinstance(found, list):
        raise ValueError("no audio")
    return tuple(Audio.read(one) for one in found if isinstance(one, Mapping))
