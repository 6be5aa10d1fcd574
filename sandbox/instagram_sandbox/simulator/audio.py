"""Audio that a reel can have: music and original sounds, none of which exists. Source: Meta, Instagram Audio API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Audio:
    """An audio asset.

    :param creator: The artist of music, or the username of who made an original sound.
    """

    audio_id: str
    audio_type: Literal["music", "original_sound"]
    title: str
    creator: str
    duration_ms: int


CATALOGUE: Final[dict[str, Audio]] = {
    one.audio_id: one
    for one in (
        Audio("587000000000001", "music", "Harbour Lights", "The Sandbox Trio", 153_760),
        Audio("587000000000002", "music", "Birthday on the Beach", "Lena Dune", 121_000),
        Audio("587000000000003", "music", "Slow Train Home", "The Sandbox Trio", 208_400),
        Audio("588000000000001", "original_sound", "Coffee machine", "cafe_central", 14_200),
        Audio("588000000000002", "original_sound", "Rain on a tent", "outdoor_anna", 31_500),
    )
}
"""The assets by their ids."""
