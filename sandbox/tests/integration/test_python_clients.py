"""Meta's SDK and python-facebook-api in the default mode: each publishes what it can and reads it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from facebook_business.adobjects.igcomment import IGComment
from facebook_business.adobjects.igmedia import IGMedia
from facebook_business.adobjects.iguser import IGUser
from facebook_business.adobjects.shadowigmediabuilder import ShadowIGMediaBuilder
from facebook_business.adobjects.user import User
from facebook_business.api import FacebookAdsApi
from facebook_business.session import FacebookSession
from pyfacebook import GraphAPI, IGBusinessApi

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle
    from sandbox.tests.integration.conftest import WebServer


@pytest.fixture
def sdk(documented: SandboxHandle, mocker: MockerFixture) -> FacebookAdsApi:
    """Meta's SDK, with nothing changed but its address."""
    mocker.patch.object(FacebookSession, "GRAPH", documented.url)
    token = documented.add_token(documented.user_id, kind="user")
    return FacebookAdsApi(FacebookSession(documented.app_id, documented.app_secret, token))


@pytest.fixture
def user(sdk: FacebookAdsApi) -> IGUser:
    """The Instagram account, found as Meta's guide finds it: by the Pages of a person."""
    (page,) = User("me", api=sdk).get_accounts(fields=["instagram_business_account"])
    return IGUser(page["instagram_business_account"]["id"], api=sdk)


def test_the_sdk_publishes_each_medium_and_reads_it_back(
    sdk: FacebookAdsApi, user: IGUser, documented: SandboxHandle, picture: WebServer, web: WebServer
) -> None:
    def published(**params: Any) -> str:
        container = user.create_media(params=params)
        documented.settle()
        assert (
            ShadowIGMediaBuilder(container["id"], api=sdk).api_get(fields=["status_code"])["status_code"] == "FINISHED"
        )
        return str(user.create_media_publish(params={"creation_id": container["id"]})["id"])

    def child(**params: Any) -> str:
        return str(user.create_media(params=params | {"is_carousel_item": True})["id"])

    children = [child(image_url=picture.url), child(media_type="VIDEO", video_url=web.url)]
    ids = {
        "IMAGE": published(image_url=picture.url, caption="A picture", alt_text="Stripes"),
        "REELS": published(media_type="REELS", video_url=web.url, caption="A reel", share_to_feed=False),
        "CAROUSEL": published(media_type="CAROUSEL", children=children, caption="A carousel"),
        "STORY": published(media_type="STORIES", image_url=picture.url),
    }
    media = user.get_media(fields=["caption", "media_type", "media_product_type", "is_shared_to_feed", "alt_text"])
    assert {row["id"] for row in media} == set(ids.values()) - {ids["STORY"]}
    assert [row["id"] for row in user.get_stories()] == [ids["STORY"]]
    kinds = [row["media_type"] for row in IGMedia(ids["CAROUSEL"], api=sdk).get_children(fields=["media_type"])]
    assert kinds == ["IMAGE", "VIDEO"]
    assert IGMedia(ids["REELS"], api=sdk).api_get(fields=["is_shared_to_feed"])["is_shared_to_feed"] is False
    assert IGMedia(ids["IMAGE"], api=sdk).api_get(fields=["alt_text"])["alt_text"] == "Stripes"


def test_the_sdk_talks_about_a_picture_and_deletes_it(
    sdk: FacebookAdsApi, user: IGUser, documented: SandboxHandle, picture: WebServer
) -> None:
    container = user.create_media(params={"image_url": picture.url})
    media = IGMedia(user.create_media_publish(params={"creation_id": container["id"]})["id"], api=sdk)
    comment = IGComment(media.create_comment(params={"message": "First!"})["id"], api=sdk)
    comment.create_reply(params={"message": "Second!"})
    assert [row["text"] for row in media.get_comments(fields=["text"])] == ["First!"]
    assert [row["text"] for row in comment.get_replies(fields=["text"])] == ["Second!"]
    comment.api_update(params={"hide": True})
    comment.api_delete()
    media.api_update(params={"comment_enabled": False})
    documented.advance(3600)
    rows = media.get_insights(params={"metric": ["views", "reach", "saved"]})
    assert [row["name"] for row in rows] == ["views", "reach", "saved"]
    total = {"metric": ["reach"], "period": "day", "metric_type": "total_value"}
    assert user.get_insights(params=total)[0]["total_value"]["value"] > 0
    media.api_delete()
    assert documented.posts == []


def test_the_sdk_reads_many_objects_in_a_batch(sdk: FacebookAdsApi, user: IGUser, picture: WebServer) -> None:
    ids = [user.create_media(params={"image_url": picture.url})["id"] for _ in range(3)]
    found: list[str] = []
    batch = sdk.new_batch()
    for container_id in ids:
        ShadowIGMediaBuilder(container_id, api=sdk).api_get(
            fields=["status_code"], batch=batch, success=lambda answer: found.append(answer.json()["id"])
        )
    assert batch.execute() is None, "nothing is left to repeat"
    assert found == ids


@pytest.fixture
def pyfacebook(documented: SandboxHandle) -> dict[str, Any]:
    """The arguments of a client of python-facebook-api."""
    return {
        "app_id": documented.app_id,
        "app_secret": documented.app_secret,
        "access_token": documented.add_token(documented.user_id, kind="page"),
        "base_url": f"{documented.url}/",
    }


def test_python_facebook_api_publishes_and_reads_back(
    pyfacebook: dict[str, Any], documented: SandboxHandle, picture: WebServer
) -> None:
    graph = GraphAPI(**pyfacebook)
    api = IGBusinessApi(**pyfacebook, instagram_business_id=documented.user_id)
    sent = {"image_url": picture.url, "caption": "By python-facebook-api"}
    container = graph.post_object(documented.user_id, connection="media", params={}, data=sent)
    posted = {"creation_id": container["id"]}
    media_id = graph.post_object(documented.user_id, connection="media_publish", params={}, data=posted)["id"]
    graph.post_object(media_id, connection="comments", params={}, data={"message": "First!"})
    documented.advance(3600)

    assert [(one.id, one.caption) for one in api.user.get_media().data] == [(media_id, "By python-facebook-api")]
    assert [one.text for one in api.media.get_comments(media_id).data] == ["First!"]
    assert api.media.get_insights(media_id, metric=["views"]).data[0].values[0].value > 0
    views = api.user.get_insights(metric=["reach"], period="day")
    assert [row.name for row in views.data] == ["reach"]
    assert api.user.get_info().username == "sandbox_studio"
    assert api.user.get_stories().data == []
