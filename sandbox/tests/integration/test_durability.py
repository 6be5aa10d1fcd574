"""A sandbox that is killed and started again with ``--state``."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from instagram_sandbox.testing.handle import SandboxHandle
from sandbox.tests.integration.conftest import Caller

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def killed_at_the_end(state: Path) -> Iterator[Caller]:
    """Run a sandbox on a state folder, and end it without a warning."""
    port_file = state.parent / "port"
    port_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "instagram_sandbox", "--port", "0", "--port-file"]
    options = [str(port_file), "--state", str(state), "--processing-time", "0.1", "--visible-after", "0"]
    options += ["--new-ids-unknown", "0"]
    process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not port_file.exists():
            assert process.poll() is None, "the sandbox did not start"
            assert time.monotonic() < deadline, "the sandbox did not start in time"
            time.sleep(0.02)
        sandbox = SandboxHandle(f"http://127.0.0.1:{port_file.read_text()}")
        caller = Caller(sandbox)
        yield caller
        caller.http.close()
        sandbox.close()
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def begin_upload(caller: Caller, container_id: str, offset: int, part: bytes, file_size: int) -> socket.socket:
    """Send a part of the rest of a file; the connection stays open and waits for more."""
    address = urlsplit(caller.sandbox.url)
    head = f"POST /ig-api-upload/v27.0/{container_id} HTTP/1.1\r\nHost: {address.netloc}\r\noffset: {offset}\r\n"
    head += f"Authorization: OAuth {caller.token}\r\nfile_size: {file_size}\r\n"
    head += f"Content-Length: {file_size - offset}\r\n\r\n"
    sock = socket.create_connection((str(address.hostname), address.port or 80))
    sock.sendall(head.encode() + part)
    return sock


def held(caller: Caller, container_id: str) -> int:
    return int(caller.status(container_id)["video_status"]["uploading_phase"]["bytes_transferred"])


@pytest.mark.long
def test_an_upload_goes_on_after_each_of_three_kills(tmp_path: Path, clip: Path) -> None:
    """What a status read acknowledged is there after the kill, and the finished file is the sent one."""
    state, data = tmp_path / "state", clip.read_bytes()
    step = len(data) // 4
    with killed_at_the_end(state) as caller:
        container_id = caller.create(upload_type="resumable", caption="Survivor").json()["id"]
    acknowledged = 0
    for _ in range(3):
        with killed_at_the_end(state) as caller:
            offset = held(caller, container_id)
            assert offset >= acknowledged
            sock = begin_upload(caller, container_id, offset, data[offset : offset + step], len(data))
            deadline = time.monotonic() + 10
            while held(caller, container_id) < offset + step:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            acknowledged = held(caller, container_id)
        sock.close()
    with killed_at_the_end(state) as caller:
        offset = held(caller, container_id)
        assert caller.upload(container_id, data[offset:], offset=offset).json()["success"] is True
    with killed_at_the_end(state) as caller:
        caller.sandbox.advance(5)
        assert caller.status(container_id)["status_code"] == "FINISHED"
        media_id = caller.publish(container_id).json()["id"]
    with killed_at_the_end(state) as caller:
        [post] = caller.sandbox.posts
        assert (post.media_id, post.caption) == (media_id, "Survivor")
        assert caller.http.get(f"/media/{media_id}.mp4").content == data


def test_everything_else_that_was_acknowledged_is_there_too(tmp_path: Path) -> None:
    """Clock, switches, accounts, tokens, plans, faults, counters and journal."""
    state = tmp_path / "state"
    with killed_at_the_end(state) as caller:
        sandbox = caller.sandbox
        sandbox.advance(86_400)
        sandbox.switch(calls_per_24_h=10)
        token = sandbox.add_account("17841400000000002", "second")
        sandbox.process_next(never=True)
        sandbox.fail("status", 2, nth=2)
        container_id = caller.create(upload_type="resumable").json()["id"]
        assert caller.get(container_id).status_code == 200
        sandbox.process_next(outcome="error", subcode=2207077)
        before, journal = sandbox.now(), sandbox.journal()
    with killed_at_the_end(state) as caller:
        sandbox = caller.sandbox
        assert sandbox.now() >= before
        assert sandbox.journal() == journal
        assert caller.http.get("/v27.0/me", headers={"Authorization": f"Bearer {token}"}).status_code == 200
        assert caller.get(container_id).status_code == 500
        assert caller.get("me").headers["X-Business-Use-Case-Usage"].count('"call_count": 30') == 1
        planned = caller.create(upload_type="resumable").json()["id"]
        caller.upload(planned, b"x" * 100)
        sandbox.advance(60)
        assert caller.status(planned)["status"].endswith("2207077")


@pytest.mark.parametrize("moment", ["all bytes are here", "the file has its name"])
def test_a_kill_between_the_last_byte_and_the_answer_leaves_no_gap(tmp_path: Path, clip: Path, moment: str) -> None:
    """The client got no answer; it reads that all bytes are there, and the container finishes by itself."""
    state, data = tmp_path / "state", clip.read_bytes()
    with killed_at_the_end(state) as caller:
        container_id = caller.create(upload_type="resumable").json()["id"]
        begin_upload(caller, container_id, 0, data[:-1], len(data))
        deadline = time.monotonic() + 10
        while held(caller, container_id) < len(data) - 1:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    part = state / "media" / f"{container_id}.part"
    part.write_bytes(data)
    if moment == "the file has its name":
        part.rename(part.with_suffix(".media"))
    with killed_at_the_end(state) as caller:
        caller.sandbox.advance(5)
        assert held(caller, container_id) == len(data)
        assert caller.status(container_id)["status_code"] == "FINISHED"


def test_a_state_folder_serves_one_sandbox_at_a_time(tmp_path: Path) -> None:
    state = tmp_path / "state"
    command = [sys.executable, "-m", "instagram_sandbox", "--port", "0", "--state", str(state)]
    with killed_at_the_end(state):
        second = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert second.returncode == 2
    assert str(state) in second.stderr
    assert "Traceback" not in second.stderr
