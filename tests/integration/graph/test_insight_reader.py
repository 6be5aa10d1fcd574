"""Reading insights from the sandbox: what is refused is left out, and what does not exist is never zero."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_instagram.exceptions import PermissionDeniedError, RateLimitError
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.capabilities import MetaLogin
from airflow_provider_instagram.graph.client import GraphClient
from airflow_provider_instagram.graph.insight_reader import InsightReader, Reason
from airflow_provider_instagram.graph.models import metrics_of
from airflow_provider_instagram.ledger.insights import StoredRefusals
from airflow_provider_instagram.posts.kinds import PostKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instagram_sandbox.testing.handle import SandboxHandle

NOON = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)
#: Written from Meta's page, not from the code: what a reel and a story are asked for.
OF_A_REEL = {
    *("views", "reach", "likes", "comments", "saved", "shares", "total_interactions", "reposts"),
    *("ig_reels_avg_watch_time", "ig_reels_video_view_total_time", "reels_skip_rate"),
}
OF_A_STORY = {
    *("views", "reach", "shares", "total_interactions", "follows", "profile_visits", "navigation", "replies"),
    *("reposts", "link_clicks"),
}
#: What a login on Facebook's host has beside these.
WITH_ADS = {"total_views", "total_likes", "total_comments"}
OF_A_REEL_ON_FACEBOOK = WITH_ADS | {"facebook_views", "crossposted_views"}


@pytest.fixture
def client(instagram_sandbox: SandboxHandle) -> Iterator[GraphClient]:
    with GraphClient(instagram_sandbox.token, base_url=instagram_sandbox.url) as client:
        yield client


class Rows(dict[str, Any]):
    """A ledger's rows in memory."""

    set = dict.__setitem__


@pytest.fixture
def reader(client: GraphClient) -> InsightReader:
    return InsightReader(client, StoredRefusals(Rows(), lambda: NOON))


@pytest.fixture
def reel(instagram_sandbox: SandboxHandle) -> str:
    return instagram_sandbox.add_foreign_post("A reel", age_s=6 * 3600)


def published(sandbox: SandboxHandle, **parameters: Any) -> str:
    """Publish what Instagram does not look at, and return its media id."""
    sandbox.switch(processing={"outcome": "finished", "after_s": 0})
    headers = {"Authorization": f"Bearer {sandbox.token}"}
    with httpx.Client(base_url=f"{sandbox.url}/v27.0/{sandbox.user_id}", headers=headers, trust_env=False) as http:
        container = http.post("/media", data=parameters).raise_for_status().json()["id"]
        sandbox.advance(5)
        return str(http.post("/media_publish", data={"creation_id": container}).raise_for_status().json()["id"])


def reads(sandbox: SandboxHandle) -> int:
    return sandbox.calls("insights")


def test_each_kind_is_asked_for_what_it_has(instagram_sandbox: SandboxHandle, reader: InsightReader, reel: str) -> None:
    story = published(instagram_sandbox, media_type="STORIES", video_url="https://example.com/a.mp4")
    instagram_sandbox.advance(6 * 3600)
    for kind, media_id, names in ((PostKind.REEL, reel, OF_A_REEL), (PostKind.STORY, story, OF_A_STORY)):
        reading = reader.of_media(media_id, kind.value, metrics_of(kind, MetaLogin.INSTAGRAM))
        truth = instagram_sandbox.insights(media_id)
        assert dict(reading.values) == {name: truth[name] for name in names}
        assert reading.reason is Reason.NONE
    assert reads(instagram_sandbox) == 2


def test_facebook_login_has_the_numbers_with_ads_and_of_facebook(instagram_sandbox: SandboxHandle, reel: str) -> None:
    """The organic numbers keep their columns. With Instagram Login they are not asked for, so nothing is refused."""
    instagram_sandbox.switch(login="facebook")
    token = instagram_sandbox.add_token(instagram_sandbox.user_id, kind="page")
    names = metrics_of(PostKind.REEL, MetaLogin.FACEBOOK)
    with GraphClient(token, base_url=instagram_sandbox.url) as client:
        reading = InsightReader(client, StoredRefusals(Rows(), lambda: NOON)).of_media(reel, "reel", names)
    assert set(names) == OF_A_REEL | OF_A_REEL_ON_FACEBOOK
    assert (reading.reason, reads(instagram_sandbox)) == (Reason.NONE, 1)
    numbers = reading.values
    assert numbers["total_views"] > numbers["views"] > numbers["facebook_views"] > 0  # type: ignore[operator]
    assert (
        set(metrics_of(PostKind.PICTURE, MetaLogin.FACEBOOK)) - set(metrics_of(PostKind.PICTURE, MetaLogin.INSTAGRAM))
        == WITH_ADS
    )


def test_kinds_are_told_by_what_the_list_shows(
    instagram_sandbox: SandboxHandle, client: GraphClient, reel: str
) -> None:
    story = published(instagram_sandbox, media_type="STORIES", video_url="https://example.com/a.mp4")
    instagram_sandbox.advance(60)
    listed = client.send(calls.media_list(instagram_sandbox.user_id)).items
    stories = client.send(calls.stories(instagram_sandbox.user_id)).items
    assert {media.id: media.kind for media in (*listed, *stories)} == {
        reel: PostKind.REEL,
        story: PostKind.STORY,
    }


def test_refused_metrics_are_found_by_halves_once_and_then_left_out(
    instagram_sandbox: SandboxHandle, reader: InsightReader, reel: str
) -> None:
    instagram_sandbox.change_account(instagram_sandbox.user_id, refused_metrics=["shares"])
    first = reader.of_media(reel, "reel", metrics_of(PostKind.REEL, MetaLogin.INSTAGRAM))
    assert {name for name, value in first.values.items() if value is None} == {"shares"}
    assert (first.reason_of("shares"), first.reason_of("views")) == ("refused", None)
    assert 1 < reads(instagram_sandbox) <= 9
    before = reads(instagram_sandbox)
    second = reader.of_media(reel, "reel", metrics_of(PostKind.REEL, MetaLogin.INSTAGRAM))
    assert dict(second.values) == dict(first.values)
    assert reads(instagram_sandbox) == before + 1


def test_a_refused_metric_is_asked_for_again_each_day(
    instagram_sandbox: SandboxHandle, client: GraphClient, reel: str
) -> None:
    rows, user_id = Rows(), instagram_sandbox.user_id
    instagram_sandbox.change_account(user_id, refused_metrics=["shares"])
    read = [InsightReader(client, StoredRefusals(rows, lambda: NOON)).of_media(reel, "reel", ["views", "shares"])]
    instagram_sandbox.change_account(user_id, refused_metrics=[])
    for hours in (23, 25):
        later = partial(NOON.__add__, timedelta(hours=hours))
        reader = InsightReader(client, StoredRefusals(rows, later))
        read.append(reader.of_media(reel, "reel", ["views", "shares"]))
    assert [one.reason_of("shares") for one in read] == ["refused", "refused", None]


def test_what_does_not_exist_yet_is_null_and_not_zero(instagram_sandbox: SandboxHandle, reader: InsightReader) -> None:
    fresh = instagram_sandbox.add_foreign_post("Fresh")
    instagram_sandbox.advance(60)
    reading = reader.of_media(fresh, "reel", ["views", "likes"])
    assert (dict(reading.values), reading.reason) == ({"views": None, "likes": None}, Reason.NO_DATA)


def test_a_zero_is_a_number(instagram_sandbox: SandboxHandle, reader: InsightReader, reel: str) -> None:
    instagram_sandbox.set_insights(reel, likes=0)
    assert dict(reader.of_media(reel, "reel", ["likes"]).values) == {"likes": 0}


def test_retired_names_that_return_nothing_have_no_number(
    instagram_sandbox: SandboxHandle, reader: InsightReader, reel: str
) -> None:
    instagram_sandbox.switch(retired_metrics="empty")
    reading = reader.of_media(reel, "reel", ["views", "plays"])
    assert reading.values["plays"] is None
    assert (reading.reason_of("plays"), reading.reason_of("views")) == ("no_data", None)


def test_too_few_viewers_are_a_reason(instagram_sandbox: SandboxHandle, reader: InsightReader) -> None:
    instagram_sandbox.change_account(instagram_sandbox.user_id, audience=3)
    story = published(instagram_sandbox, media_type="STORIES", video_url="https://example.com/a.mp4")
    instagram_sandbox.advance(6 * 3600)
    reading = reader.of_media(story, "story", metrics_of(PostKind.STORY, MetaLogin.INSTAGRAM))
    assert (set(reading.values.values()), reading.reason) == ({None}, Reason.TOO_FEW_VIEWERS)
    assert reads(instagram_sandbox) == 1


def test_a_medium_that_is_gone_is_a_reason(instagram_sandbox: SandboxHandle, reader: InsightReader) -> None:
    reading = reader.of_media("17900000000000099", "reel", ["views"])
    assert (dict(reading.values), reading.reason) == ({"views": None}, Reason.GONE)


def test_a_missing_scope_is_an_error(instagram_sandbox: SandboxHandle, reel: str) -> None:
    token = instagram_sandbox.add_token(instagram_sandbox.user_id, scopes=["instagram_business_basic"])
    with GraphClient(token, base_url=instagram_sandbox.url) as client, pytest.raises(PermissionDeniedError):
        InsightReader(client, StoredRefusals(Rows(), lambda: NOON)).of_media(reel, "reel", ["views", "likes"])
    assert reads(instagram_sandbox) == 1


def test_a_throttled_account_is_an_error_and_refuses_no_metric(
    instagram_sandbox: SandboxHandle, reader: InsightReader, reel: str
) -> None:
    instagram_sandbox.fail("insights", 80002)
    with pytest.raises(RateLimitError):
        reader.of_media(reel, "reel", ["views", "likes"])
    assert reader.refused is not None
    assert reader.refused.of("reel") == frozenset()


def test_account_totals_are_of_the_days_asked_for(instagram_sandbox: SandboxHandle, reader: InsightReader) -> None:
    today = datetime.fromtimestamp(instagram_sandbox.now(), timezone.utc).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    one_day = reader.of_account(instagram_sandbox.user_id, ["views", "reach"], today - timedelta(days=1), today).values
    two_days = reader.of_account(instagram_sandbox.user_id, ["views", "reach"], today - timedelta(days=2), today).values
    assert one_day["views"] is not None
    assert two_days["views"] is not None
    assert two_days["views"] > one_day["views"] > 0
