"""Calls that no client of good will makes: each is refused in Meta's shape, and leaves the sandbox as it was."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_instagram.sandbox.handle import SandboxHandle


def test_half_a_character_is_refused_and_the_journal_stays_readable(caller: Any) -> None:
    sent = b'{"media_type": "REELS", "upload_type": "resumable", "caption": "cut \\ud83d"}'
    path = f"/v26.0/{caller.user_id}/media"
    answer = caller.http.post(path, content=sent, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 100)
    assert caller.sandbox.containers == []
    assert caller.sandbox.calls("create") == 1


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
    answer = caller.http.post(f"/ig-api-upload/v26.0/{container_id}", headers=headers)
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
    with pytest.raises(ValueError, match=r"refuses|Out of range|not JSON compliant"):
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
