"""The upload host, to the byte. Source: Meta, Resumable Upload Protocol."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle
    from sandbox.tests.integration.conftest import Caller


@pytest.fixture
def container_id(caller: Caller) -> str:
    return str(caller.create(upload_type="resumable").json()["id"])


def held(caller: Caller, container_id: str) -> int:
    return int(caller.status(container_id)["video_status"]["uploading_phase"]["bytes_transferred"])


def wait_until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def failure(answer: httpx.Response) -> tuple[int, str, bool]:
    body = answer.json()
    assert set(body) == {"debug_info"}
    assert set(body["debug_info"]) == {"retriable", "type", "message"}
    return answer.status_code, body["debug_info"]["type"], body["debug_info"]["retriable"]


def send_and_leave(caller: Caller, container_id: str, data: bytes, file_size: int) -> None:
    """Start an upload of the whole file, send only the beginning of it, and hang up."""
    address = urlsplit(caller.sandbox.url)
    head = f"POST /ig-api-upload/v27.0/{container_id} HTTP/1.1\r\nHost: {address.netloc}\r\noffset: 0\r\n"
    head += f"Authorization: OAuth {caller.token}\r\nfile_size: {file_size}\r\nContent-Length: {file_size}\r\n\r\n"
    with socket.create_connection((str(address.hostname), address.port or 80)) as sock:
        sock.sendall(head.encode() + data)
        wait_until(lambda: held(caller, container_id) == len(data), "the bytes did not arrive")


def test_an_upload_that_broke_off_goes_on_where_it_stopped(caller: Caller, container_id: str, clip: Path) -> None:
    data = clip.read_bytes()
    send_and_leave(caller, container_id, data[:30_001], len(data))
    phase = caller.status(container_id)["video_status"]["uploading_phase"]
    assert phase == {"status": "in_progress", "bytes_transferred": 30_001, "source_file_size": len(data)}
    assert caller.upload(container_id, data[30_001:], offset=30_001).json() == {
        "success": True,
        "message": "Upload successful.",
    }
    caller.sandbox.advance(5)
    assert caller.status(container_id)["status_code"] == "FINISHED"


def test_the_published_video_is_the_uploaded_one_byte_by_byte(caller: Caller, container_id: str, clip: Path) -> None:
    data = clip.read_bytes()
    send_and_leave(caller, container_id, data[:12_345], len(data))
    caller.upload(container_id, data[12_345:], offset=12_345)
    caller.sandbox.advance(5)
    media_id = caller.publish(container_id).json()["id"]
    assert httpx.get(caller.get(media_id, fields="media_url").json()["media_url"]).content == data


@pytest.mark.parametrize("offset", [0, 9_999, 10_001])
def test_any_other_offset_is_invalid(offset: int, caller: Caller, container_id: str, clip: Path) -> None:
    data = clip.read_bytes()
    send_and_leave(caller, container_id, data[:10_000], len(data))
    answer = caller.upload(container_id, data[offset:], offset=offset)
    assert failure(answer) == (400, "OffsetInvalidError", False)
    assert held(caller, container_id) == 10_000


def test_a_body_shorter_than_announced_is_partial_and_can_be_continued(
    caller: Caller, container_id: str, clip: Path
) -> None:
    """A whole POST that holds fewer bytes than file_size says."""
    data = clip.read_bytes()
    answer = caller.upload(container_id, data[:5_000], headers={"file_size": str(len(data))})
    assert failure(answer) == (400, "PartialRequestError", True)
    assert held(caller, container_id) == 5_000
    assert caller.upload(container_id, data[5_000:], offset=5_000).json()["success"] is True


def test_more_bytes_than_announced_are_refused(caller: Caller, container_id: str) -> None:
    assert failure(caller.upload(container_id, b"x" * 20, headers={"file_size": "10"})) == (
        400,
        "PartialRequestError",
        False,
    )
    assert held(caller, container_id) == 0


def test_the_size_of_the_file_may_not_change(caller: Caller, container_id: str, clip: Path) -> None:
    data = clip.read_bytes()
    send_and_leave(caller, container_id, data[:10], len(data))
    answer = caller.upload(container_id, data[10:] + b"x", offset=10)
    assert failure(answer) == (400, "PartialRequestError", False)


def test_a_complete_upload_cannot_be_repeated(caller: Caller, clip: Path) -> None:
    container_id = caller.reel(clip)
    again = caller.upload(container_id, clip.read_bytes())
    assert failure(again) == (400, "OffsetInvalidError", False)


def test_chunked_encoding_is_refused(caller: Caller, container_id: str) -> None:
    def body() -> Iterator[bytes]:
        yield b"some bytes"

    headers = {"Authorization": f"OAuth {caller.token}", "offset": "0", "file_size": "10"}
    answer = caller.http.post(f"/ig-api-upload/v27.0/{container_id}", content=body(), headers=headers)
    assert failure(answer) == (400, "PartialRequestError", False)
    assert "Chunked" in answer.json()["debug_info"]["message"]


@pytest.mark.parametrize("name", ["offset", "file_size"])
@pytest.mark.parametrize("value", ["", "-1", "ten"])
def test_a_header_that_is_no_number_is_refused(name: str, value: str, caller: Caller, container_id: str) -> None:
    assert failure(caller.upload(container_id, b"x", headers={name: value}))[0:2] == (400, "PartialRequestError")


def test_only_the_owners_token_in_metas_own_scheme_may_upload(
    caller: Caller, container_id: str, instagram_sandbox: SandboxHandle
) -> None:
    """``OAuth``, not ``Bearer``; a live token; and of the account that made the container."""
    other = instagram_sandbox.add_account("17841400000000002", "second")
    for authorization in (f"Bearer {caller.token}", "OAuth nonsense", f"OAuth {other}"):
        answer = caller.upload(container_id, b"x", headers={"Authorization": authorization})
        assert failure(answer) == (401, "NotAuthorizedError", False)
    by_link = caller.create(video_url="https://media.invalid/a.mp4").json()["id"]
    assert failure(caller.upload(by_link, b"x")) == (401, "NotAuthorizedError", False)


def test_an_account_may_be_refused_resumable_upload(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    """As some tokens of Instagram Login were: the refusal comes at create."""
    instagram_sandbox.change_account(caller.user_id, resumable=False)
    answer = caller.create(upload_type="resumable")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 3)
    assert caller.create(video_url="https://media.invalid/a.mp4").status_code == 200


def test_an_account_may_lose_resumable_upload_after_create(
    caller: Caller, container_id: str, instagram_sandbox: SandboxHandle
) -> None:
    instagram_sandbox.change_account(caller.user_id, resumable=False)
    assert failure(caller.upload(container_id, b"x")) == (401, "NotAuthorizedError", False)


def test_an_upload_can_be_cut_after_a_number_of_bytes(
    caller: Caller, container_id: str, clip: Path, instagram_sandbox: SandboxHandle
) -> None:
    data = clip.read_bytes()
    instagram_sandbox.fail("upload", cut_after_bytes=20_000)
    with pytest.raises(httpx.TransportError):
        caller.upload(container_id, data)
    assert held(caller, container_id) == 20_000
    assert caller.upload(container_id, data[20_000:], offset=20_000).json()["success"] is True


def test_an_upload_can_answer_400_and_finish_all_the_same(
    caller: Caller, container_id: str, clip: Path, instagram_sandbox: SandboxHandle
) -> None:
    body = {"debug_info": {"retriable": False, "type": "ProcessingFailedError", "message": "Request processing failed"}}
    instagram_sandbox.fail("upload", status=400, body=body, when="after")
    answer = caller.upload(container_id, clip.read_bytes())
    assert failure(answer) == (400, "ProcessingFailedError", False)
    instagram_sandbox.advance(5)
    assert caller.status(container_id)["status_code"] == "FINISHED"


def test_of_two_uploads_at_once_only_the_newer_writes(caller: Caller, container_id: str, clip: Path) -> None:
    """A client that lost its connection goes on while the server still holds the old one."""
    data = clip.read_bytes()
    address = urlsplit(caller.sandbox.url)
    head = f"POST /ig-api-upload/v27.0/{container_id} HTTP/1.1\r\nHost: {address.netloc}\r\noffset: 0\r\n"
    head += f"Authorization: OAuth {caller.token}\r\nfile_size: {len(data)}\r\nContent-Length: {len(data)}\r\n\r\n"
    with socket.create_connection((str(address.hostname), address.port or 80)) as old:
        old.sendall(head.encode() + data[:1000])
        wait_until(lambda: held(caller, container_id) == 1000, "the bytes did not arrive")
        results: list[Any] = []
        newer = threading.Thread(target=lambda: results.append(caller.upload(container_id, data[1000:], offset=1000)))
        newer.start()
        newer.join(20)
        assert results[0].json()["success"] is True
        old.sendall(data[1000:2000])
        caller.sandbox.advance(5)
    assert caller.sandbox.containers[0].bytes_received == len(data)
    assert caller.status(container_id)["status_code"] == "FINISHED"


def test_the_version_of_an_upload_is_the_one_of_its_create(caller: Caller) -> None:
    data = {"media_type": "REELS", "upload_type": "resumable"}
    answer = caller.http.post(f"/v25.0/{caller.user_id}/media", data=data).json()
    assert answer["uri"].endswith(f"/ig-api-upload/v25.0/{answer['id']}")


@pytest.mark.parametrize("version", ["v18.0", "v99.0"])
def test_an_upload_needs_a_version_that_is_supported(caller: Caller, version: str) -> None:
    container_id = caller.create(upload_type="resumable").json()["id"]
    headers = {"Authorization": f"OAuth {caller.token}", "offset": "0", "file_size": "1"}
    answer = caller.http.post(f"/ig-api-upload/{version}/{container_id}", content=b"x", headers=headers)
    assert answer.status_code == 400
    assert version in answer.json()["debug_info"]["message"]
