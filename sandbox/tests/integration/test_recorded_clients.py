"""Clients that no registry has: their requests, written down from their sources and sent one by one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instagram_sandbox.testing.handle import SandboxHandle
    from sandbox.tests.integration.conftest import WebServer

BACK = "https://postiz.example/integrations/social/instagram-standalone"
POSTIZ_SCOPES = (
    "instagram_business_basic,instagram_business_content_publish,instagram_business_manage_comments,"
    "instagram_business_manage_insights"
)


@pytest.fixture
def http(documented: SandboxHandle) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=documented.url, trust_env=False) as client:
        yield client


def until_finished(http: httpx.Client, path: str, query: dict[str, str]) -> None:
    for _ in range(100):
        if http.get(path, params=query | {"fields": "status_code"}).json()["status_code"] == "FINISHED":
            return
        time.sleep(0.05)
    raise AssertionError("the container did not finish")


def test_the_n8n_node_publishes_an_image_a_reel_a_story_and_a_carousel(
    http: httpx.Client, documented: SandboxHandle, picture: WebServer, web: WebServer
) -> None:
    """It sends everything in the query of a POST without a body, asks for JSON, and polls before each publish."""
    token, node = documented.add_token(documented.user_id, kind="page"), documented.user_id
    http.headers["accept"] = "application/json,text/*;q=0.99"

    def created(**query: str) -> str:
        answer = http.post(f"/v22.0/{node}/media", params={"access_token": token, **query}).json()
        until_finished(http, f"/v22.0/{answer['id']}", {"access_token": token})
        return str(answer["id"])

    def published(**query: str) -> str:
        sent = {"access_token": token, "creation_id": created(**query)}
        return str(http.post(f"/v22.0/{node}/media_publish", params=sent).json()["id"])

    children = [
        created(image_url=picture.url, is_carousel_item="true"),
        created(media_type="VIDEO", video_url=web.url, is_carousel_item="true"),
    ]
    ids = [
        published(image_url=picture.url, caption="An image"),
        published(media_type="REELS", video_url=web.url, caption="A reel"),
        published(media_type="STORIES", video_url=web.url, caption="A story has none"),
        published(media_type="CAROUSEL", children=",".join(children), caption="A carousel"),
    ]
    assert [post.media_id for post in documented.posts] == ids
    assert [post.media_product_type for post in documented.posts] == ["FEED", "REELS", "STORY", "FEED"]
    assert documented.warnings == [
        "create: The parameter caption was ignored. Meta does not support it on STORIES media."
    ]


def postiz_logs_in(http: httpx.Client, sandbox: SandboxHandle) -> str:
    """Return the long-lived token, by a dialog that asks for four scopes, and two exchanges."""
    asked = {
        "enable_fb_login": "0",
        "client_id": sandbox.app_id,
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": POSTIZ_SCOPES,
        "state": "s1",
    }
    back = http.post("/oauth/authorize", data=asked | {"decision": "allow", "account": sandbox.user_id})
    code = httpx.URL(back.headers["location"]).params["code"].removesuffix("#_")
    app = {"client_id": sandbox.app_id, "client_secret": sandbox.app_secret}
    form = app | {"grant_type": "authorization_code", "redirect_uri": BACK, "code": code}
    short = http.post("/oauth/access_token", files={name: (None, value) for name, value in form.items()}).json()
    query = app | {"grant_type": "ig_exchange_token", "access_token": short["access_token"]}
    return str(http.get("/access_token", params=query).json()["access_token"])


def test_postiz_logs_in_publishes_five_kinds_and_comments(
    http: httpx.Client, documented: SandboxHandle, picture: WebServer, web: WebServer
) -> None:
    """It calls v20.0, which is gone, and asks publish for a ``field``."""
    token = postiz_logs_in(http, documented)
    fields = "user_id,username,name,profile_picture_url"
    me = http.get("/v21.0/me", params={"fields": fields, "access_token": token}).json()
    user_id = me["user_id"]

    def created(query: str, caption: str = "") -> str:
        text = f"/v20.0/{user_id}/media?{query}{caption}&access_token={token}"
        container_id = str(http.post(text).json()["id"])
        until_finished(http, f"/v20.0/{container_id}", {"access_token": token})
        return container_id

    def published(creation_id: str) -> str:
        text = f"/v20.0/{user_id}/media_publish?creation_id={creation_id}&access_token={token}&field=id"
        media_id = str(http.post(text).json()["id"])
        read: Any = http.get(f"/v20.0/{media_id}", params={"fields": "permalink", "access_token": token}).json()
        assert read["permalink"].startswith(documented.url)
        return media_id

    image, video = f"image_url={picture.url}", f"video_url={web.url}"
    pair = [created(f"{image}&is_carousel_item=true"), created(f"{video}&is_carousel_item=true&media_type=VIDEO")]
    ids = [
        published(created(image, "&caption=A photo")),
        published(created(f"{video}&media_type=REELS&thumb_offset=0", "&caption=A reel")),
        published(created(f"{image}&media_type=STORIES")),
        published(created(f"{video}&media_type=STORIES")),
        published(created(f"children={'%2C'.join(pair)}&media_type=CAROUSEL", "&caption=A carousel")),
    ]
    assert [post.media_id for post in documented.posts] == ids
    comment = http.post(f"/v20.0/{ids[0]}/comments?message=First!&access_token={token}").json()
    assert [one.comment_id for one in documented.comments(ids[0])] == [comment["id"]]
