"""Meta's documented limits, each checked on both of its sides."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.operators import CreateContainerOperator
from airflow_provider_instagram.posts.limits import check_known, checked_post, read_values
from airflow_provider_instagram.posts.post import FIELDS, Post

VIDEO = "https://example.com/a.mp4"


def read(**given: Any) -> Post:
    return checked_post(read_values({**dict.fromkeys(FIELDS), "video": VIDEO, **given}))


def parameters(**given: Any) -> dict[str, str]:
    return dict(calls.create_container("178", read(**given).parameters()).params)


def test_nothing_given_is_a_plain_reel() -> None:
    assert read() == Post(video=VIDEO, caption="", placement="reels")


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
        {"video_cover_timestamp_ms": 900_000},
        {"cover_url": "https://example.com/cover.jpg"},
        {"cover_url": "http://127.0.0.1:8077/cover.jpg"},
        {"collaborators": "ann,bob,cy"},
        {"location_id": "106078429431815"},
        {"trial_graduation": "MANUAL"},
        {"share_to_feed": "false"},
        {"user_tags": '[{"username": "ann"}]'},
        {"caption": "Tea or coffee?", "poll_attachment": "Tea, Coffee"},
        {"caption": "Which?", "poll_attachment": ["A", "B", "C", "D"], "is_poll_duration_extended": "yes"},
        {"caption": "Why?", "is_comment_prompt_used": "true"},
        {"audio_id": "587000000000001", "audio_volume": "0", "video_volume": "100"},
        {"is_paid_partnership": "true", "branded_content_sponsor_ids": "@brand.one, 17841400000000099"},
    ],
)
def test_what_keeps_to_the_limits_passes(given: dict[str, Any]) -> None:
    assert read(**given).kind == "reel"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"caption": "x" * 2201}, "2201 characters"),
        ({"caption": "🎬" * 1100 + "x"}, "2201 characters"),
        ({"caption": " ".join(f"#tag{n}" for n in range(31))}, "31 hashtags"),
        ({"caption": " ".join(f"@name{n}" for n in range(21))}, "21 @mentions"),
        ({"placement": "profile"}, "'profile'"),
        ({"placement": "feed", "share_to_feed": False}, "contradict each other"),
        ({"video_cover_timestamp_ms": -1}, "use 0"),
        ({"video_cover_timestamp_ms": 900_001}, "900000"),
        ({"alt_text": "x" * 1001}, "alt_text has 1001 characters"),
        ({"video": None, "carousel": ["a.jpg", {"image": "b.jpg", "alt_text": "x" * 1001}]}, "1001 characters"),
        ({"cover_url": "https://example.com/bühne.jpg"}, "ASCII"),
        ({"cover_url": "http://example.com/cover.jpg"}, "https"),
        ({"collaborators": "a,b,c,d"}, "4 collaborators"),
        ({"location_id": "Berlin"}, "numeric id of a Facebook Page"),
        ({"trial_graduation": "LATER"}, "SS_PERFORMANCE"),
        ({"collaborators": "not a name"}, "'not a name'"),
        ({"caption": "Tea?", "poll_attachment": "Yes"}, "2 to 4 different answers"),
        ({"caption": "Tea?", "poll_attachment": "Yes, Yes"}, "2 to 4 different answers"),
        ({"caption": "Tea?", "poll_attachment": "A, B, C, D, E"}, "5 poll_attachment: at most 4"),
        ({"poll_attachment": "Yes, No"}, "needs a caption, which is its question"),
        ({"caption": "  ", "is_comment_prompt_used": True}, "needs a caption, which is its question"),
        ({"caption": "Tea?", "poll_attachment": "Yes, No", "is_comment_prompt_used": True}, "keep one of them"),
        ({"caption": "Tea?", "is_poll_duration_extended": True}, "the post has no poll"),
        ({"audio_id": "Harbour Lights"}, "only digits"),
        ({"audio_id": "587000000000001", "audio_volume": 101}, "from 0 to 100"),
        ({"video_volume": 0}, "the reel has no audio_id"),
        ({"is_paid_partnership": True, "branded_content_sponsor_ids": "a, b, c"}, "at most 2 are allowed"),
        ({"is_paid_partnership": True, "branded_content_sponsor_ids": "x){id"}, "not a valid Instagram user name"),
        ({"branded_content_sponsor_ids": "brand"}, "add is_paid_partnership: true"),
    ],
)
def test_what_breaks_a_limit_is_refused_with_what_to_change(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        read(**given)


def test_the_operator_takes_each_field_as_an_argument() -> None:
    """Airflow wants a literal signature, so the list is written there a second time."""
    arguments = {*inspect.signature(CreateContainerOperator.__init__).parameters}
    others = {"publish_at", "post_key", "wait_for_completion", "deferrable", "priority_weight", "self", "kwargs"}
    assert arguments == {*FIELDS} | others


def test_every_option_reaches_instagram_under_its_name_there() -> None:
    sent = parameters(
        caption="a teaser",
        placement="feed",
        video_cover_timestamp_ms="1500",
        cover_url="https://example.com/cover.jpg",
        location_id="106078429431815",
        collaborators="ann,bob",
        user_tags="cy",
        audio_name="Rain",
        trial_graduation="MANUAL",
        is_ai_generated="true",
        audio_id="587000000000001",
        audio_volume="80",
        video_volume=0,
        poll_attachment="Yes, No",
        is_poll_duration_extended="true",
        is_paid_partnership="yes",
        branded_content_sponsor_ids=["17841400000000098", "17841400000000099"],
    )
    assert sent == {
        "media_type": "REELS",
        "caption": "a teaser",
        "share_to_feed": "true",
        "thumb_offset": "1500",
        "cover_url": "https://example.com/cover.jpg",
        "location_id": "106078429431815",
        "collaborators": '["ann", "bob"]',
        "user_tags": '[{"username": "cy"}]',
        "audio_name": "Rain",
        "trial_params": '{"graduation_strategy": "MANUAL"}',
        "is_ai_generated": "true",
        "audio_configuration": '{"audio_id": "587000000000001", "audio_volume": 80, "video_volume": 0}',
        "poll_attachment": '{"option_a": "Yes", "option_b": "No"}',
        "is_poll_duration_extended": "true",
        "is_paid_partnership": "true",
        "branded_content_sponsor_ids": '["17841400000000098", "17841400000000099"]',
    }
    assert parameters(caption="Why?", is_comment_prompt_used=True)["is_comment_prompt_used"] == "true"


def test_a_reel_leaves_the_feed_to_its_own_option() -> None:
    assert "share_to_feed" not in parameters()
    assert parameters(share_to_feed="no")["share_to_feed"] == "false"


def test_all_broken_limits_are_named_at_once() -> None:
    with pytest.raises(ValidationError) as refused:
        read(caption="x" * 3000, placement="profile", location_id="Berlin")
    assert all(word in str(refused.value) for word in ("3000 characters", "'profile'", "'Berlin'"))


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"carousel": []}, "Items in the carousel: 0"),
        ({"image": "a.jpg", "placement": "reels", "upload": "file"}, "pictures reach Instagram by link"),
        ({"carousel": None, "image": None, "placement": "story"}, None),
        ({"carousel": None, "image": None, "placement": "story", "caption": "A"}, "A story does not take caption"),
        ({"image": "a.jpg", "alt_text": "A", "video_cover_timestamp_ms": 5}, None),
    ],
)
def test_what_is_known_when_the_dag_is_parsed_is_checked(known: dict[str, Any], said: str | None) -> None:
    if said is None:
        check_known(known)
        return
    with pytest.raises(ValidationError, match=said):
        check_known(known)
