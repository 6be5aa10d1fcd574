"""Meta's documented limits, each checked on both of its sides."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.publishing.options import ContainerOptions

NOTHING: dict[str, Any] = dict.fromkeys(
    (
        "caption",
        "placement",
        "video_cover_timestamp_ms",
        "cover_url",
        "location_id",
        "collaborators",
        "user_tags",
        "share_to_feed",
        "audio_name",
        "trial_graduation",
        "is_ai_generated",
    )
)


def read(**given: Any) -> ContainerOptions:
    return ContainerOptions.read(**{**NOTHING, **given})


def test_nothing_given_is_a_plain_reel() -> None:
    assert read() == ContainerOptions(caption="", placement="reels")


@pytest.mark.parametrize(
    "given",
    [
        {"caption": "x" * 2200},
        {"caption": "🎬" * 1100},
        {"caption": " ".join(f"#tag{n}" for n in range(30))},
        {"caption": " ".join(f"@name{n}" for n in range(20))},
        {"caption": "write to a@b.example, c@d.example; see #1 &#39;"},
        {"placement": "FEED"},
        {"video_cover_timestamp_ms": "0"},
        {"cover_url": "https://example.com/cover.jpg"},
        {"cover_url": "http://127.0.0.1:8077/cover.jpg"},
        {"collaborators": "ann,bob,cy"},
        {"location_id": "106078429431815"},
        {"trial_graduation": "MANUAL"},
        {"share_to_feed": "false"},
        {"user_tags": '[{"username": "ann"}]'},
    ],
)
def test_what_keeps_to_the_limits_passes(given: dict[str, Any]) -> None:
    assert read(**given).broken_limits() == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"caption": "x" * 2201}, "2201 characters"),
        ({"caption": "🎬" * 1100 + "x"}, "2201 characters"),
        ({"caption": " ".join(f"#tag{n}" for n in range(31))}, "31 hashtags"),
        ({"caption": " ".join(f"@name{n}" for n in range(21))}, "21 @mentions"),
        ({"placement": "story"}, "'story'"),
        ({"placement": "feed", "share_to_feed": False}, "contradict each other"),
        ({"video_cover_timestamp_ms": -1}, "Use 0"),
        ({"cover_url": "https://example.com/bühne.jpg"}, "ASCII"),
        ({"cover_url": "http://example.com/cover.jpg"}, "https"),
        ({"collaborators": "a,b,c,d"}, "4 collaborators"),
        ({"location_id": "Berlin"}, "numeric id of a Facebook Page"),
        ({"trial_graduation": "LATER"}, "SS_PERFORMANCE"),
        ({"collaborators": "not a name"}, "'not a name'"),
    ],
)
def test_what_breaks_a_limit_is_refused_with_what_to_change(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        read(**given)


def test_all_broken_limits_are_named_at_once() -> None:
    with pytest.raises(ValidationError) as refused:
        read(caption="x" * 3000, placement="story", location_id="Berlin")
    assert all(word in str(refused.value) for word in ("3000 characters", "'story'", "'Berlin'"))
