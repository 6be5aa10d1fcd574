"""Audio that a reel can have, as Meta's search describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from airflow_provider_instagram.graph.fields import read_id, read_integer, read_text


class Audio(NamedTuple):
    """Music of an artist, or the sound of a user's reel. Source: Meta, Instagram Audio API, 2026-06-16."""

    audio_id: str
    title: str
    creator: str
    duration_s: float | None


def read_audio(data: Mapping[str, Any]) -> tuple[Audio, ...]:
    """Read the answer to a search, which has a list of audio."""
    if not isinstance(found := data.get("audio"), list):
        raise ValueError("no audio")
    return tuple(_read(one) for one in found if isinstance(one, Mapping))


def _read(one: Mapping[str, Any]) -> Audio:
    creator = read_text(one, "display_artist") or read_text(one, "ig_username") or ""
    duration_ms = read_integer(one, "duration_in_ms")
    duration_s = None if duration_ms is None else duration_ms / 1000
    return Audio(read_id(one, "audio_id"), read_text(one, "title") or "", creator, duration_s)
