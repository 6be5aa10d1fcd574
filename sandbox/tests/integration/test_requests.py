"""Requests as clients send them: bodies, tokens, methods, fields, batches. And errors by the host that is asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.tests.integration.conftest import Caller, WebServer

REEL = {"media_type": "REELS", "upload_type": "resumable", "caption": "Sent in any way"}


def parts(fields: dict[str, str]) -> dict[str, tuple[None, str]]:
    """Return a body in multipart, as ``curl -F`` and FormData send it."""
    return {name: (None, value) for name, value in fields.items()}


@pytest.mark.parametrize(
    "request_of",
    [
        {"data": REEL},
        {"json": REEL},
        {"params": REEL},
        {"files": parts(REEL)},
        {"json": REEL | {"cover_url": None, "collaborators": None}},
        {"params": REEL, "headers": {"Content-Type": "text/plain"}},
        {"content": "media_type=REELS&upload_type=resumable&caption=Sent%20in%20any%20way"},
    ],
    ids=["form", "JSON", "query", "multipart", "JSON with nulls", "a type without a body", "no type"],
)
def test_a_create_call_arrives_in_any_encoding(client: Caller, request_of: dict[str, Any]) -> None:
    answer = client.http.post("/v27.0/me/media", **request_of)
    assert answer.status_code == 200, answer.text
    assert [container.caption for container in client.sandbox.containers] == ["Sent in any way"]


def test_the_login_code_is_exchanged_in_multipart(client: Caller) -> None:
    """Meta's own sample sends the exchange with ``curl -F``."""
    asked = {
        "client_id": client.sandbox.app_id,
        "redirect_uri": "https://app.example/back",
        "response_type": "code",
        "scope": "instagram_business_basic,instagram_business_manage_comments",
    }
    chosen = {"decision": "allow", "account": client.user_id}
    back = client.http.post("/oauth/authorize", data=asked | chosen, follow_redirects=False)
    code = httpx.URL(back.headers["location"]).params["code"].removesuffix("#_")
    fields = {
        "client_id": client.sandbox.app_id,
        "client_secret": client.sandbox.app_secret,
        "grant_type": "authorization_code",
        "redirect_uri": asked["redirect_uri"],
        "code": code,
    }
    answer = client.http.post("/oauth/access_token", files=parts(fields)).json()
    assert answer["permissions"] == ["instagram_business_basic", "instagram_business_manage_comments"]
    assert answer["user_id"] == int(client.user_id)


def test_lists_in_the_notation_of_php_are_lists(client: Caller, picture: WebServer) -> None:
    ids = [client.create(media_type="IMAGE", is_carousel_item="true", image_url=picture.url).json()["id"] for _ in "ab"]
    for keys in (("children[0]", "children[1]"), ("children[]", "children[]")):
        body = httpx.QueryParams([("media_type", "CAROUSEL"), *zip(keys, ids, strict=True)])
        answer = client.http.post("/v27.0/me/media", params=body)
        assert answer.status_code == 200, answer.text


def test_the_token_is_taken_from_either_scheme_or_a_parameter(client: Caller) -> None:
    bare = httpx.Client(base_url=client.sandbox.url, trust_env=False)
    for scheme in ("Bearer", "OAuth", "bearer"):
        headers = {"Authorization": f"{scheme} {client.token}"}
        assert bare.get("/v27.0/me", headers=headers).status_code == 200
    assert bare.get("/v27.0/me", params={"access_token": client.token}).status_code == 200
    assert bare.get("/v27.0/me").json()["error"]["code"] == 104


def test_the_limit_takes_what_metas_sample_sends(client: Caller, clip: Path) -> None:
    client.publish(client.reel(clip))
    since = int(client.sandbox.now()) - 3600
    row = client.get("me/content_publishing_limit", fields="quota_usage,rate_limit_settings", since=since).json()
    assert row == {"data": [{"quota_usage": 1, "rate_limit_settings": {"quota_total": 100, "quota_duration": 86_400}}]}
    later = client.get("me/content_publishing_limit", since=since + 7200).json()
    assert later == {"data": [{"quota_usage": 0}]}
    assert client.get("me/content_publishing_limit", since=since - 90_000).json()["error"]["code"] == 100


def test_the_account_has_its_ig_id(client: Caller) -> None:
    assert client.get("me", fields="ig_id").json()["ig_id"].isdecimal()


def test_fields_are_read_inside_fields(client: Caller, picture: WebServer) -> None:
    ids = [client.create(media_type="IMAGE", is_carousel_item="true", image_url=picture.url).json()["id"] for _ in "ab"]
    whole = client.create(media_type="CAROUSEL", children=",".join(ids)).json()["id"]
    media_id = client.publish(whole).json()["id"]
    row = client.get(media_id, fields="id,children.limit(1){id,media_url},owner{username}").json()
    assert row["owner"]["username"] == "sandbox_studio"
    assert len(row["children"]["data"]) == 1
    assert set(row["children"]["data"][0]) == {"id", "media_url"}
    wrong = client.get(media_id, fields="children{nonsense}").json()["error"]
    assert "nonexisting field (nonsense)" in wrong["message"]


@pytest.mark.parametrize("fields", ["id,{", "children{id", "a{b{c{d{e{f{g{h{i}}}}}}}}", "id}", "children.limit(2"])
def test_fields_that_are_malformed_are_a_syntax_error(client: Caller, fields: str) -> None:
    assert client.get("me", fields=fields).json()["error"]["code"] == 2500


def test_the_method_can_be_a_parameter(client: Caller) -> None:
    created = client.http.get("/v27.0/me/media", params=REEL | {"method": "post"}).json()
    assert client.http.post(f"/v27.0/{created['id']}", data={"method": "get", "fields": "status_code"}).json() == {
        "id": created["id"],
        "status_code": "IN_PROGRESS",
    }


def test_a_batch_runs_its_calls_in_order_and_each_counts(client: Caller) -> None:
    batch = [
        {
            "method": "POST",
            "relative_url": "me/media",
            "body": "media_type=REELS&upload_type=resumable",
            "name": "made",
        },
        {"method": "GET", "relative_url": "{result=made:$.id}?fields=status_code"},
        {"method": "GET", "relative_url": "v27.0/17999999999999999"},
    ]
    answer = client.http.post("/v27.0/", data={"batch": json.dumps(batch), "include_headers": "false"}).json()
    assert answer[0] is None, "another call used its result"
    assert json.loads(answer[1]["body"])["status_code"] == "IN_PROGRESS"
    assert (answer[2]["code"], json.loads(answer[2]["body"])["error"]["code"]) == (400, 100)
    assert [entry.operation for entry in client.sandbox.journal()] == ["batch", "create", "status", "unknown"]
    assert sum(entry.weight for entry in client.sandbox.journal()) == 3


def test_a_batch_of_two_tokens_acts_for_each(client: Caller) -> None:
    other = client.sandbox.add_account("17841400000000099", "second_studio")
    batch = [{"relative_url": "me?fields=username"}, {"relative_url": "me?fields=username", "access_token": other}]
    answer = client.http.post("/", files=parts({"batch": json.dumps(batch)})).json()
    assert [json.loads(one["body"])["username"] for one in answer] == ["sandbox_studio", "second_studio"]


@pytest.mark.parametrize("batch", ["", "{", "[]", "[1]", json.dumps([{"relative_url": "me"}] * 51)])
def test_a_batch_that_is_none_is_refused(client: Caller, batch: str) -> None:
    assert client.http.post("/v27.0/", data={"batch": batch}).json()["error"]["code"] == 100


def test_an_error_has_the_type_of_the_host_that_is_asked(client: Caller, facebook: Caller) -> None:
    def type_of(answer: httpx.Response) -> str:
        return str(answer.json()["error"]["type"])

    assert type_of(client.get("me", fields="nonsense")) == "IGApiException"
    assert type_of(facebook.get("me", fields="nonsense")) == "OAuthException"
    assert type_of(client.get("me/nonsense")) == "IGApiException"
    for one in (client, facebook):
        assert type_of(one.get("17999999999999999")) == "GraphMethodException"
        assert type_of(one.create(media_type="VIDEO", video_url="https://example.com/a.mp4")) == "OAuthException"
    refused = client.http.post("/oauth/access_token", data={"client_id": "1"}).json()
    assert set(refused) == {"error_type", "code", "error_message"}
    refused = client.http.post("/v27.0/oauth/access_token", data={"client_id": "1"}).json()
    assert set(refused) == {"error"}


def test_two_fields_of_the_account_are_instagram_logins_alone(client: Caller, facebook: Caller) -> None:
    assert client.get(client.user_id, fields="user_id,account_type").status_code == 200
    for name in ("user_id", "account_type"):
        assert f"nonexisting field ({name})" in facebook.get(facebook.user_id, fields=name).json()["error"]["message"]
