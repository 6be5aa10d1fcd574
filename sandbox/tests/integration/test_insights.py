"""Insights: which numbers a medium has by its kind and age, and those of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox.tests.integration.conftest import Caller

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.tests.integration.conftest import WebServer

BY_KIND = {
    "REELS": "views,reach,likes,comments,saved,shares,total_interactions,ig_reels_avg_watch_time,"
    "ig_reels_video_view_total_time,reels_skip_rate,reposts",
    "FEED": "views,reach,likes,comments,saved,shares,total_interactions,follows,profile_visits,profile_activity",
    "STORY": "views,reach,shares,total_interactions,navigation,replies,follows,profile_visits",
}


def numbers(answer: Any) -> dict[str, int]:
    return {row["name"]: row["values"][0]["value"] for row in answer.json()["data"]}


@pytest.fixture
def reel(client: Caller, clip: Path) -> str:
    return str(client.publish(client.reel(clip)).json()["id"])


@pytest.fixture
def story(client: Caller, picture: WebServer) -> str:
    container_id = client.create(media_type="STORIES", image_url=picture.url).json()["id"]
    return str(client.publish(container_id).json()["id"])


@pytest.mark.parametrize("kind", BY_KIND)
def test_each_kind_has_its_metrics(client: Caller, clip: Path, picture: WebServer, kind: str) -> None:
    if kind == "REELS":
        media_id = client.publish(client.reel(clip)).json()["id"]
    else:
        more = {"media_type": "STORIES"} if kind == "STORY" else {"media_type": "IMAGE"}
        media_id = client.publish(client.create(image_url=picture.url, **more).json()["id"]).json()["id"]
    client.sandbox.advance(6 * 3600)
    answer = client.get(f"{media_id}/insights", metric=BY_KIND[kind])
    assert set(numbers(answer)) == set(BY_KIND[kind].split(","))
    assert {row["period"] for row in answer.json()["data"]} == {"lifetime"}
    assert numbers(answer)["views"] > numbers(answer)["reach"] > 100


def test_numbers_do_not_exist_at_first(client: Caller, reel: str) -> None:
    """They come as an empty set, not as zeros."""
    assert client.get(f"{reel}/insights", metric="views,likes").json() == {"data": []}
    client.sandbox.advance(60)
    assert set(numbers(client.get(f"{reel}/insights", metric="views,likes"))) == {"views", "likes"}


def test_numbers_grow_with_the_clock_the_same_way_for_the_same_seed(client: Caller, reel: str) -> None:
    views = []
    for hours in (1, 5, 20):
        client.sandbox.advance(hours * 3600)
        views.append(numbers(client.get(f"{reel}/insights", metric="views"))["views"])
    assert views == sorted(set(views))
    assert client.sandbox.insights(reel)["views"] == views[-1]
    others = set()
    for seed in (2, 3, 4):  # two seeds may have the same number
        client.sandbox.switch(insights_seed=seed)
        others.add(client.sandbox.insights(reel)["views"])
    assert len(others) > 1
    client.sandbox.switch(insights_seed=1)
    assert client.sandbox.insights(reel)["views"] == pytest.approx(views[-1], rel=0.01)


def test_a_test_can_fix_numbers(client: Caller, reel: str) -> None:
    client.sandbox.set_insights(reel, views=120, likes=7, comments=1)
    answer = numbers(client.get(f"{reel}/insights", metric="views,likes,comments"))
    assert answer == {"views": 120, "likes": 7, "comments": 1}
    assert client.get(reel, fields="like_count").json()["like_count"] == 7
    with pytest.raises(ValueError, match="not a metric of this post"):
        client.sandbox.set_insights(reel, navigation=1)
    with pytest.raises(ValueError, match="must be an integer"):
        client.sandbox.set_insights(reel, views=-1)


@pytest.mark.parametrize("bad", ["navigation", "nonsense", "plays", "impressions", "video_views"])
def test_one_bad_name_fails_the_whole_request(client: Caller, reel: str, bad: str) -> None:
    client.sandbox.advance(3600)
    assert client.get(f"{reel}/insights", metric=f"views,{bad}").json()["error"]["code"] == 100


def test_the_name_that_is_wrong_is_named_by_its_place(client: Caller, reel: str) -> None:
    media = client.get(f"{reel}/insights", metric="views,reach,nonsense").json()["error"]["message"]
    account = client.get("me/insights", metric="reach,views,nonsense", period="day").json()["error"]["message"]
    assert media.startswith("(#100) metric[2] must be one of the following values: ")
    assert account.startswith("(#100) metric[2] must be one of the following values: ")


def test_retired_names_return_nothing_when_the_switch_says_so(client: Caller, reel: str) -> None:
    client.sandbox.switch(retired_metrics="empty")
    client.sandbox.advance(3600)
    assert set(numbers(client.get(f"{reel}/insights", metric="views,plays"))) == {"views"}


def test_an_account_can_be_refused_a_metric(client: Caller, reel: str) -> None:
    client.sandbox.change_account(client.user_id, refused_metrics=["shares"])
    client.sandbox.advance(3600)
    assert client.get(f"{reel}/insights", metric="views,shares").json()["error"]["code"] == 100
    assert client.get(f"{reel}/insights", metric="views").status_code == 200


def test_a_story_with_too_few_viewers_shows_no_numbers(client: Caller, story: str) -> None:
    client.sandbox.change_account(client.user_id, audience=3)
    client.sandbox.advance(3600)
    refused = client.get(f"{story}/insights", metric="views").json()["error"]
    assert (refused["code"], refused["message"]) == (10, "(#10) Not enough viewers for the media to show insights")
    client.sandbox.set_insights(story, reach=4)
    assert client.get(f"{story}/insights", metric="reach").json()["error"]["code"] == 10
    client.sandbox.set_insights(story, reach=5)
    assert client.get(f"{story}/insights", metric="reach").status_code == 200


def test_a_storys_numbers_are_gone_after_24_hours(client: Caller, story: str) -> None:
    client.sandbox.advance(86_399 - 30)
    assert client.get(f"{story}/insights", metric="views").status_code == 200
    client.sandbox.advance(60)
    assert client.get(f"{story}/insights", metric="views").json()["error"]["code"] == 100


def test_numbers_are_kept_for_two_years(client: Caller, reel: str) -> None:
    client.sandbox.advance(730 * 86_400)
    client.token = client.sandbox.add_token(client.user_id)
    client.http.headers["Authorization"] = f"Bearer {client.token}"
    assert client.get(f"{reel}/insights", metric="views").json() == {"data": []}


def test_insights_need_their_scope(client: Caller, reel: str) -> None:
    other = Caller(client.sandbox, client.sandbox.add_token(client.user_id, scopes=["instagram_business_basic"]))
    for path in (f"{reel}/insights", "me/insights"):
        refused = other.get(path, metric="views", period="day").json()["error"]
        assert (refused["code"], "instagram_business_manage_insights" in refused["message"]) == (200, True)


def test_an_accounts_numbers_come_as_totals_or_day_by_day(client: Caller) -> None:
    total = client.get("me/insights", metric="views,reach,likes", period="day", metric_type="total_value").json()
    assert {row["name"] for row in total["data"]} == {"views", "reach", "likes"}
    assert all(row["total_value"]["value"] > 0 for row in total["data"])
    until = int(client.sandbox.now())
    days = client.get("me/insights", metric="reach", period="day", since=until - 5 * 86_400, until=until).json()
    assert len(days["data"][0]["values"]) == 5
    assert days["data"][0]["values"][0]["end_time"].endswith("T00:00:00+0000")


@pytest.mark.parametrize(
    "wrong",
    [
        {"metric": "views", "period": "day"},
        {"metric": "impressions", "period": "day", "metric_type": "total_value"},
        {"metric": "reach"},
        {"metric": "reach", "period": "day", "since": "1700000000", "until": "1710000000"},
        {"metric": "", "period": "day"},
    ],
    ids=["no total", "retired", "no period", "over 30 days", "no metric"],
)
def test_a_wrong_question_about_an_account_is_refused(client: Caller, wrong: dict[str, str]) -> None:
    assert client.get("me/insights", **wrong).json()["error"]["code"] == 100
