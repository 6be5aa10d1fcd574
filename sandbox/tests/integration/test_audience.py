"""Followers with hours and tastes that only the numbers tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.tests.integration.conftest import Caller, WebServer

DAY_S, HOUR_S = 86_400, 3_600


@pytest.fixture
def post(client: Caller, picture: WebServer) -> Callable[[str], str]:
    """Publish a picture with a caption, and return its media id."""

    def post(caption: str) -> str:
        made = client.create(media_type="IMAGE", image_url=picture.url, caption=caption).json()["id"]
        return str(client.publish(made).json()["id"])

    return post


def views_by_hour(client: Caller, post: Callable[[str], str]) -> list[int]:
    """Publish at each hour of a day, and return the views that each post has a day later."""
    made = []
    for _ in range(24):
        made.append(post("The same every hour #kites"))
        client.sandbox.advance(HOUR_S)
    client.sandbox.advance(4 * DAY_S)
    return [client.sandbox.insights(media_id)["views"] for media_id in made]


def test_there_is_no_audience_unless_it_is_seeded(client: Caller, post: Callable[[str], str]) -> None:
    media_id = post("Quiet")
    client.sandbox.advance(DAY_S)
    assert client.sandbox.comments(media_id) == []


def test_a_post_at_the_right_hour_is_seen_by_more(client: Caller, post: Callable[[str], str]) -> None:
    client.sandbox.switch(audience_seed=7, calls_per_24_h=100_000)
    views = views_by_hour(client, post)
    assert max(views) > 1.5 * min(views)


def test_tags_are_liked_or_not_and_the_same_seed_likes_the_same(client: Caller, post: Callable[[str], str]) -> None:
    tags = [f"tag{n}" for n in range(8)]
    found = []
    for _ in range(2):
        client.sandbox.switch(audience_seed=7)
        made = [post(f"One word #{tag}") for tag in tags]
        client.sandbox.advance(DAY_S)
        views = [client.sandbox.insights(media_id)["views"] for media_id in made]
        assert max(views) > 1.3 * min(views)
        found.append([tag for _, tag in sorted(zip(views, tags, strict=True))])
    assert found[0] == found[1]


def test_followers_comment_while_the_numbers_grow(client: Caller, post: Callable[[str], str]) -> None:
    client.sandbox.switch(audience_seed=7)
    media_id = post("Lots to say #kites")
    counts, views = [], []
    for _ in range(6):
        client.sandbox.advance(4 * HOUR_S)
        counts.append(len(client.get(f"{media_id}/comments", limit=100).json()["data"]))
        views.append(client.sandbox.insights(media_id)["views"])
    assert views == sorted(views)
    assert views[0] < views[-1]
    assert counts == sorted(counts)
    assert counts[-1] > 0
    counted = client.get(media_id, fields="comments_count").json()["comments_count"]
    assert counts[-1] <= counted <= len(client.sandbox.comments(media_id)), "some may come between two looks"
    assert {comment.username[:9] for comment in client.sandbox.comments(media_id)} == {"follower_"}
