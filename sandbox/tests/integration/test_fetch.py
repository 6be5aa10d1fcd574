"""How ``video_url`` is fetched: as Meta's fetcher does, from a real web server."""

from __future__ import annotations

import asyncio
import gc
import resource
import socket
import threading
import time
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest

from instagram_sandbox.simulator.fetch import MOST_ROBOTS_BYTES
from instagram_sandbox.simulator.fetches import MOST_DESCRIPTORS, Fetches
from instagram_sandbox.simulator.state import TOO_SLOW
from instagram_sandbox.simulator.switches import Switches
from instagram_sandbox.testing.handle import sandbox_process
from sandbox.tests.integration.conftest import Caller, WebServer, in_thread, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle


def outcome(caller: Caller, url: str, **params: Any) -> tuple[str, str]:
    """Create from a link; return the status sentence and what the sandbox itself knows."""
    container_id = caller.create(video_url=url, **params).json()["id"]
    caller.sandbox.advance(5)
    [container] = caller.sandbox.containers
    return caller.status(container_id)["status"], container.reason


def test_a_public_link_is_fetched_and_inspected(caller: Caller, web: WebServer) -> None:
    status, _ = outcome(caller, web.url)
    assert status.startswith("Finished")
    path, agent, span = web.requests[-1]
    assert (path, span) == ("/video.mp4", "bytes=0-")
    assert agent.startswith("facebookexternalhit/")


FAILURES: dict[str, tuple[dict[str, Any], int, str]] = {
    "403": ({"status": 403}, 2207052, "answers 403"),
    "404": ({"status": 404}, 2207052, "answers 404"),
    "redirect": ({"status": 302, "location": "/other.mp4"}, 2207052, "redirects are not followed"),
    "HTML page": ({"content_type": "text/html"}, 2207052, "content type is text/html"),
    "octets": ({"content_type": "application/octet-stream"}, 2207052, "application/octet-stream"),
    "no Range": ({"status": 200}, 2207052, "does not support Range"),
    "robots.txt": ({"robots": "User-agent: *\nDisallow: /"}, 2207052, "robots.txt does not allow"),
    "robots.txt by name": ({"robots": "User-agent: facebookexternalhit\nDisallow: /video"}, 2207052, "robots.txt"),
    "not a video": ({"video": b"\0" * 100}, 2207026, "neither MP4 nor MOV"),
    "300 MB and a byte": ({"announced": 300_000_001}, 2207052, "more than 300000000 bytes"),
    "slow": ({"slow": True}, 2207003, "0.5 s"),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_each_way_to_fail_has_its_code(
    kind: str, caller: Caller, web: WebServer, instagram_sandbox: SandboxHandle
) -> None:
    behaviour, subcode, says = FAILURES[kind]
    for name, value in behaviour.items():
        setattr(web, name, value)
    if web.slow:
        instagram_sandbox.switch(fetch_timeout_s=0.5)
    container_id = caller.create(video_url=web.url).json()["id"]
    instagram_sandbox.settle()
    before = caller.status(container_id)["video_status"]["uploading_phase"]["status"]
    assert before == ("complete" if kind == "not a video" else "in_progress")
    instagram_sandbox.advance(5)
    status = caller.status(container_id)
    assert status["status"] == f"Error: Media upload has failed with error code {subcode}"
    assert says in instagram_sandbox.containers[0].reason
    uploading, processing = (status["video_status"][f"{phase}_phase"] for phase in ("uploading", "processing"))
    if kind == "not a video":
        assert (uploading["status"], uploading["bytes_transferred"], processing["status"]) == ("complete", 100, "error")
    else:
        assert (uploading["status"], uploading["errors"][0]["code"]) == ("error", subcode)
        assert processing == {"status": "not_started"}


def test_a_server_that_is_not_there_is_named(caller: Caller, web: WebServer) -> None:
    status, reason = outcome(caller, "http://127.0.0.1:9/video.mp4")
    assert "2207052" in status
    assert "ConnectError" in reason


def test_of_a_long_robots_txt_only_the_beginning_counts(caller: Caller, web: WebServer) -> None:
    web.robots = f"{'#' * MOST_ROBOTS_BYTES}\nUser-agent: *\nDisallow: /"
    status, _ = outcome(caller, web.url)
    assert status.startswith("Finished")


def test_robots_that_forbid_others_do_not_count(caller: Caller, web: WebServer) -> None:
    web.robots = "User-agent: somebody\nDisallow: /\n\nUser-agent: *\nDisallow: /private"
    status, _ = outcome(caller, web.url)
    assert status.startswith("Finished")


def test_servers_without_ranges_may_be_accepted(
    caller: Caller, web: WebServer, instagram_sandbox: SandboxHandle
) -> None:
    instagram_sandbox.switch(require_range=False)
    web.status = 200
    status, _ = outcome(caller, web.url)
    assert status.startswith("Finished")


def test_a_cover_must_be_a_jpeg_that_can_be_fetched(caller: Caller, web: WebServer) -> None:
    status, reason = outcome(caller, web.url, cover_url=web.url.replace("video.mp4", "cover.jpg"))
    assert "2207052" in status
    assert "not of a picture" in reason


@pytest.mark.parametrize(
    ("cover", "says"),
    [
        (b"\x89PNG\r\n\x1a\n" + b"x" * 100, "not a JPEG"),
        (b"\xff\xd8" + b"x" * 7_999_999, "more than 8000000 bytes"),
        (b"\xff\xd8" + b"x" * 7_999_998, ""),
    ],
    ids=["PNG", "8 MB and a byte", "8 MB"],
)
def test_the_bytes_of_a_cover_are_looked_at(caller: Caller, web: WebServer, cover: bytes, says: str) -> None:
    with serving(WebServer(cover, content_type="image/jpeg", status=200)) as covers:
        status, reason = outcome(caller, web.url, cover_url=covers.url)
    assert says in reason
    assert status.startswith("Error" if says else "Finished")


def test_a_link_that_is_not_ascii_is_refused_at_once(caller: Caller) -> None:
    answer = caller.create(video_url="https://media.example/für-dich.mp4")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 100)


def test_an_upload_can_be_a_link_too(caller: Caller, web: WebServer, clip: Path) -> None:
    container_id = caller.create(upload_type="resumable").json()["id"]
    headers = {"Authorization": f"OAuth {caller.token}", "file_url": web.url}
    assert caller.http.post(f"/ig-api-upload/v27.0/{container_id}", headers=headers).json()["success"] is True
    caller.sandbox.advance(5)
    assert caller.status(container_id)["status_code"] == "FINISHED"
    assert caller.sandbox.containers[0].bytes_received == clip.stat().st_size


def test_an_upload_by_a_bad_link_fails_in_the_uploads_shape(caller: Caller, web: WebServer) -> None:
    web.status = 403
    container_id = caller.create(upload_type="resumable").json()["id"]
    headers = {"Authorization": f"OAuth {caller.token}", "file_url": web.url}
    answer = caller.http.post(f"/ig-api-upload/v27.0/{container_id}", headers=headers)
    assert (answer.status_code, answer.json()["debug_info"]["type"]) == (400, "ProcessingFailedError")
    assert "403" in answer.json()["debug_info"]["message"]


def test_links_that_hang_delay_no_picture_of_the_same_host(
    client: Caller, web: WebServer, make_picture: Callable[..., bytes]
) -> None:
    """More of them than a host has places: each gives its place up once it hangs."""
    web.slow = True
    for _ in range(40):
        client.create(video_url=web.url)
    web.slow, web.video, web.content_type, web.status = False, make_picture(), "image/jpeg", 200
    began = time.monotonic()
    assert client.create(media_type="IMAGE", image_url=web.url).status_code == 200
    assert time.monotonic() - began < 15, "the links hang for 20 s"


@pytest.mark.parametrize("hosts", [1, 2])
def test_links_that_trickle_delay_no_picture(
    client: Caller, picture: WebServer, make_picture: Callable[..., bytes], hosts: int
) -> None:
    """They never fall silent, and are more than a host, or all hosts, have places."""
    jpeg = make_picture()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            trickles = self.path == "/trickle.mp4"
            self.send_response(206 if trickles else 200 if self.path == "/picture.jpg" else 404)
            self.send_header("Content-Type", "video/mp4" if trickles else "image/jpeg")
            self.send_header("Content-Length", str(10**7 if trickles else len(jpeg)))
            self.end_headers()
            with suppress(OSError):
                while trickles and not enough.wait(0.3):
                    self.wfile.write(bytes(20_000))
                self.wfile.write(jpeg)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    enough = threading.Event()
    with ExitStack() as opened:
        served = [opened.enter_context(in_thread(Handler)) for _ in range(hosts)]
        opened.callback(enough.set)
        for number in range(20 * hosts):
            client.create(video_url=f"{served[number % hosts]}/trickle.mp4")
        url = f"{served[0]}/picture.jpg" if hosts == 1 else picture.url
        began = time.monotonic()
        assert client.create(media_type="IMAGE", image_url=url).status_code == 200
        assert time.monotonic() - began < 8, "the links trickle for 20 s"


def test_a_link_that_hangs_fails_on_time_however_many_hang(client: Caller) -> None:
    client.sandbox.switch(fetch_timeout_s=6)
    with socket.create_server(("127.0.0.1", 0)) as host:
        for _ in range(80):
            client.create(video_url=f"http://127.0.0.1:{host.getsockname()[1]}/video.mp4")
        began = time.monotonic()
        client.sandbox.settle()
        assert time.monotonic() - began < 10, "their 6 s count from the call"
    assert {container.subcode for container in client.sandbox.containers} == {2207003}


@pytest.fixture
def small() -> Iterator[Caller]:
    """A caller of a sandbox whose process may open 256 files, as on macOS."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    with sandbox_process("--processing-time", "0", strict=False) as sandbox:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        caller = Caller(sandbox)
        yield caller
        caller.http.close()


def test_a_thousand_links_that_hang_use_up_no_files(small: Caller, picture: WebServer) -> None:
    """Eight hosts accept each connection and say nothing. A picture of another host does not wait for them."""
    small.sandbox.switch(containers_per_24_h=2000)
    with ExitStack() as opened:
        hosts = [opened.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(8)]
        urls = [f"http://127.0.0.1:{host.getsockname()[1]}/video.mp4" for host in hosts] * 125
        answers = [small.create(video_url=url).status_code for url in urls]
        assert answers == [200] * 1000
        other = Caller(small.sandbox)
        made = other.create(media_type="IMAGE", image_url=picture.url).json()["id"]
        deadline = time.monotonic() + 15
        while other.status(made)["status_code"] == "IN_PROGRESS" and time.monotonic() < deadline:
            time.sleep(0.2)
        assert other.publish(made).status_code == 200, other.status(made)
        other.http.close()
        why = {container.subcode for container in small.sandbox.containers}
        assert why <= {None, 2207003}, "a link fails because it hangs, not because no file can be opened"


def test_a_link_has_no_connection_once_its_time_is_over(
    tmp_path: Path, mocker: MockerFixture, caplog: pytest.LogCaptureFixture
) -> None:
    """Of 400 links of one host that hang, most get a place when their time is over. They begin, and end at once."""
    mocker.patch("instagram_sandbox.simulator.fetches.HANGS_AFTER_S", 0.1)
    connected: set[asyncio.StreamWriter] = set()
    most = 0

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal most
        connected.add(writer)
        most = max(most, len(connected))
        with suppress(ConnectionError):
            while request := await reader.read(1000):
                if b"robots.txt" in request:
                    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        connected.remove(writer)
        writer.close()

    async def fetch_all() -> list[BaseException | None]:
        fetches, switches = Fetches(), Switches(fetch_timeout_s=1)
        async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/video.mp4"
            links = [fetches.fetch(url, tmp_path / f"{n}.mp4", "video", 1000, switches) for n in range(400)]
            asyncio.get_running_loop().call_later(0.9, time.sleep, 0.3)  # a busy machine sees several limits at once
            return await asyncio.gather(*links, return_exceptions=True)

    assert {getattr(error, "subcode", error) for error in asyncio.run(fetch_all())} == {TOO_SLOW}
    assert most <= MOST_DESCRIPTORS // 2, "each fetch has a connection and a file"
    gc.collect()
    assert "never retrieved" not in caplog.text, "each fetch was waited for"


def test_a_connection_too_many_is_answered_and_takes_the_place_of_an_idle_one(small: Caller) -> None:
    address = small.http.base_url.host, small.http.base_url.port or 0
    busy = [socket.create_connection(address) for _ in range(40)]
    half = "POST /v27.0/me/media HTTP/1.1\r\nHost: sandbox\r\nContent-Length: 9\r\n\r\n"
    for one in busy:
        one.sendall(half.encode())
    time.sleep(1)
    refused = small.get("me")
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, 4)
    assert "open files" in refused.json()["error"]["message"]
    busy.pop().close()
    until = time.monotonic() + 10
    while small.get("me").status_code != 200 and time.monotonic() < until:
        time.sleep(0.1)
    clients = [Caller(small.sandbox) for _ in range(100)]
    assert {client.get("me").status_code for client in clients} == {200}, "each takes the place of one that waits"
