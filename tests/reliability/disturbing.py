"""Sets the stage of a scenario in its sandbox, and does what a person does before going on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx

from tests.reliability.terms import HALF, Answer, Fate, FullQuota, Revocation

if TYPE_CHECKING:
    from collections.abc import Callable

    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.reliability.terms import Disturbance


def plant(disturbance: Disturbance, sandbox: SandboxHandle, video_bytes: int, timeout_s: float) -> None:
    """Make the sandbox ready to disturb.

    :param timeout_s: How long an answer has to take for the client to lose patience.
    """
    for one in disturbance.plants:
        if isinstance(one, Answer):
            fault: dict[str, Any] = {
                name: video_bytes // 2 if value == HALF else value for name, value in one.fault.items()
            }
            sandbox.fail(one.operation, **fault | ({"delay_s": timeout_s} if one.client_timeout else {}))
        elif isinstance(one, Fate):
            sandbox.process_next(**one.processing)
        elif isinstance(one, FullQuota):
            sandbox.switch(quota_total=0)
            if one.room_in_hours is not None:
                _use_up_quota(sandbox)
                sandbox.advance(timedelta(hours=24 - one.room_in_hours))


def _use_up_quota(sandbox: SandboxHandle) -> None:
    """Make the one post of the day, with a video that the sandbox fetches by itself (and is told to find fit)."""
    sandbox.switch(quota_total=1)
    bearer = {"Authorization": f"Bearer {sandbox.token}"}
    with httpx.Client(base_url=f"{sandbox.url}/v27.0/{sandbox.user_id}", headers=bearer, trust_env=False) as http:
        wanted = {"media_type": "REELS", "video_url": "https://example.com/a.mp4", "caption": "another post"}
        container = http.post("media", data=wanted).raise_for_status().json()
        sandbox.advance(10)
        http.post("media_publish", data={"creation_id": container["id"]}).raise_for_status()


def before_then(disturbance: Disturbance, sandbox: SandboxHandle, replace_token: Callable[[], None]) -> None:
    """Do what a person does, or lets happen, before pressing the button."""
    if any(isinstance(one, Revocation) and not one.replaced for one in disturbance.plants):
        replace_token()
    for one in disturbance.plants:
        if isinstance(one, FullQuota) and one.room_in_hours is not None:
            sandbox.advance(3600 * one.room_in_hours)
    if disturbance.cure == "wait for expiry":
        sandbox.advance(25 * 3600)


def asks_for_clear_of_create(error: str) -> bool:
    """Tell whether an error sends the reader to create."""
    return "clear the create task" in error.lower()
