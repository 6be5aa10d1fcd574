"""What a scenario injects into its sandbox, and what a person does before the recovery."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx

from tests.reliability.scenario import HALF, ApiFault, ContainerOutcome, QuotaUsedUp, TokenRevocation

if TYPE_CHECKING:
    from collections.abc import Callable

    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.reliability.scenario import Disturbance


def prepare(disturbance: Disturbance, sandbox: SandboxHandle, video_bytes: int, timeout_s: float) -> None:
    """Make the sandbox bring about what it can of a disturbance.

    :param timeout_s: How long an answer takes that the client does not wait for.
    """
    for one in disturbance.injections:
        if isinstance(one, ApiFault) and one.begins is None:
            fault: dict[str, Any] = {
                name: video_bytes // 2 if value == HALF else value for name, value in one.fault.items()
            }
            sandbox.fail(one.operation, **fault | ({"delay_s": timeout_s} if one.client_timeout else {}))
        elif isinstance(one, ContainerOutcome):
            sandbox.process_next(**one.processing)
        elif isinstance(one, QuotaUsedUp):
            sandbox.switch(quota_total=0)
            if one.free_in_hours is not None:
                _use_up_quota(sandbox)
                sandbox.advance(timedelta(hours=24 - one.free_in_hours))


def _use_up_quota(sandbox: SandboxHandle) -> None:
    """Make the one post of the day, from a video that the sandbox fetches and finds fit."""
    sandbox.switch(quota_total=1)
    bearer = {"Authorization": f"Bearer {sandbox.token}"}
    with httpx.Client(base_url=f"{sandbox.url}/v27.0/{sandbox.user_id}", headers=bearer, trust_env=False) as http:
        wanted = {"media_type": "REELS", "video_url": "https://example.com/a.mp4", "caption": "another post"}
        container = http.post("media", data=wanted).raise_for_status().json()
        sandbox.advance(10)
        http.post("media_publish", data={"creation_id": container["id"]}).raise_for_status()


def before_recovery(disturbance: Disturbance, sandbox: SandboxHandle, replace_token: Callable[[], None]) -> None:
    """Do what a person does before the recovery: replace a dead token, wait for free quota or for an expiry."""
    if any(isinstance(one, TokenRevocation) and not one.replaced for one in disturbance.injections):
        replace_token()
    for one in disturbance.injections:
        if isinstance(one, QuotaUsedUp) and one.free_in_hours is not None:
            sandbox.advance(3600 * one.free_in_hours)
    if disturbance.remedy == "wait for expiry":
        sandbox.advance(25 * 3600)


def asks_for_clear_of_create(error: str) -> bool:
    """Return whether an error asks a person to clear create."""
    return "clear the create task" in error.lower()
