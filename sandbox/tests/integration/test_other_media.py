"""Images, carousels and stories over HTTP: posts like any other, with parameters of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.tests.integration.conftest import Caller, WebServer


@pytest.mark.parametrize("join", [json.dumps, ",".join], ids=["array", "commas"])
def test_a_carousel_of_a_video_and_an_image_is_published(
    caller: Caller, web: WebServer, picture: WebServer, join: Callable[[list[str]], str]
) -> None:
    """Meta's reference has the children as an array, its guide as ids between commas."""
    video = caller.create(media_type="VIDEO", is_carousel_item="true", video_url=web.url).json()["id"]
    image = caller.create(media_type="IMAGE", is_carousel_item="true", image_url=picture.url).json()["id"]
    caller.sandbox.settle()
    caller.sandbox.advance(5)
    whole = caller.create(media_type="CAROUSEL", children=join([video, image]), caption="Two").json()["id"]
    caller.sandbox.settle()
    caller.sandbox.advance(5)
    media_id = caller.publish(whole).json()["id"]
    assert caller.get(media_id, fields="media_type").json()["media_type"] == "CAROUSEL_ALBUM"
    error = caller.publish(video).json()["error"]
    assert (error["code"], "is an item of a carousel" in error["message"]) == (100, True)


@pytest.mark.parametrize(
    ("fate", "subcode"),
    [
        ({}, 2207026),
        ({"outcome": "error", "subcode": 2207077, "after_s": 0}, 2207077),
        ({"outcome": "phase_error", "subcode": 2207076, "after_s": 0}, 2207076),
        ({"outcome": "download_failed", "after_s": 0}, 2207052),
    ],
    ids=["unfit", "error", "phase error", "download failed"],
)
def test_a_carousel_with_a_failed_child_fails(
    caller: Caller, web: WebServer, picture: WebServer, fate: dict[str, Any], subcode: int
) -> None:
    web.video = b"no video at all, but some bytes"
    caller.sandbox.process_next(**fate)
    video = caller.create(media_type="VIDEO", is_carousel_item="true", video_url=web.url).json()["id"]
    image = caller.create(media_type="IMAGE", is_carousel_item="true", image_url=picture.url).json()["id"]
    whole = caller.create(media_type="CAROUSEL", children=f"{image},{video}").json()["id"]
    caller.sandbox.advance(5)
    assert caller.status(whole)["status"] == f"Error: Media upload has failed with error code {subcode}"
    error = caller.publish(whole).json()["error"]
    assert (error["error_subcode"], "wait" in error["error_user_msg"]) == (subcode, False)
    assert caller.sandbox.posts == []
    assert video in caller.sandbox.containers[2].reason
    expected = f"The media could not be fetched from this uri: {web.url}"
    assert error["error_user_msg"] == expected or subcode != 2207052


def test_a_carousel_takes_a_child_once_and_none_that_expired(caller: Caller, picture: WebServer) -> None:
    ids = [
        caller.create(media_type="IMAGE", is_carousel_item="true", image_url=picture.url).json()["id"] for _ in range(2)
    ]
    twice = caller.create(media_type="CAROUSEL", children=f"{ids[0]},{ids[0]}").json()["error"]
    caller.sandbox.advance(86_400)
    late = caller.create(media_type="CAROUSEL", children=",".join(ids)).json()["error"]
    assert [(error["code"], error["error_subcode"]) for error in (twice, late)] == [(100, 2207028)] * 2


def test_an_image_is_published(caller: Caller, picture: WebServer) -> None:
    container_id = caller.create(media_type="IMAGE", image_url=picture.url, alt_text="A kite").json()["id"]
    caller.sandbox.settle()
    caller.sandbox.advance(5)
    media_id = caller.publish(container_id).json()["id"]
    assert caller.get(media_id, fields="media_type").json()["media_type"] == "IMAGE"


@pytest.mark.parametrize(
    ("kind", "misplaced"),
    [
        ({"media_type": "IMAGE", "image_url": "http://127.0.0.1:9/a.jpg"}, {"share_to_feed": "true"}),
        ({"media_type": "CAROUSEL", "children": '["1", "2"]'}, {"cover_url": "http://127.0.0.1:9/a.jpg"}),
        ({"media_type": "STORIES", "video_url": "http://127.0.0.1:9/a.mp4"}, {"caption": "no place for it"}),
        ({"media_type": "REELS", "video_url": "http://127.0.0.1:9/a.mp4"}, {"alt_text": "no place for it"}),
    ],
    ids=["image", "carousel", "story", "reel"],
)
def test_a_misplaced_parameter_is_refused_over_http(
    caller: Caller, kind: dict[str, str], misplaced: dict[str, str]
) -> None:
    answer = caller.create(**kind, **misplaced)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 100)
    assert next(iter(misplaced)) in answer.json()["error"]["message"]
    assert caller.sandbox.containers == []
