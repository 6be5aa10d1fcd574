"""Insights as Meta's answers describe them, and which metrics exist for which kind of medium."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from airflow_provider_instagram.graph.fields import read_mapping, read_rows, read_text
from airflow_provider_instagram.posts.kinds import PostKind

_OF_EACH: Final = ("views", "reach", "shares", "total_interactions")
_OF_POSTS: Final = (*_OF_EACH, "likes", "comments", "saved")
_OF_PROFILE: Final = ("follows", "profile_visits", "profile_activity")
#: The metrics of each kind of medium. Source: Meta, Instagram Media Insights.
MEDIA_METRICS: Final[Mapping[PostKind, tuple[str, ...]]] = {
    PostKind.PICTURE: (*_OF_POSTS, *_OF_PROFILE),
    PostKind.CAROUSEL: (*_OF_POSTS, *_OF_PROFILE),
    PostKind.REEL: (
        *(*_OF_POSTS, "reposts", "ig_reels_avg_watch_time"),
        *("ig_reels_video_view_total_time", "reels_skip_rate"),
    ),
    PostKind.STORY: (*_OF_EACH, "follows", "profile_visits", "navigation", "replies"),
}
#: The metrics of an account for a day. Source: Meta, Instagram User Insights.
ACCOUNT_METRICS: Final = (
    *("views", "reach", "accounts_engaged", "total_interactions", "likes", "comments", "saves", "shares", "replies"),
    *("reposts", "profile_links_taps"),
)


@dataclass(frozen=True, slots=True)
class Insights:
    """The numbers in one answer. A metric without a number is missing: it has no number yet, which is not zero."""

    values: Mapping[str, int | float]

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Insights:
        """Read an answer: ``values`` of a medium, or ``total_value`` of an account."""
        values: dict[str, int | float] = {}
        for row in read_rows(data, "insights"):
            if isinstance(row, Mapping) and (name := read_text(row, "name")):
                number = _number(row)
                if number is not None:
                    values[name] = number
        return cls(values)


def _number(row: Mapping[str, Any]) -> int | float | None:
    values = row.get("values")
    last = values[-1] if isinstance(values, list) and values else None
    value = last.get("value") if isinstance(last, Mapping) else read_mapping(row, "total_value").get("value")
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
