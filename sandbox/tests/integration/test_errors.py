"""The bodies of failures, to the letter, and the headers that warn of limits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from instagram_sandbox.testing.handle import SandboxHandle
    from sandbox.tests.integration.conftest import Caller


def test_the_envelope_of_the_graph_api(caller: Caller) -> None:
    """Source: Meta, Handling Errors; the optional fields are absent when there is nothing to say."""
    body = caller.create(media_type="VIDEO", video_url="https://media.example/a.mp4").json()["error"]
    assert body.pop("fbtrace_id")
    assert body == {
        "message": "Invalid parameter",
        "type": "OAuthException",
        "code": 100,
        "error_subcode": 2207089,
        "is_transient": False,
        "error_user_title": "Media type VIDEO is not supported",
        "error_user_msg": (
            "The VIDEO value for media_type is no longer supported. Use the REELS media type to publish a video."
        ),
    }
    plain = caller.get("1").json()["error"]
    assert set(plain) == {"message", "type", "code", "error_subcode", "is_transient", "fbtrace_id"}


def test_a_token_that_is_none_cannot_be_parsed(caller: Caller) -> None:
    for token in ("EAAfacebookLogin", "nonsense"):
        answer = caller.http.get("/v27.0/me", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, 190)
        assert "error_subcode" not in answer.json()["error"]
        assert "Cannot parse access token" in answer.json()["error"]["message"]


@pytest.mark.parametrize("subcode", [458, 460, 463, 467])
def test_a_revoked_token_answers_its_subcode(subcode: int, caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.revoke(instagram_sandbox.token, subcode)
    error = caller.get("me").json()["error"]
    assert (error["code"], error["error_subcode"]) == (190, subcode)


def test_an_expired_token_answers_subcode_0(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    """As graph.instagram.com does."""
    token = instagram_sandbox.add_token(caller.user_id, age_s=60 * 86_400)
    error = caller.http.get("/v27.0/me", headers={"Authorization": f"Bearer {token}"}).json()["error"]
    assert (error["code"], error["error_subcode"]) == (190, 0)


def test_publishing_needs_its_scope(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    token = instagram_sandbox.add_token(caller.user_id, scopes=["instagram_business_basic"])
    headers = {"Authorization": f"Bearer {token}"}
    data = {"media_type": "REELS", "upload_type": "resumable"}
    assert caller.http.post("/v27.0/me/media", data=data, headers=headers).json()["error"]["code"] == 200
    assert caller.http.get("/v27.0/me", headers=headers).status_code == 200


def test_the_token_is_taken_from_header_form_and_query(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    caller.http.headers.pop("Authorization")
    params: Any = {"access_token": instagram_sandbox.token}
    assert caller.http.get("/v27.0/me", params=params).status_code == 200
    data = params | {"media_type": "REELS", "upload_type": "resumable"}
    assert caller.http.post("/v27.0/me/media", data=data).status_code == 200
    error = caller.http.get("/v27.0/me").json()["error"]
    assert (error["code"], error["message"]) == (104, "An access token is required to request this resource.")


def test_usage_headers_follow_the_real_counters(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.switch(calls_per_24_h=10)
    percents = []
    for _ in range(3):
        usage = json.loads(caller.get("me").headers["X-Business-Use-Case-Usage"])
        [row] = usage[caller.user_id]
        percents.append(row["call_count"])
        assert (row["type"], row["estimated_time_to_regain_access"]) == ("instagram", 0)
    assert percents == [10, 20, 30]


def test_beyond_the_limit_the_header_says_when_to_come_back(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.switch(calls_per_24_h=3)
    for _ in range(3):
        caller.get("me")
    instagram_sandbox.advance(86_400 - 600)
    answer = caller.get("me")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 80002)
    [row] = json.loads(answer.headers["X-Business-Use-Case-Usage"])[caller.user_id]
    assert 9 <= row["estimated_time_to_regain_access"] <= 11
    instagram_sandbox.switch(regain_minutes=3)
    [row] = json.loads(caller.get("me").headers["X-Business-Use-Case-Usage"])[caller.user_id]
    assert row["estimated_time_to_regain_access"] == 3


@pytest.mark.parametrize(("way", "header"), [("app", "X-App-Usage"), ("none", None)])
def test_the_usage_header_can_be_the_apps_or_absent(
    way: str, header: str | None, caller: Caller, instagram_sandbox: SandboxHandle
) -> None:
    instagram_sandbox.switch(usage_header=way)
    headers = caller.get("me").headers
    assert {name for name in headers if "usage" in name} == ({header.lower()} if header else set())
    if header:
        assert set(json.loads(headers[header])) == {"call_count", "total_time", "total_cputime"}


@pytest.mark.parametrize(
    ("code", "subcode", "title"),
    [
        (36003, 2207009, "Invalid aspect ratio"),
        (9004, 2207052, "Media download has failed"),
        (36001, 2207005, "Invalid Image Format"),
        (352, 2207026, "Unsupported format"),
        (25, 2207050, "Account restricted"),
    ],
)
def test_a_code_that_always_has_the_same_subcode_is_planned_with_it(
    code: int, subcode: int, title: str, caller: Caller, instagram_sandbox: SandboxHandle
) -> None:
    instagram_sandbox.fail("account", code)
    error = caller.get("me").json()["error"]
    assert (error["code"], error["error_subcode"], error["error_user_title"]) == (code, subcode, title)


def test_a_code_that_needs_one_of_several_subcodes_is_not_planned_without(instagram_sandbox: SandboxHandle) -> None:
    with pytest.raises(ValueError, match="24 needs one of the subcodes 2207006, 2207008"):
        instagram_sandbox.fail("account", 24)


@pytest.mark.parametrize("subcode", [2207027, 2207055])
def test_please_wait_is_no_failure_that_can_be_planned(subcode: int, instagram_sandbox: SandboxHandle) -> None:
    with pytest.raises(ValueError, match="plan never instead"):
        instagram_sandbox.process_next(outcome="error", subcode=subcode)


def test_texts_for_users_are_those_of_metas_page(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    """To the letter. For 2207001, the page has no text."""
    instagram_sandbox.fail("account", 9, 2207042)
    said = caller.get("me").json()["error"]["error_user_msg"]
    assert said == "You reached maximum number of posts that is allowed to be published by Content Publishing API."
    instagram_sandbox.fail("account", -1, 2207001)
    assert "error_user_msg" not in caller.get("me").json()["error"]
