from __future__ import annotations

import http.server
import logging
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import InstagramError, TransientError, ValidationError
from airflow_provider_instagram.files.download import download
from tests.integration.certificate import certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_mock import MockerFixture

BODY = bytes(range(256)) * 4000
SIGNED = "?X-Amz-Signature=not-for-logs"


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hosts: list[str] = []
        self.released = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"


class Handler(http.server.BaseHTTPRequestHandler):
    """All the ways in which a download can go."""

    server: Server

    def do_GET(self) -> None:
        self.server.hosts.append(self.headers["Host"])
        name = self.path.partition("?")[0]
        redirects = {
            "/to/video": "/video.mp4?again",
            "/to/http": "http://localhost/x.mp4",
            "/to/metadata": "https://169.254.169.254/latest",
            "/to/itself": "/to/itself",
            "/to/other-name": f"https://127.0.0.1:{self.server.port}/video.mp4",
        }
        failures = {"/gone": 404, "/busy": 503}
        length = {} if name in ("/silent", "/unannounced") else {"Content-Length": str(len(BODY))}
        if name in redirects:
            self._head(302, Location=redirects[name])
        elif name in failures:
            self._head(failures[name])
        else:
            self._head(200, **length)
            self.wfile.write(BODY[:1000] if name in ("/cut", "/silent") else BODY)
            self.wfile.flush()
            if name == "/silent":
                self.server.released.wait(10)

    def _head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """An https server on loopback, with a certificate that this machine is told to trust."""
    crt, key = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(crt))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    with Server() as httpd:
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
        thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
        thread.start()
        yield httpd
        httpd.released.set()
        httpd.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where downloads go; whatever happened, nothing half-done may be in it afterwards."""
    (path := tmp_path / "downloads").mkdir()
    yield path
    assert all(entry.name.startswith("source") for entry in path.iterdir())


@pytest.fixture
def fetch(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__PRIVATE_SOURCES", "True")

    def go(path: str, **options: Any) -> Path:
        return download(server.url + path, folder, **{"max_bytes": 10**7, **options})

    return go


@pytest.mark.parametrize("path", ["/video.mp4", "/unannounced", "/to/video", "/to/other-name"])
def test_a_video_arrives_whole(path: str, fetch: Callable[..., Path], folder: Path) -> None:
    """With an announced length or without, and behind redirects."""
    arrived = fetch(path)
    assert arrived.parent == folder
    assert arrived.read_bytes() == BODY


def test_the_name_keeps_the_ending_and_nothing_else(fetch: Callable[..., Path]) -> None:
    assert fetch("/a%2F..%2Fb/clip.MOV" + SIGNED).name == "source.mov"
    assert fetch("/no-ending").name == "source"


@pytest.mark.parametrize(
    ("path", "error", "says"),
    [
        ("/gone", ValidationError, "answered 404.*public and not expired"),
        ("/busy", TransientError, "answered 503"),
        ("/cut", TransientError, "could not be downloaded"),
        ("/to/http", ValidationError, "http://localhost/x.mp4 is not an https:// link"),
        ("/to/itself", ValidationError, "redirects more than 5 times"),
    ],
)
def test_what_does_not_arrive_is_told_in_words(
    path: str, error: type[InstagramError], says: str, fetch: Callable[..., Path]
) -> None:
    with pytest.raises(error, match=says):
        fetch(path)


@pytest.mark.parametrize("path", ["/video.mp4", "/unannounced"])
def test_too_large_is_refused_with_or_without_an_announcement(path: str, fetch: Callable[..., Path]) -> None:
    with pytest.raises(ValidationError, match="larger than 100,000 bytes"):
        fetch(path, max_bytes=100_000)


def test_a_server_that_falls_silent_is_given_up(fetch: Callable[..., Path], mocker: MockerFixture) -> None:
    mocker.patch("airflow_provider_instagram.files.download.STALL_TIMEOUT_S", 0.3)
    started = time.monotonic()
    with pytest.raises(TransientError, match="could not be downloaded"):
        fetch("/silent")
    assert time.monotonic() - started < 5


def _pretend_public(mocker: MockerFixture, name: str) -> list[str]:
    """One name leads to this machine and counts as public; returns the names that are looked up."""
    real, lookups = socket.getaddrinfo, []

    def look_up(host: str, *arguments: Any, **options: Any) -> Any:
        lookups.append(host)
        return real("127.0.0.1" if host == name else host, *arguments, **options)

    mocker.patch.object(socket, "getaddrinfo", look_up)
    mocker.patch("airflow_provider_instagram.files.download.is_public", lambda ip: ip == "127.0.0.1")
    return lookups


def test_a_redirect_to_a_private_server_is_refused(server: Server, folder: Path, mocker: MockerFixture) -> None:
    """The first server counts as public here; where it points to is checked by itself."""
    _pretend_public(mocker, "localhost")
    with pytest.raises(ValidationError, match=r"169\.254\.169\.254, which is not a public address"):
        download(f"{server.url}/to/metadata", folder, max_bytes=10)


def test_a_name_is_looked_up_once_and_only_that_address_is_asked(
    server: Server, folder: Path, mocker: MockerFixture
) -> None:
    """A name that says a public address when it is checked and a private one when it is used gets nowhere."""
    lookups = _pretend_public(mocker, "videos.example")
    download(f"https://videos.example:{server.port}/video.mp4", folder, max_bytes=10**7)
    assert lookups.count("videos.example") == 1
    assert server.hosts == [f"videos.example:{server.port}"]


def test_a_server_with_another_name_in_its_certificate_is_not_trusted(
    server: Server, folder: Path, mocker: MockerFixture
) -> None:
    """Asking an address does not mean trusting it: the certificate has to be the name's."""
    _pretend_public(mocker, "elsewhere.example")
    with pytest.raises(TransientError, match="certificate"):
        download(f"https://elsewhere.example:{server.port}/video.mp4", folder, max_bytes=10**7)


@pytest.mark.parametrize("path", ["/video.mp4", "/gone", "/cut", "/to/video"])
def test_a_signature_in_the_link_is_never_shown(
    path: str, fetch: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    try:
        fetch(path + SIGNED)
    except InstagramError as error:
        assert "not-for-logs" not in str(error)  # noqa: PT017  both endings are fine here
    assert "not-for-logs" not in caplog.text
