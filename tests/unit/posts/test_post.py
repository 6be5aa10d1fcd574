"""The media of a post as an author names them, and the limits of each format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.posts.fields import canonical
from airflow_provider_instagram.posts.item import Item
from airflow_provider_instagram.posts.kinds import ItemKind
from airflow_provider_instagram.posts.limits import broken_by_carousel, broken_by_kind, broken_by_values, read_values
from airflow_provider_instagram.posts.post import Post, kind_in
from airflow_provider_instagram.publishing.sources import MediaSource, open_sources, with_kind

if TYPE_CHECKING:
    from pathlib import Path

JPEG = b"\xff\xd8\xff\xe0 a picture"
MP4 = b"\x00\x00\x00\x18ftypisom a video"
PLACED = {"username": "ann", "x": "0.5", "y": 1}


def broken(given: dict[str, Any], medium: str) -> list[str]:
    media = {"carousel": ["a.jpg", "b.jpg"], "video": "a.mp4", "image": "a.jpg"}
    values = read_values({medium: media[medium], **given})
    return [str(limit) for limit in (*broken_by_values(values), *broken_by_kind(values, kind_in(values)))]


def carousel(*items: Any) -> tuple[Item, ...]:
    return tuple(map(with_kind, read_values({"carousel": list(items)})["carousel"]))


# ---- which media


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "video is empty"),
        ({"video": "", "image": "None"}, "video is empty"),
        ({"video": "a.mp4", "image": "a.jpg"}, "video and image are set"),
        ({"image": "a.jpg", "carousel": ["a.jpg", "b.jpg"]}, "image and carousel are set"),
        ({"carousel": [{"image": "a.jpg", "caption": "A"}, "b.jpg"]}, "unknown key 'caption'"),
        ({"carousel": [{"image": "a.jpg", "video": "a.mp4"}, "b.jpg"]}, "has video and image"),
        ({"carousel": [{"alt_text": "A"}, "b.jpg"]}, "has no media"),
        ({"carousel": ["", "b.jpg"]}, "an item of carousel is empty"),
        ({"carousel": 7}, "carousel must be a list"),
        ({"carousel": [{"image": "a.jpg", "user_tags": [{"username": "ann", "x": 2, "y": 0}]}]}, "from 0"),
        ({"carousel": [{"image": "a.jpg", "user_tags": [{"username": "ann", "x": 0.5}]}]}, "The place of ann"),
    ],
)
def test_media_that_cannot_be_read_are_refused_with_what_to_do(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        read_values(given)


@pytest.mark.parametrize("given", [["a.jpg", "b.mp4"], ("a.jpg", "b.mp4"), '["a.jpg", "b.mp4"]', "a.jpg, b.mp4"])
def test_a_carousel_is_a_list_in_any_form_that_a_template_delivers(given: Any) -> None:
    assert [item.location for item in read_values({"carousel": given})["carousel"]] == ["a.jpg", "b.mp4"]


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("https://example.com/a.JPG?signature=jpg.mp4", "image"),
        ("https://example.com/a.mp4", "video"),
        ("s3://media@clips/a.story.0123456789abcdef01234567.jpg", "image"),
        ("s3://media@clips/a.carousel.0123456789abcdef01234567.mp4", "video"),
        ("s3://media@clips/a.webp", "image"),
    ],
)
def test_the_kind_of_a_remote_item_is_in_its_name(location: str, kind: str) -> None:
    assert with_kind(Item(location=location)).kind == kind


def test_the_kind_of_a_local_item_is_in_its_content(tmp_path: Path) -> None:
    """As TranscodeOperator reads it: the name proves nothing."""
    (tmp_path / "a.mp4").write_bytes(JPEG)
    (tmp_path / "b").write_bytes(MP4)
    assert with_kind(Item(location=str(tmp_path / "a.mp4"))).kind == "image"
    assert with_kind(Item(location=f"file://{tmp_path}/b")).kind == "video"


@pytest.mark.parametrize("name", ["notes.txt", "SCRIPT.DOCX", "song.mp3"])
def test_a_file_that_is_neither_a_picture_nor_a_video_is_refused_wherever_it_is(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("Buy flowers. " * 9)
    for location, upload in ((str(tmp_path / name), "file"), (f"https://example.com/{name}?signature=x", "auto")):
        video = Item(location=location, kind=ItemKind.VIDEO)
        with (
            pytest.raises(ValidationError, match=f"{name}.* is neither a picture nor a video") as refused,
            open_sources([video], upload),
        ):
            raise AssertionError("unreachable")
        assert "signature" not in str(refused.value)
    with pytest.raises(ValidationError, match="Use a video, or a JPEG"):
        with_kind(Item(location=str(tmp_path / name)))


@pytest.mark.parametrize("content", [JPEG, MP4])
def test_the_content_of_a_local_file_counts_whatever_its_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "camera.txt").write_bytes(content)
    assert with_kind(Item(location=str(tmp_path / "camera.txt"))).kind == ("image" if content is JPEG else "video")


def test_an_item_that_does_not_show_what_it_is_is_asked_for_without_its_signature() -> None:
    with pytest.raises(ValidationError, match="Write which it is") as refused:
        carousel("https://example.com/media?id=7&signature=abc", "b.jpg")
    assert "abc" not in str(refused.value)


# ---- limits


@pytest.mark.parametrize("count", [2, 10])
def test_two_to_ten_items_are_a_carousel(count: int) -> None:
    items = [{"image": f"{n}.jpg", "user_tags": [PLACED]} for n in range(count)]
    assert list(broken_by_carousel(carousel(*items))) == []


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (["https://x.test/a.jpg"], "Items in the carousel: 1: use 2 to 10 items."),
        ([f"https://x.test/{n}.jpg" for n in range(11)], "Items in the carousel: 11: use 2 to 10 items."),
        (
            [{"video": "a.mp4", "alt_text": "A"}, {"image": "b.jpg"}],
            "Item 1 is a video, which takes no alt_text in a carousel: remove alt_text from it.",
        ),
        (
            [{"image": "b.jpg"}, {"video": "a.mp4", "user_tags": ["ann"]}],
            "Item 2 is a video, which takes no user_tags in a carousel: remove user_tags from it.",
        ),
        (
            [{"image": "b.jpg"}, {"image": "a.jpg", "user_tags": "ann"}],
            "Item 2: The tag of ann in a picture has no place: write where: {username: ann, x: 0.5, y: 0.4}.",
        ),
    ],
)
def test_what_breaks_a_limit_of_carousels_is_named_with_its_item(items: list[Any], said: str) -> None:
    assert [str(limit) for limit in broken_by_carousel(carousel(*items))] == [said]
    assert {limit.option for limit in broken_by_carousel(carousel(*items))} == {"carousel"}


@pytest.mark.parametrize(
    ("given", "medium"),
    [
        ({"caption": "A", "location_id": "1", "collaborators": "bob", "is_ai_generated": True}, "carousel"),
        ({"caption": "A", "alt_text": "A tree", "user_tags": [PLACED], "collaborators": "bob"}, "image"),
        ({"placement": "feed"}, "image"),
        ({"placement": "story", "user_tags": "ann", "is_ai_generated": True}, "image"),
        ({"placement": "story", "user_tags": [PLACED]}, "video"),
        ({"placement": "reels", "user_tags": "ann", "share_to_feed": False}, "video"),
    ],
)
def test_what_a_format_takes_passes(given: dict[str, Any], medium: str) -> None:
    assert broken(given, medium) == []


@pytest.mark.parametrize(
    ("given", "medium", "said"),
    [
        ({"placement": "story", "caption": "A"}, "image", "A story does not take caption: remove it, or put the text"),
        ({"placement": "story", "alt_text": "A"}, "image", "A story does not take alt_text"),
        ({"placement": "story", "collaborators": "bob"}, "video", "A story does not take collaborators"),
        ({"placement": "story", "location_id": "1"}, "video", "A story does not take location_id"),
        ({"placement": "story", "share_to_feed": False}, "video", "A story does not take share_to_feed"),
        ({"placement": "story"}, "carousel", "A carousel cannot be a story: publish each item"),
        ({"alt_text": "A"}, "video", "A reel does not take alt_text: remove alt_text."),
        ({"alt_text": "A"}, "carousel", "A carousel does not take alt_text: write it with the item"),
        ({"user_tags": [PLACED]}, "carousel", "A carousel does not take user_tags: write them with the item"),
        ({"user_tags": [PLACED]}, "video", "The tag of ann in a reel has a place: write the name alone: ann."),
        ({"user_tags": "ann"}, "image", "The tag of ann in a picture has no place: write where"),
        ({"user_tags": [PLACED] * 21}, "image", "There are 21 user_tags: at most 20 are allowed."),
        ({"video_cover_timestamp_ms": 0}, "image", "A picture does not take video_cover_timestamp_ms"),
        ({"cover_url": "https://x.test/a.jpg"}, "carousel", "A carousel does not take cover_url"),
        ({"audio_name": "Rain"}, "image", "A picture does not take audio_name"),
        ({"trial_graduation": "MANUAL"}, "carousel", "A carousel does not take trial_graduation"),
    ],
)
def test_what_a_format_does_not_take_is_refused_with_what_to_do(given: dict[str, Any], medium: str, said: str) -> None:
    (found,) = broken(given, medium)
    assert found.startswith(said)


# ---- what is sent, and what is kept


@pytest.mark.parametrize(
    ("given", "medium", "sent"),
    [
        ({}, "video", {"media_type": "REELS"}),
        ({"placement": "feed"}, "video", {"media_type": "REELS", "share_to_feed": "true"}),
        ({"placement": "feed", "alt_text": "A"}, "image", {"alt_text": "A"}),
        ({"placement": "feed"}, "carousel", {"media_type": "CAROUSEL"}),
        (
            {"placement": "story", "user_tags": "ann"},
            "image",
            {"media_type": "STORIES", "user_tags": '[{"username": "ann"}]'},
        ),
        ({"user_tags": [PLACED]}, "image", {"user_tags": '[{"username": "ann", "x": 0.5, "y": 1.0}]'}),
    ],
)
def test_each_format_is_sent_as_meta_documents_it(given: dict[str, Any], medium: str, sent: dict[str, str]) -> None:
    media = {"carousel": ["a.jpg", "b.jpg"], "video": "a.mp4", "image": "a.jpg"}
    post = Post(**read_values({medium: media[medium], **given}))
    assert dict(calls.create_container("178", post.parameters()).params) == sent


def test_a_digest_is_of_what_is_set() -> None:
    """So a field that comes later changes the digest of no post without it."""
    post = Post(video="a.mp4", caption="a teaser", user_tags=("ann",), placement="feed", share_to_feed=True)
    assert canonical(post.parameters()) == (
        '{"caption":"a teaser","media_type":"REELS","share_to_feed":true,"user_tags":[{"username":"ann"}]}'
    )


def test_a_container_of_unapproved_bytes_is_not_used_for_approved_ones(tmp_path: Path) -> None:
    """Nobody compared what was sent to it: a file can be changed between its digest and its upload."""
    clip = tmp_path / "clip.bin"
    clip.write_bytes(b"moving pictures")
    options = "{}"
    approved = [MediaSource("a", clip, sha256=sha256).fingerprint(options) for sha256 in (None, "a1", "a1", "b2")]
    assert approved[1] == approved[2]
    assert len(set(approved)) == 3
