"""Calls that no client of good will makes: each is refused in Meta's shape, and leaves the sandbox as it was."""

from __future__ import annotations

import socket
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle


def test_half_a_character_is_refused_and_the_journal_stays_readable(caller: Any) -> None:
    sent = b'{"media_type": "REELS", "upload_type": "resumable", "caption": "cut \\ud83d"}'
    path = f"/v27.0/{caller.user_id}/media"
    answer = caller.http.post(path, content=sent, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 100)
    assert caller.sandbox.containers == []
    assert caller.sandbox.calls("create") == 1


def test_a_caller_that_leaves_in_the_middle_of_its_body_is_in_the_journal(caller: Any) -> None:
    server = caller.http.base_url
    head = f"POST /v27.0/me/media HTTP/1.1\r\nHost: {server.host}\r\nContent-Length: 100\r\n\r\n"
    with socket.create_connection((server.host, server.port)) as connection:
        connection.sendall(head.encode() + b"media_type=")
    deadline = time.monotonic() + 10
    while not (entries := caller.sandbox.journal("create")) or entries[0].outcome == "pending":
        assert time.monotonic() < deadline, "the call is not in the journal"
        time.sleep(0.05)
    assert (entries[0].outcome, entries[0].effect) == ("caller left", False)
    assert caller.sandbox.containers == []


@pytest.mark.parametrize("link", ["http://[bad/x.mp4", "http://127.0.0.1:99999/x.mp4", "http://xn--/x.mp4"])
def test_a_link_that_is_none_ends_in_an_answer(caller: Any, link: str) -> None:
    answer = caller.create(video_url=link)
    if answer.is_success:
        caller.sandbox.settle()
        caller.sandbox.advance(5)
        assert "2207052" in caller.status(answer.json()["id"])["status"]
    else:
        assert answer.json()["error"]["code"] == 100


def test_a_number_of_a_thousand_digits_is_refused(caller: Any) -> None:
    answer = caller.get(f"{caller.user_id}/media", limit="9" * 5000)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 100)


def test_a_complete_upload_is_not_replaced_by_a_link(caller: Any, clip: Path) -> None:
    container_id = caller.reel(clip)
    caller.sandbox.advance(5)
    assert caller.publish(container_id).is_success
    headers = {"Authorization": f"OAuth {caller.token}", "file_url": "http://127.0.0.1:9/x.mp4"}
    answer = caller.http.post(f"/ig-api-upload/v27.0/{container_id}", headers=headers)
    assert answer.json()["debug_info"]["type"] == "ProcessingFailedError"
    assert caller.status(container_id)["video_status"]["uploading_phase"]["bytes_transferred"] > 0


def test_what_was_published_in_time_does_not_expire(caller: Any, clip: Path) -> None:
    container_id = caller.reel(clip)
    caller.sandbox.switch(visible_after_s=60)
    caller.sandbox.advance(timedelta(hours=23, minutes=59, seconds=30))
    assert caller.publish(container_id).is_success
    seen = []
    for seconds in (0, 40, 40):
        caller.sandbox.advance(seconds)
        seen.append(caller.status(container_id)["status_code"])
    assert seen == ["FINISHED", "FINISHED", "PUBLISHED"]


def test_a_wrong_offset_is_named_before_anything_else(caller: Any) -> None:
    container_id = caller.create(upload_type="resumable").json()["id"]
    answer = caller.upload(container_id, b"x" * 100, offset=5, headers={"file_size": "100"})
    assert answer.json()["debug_info"]["type"] == "OffsetInvalidError"


@pytest.mark.parametrize("link", ["HTTP://example.com/a.mp4?sig=SECRET", "https://me:SECRET@example.com/a.mp4"])
def test_no_signature_or_password_of_a_link_is_in_the_journal(caller: Any, link: str) -> None:
    caller.create(video_url=link)
    assert "SECRET" not in str(caller.sandbox.journal("create"))


@pytest.mark.parametrize("seconds", [1e13, float("inf")])
def test_the_clock_does_not_leave_the_calendar(instagram_sandbox: SandboxHandle, seconds: float) -> None:
    before = instagram_sandbox.now()
    with pytest.raises(ValueError, match=r"refused|Out of range|not JSON compliant"):
        instagram_sandbox.advance(seconds)
    assert instagram_sandbox.now() - before < 60


def test_a_fault_for_an_unknown_operation_is_refused(instagram_sandbox: SandboxHandle) -> None:
    with pytest.raises(ValueError, match="operation: Input should be"):
        instagram_sandbox.fail("publsh", drop="after")


@pytest.mark.parametrize(
    "taken", [{"user_id": "17841400000000001"}, {"username": "sandbox_studio"}, {"token": "the first one's"}]
)
def test_an_account_does_not_take_what_another_has(instagram_sandbox: SandboxHandle, taken: dict[str, str]) -> None:
    if "token" in taken:
        taken = {"token": instagram_sandbox.token}
    wanted = {"user_id": "17841400000000002", "username": "second", **taken}
    with pytest.raises(ValueError, match="already"):
        instagram_sandbox.add_account(**wanted)
    with pytest.raises(ValueError, match="already"):
        instagram_sandbox.add_token(instagram_sandbox.user_id, token=instagram_sandbox.token)


def test_what_meta_does_not_know_is_refused_in_metas_own_shape(caller: Any) -> None:
    for method in ("PATCH", "OPTIONS", "PUT", "DELETE", "TRACE", "PROPFIND"):
        answer = caller.http.request(method, "/v27.0/me")
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["error_subcode"]) == (400, 100, 33), method
        assert error["message"].startswith(f"Unsupported {method.lower()} request.")
    error = caller.http.post("/v27.0/me/content_publishing_limit").json()["error"]
    assert (error["code"], error["error_subcode"]) == (100, 33), "the edge can only be read"
    assert caller.get("me/nonsense").json()["error"]["message"] == "Unknown path components: /nonsense"
    assert (caller.http.head("/v27.0/me").status_code, caller.http.head("/v27.0/1").status_code) == (200, 400)
    for path in ("/v27.0/access_token", "/v27.0/refresh_access_token"):
        answer = caller.http.get(path, params={"grant_type": "ig_refresh_token", "access_token": caller.token})
        assert answer.json()["error"]["code"] == 100, "the token endpoints have no version"
    assert set(caller.http.post("/oauth/access_token/").json()) == {"error_type", "code", "error_message"}


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({"content": b"", "headers": {"Content-Type": "application/json"}}, "image_url is required"),
        ({"json": {"media_type": "REELS", "upload_type": "resumable", "caption": "a\0b"}}, "NUL"),
        ({"json": {"media_type": "REELS", "video_url": "http://127.0.0.1:99999/a.mp4"}}, "valid URL"),
        ({"json": {"media_type": "REELS", "video_url": "http://[::1/a.mp4"}}, "valid URL"),
    ],
    ids=["empty JSON", "NUL", "port", "bracket"],
)
def test_a_create_says_what_is_wrong_with_it(caller: Any, sent: dict[str, Any], says: str) -> None:
    answer = caller.http.post(f"/v27.0/{caller.user_id}/media", **sent)
    assert answer.json()["error"]["code"] == 100
    assert says in answer.json()["error"]["message"]


@pytest.mark.parametrize(("creation_id", "says"), [("abc", "must be the id"), ("", "is required")])
def test_a_creation_id_that_is_none_is_named_as_such(caller: Any, creation_id: str, says: str) -> None:
    assert says in caller.publish(creation_id).json()["error"]["message"]


@pytest.mark.parametrize(
    "redirect_uri", ["http://a.example/\r\nX: 1", "http://a.example:99999/", "http://[::1", "http://a.example/\u00fc"]
)
def test_an_address_that_is_none_gets_the_login_pages_refusal(caller: Any, redirect_uri: str) -> None:
    asked = {"client_id": caller.sandbox.app_id, "response_type": "code", "scope": "instagram_business_basic"}
    answer = caller.http.get("/oauth/authorize", params=asked | {"redirect_uri": redirect_uri})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "text/html; charset=utf-8")
    assert "Invalid redirect_uri" in answer.text
