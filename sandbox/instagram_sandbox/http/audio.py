"""The Audio API, with which a reel gets music or another's sound. Source: Meta, Instagram Audio API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from instagram_sandbox.http.pipeline import Call, graph_json
from instagram_sandbox.simulator.audio import CATALOGUE, Audio
from instagram_sandbox.simulator.errors import invalid

if TYPE_CHECKING:
    from starlette.responses import Response

    from instagram_sandbox.simulator.state import Account

TYPES = ("original_sound", "music")


async def search(call: Call, account: Account) -> Response:
    """Return the assets of a type whose title or creator has a text; without a text, all of them are the trend."""
    _check_user(call)
    audio_type = call.params.get("audio_type")
    text = str(call.params.get("search_query", "")).strip().lower()
    if audio_type not in TYPES:
        raise invalid(f"Param audio_type must be one of {{{', '.join(TYPES)}}}")
    of_type = [one for one in CATALOGUE.values() if one.audio_type == audio_type]
    found = [one for one in of_type if text in f"{one.title} {one.creator}".lower()]
    return graph_json({"audio": [_row(one, "cover_artwork_thumbnail_uri") for one in found]})


async def read(call: Call, audio: Audio) -> Response:
    """Return an asset. The field of its artwork has another name than in a search."""
    _check_user(call)
    return graph_json(_row(audio, "cover_artwork_thumbnail_url"))


def _check_user(call: Call) -> None:
    if str(call.params.get("user_id", "")) not in {
        one.user_id for one in call.world.reached(call.token)
    }:
        raise invalid("Param user_id must be the id of the Instagram user who searches")


def _row(audio: Audio, artwork: str) -> dict[str, Any]:
    """Return an asset as documented. There is neither artwork nor a preview, and so both are null."""
    of_type = {artwork: None, "display_artist": audio.creator}
    if audio.audio_type == "original_sound":
        of_type = {"ig_username": audio.creator, "profile_picture_url": None}
    return {
        "audio_id": audio.audio_id,
        "audio_type": audio.audio_type,
        "title": audio.title,
        "duration_in_ms": audio.duration_ms,
        "download_url": None,
        **of_type,
    }
