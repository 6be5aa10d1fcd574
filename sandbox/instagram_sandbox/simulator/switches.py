"""The switches: how the sandbox answers where Meta leaves a choice, and the two modes that set them."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from instagram_sandbox.simulator.state import LONGEST_S, Count, Minutes, Processing, Record

DEFAULT_PROCESSING_S: Final = 5.0


class Switches(Record):
    """How the sandbox answers where Meta leaves a choice or is silent.

    The defaults are those of the default mode: what Meta documents, or what clients observe every
    day.
    :data:`HARSHEST` has the values of the other mode, ``--strict``.
    """

    processing: Processing = Processing(after_s=DEFAULT_PROCESSING_S)
    pictures_ready_at_once: bool = True
    visible_after_s: float = Field(default=0.0, ge=0, le=120)
    comment_visible_after_s: float = Field(default=0.0, ge=0, le=120)
    republish: Literal["second_post", "error", "same_id"] = "error"
    unknown_parameters: Literal["ignore", "refuse"] = "ignore"
    quota_total: Count = 100
    containers_per_24_h: Count = 400
    calls_per_24_h: Count = Field(default=4800, ge=1)
    regain_minutes: Minutes | None = None
    usage_header: Literal["business", "app", "none"] = "business"
    refresh_changes_token: bool = True
    refresh_revokes_old: bool = False
    login_answer: Literal["flat", "data"] = "flat"
    me_answer: Literal["flat", "data"] = "flat"
    login: Literal["any", "instagram", "facebook"] = "any"
    require_appsecret_proof: bool = False
    retired_for_new_apps: Literal["warn", "refuse"] = "warn"
    cursor_life_s: float = Field(default=86_400.0, ge=0, le=LONGEST_S)
    media_url_life_s: float = Field(default=86_400.0, ge=0, le=LONGEST_S)
    harmless_damage: Literal["accept", "refuse"] = "accept"
    data_access_ends: bool = False
    expired_version: Literal["error", "upgrade"] = "upgrade"
    fresh_id_unknown_s: float = Field(default=0.0, ge=0, le=600)
    not_ready_after_finished_s: float = Field(default=0.0, ge=0, le=120)
    fetch_timeout_s: float = Field(default=20.0, gt=0, le=600)
    require_range: bool = True
    edit_lists: Literal["refuse", "accept"] = "accept"
    max_video_bytes: Count = Field(default=300_000_000, ge=1)
    max_picture_bytes: Count = Field(default=8 * 2**20, ge=1)
    tallest_picture: Literal["4:5", "3:4"] = "3:4"
    carousel_max: int = Field(default=10, ge=2, le=20)
    story_by_creator: Literal["refuse", "accept"] = "refuse"
    insights_seed: int = 1
    audience_seed: int | None = None
    insights_after_s: float = Field(default=60.0, ge=0, le=172_800)
    retired_metrics: Literal["error", "empty"] = "error"


HARSHEST: Final[dict[str, Any]] = {
    "pictures_ready_at_once": False,
    "visible_after_s": 10.0,
    "comment_visible_after_s": 2.0,
    "republish": "second_post",
    "unknown_parameters": "refuse",
    "refresh_revokes_old": True,
    "login": "instagram",
    "retired_for_new_apps": "refuse",
    "cursor_life_s": 3600.0,
    "media_url_life_s": 3600.0,
    "harmless_damage": "refuse",
    "expired_version": "error",
    "fresh_id_unknown_s": 2.0,
    "insights_after_s": 3600.0,
    "edit_lists": "refuse",
    "max_picture_bytes": 8_000_000,
    "tallest_picture": "4:5",
}
"""The switches that ``--strict`` sets, each to its harshest answer. All others are the same in both modes."""


def mode_switches(*, strict: bool, **changes: Any) -> Switches:
    """Return the switches of a mode.

    :param changes: Switches that differ from the mode; None leaves a switch as it is.
    """
    chosen = {name: value for name, value in changes.items() if value is not None}
    return Switches(**((HARSHEST if strict else {}) | chosen))


def mode_of(name: str, value: Any) -> Literal["both modes", "default", "strict", "changed"]:
    """Return the mode that a switch has this value in."""
    is_usual = value == getattr(Switches(), name)
    if name not in HARSHEST:
        return "both modes" if is_usual else "changed"
    return "default" if is_usual else ("strict" if value == HARSHEST[name] else "changed")
