"""The parameters of create, per kind of media."""

from __future__ import annotations

import json
from typing import Any

import pytest

from instagram_sandbox.http.body import structured
from instagram_sandbox.simulator.errors import GraphError
from instagram_sandbox.simulator.parameters import Rules, check

VIDEO = "https://media.example/teaser.mp4"
IMAGE = "https://media.example/cover.jpg"
SOURCES: dict[str, dict[str, Any]] = {
    "reel": {"media_type": "REELS", "video_url": VIDEO},
    "story": {"media_type": "STORIES", "video_url": VIDEO},
    "carousel": {"media_type": "CAROUSEL", "children": '["1", "2"]'},
    "image": {"image_url": IMAGE},
    "child video": {"media_type": "VIDEO", "is_carousel_item": "true", "video_url": VIDEO},
    "child image": {"is_carousel_item": "true", "image_url": IMAGE},
}
VALUES: dict[str, str] = {
    "alt_text": "A red kite",
    "audio_name": "Wind",
    "caption": "Hello",
    "collaborators": '["one", "two"]',
    "cover_url": IMAGE,
    "is_ai_generated": "true",
    "location_id": "1234567890",
    "share_to_feed": "false",
    "thumb_offset": "1500",
    "trial_params": '{"graduation_strategy": "MANUAL"}',
}
# Source: Meta, IG User Media reference: which parameter goes with which kind of media.
TAKEN: dict[str, set[str]] = {
    "reel": set(VALUES) - {"alt_text"},
    "story": {"is_ai_generated"},
    "carousel": {"caption", "collaborators", "is_ai_generated", "location_id"},
    "image": {"alt_text", "caption", "collaborators", "is_ai_generated", "location_id"},
    "child video": {"thumb_offset"},
    "child image": {"alt_text"},
}


def refusal(**params: Any) -> GraphError:
    with pytest.raises(GraphError) as refused:
        check(params)
    return refused.value


def pair(error: GraphError) -> tuple[int, int | None]:
    return error.code, error.subcode


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("name", VALUES)
def test_a_parameter_is_taken_where_it_is_documented_and_refused_elsewhere(kind: str, name: str) -> None:
    params = SOURCES[kind] | {name: VALUES[name]}
    if name in TAKEN[kind]:
        check(params)
    else:
        error = refusal(**params)
        assert error.code == 100
        assert name in str(error)


def test_an_unknown_parameter_is_refused_by_name() -> None:
    assert "video_cover_timestamp_ms" in str(refusal(**SOURCES["reel"], video_cover_timestamp_ms="100"))


def test_a_single_post_of_type_video_is_refused_as_meta_does_since_2023() -> None:
    assert pair(refusal(media_type="VIDEO", video_url=VIDEO)) == (100, 2207089)


def test_an_unknown_media_type_has_its_own_code() -> None:
    assert pair(refusal(media_type="FEED", video_url=VIDEO)) == (100, 2207023)


@pytest.mark.parametrize(
    ("caption", "taken"),
    [
        ("x" * 2200, True),
        ("x" * 2201, False),
        ("\N{GRINNING FACE}" * 1100, True),
        ("\N{GRINNING FACE}" * 1101, False),
        ("#tag " * 30, True),
        ("#tag " * 31, False),
        ("@name " * 20, True),
        ("@name " * 21, False),
        ("mail@example.org " * 21, True),
    ],
    ids=[
        "2200",
        "2201",
        "2200 in emoji",
        "2202 in emoji",
        "30 tags",
        "31 tags",
        "20 names",
        "21 names",
        "21 addresses",
    ],
)
def test_the_limits_of_a_caption(caption: str, taken: bool) -> None:
    """2,200 UTF-16 units, 30 hashtags, 20 mentions."""
    if taken:
        assert check(SOURCES["reel"] | {"caption": caption}).media.caption == caption
    else:
        assert pair(refusal(**SOURCES["reel"], caption=caption)) == (36004, 2207010)


def test_more_hashtags_than_instagram_has_announced_are_a_warning() -> None:
    tags = [f"#tag{number}" for number in range(6)]
    assert check(SOURCES["reel"] | {"caption": " ".join(tags[:5])}).warnings == ()
    (warning,) = check(SOURCES["reel"] | {"caption": " ".join(tags)}).warnings
    assert warning.startswith("The caption has 6 hashtags.")


@pytest.mark.parametrize("place", [{}, {"x": 0.5, "y": 0.5}])
def test_a_tag_in_a_story_may_have_a_place(place: dict[str, float]) -> None:
    tags = json.dumps([{"username": "a", **place}])
    assert (
        check({"media_type": "STORIES", "image_url": "https://media.example/a.jpg", "user_tags": tags}).warnings == ()
    )


@pytest.mark.parametrize(
    ("name", "value", "subcode"),
    [
        ("collaborators", '["a", "b", "c", "d"]', None),
        ("collaborators", "not json", None),
        ("collaborators", '{"a": 1}', None),
        ("user_tags", '[{"username": "a", "x": 0.5, "y": 0.5}]', 2207035),
        ("user_tags", '["a"]', 2207037),
        ("user_tags", json.dumps([{"username": f"u{n}"} for n in range(21)]), 2207040),
        ("location_id", "Berlin", None),
        ("share_to_feed", "perhaps", None),
        ("thumb_offset", "-1", None),
        ("thumb_offset", "1.5", None),
        ("trial_params", '{"graduation_strategy": "LATER"}', None),
        ("trial_params", "{}", None),
        ("upload_type", "chunked", None),
        ("cover_url", "ftp://media.example/cover.jpg", None),
        ("caption", ["a list"], None),
    ],
)
def test_a_malformed_value_is_refused(name: str, value: Any, subcode: int | None) -> None:
    assert pair(refusal(**SOURCES["reel"] | {name: value})) == (100, subcode)


@pytest.mark.parametrize(
    "url", ["https://media.example/für.mp4", "media.example/a.mp4", "https://a b/c.mp4", "file:///a"]
)
def test_an_address_must_be_an_ascii_web_address(url: str) -> None:
    assert "video_url" in str(refusal(media_type="REELS", video_url=url))


def test_a_video_comes_from_exactly_one_source() -> None:
    assert "required" in str(refusal(media_type="REELS"))
    assert "Only one" in str(refusal(media_type="REELS", video_url=VIDEO, upload_type="resumable"))


def test_a_carousel_has_two_to_ten_children() -> None:
    for count in (1, 11):
        children = json.dumps([str(n) for n in range(count)])
        assert pair(refusal(media_type="CAROUSEL", children=children)) == (100, 2207028)


def test_json_values_and_json_text_mean_the_same() -> None:
    """A JSON body holds real lists and booleans, a form holds their text."""
    as_text = {
        "collaborators": '["a"]',
        "share_to_feed": "true",
        "user_tags": '[{"username": "b"}]',
        "thumb_offset": "10",
    }
    as_json = {"collaborators": ["a"], "share_to_feed": True, "user_tags": [{"username": "b"}], "thumb_offset": 10}
    assert check(SOURCES["reel"] | as_text) == check(SOURCES["reel"] | as_json)


def test_the_graph_apis_own_parameters_pass_everywhere() -> None:
    own = {"access_token": "IGAA", "appsecret_proof": "x", "fields": "id", "locale": "de_DE"}
    assert check(SOURCES["reel"] | own) == check(SOURCES["reel"])


PICTURE = {"image_url": "https://media.example/a.jpg"}


@pytest.mark.parametrize(
    ("tag", "says"),
    [
        (
            {"username": "a", "x": 540, "y": 0.5},
            "(#100) Param user_tags[0]['x'] must be a number less than or equal to 1",
        ),
        (
            {"username": "a", "x": 0.5, "y": -1},
            "(#100) Param user_tags[0]['y'] must be a number greater than or equal to 0",
        ),
        ({"username": "a", "x": "0.5", "y": 0.5}, "(#100) Param user_tags[0]['x'] must be a number"),
        ({"username": "a", "x": float("nan"), "y": 0.5}, "(#100) Param user_tags[0]['x'] must be a number"),
        ({"username": "a", "x": True, "y": 0.5}, "(#100) Param user_tags[0]['x'] must be a number"),
        ({"username": "not a name!", "x": 0.5, "y": 0.5}, "Invalid parameter"),
        ({"username": "a", "x": 0.5}, "Invalid parameter"),
        ({"x": 0.5, "y": 0.5}, "Invalid parameter"),
    ],
    ids=["pixels", "negative", "text", "NaN", "a boolean", "no username", "half a place", "nobody"],
)
@pytest.mark.parametrize("ignore_unknown", [False, True], ids=["strict", "documented"])
def test_a_tag_that_cannot_be_is_refused_in_both_modes(tag: dict[str, Any], says: str, ignore_unknown: bool) -> None:
    """The words for a place are reported: they stand in the help of a scheduler."""
    with pytest.raises(GraphError) as refused:
        check(PICTURE | {"user_tags": json.dumps([tag])}, Rules(ignore_unknown))
    assert str(refused.value) == says


@pytest.mark.parametrize(
    ("x", "is_taken"), [("0.5", True), ("1", True), ("1.5", False), ("nan", False), ("left", False)]
)
def test_the_place_of_a_tag_in_the_notation_of_forms_is_a_text(x: str, is_taken: bool) -> None:
    """Source: clients send ``user_tags[0][x]=0.5``."""
    form = structured([("user_tags[0][username]", "a"), ("user_tags[0][x]", x), ("user_tags[0][y]", "0.25")])
    if is_taken:
        assert check(PICTURE | form).media.tagged == ["a"]
    else:
        assert "user_tags[0]['x'] must be a number" in str(refusal(**PICTURE, **form))


def test_an_alternative_text_has_at_most_1000_characters() -> None:
    assert check(PICTURE | {"alt_text": "x" * 1000}).media.alt_text == "x" * 1000
    assert "alt_text" in str(refusal(**PICTURE, alt_text="x" * 1001))


@pytest.mark.parametrize("place", [{"x": 0, "y": 1}, {"x": 0.0, "y": 1.0}, {"x": 0.25, "y": 0.75}])
def test_a_tag_at_the_edge_is_taken(place: dict[str, float]) -> None:
    assert check(PICTURE | {"user_tags": json.dumps([{"username": "a.b_c", **place}])}).media.tagged == ["a.b_c"]
