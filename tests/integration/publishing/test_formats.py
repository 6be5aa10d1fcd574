"""Pictures, carousels and stories, exactly once: from a file or a link to a post, whatever breaks in between."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from airflow_provider_instagram.exceptions import (
    InstagramError,
    MediaRejectedError,
    OutcomeUnknownError,
    TransientError,
    ValidationError,
)
from airflow_provider_instagram.graph.upload import VideoUpload
from airflow_provider_instagram.quota.reservations import post_quotas

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pytest_mock import MockerFixture

    from tests.integration.account import Account
    from tests.integration.conftest import Gallery


class Killed(BaseException):
    """The process is gone. None of our code may catch this."""


def kill_at(account: Account, row: str, nth: int) -> AbstractContextManager[Any]:
    """End the process right after the nth writing of a kind of row, once."""
    seen, write = [0], account.store.set

    def set_then_die(key: str, value: Any) -> None:
        write(key, value)
        seen[0] += key.startswith(f"{row}:")
        if seen[0] == nth and key.startswith(f"{row}:"):
            raise Killed

    return mock.patch.object(account.store, "set", set_then_die)


def children_made(account: Account) -> int:
    return sum(entry.parameters.get("is_carousel_item") == "true" for entry in account.sandbox.journal("create"))


def parents_made(account: Account) -> int:
    return sum(entry.parameters.get("media_type") == "CAROUSEL" for entry in account.sandbox.journal("create"))


@pytest.fixture
def trio(gallery: Gallery, portrait_video: Path) -> Sequence[Any]:
    """Three items: a picture, a video that is uploaded, and a picture with a text and a tag."""
    tags = [{"username": "ann", "x": 0.5, "y": 0.25}]
    last = {"image": gallery.link("two"), "alt_text": "Two of {{ them }}", "user_tags": tags}
    return [gallery.link("one"), str(portrait_video), last]


@pytest.fixture
def pictures(gallery: Gallery) -> Sequence[str]:
    return [gallery.link(name) for name in ("one", "two", "three")]


@pytest.fixture
def videos(portrait_video: Path, tmp_path: Path) -> Sequence[str]:
    """Two items that can fail once their containers are made. Instagram refuses a picture on create."""
    other = tmp_path / "other.mp4"
    other.write_bytes(portrait_video.read_bytes())
    return [str(portrait_video), str(other)]


# ---- from a file or a link to a post


def test_a_picture_behind_a_link_becomes_a_post(account: Account, gallery: Gallery) -> None:
    container_id = account.single(image=gallery.link("one"), caption="a teaser", alt_text="A teal square")
    post, is_new = account.publish("post-1", container_id)
    (real,) = account.sandbox.posts
    assert is_new
    assert (real.media_id, real.media_type) == (post.media_id, "IMAGE")
    (created,) = account.sandbox.journal("create")
    assert created.parameters["alt_text"] == "A teal square"
    assert "media_type" not in created.parameters
    assert account.sandbox.warnings == []


def test_a_local_picture_reaches_instagram_through_the_public_prefix(
    account: Account,
    gallery: Gallery,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    mocker: MockerFixture,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its copy has the name of its content, is made once, and the presigned link to it is never logged."""
    from airflow_provider_instagram.files import storage

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__PUBLIC_PREFIX", f"{bucket}/public/")
    put = mock.Mock(wraps=storage.put)
    mocker.patch.object(storage, "put", put)
    for key in ("post-1", "post-2"):
        account.publish(key, account.single(key, image=gallery.file("two"), caption="a teaser"))
    assert [post.media_type for post in account.sandbox.posts] == ["IMAGE", "IMAGE"]
    ((_, copy),) = [call.args for call in put.mock_calls]
    assert copy.startswith(f"{bucket}/public/")
    assert len(copy.removeprefix(f"{bucket}/public/")) == len("0" * 64 + ".jpg")
    assert "Signature" not in "".join(one.getMessage() for one in caplog.records if one.name != "werkzeug")


def test_a_local_picture_without_a_public_prefix_is_refused_before_any_call(account: Account, gallery: Gallery) -> None:
    with pytest.raises(ValidationError, match=r"public_prefix is not set.*Set \[instagram\] public_prefix"):
        account.single(image=gallery.file("one"))
    assert account.sandbox.calls() == 0


def test_a_picture_in_object_storage_is_presigned(account: Account, gallery: Gallery, bucket: str) -> None:
    from airflow_provider_instagram.files import storage

    storage.put(gallery.folder / "three.jpg", f"{bucket}/in/three.jpg")
    account.publish("post-1", account.single(image=f"{bucket}/in/three.jpg"))
    assert [post.media_type for post in account.sandbox.posts] == ["IMAGE"]


@pytest.mark.parametrize("name", ["one.png", "reel.mp4"])
def test_a_file_that_is_no_jpeg_is_refused_before_any_call(account: Account, portrait_video: Path, name: str) -> None:
    from PIL import Image

    file = portrait_video.with_name(name)
    if name == "one.png":
        Image.new("RGB", (640, 640)).save(file)
    with pytest.raises(ValidationError, match="is not a JPEG"):
        account.single(image=str(file))
    assert account.sandbox.calls() == 0


def test_a_picture_as_a_video_is_refused_before_any_call(account: Account, gallery: Gallery) -> None:
    with pytest.raises(ValidationError, match=r"is a picture, not a video.*image="):
        account.single(video=gallery.file("one"))
    assert account.sandbox.calls() == 0


@pytest.mark.parametrize("kind", ["image", "video"])
def test_a_story_is_published_and_has_a_permalink(
    account: Account, gallery: Gallery, portrait_video: Path, kind: str
) -> None:
    media = {kind: gallery.link("one") if kind == "image" else str(portrait_video)}
    container_id = account.single(**media, placement="story", user_tags=["ann"])
    post, is_new = account.publish("post-1", container_id)
    (real,) = account.sandbox.posts
    assert is_new
    assert (real.media_id, real.media_product_type) == (post.media_id, "STORY")
    assert post.permalink == real.permalink is not None


def test_a_carousel_is_one_post_in_the_order_of_its_items(account: Account, trio: Sequence[Any]) -> None:
    """It is one place of the quota, and each item has what belongs to it."""
    quotas = post_quotas(1, 25)
    post, _ = account.publish("post-1", account.carousel(trio), quotas=quotas)
    (real,) = account.sandbox.posts
    assert (real.media_id, real.media_type, real.caption) == (post.media_id, "CAROUSEL_ALBUM", "a teaser")
    *made, parent = account.sandbox.journal("create")
    assert [entry.parameters.get("media_type") for entry in made] == [None, "VIDEO", None]
    assert made[2].parameters["alt_text"] == "Two of {{ them }}"
    assert made[2].parameters["user_tags"] == '[{"username": "ann", "x": 0.5, "y": 0.25}]'
    ids = [record.container_id for record in account.ledger.children("post-1")]
    assert parent.parameters["children"] == str(ids).replace("'", '"')
    assert {"caption", "is_carousel_item"} & made[0].parameters.keys() == {"is_carousel_item"}
    assert account.sandbox.warnings == []


def test_one_of_two_equal_pictures_does_not_stand_for_both(account: Account, gallery: Gallery) -> None:
    account.publish("post-1", account.carousel([gallery.link("one"), gallery.link("one")]))
    assert len(account.sandbox.posts) == 1


# ---- a carousel that breaks


@pytest.mark.parametrize("row", ["container", "children", "containers"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_carousel_that_was_killed_uses_each_child_again(
    account: Account, pictures: Sequence[str], row: str, nth: int
) -> None:
    """After the last child, and after the parent, too. A row that was not written costs one container."""
    with kill_at(account, row, nth if row != "containers" else 1), pytest.raises(Killed):
        account.carousel(pictures)
    account.publish("post-1", account.carousel(pictures))
    assert len(account.sandbox.posts) == 1
    assert children_made(account) == (4 if row == "container" else 3)
    assert parents_made(account) == 1


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_lost_answer_costs_one_container_at_most(
    account: Account, pictures: Sequence[str], nth: int, side: Any
) -> None:
    account.sandbox.fail("create", drop=side, nth=nth)
    with pytest.raises(TransientError):
        account.carousel(pictures)
    account.publish("post-1", account.carousel(pictures))
    assert len(account.sandbox.posts) == 1
    lost = side == "after"
    assert len(account.sandbox.containers) == 5 if lost else 4
    assert parents_made(account) == 1 + (nth == 4)  # the request that had no effect is in the journal, too


def test_the_lost_answer_to_publish_of_a_carousel_is_settled(account: Account, pictures: Sequence[str]) -> None:
    container_id = account.carousel(pictures)
    account.sandbox.fail("publish", drop="after")
    post, is_new = account.publish("post-1", container_id)
    assert is_new
    assert [post.media_id] == [real.media_id for real in account.sandbox.posts]
    assert account.sandbox.calls("publish") == 1


def test_a_cut_upload_in_a_carousel_goes_on_with_the_same_child(
    account: Account, trio: Sequence[Any], portrait_video: Path
) -> None:
    size = portrait_video.stat().st_size
    account.sandbox.fail("upload", cut_after_bytes=size // 2)
    account.sandbox.fail("status", 10, nth=1)  # the dying task does not get to continue by itself
    with pytest.raises(InstagramError):
        account.carousel(trio)
    account.publish("post-1", account.carousel(trio))
    assert sum(entry.received_bytes or 0 for entry in account.sandbox.journal("upload")) == size
    assert (children_made(account), len(account.sandbox.posts)) == (3, 1)


def test_a_child_whose_failure_a_new_one_cures_is_replaced_alone(account: Account, videos: Sequence[str]) -> None:
    account.sandbox.process_next(outcome="error", subcode=2207053)
    with pytest.raises(MediaRejectedError):
        account.carousel(videos)
    account.publish("post-1", account.carousel(videos))
    assert (children_made(account), len(account.sandbox.posts)) == (3, 1)


def test_a_child_that_no_new_one_cures_ends_the_carousel(account: Account, videos: Sequence[str]) -> None:
    account.sandbox.process_next(outcome="error", subcode=2207009)
    with pytest.raises(MediaRejectedError, match="aspect ratio"):
        account.carousel(videos)
    with pytest.raises(MediaRejectedError, match=r"Item 1, .*\.mp4: Container .* aspect ratio"):
        account.carousel(videos)
    assert (children_made(account), parents_made(account)) == (2, 0)


def test_a_child_is_made_three_times_at_most(account: Account, videos: Sequence[str]) -> None:
    account.sandbox.process_next(outcome="error", subcode=2207053, times=9)
    for _ in range(3):
        with pytest.raises(MediaRejectedError):
            account.carousel(videos)
    with pytest.raises(MediaRejectedError, match="3 containers were created from these media"):
        account.carousel(videos)
    assert children_made(account) == 6
    assert parents_made(account) == 0


def test_an_edited_item_is_made_anew_alone(account: Account, pictures: Sequence[str], gallery: Gallery) -> None:
    first = account.carousel(pictures)
    second = account.carousel([*pictures[:2], {"image": gallery.link("three"), "alt_text": "Purple"}])
    assert first != second
    assert (children_made(account), parents_made(account)) == (4, 2)
    assert account.carousel(pictures) == first


def test_children_that_expired_are_made_anew(account: Account, pictures: Sequence[str]) -> None:
    account.carousel(pictures)
    account.sandbox.advance(timedelta(hours=25))
    account.publish("post-1", account.carousel(pictures))
    assert (children_made(account), parents_made(account), len(account.sandbox.posts)) == (6, 2, 1)


def test_no_second_parent_is_made_while_the_first_is_undecided(account: Account, pictures: Sequence[str]) -> None:
    """A try died after its request. The carousel is edited in the meantime: the first one is settled before."""
    first = account.carousel(pictures)
    account.intent(first)
    media_id = account.publish_behind_our_back(first)
    assert account.carousel(pictures[:2], caption="edited") == first
    post, _ = account.publish("post-1", first)
    assert (post.media_id, parents_made(account)) == (media_id, 1)


def test_a_parent_that_failed_with_an_open_intent_is_not_replaced(account: Account, pictures: Sequence[str]) -> None:
    first = account.carousel(pictures[:2])
    account.sandbox.process_next(outcome="error", subcode=2207053)
    failed = account.carousel(pictures[:2], caption="edited")
    account.intent(failed)
    with pytest.raises(OutcomeUnknownError, match="ledger settle"):
        account.carousel(pictures[:2], caption="edited")
    assert (first != failed, parents_made(account)) == (True, 2)


def test_children_that_instagram_refuses_are_not_offered_again(account: Account, pictures: Sequence[str]) -> None:
    account.sandbox.fail("create", 100, 2207028, nth=4)
    with pytest.raises(MediaRejectedError, match="Clear this task"):
        account.carousel(pictures)
    account.publish("post-1", account.carousel(pictures))
    assert (children_made(account), len(account.sandbox.posts)) == (6, 1)


def test_videos_of_a_carousel_are_uploaded_side_by_side(
    account: Account, portrait_video: Path, tmp_path: Path, mocker: MockerFixture
) -> None:
    other = tmp_path / "other.mp4"
    other.write_bytes(portrait_video.read_bytes())
    both_are_here = threading.Barrier(2, timeout=30)

    def send_together(upload: VideoUpload) -> None:
        both_are_here.wait()
        send(upload)

    send = VideoUpload.send
    mocker.patch.object(VideoUpload, "send", send_together)
    account.publish("post-1", account.carousel([str(portrait_video), str(other)]))
    assert len(account.sandbox.posts) == 1


def test_uploads_side_by_side_share_the_token_that_replaces_theirs(
    account: Account, portrait_video: Path, tmp_path: Path, mocker: MockerFixture
) -> None:
    """The token dies while both are under way. It is replaced once, and neither upload fails."""
    other = tmp_path / "other.mp4"
    other.write_bytes(portrait_video.read_bytes())
    another = account.sandbox.add_token(account.sandbox.user_id)
    account.client._replacement_token = mock.Mock(return_value=another)
    replacement = account.client._replacement_token
    step = threading.Barrier(2, timeout=30)

    def send_with_a_dead_token(upload: VideoUpload) -> None:
        if step.wait() == 0:
            account.sandbox.revoke(account.sandbox.token)
        step.wait()
        send(upload)

    send = VideoUpload.send
    mocker.patch.object(VideoUpload, "send", send_with_a_dead_token)
    account.publish("post-1", account.carousel([str(portrait_video), str(other)]))
    assert len(account.sandbox.posts) == 1
    assert replacement.call_count == 1


# ---- which post it was


def test_a_story_whose_answer_was_lost_is_found_among_the_stories(account: Account, gallery: Gallery) -> None:
    container_id = account.single(image=gallery.link("one"), placement="story")
    account.sandbox.add_foreign_post("")  # a post without a caption, which is not a story
    account.sandbox.fail("publish", drop="after")
    post, is_new = account.publish("post-1", container_id)
    assert is_new
    assert [post.media_id] == [real.media_id for real in account.sandbox.posts]
    assert (account.sandbox.calls("stories"), account.sandbox.calls("publish")) == (1, 1)


def test_of_two_stories_that_may_be_ours_none_is_guessed(account: Account, gallery: Gallery) -> None:
    container_id = account.single(image=gallery.link("one"), placement="story")
    other = account.single("other", image=gallery.link("two"), placement="story")
    account.publish_behind_our_back(other)
    account.sandbox.fail("publish", drop="after")
    post, is_new = account.publish("post-1", container_id)
    assert (is_new, post.media_id, post.permalink) == (True, None, None)
    assert account.sandbox.calls("publish") == 2


def test_a_story_of_another_kind_is_not_ours(account: Account, gallery: Gallery, portrait_video: Path) -> None:
    container_id = account.single(image=gallery.link("one"), placement="story")
    other = account.single("other", video=str(portrait_video), placement="story")
    account.publish_behind_our_back(other)
    account.sandbox.fail("publish", drop="after")
    post, _ = account.publish("post-1", container_id)
    assert post.container_id == container_id
    assert [post.media_id] == [real.media_id for real in account.sandbox.posts if real.media_type == "IMAGE"]


def test_a_picture_is_told_from_a_reel_with_its_caption(
    account: Account, gallery: Gallery, portrait_video: Path
) -> None:
    container_id = account.single(image=gallery.link("one"), caption="a teaser")
    account.publish_behind_our_back(account.container(portrait_video, key="other"))
    account.sandbox.fail("publish", drop="after")
    post, _ = account.publish("post-1", container_id)
    assert [post.media_id] == [real.media_id for real in account.sandbox.posts if real.media_type == "IMAGE"]


# ---- seconds, and rows


def test_a_picture_that_is_still_processed_is_waited_for_before_it_is_published(
    account: Account, gallery: Gallery
) -> None:
    """A task that publishes without a sensor before it does not pay the 15 s of a refusal."""
    from airflow_provider_instagram.posts.post import Post
    from airflow_provider_instagram.publishing.sources import open_sources

    account.sandbox.switch(processing={"after_s": 6})
    post = Post(image=gallery.link("one"))
    with open_sources(post.items, "auto") as (source,):
        container_id = account.creator("post-1", post).get_or_create(source)
    account.sandbox.settle()
    account.sandbox.advance(2)  # from now on, the sandbox knows the id of the container
    account.publish("post-1", container_id)
    assert account.sandbox.calls("publish") == 1
    assert sum(account.waits) < 8
