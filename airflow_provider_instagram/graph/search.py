"""What Meta's searches find: audio for a reel, and places that a post can name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import PlainValidator
from pydantic.dataclasses import dataclass

from airflow_provider_instagram.graph.fields import (
    Count,
    Id,
    Model,
    Name,
    as_mapping,
    read_rows,
    read_text,
)


@dataclass(frozen=True, slots=True)
class Audio(Model):
    """Music of an artist, or the sound of a user's reel. Source: Meta, Instagram Audio API, 2026-06-16."""

    audio_id: Id
    title: Name = ""
    display_artist: Name = ""
    ig_username: Name = ""
    duration_in_ms: Count = None

    def as_row(self) -> dict[str, Any]:
        """Return what a table shows."""
        return {
            "audio_id": self.audio_id,
            "title": self.title,
            "creator": self.display_artist or self.ig_username,
            "duration_s": None if self.duration_in_ms is None else self.duration_in_ms / 1000,
        }


def read_audio(data: Mapping[str, Any]) -> tuple[Audio, ...]:
    """Read the answer to a search, which has a list of audio."""
    return tuple(map(Audio.read, read_rows({"data": data.get("audio")}, "audio")))


def _address(location: object) -> str:
    parts = (
        read_text(as_mapping(location).get(name)) for name in ("street", "zip", "city", "country")
    )
    return ", ".join(filter(None, parts))


@dataclass(frozen=True, slots=True)
class Place(Model):
    """A Facebook Page with a location. Source: Meta, Pages Search; IG User Media, location_id."""

    id: Id
    name: Name = ""
    location: Annotated[str, PlainValidator(_address)] = ""

    def as_row(self) -> dict[str, str]:
        """Return what a table shows."""
        return {"location_id": self.id, "name": self.name, "address": self.location}


def read_places(data: Mapping[str, Any]) -> tuple[Place, ...]:
    """Read the answer to a search. A Page without a location is left out, because no post can name it."""
    return tuple(
        Place.read(row) for row in read_rows(data, "Pages") if as_mapping(row.get("location"))
    )
