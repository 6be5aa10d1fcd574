"""Disturbances on purpose, and the journal that proves them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle
    from sandbox.tests.integration.conftest import Caller


def test_posted_but_the_answer_was_lost_is_one_line(
    caller: Caller, instagram_sandbox: SandboxHandle, clip: Path
) -> None:
    container_id = caller.ready(clip, caption="teaser")
    instagram_sandbox.fail("publish", drop="after")
    with pytest.raises(httpx.TransportError):
        caller.publish(container_id)
    truth = instagram_sandbox.truth
    assert (truth.per_container, truth.per_caption) == ({container_id: 1}, {"teaser": 1})
    [entry] = instagram_sandbox.journal("publish")
    assert (entry.effect, entry.status, entry.outcome, entry.fault) == (True, None, "dropped", "drop after")


def test_a_call_dropped_before_its_effect_did_nothing(
    caller: Caller, instagram_sandbox: SandboxHandle, clip: Path
) -> None:
    container_id = caller.ready(clip)
    instagram_sandbox.fail("publish", drop="before")
    with pytest.raises(httpx.TransportError):
        caller.publish(container_id)
    assert instagram_sandbox.posts == []
    assert caller.publish(container_id).status_code == 200
    assert [entry.effect for entry in instagram_sandbox.journal("publish")] == [False, True]


def test_an_error_can_follow_the_effect(caller: Caller, instagram_sandbox: SandboxHandle, clip: Path) -> None:
    container_id = caller.ready(clip)
    instagram_sandbox.fail("publish", 4, 2207051, when="after")
    error = caller.publish(container_id).json()["error"]
    assert (error["code"], error["error_subcode"]) == (4, 2207051)
    assert len(instagram_sandbox.posts) == 1


def test_a_fault_hits_the_nth_call_and_so_many_after_it(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.fail("account", 2, nth=2, times=2)
    assert [caller.get("me").status_code for _ in range(5)] == [200, 500, 500, 200, 200]


def test_a_fault_can_last(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.fail("*", 1, times=0)
    assert [caller.get("me").status_code for _ in range(4)] == [500] * 4
    httpx.delete(f"{instagram_sandbox.url}/_sandbox/faults")
    assert caller.get("me").status_code == 200


def test_a_fault_can_be_for_one_account(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    token = instagram_sandbox.add_account("17841400000000002", "second")
    instagram_sandbox.fail("account", 2, account="17841400000000002")
    assert caller.get("me").status_code == 200
    assert caller.http.get("/v27.0/me", headers={"Authorization": f"Bearer {token}"}).status_code == 500


def test_the_gateway_can_answer_in_html(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.fail("account", html=True)
    answer = caller.get("me")
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert answer.text.startswith("<!DOCTYPE html>")


def test_any_status_and_body_can_be_answered(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.fail("account", status=503, body={"odd": True})
    answer = caller.get("me")
    assert (answer.status_code, answer.json()) == (503, {"odd": True})


def test_an_answer_can_be_late(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.fail("account", delay_s=0.3)
    began = time.monotonic()
    assert caller.get("me").status_code == 200
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize(
    "fault", [{}, {"code": 2, "html": True}, {"cut_after_bytes": 5}, {"codes": 2}], ids=["none", "two", "cut", "typo"]
)
def test_a_senseless_fault_is_refused(fault: dict[str, object], instagram_sandbox: SandboxHandle) -> None:
    with pytest.raises(ValueError, match="refused"):
        instagram_sandbox.fail("publish", **fault)  # type: ignore[arg-type]


def test_the_journal_keeps_order_parameters_and_outcome_but_no_secret(
    caller: Caller, instagram_sandbox: SandboxHandle
) -> None:
    caller.get("me", access_token=instagram_sandbox.token)
    caller.create(video_url="https://media.invalid/a.mp4?X-Amz-Signature=abc", caption="teaser")
    caller.create(media_type="FEED")
    params = {"grant_type": "ig_exchange_token", "client_secret": instagram_sandbox.app_secret, "access_token": "IGAAx"}
    caller.http.get("/access_token", params=params)
    journal = instagram_sandbox.journal()
    assert [(e.operation, e.outcome, e.status) for e in journal] == [
        ("account", "ok", 200),
        ("create", "ok", 200),
        ("create", "100/2207023", 400),
        ("exchange_token", "190", 400),
    ]
    assert journal[1].parameters["caption"] == "teaser"
    assert journal[1].parameters["video_url"] == "https://media.invalid/a.mp4?***"
    text = httpx.get(f"{instagram_sandbox.url}/_sandbox/journal").text
    for secret in (instagram_sandbox.token, instagram_sandbox.app_secret, "IGAAx", "abc"):
        assert secret not in text


def test_the_journal_can_be_asked(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    first, second = (caller.create(upload_type="resumable").json()["id"] for _ in range(2))
    caller.status(first)
    caller.status(second)
    assert instagram_sandbox.calls("status") == 2
    assert [entry.operation for entry in instagram_sandbox.journal(container_id=first)] == ["create", "status"]
    assert [entry.container_id for entry in instagram_sandbox.journal("status", after=3)] == [second]
    assert len(instagram_sandbox.journal(account=caller.user_id)) == 4
    assert instagram_sandbox.journal(account="1") == []


def test_a_planned_80002_says_how_long_to_wait(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.fail("account", 80002, regain_minutes=7)
    refused, next_one = caller.get("me"), caller.get("me")
    assert refused.json()["error"]["code"] == 80002
    assert usage_of(refused) == {"call_count": 100, "estimated_time_to_regain_access": 7}
    assert usage_of(next_one)["estimated_time_to_regain_access"] == 0


@pytest.mark.parametrize(("minutes", "said"), [({}, 1), ({"regain_minutes": 0}, 0)])
def test_a_planned_80002_is_at_the_limit_and_asks_for_a_minute_unless_told(
    caller: Caller, instagram_sandbox: SandboxHandle, minutes: dict[str, Any], said: int
) -> None:
    instagram_sandbox.fail("account", 80002, **minutes)
    assert usage_of(caller.get("me")) == {"call_count": 100, "estimated_time_to_regain_access": said}


def test_of_two_faults_on_one_call_the_second_waits_for_the_next(
    caller: Caller, instagram_sandbox: SandboxHandle
) -> None:
    """Planned alike, they come one after the other; a mere delay goes with either."""
    instagram_sandbox.fail("account", 2)
    instagram_sandbox.fail("account", 2)
    instagram_sandbox.fail("account", status=503, when="after")
    instagram_sandbox.fail("account", delay_s=0.01)
    assert [caller.get("me").status_code for _ in range(4)] == [500, 500, 503, 200]
    assert [entry.fault for entry in instagram_sandbox.journal("account")] == [
        "delay 0.01 s before, 2 before",
        "2 before",
        "503 after",
        None,
    ]
    planned = httpx.get(f"{instagram_sandbox.url}/_sandbox/faults").json()
    assert [fault["hits"] for fault in planned] == [1, 1, 1, 1]


def test_a_fault_for_the_second_call_counts_a_first_one_that_another_fault_hit(
    caller: Caller, instagram_sandbox: SandboxHandle
) -> None:
    instagram_sandbox.fail("account", 2)
    instagram_sandbox.fail("account", status=503, nth=2)
    assert [caller.get("me").status_code for _ in range(3)] == [500, 503, 200]


def test_a_fault_after_the_effect_is_not_seen_on_a_call_that_was_refused(
    caller: Caller, instagram_sandbox: SandboxHandle
) -> None:
    container_id = caller.create(upload_type="resumable").json()["id"]
    instagram_sandbox.fail("publish", drop="after")
    assert caller.publish(container_id).json()["error"]["code"] == 9007
    [entry] = instagram_sandbox.journal("publish")
    assert (entry.outcome, entry.fault) == ("9007/2207027", "drop after, not seen: the call was refused")


def test_a_token_is_in_no_entry_of_the_journal_wherever_it_was_put(
    caller: Caller, instagram_sandbox: SandboxHandle
) -> None:
    """In a path, a caption, inside a list, or the link of an upload."""
    token = instagram_sandbox.token
    caller.get(token)
    body = {"media_type": "REELS", "upload_type": "resumable", "caption": f"my {token}", "audio_name": [{"of": token}]}
    container_id = caller.http.post("/v27.0/me/media", json=body).json()["id"]
    headers = {"Authorization": f"OAuth {token}", "file_url": f"http://127.0.0.1:9/{token}.mp4?sig=secret"}
    caller.http.post(f"/ig-api-upload/v27.0/{container_id}", headers=headers)
    journal = instagram_sandbox.journal()
    assert [entry.operation for entry in journal] == ["unknown", "create", "upload"]
    assert journal[2].parameters == {"file_url": "http://127.0.0.1:9/***.mp4?***"}
    assert journal[1].parameters["caption"] == "my ***"
    assert token not in str(journal)


def usage_of(answer: httpx.Response) -> dict[str, int]:
    [[use]] = json.loads(answer.headers["X-Business-Use-Case-Usage"]).values()
    return {name: use[name] for name in ("call_count", "estimated_time_to_regain_access")}


def test_a_code_comes_in_the_shape_of_the_host_that_is_asked(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    container_id = caller.create(upload_type="resumable").json()["id"]
    instagram_sandbox.fail("upload", 190, 463)
    instagram_sandbox.fail("upload", 1, nth=2)
    instagram_sandbox.fail("exchange_code", 1)
    told = [caller.upload(container_id, b"x").json()["debug_info"] for _ in range(2)]
    assert [(one["type"], one["retriable"]) for one in told] == [
        ("NotAuthorizedError", False),
        ("ProcessingFailedError", True),
    ]
    assert set(caller.http.post("/oauth/access_token").json()) == {"error_type", "code", "error_message"}


def test_a_status_without_a_body_has_none(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.fail("account", status=204)
    answer = caller.get("me")
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    "nonsense", [{"status": 204, "body": {"a": 1}}, {"subcode": 33, "html": True}, {"regain_minutes": 3, "html": True}]
)
def test_a_fault_that_means_nothing_is_refused(instagram_sandbox: SandboxHandle, nonsense: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="refused"):
        instagram_sandbox.fail("account", **nonsense)


@pytest.mark.parametrize("subcode", [1363008, 2207085])
def test_a_subcode_under_another_code_has_its_words_for_users(
    caller: Caller, instagram_sandbox: SandboxHandle, subcode: int
) -> None:
    instagram_sandbox.fail("account", 100, subcode)
    error = caller.get("me").json()["error"]
    assert (error["code"], error["error_subcode"], error["message"]) == (100, subcode, "(#100) Invalid parameter")
    assert (error["error_user_title"], error["error_user_msg"]) == (
        "Upload failed",
        "The media could not be processed. Try to upload it again.",
    )
