"""A plain HTTP caller, both modes, media made by ffmpeg, and a web server that misbehaves on demand."""

from __future__ import annotations

import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from instagram_sandbox.testing.handle import sandbox_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle

FLAT = ("-movflags", "+faststart+negative_cts_offsets", "-use_editlist", "0")
"""The index at the front of an MP4, and no edit list."""


class Caller:
    """Calls the Graph API by hand, as one account."""

    def __init__(self, sandbox: SandboxHandle, token: str | None = None, user_id: str | None = None) -> None:
        self.sandbox = sandbox
        self.token = token or sandbox.token
        self.user_id = user_id or sandbox.user_id
        self.http = httpx.Client(
            base_url=sandbox.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=30, trust_env=False
        )

    def get(self, path: str, **params: str | int) -> httpx.Response:
        return self.http.get(f"/v27.0/{path}", params=params)

    def create(self, **params: Any) -> httpx.Response:
        return self.http.post(f"/v27.0/{self.user_id}/media", data={"media_type": "REELS", **params})

    def status(self, container_id: str) -> dict[str, Any]:
        return dict(self.get(container_id, fields="status_code,status,video_status").json())

    def publish(self, container_id: str) -> httpx.Response:
        return self.http.post(f"/v27.0/{self.user_id}/media_publish", data={"creation_id": container_id})

    def upload(
        self, container_id: str, data: bytes, *, offset: int = 0, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        sent = {"Authorization": f"OAuth {self.token}", "offset": str(offset), "file_size": str(offset + len(data))}
        return self.http.post(f"/ig-api-upload/v27.0/{container_id}", content=data, headers=sent | (headers or {}))

    def reel(self, video: Path, **params: Any) -> str:
        """Create a reel, upload its video, and return the container's id once the inspection is done."""
        container_id = str(self.create(upload_type="resumable", **params).json()["id"])
        assert self.upload(container_id, video.read_bytes()).json()["success"] is True
        self.sandbox.settle()
        return container_id

    def ready(self, video: Path, **params: Any) -> str:
        """Do the same, and let the processing come to its end."""
        container_id = self.reel(video, **params)
        self.sandbox.advance(5)
        return container_id


@pytest.fixture
def caller(instagram_sandbox: SandboxHandle) -> Iterator[Caller]:
    made = Caller(instagram_sandbox)
    yield made
    made.http.close()


@pytest.fixture(scope="session")
def _documented_process() -> Iterator[SandboxHandle]:
    with sandbox_process("--processing-time", "0", strict=False) as handle:
        yield handle


@pytest.fixture
def documented(_documented_process: SandboxHandle) -> SandboxHandle:
    """An empty sandbox in its default mode: what Meta documents, or what clients observe every day."""
    _documented_process.reset()
    return _documented_process


@pytest.fixture
def client(documented: SandboxHandle) -> Iterator[Caller]:
    """A caller of the sandbox in its default mode."""
    made = Caller(documented)
    yield made
    made.http.close()


@pytest.fixture
def facebook(documented: SandboxHandle) -> Iterator[Caller]:
    """A caller with the token of a Page."""
    made = Caller(documented, documented.add_token(documented.user_id, kind="page"))
    yield made
    made.http.close()


@pytest.fixture(scope="session")
def make_picture(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    """Make a JPEG of a size and colour space, each once."""
    folder = tmp_path_factory.mktemp("pictures")

    @cache
    def make(size: str = "1080x1080", *options: str) -> bytes:
        target = folder / f"{len(list(folder.iterdir()))}.jpg"
        command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size={size}", "-frames:v", "1"]
        subprocess.run([*command, *options, str(target)], check=True)
        return target.read_bytes()

    return make


@pytest.fixture
def picture(make_picture: Callable[..., bytes]) -> Iterator[WebServer]:
    """A web server with a picture."""
    with serving(WebServer(make_picture(), content_type="image/jpeg", status=200)) as server:
        yield server


@pytest.fixture(scope="session")
def make_clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make a clip of 4 s, small and compliant, unless options of ffmpeg say otherwise."""
    folder = tmp_path_factory.mktemp("clips")

    def make(
        *options: str,
        name: str = "clip.mp4",
        size: str = "180x320",
        fps: str = "30",
        seconds: float = 4,
        audio: bool = True,
    ) -> Path:
        target = folder / f"{len(list(folder.iterdir()))}-{name}"
        sound = ["-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}"] if audio else []
        command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={fps}:duration={seconds}"]
        command += [*sound, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
        subprocess.run([*command, *FLAT, *options, str(target)], check=True)
        return target

    return make


@pytest.fixture(scope="session")
def clip(make_clip: Callable[..., Path]) -> Path:
    """A clip that is fit for a reel."""
    return make_clip()


@dataclass(slots=True)
class WebServer:
    """A web server with one video, which behaves as its fields say."""

    video: bytes
    url: str = ""
    status: int = 206
    content_type: str = "video/mp4"
    location: str = ""
    announced: int | None = None  # the length that it claims
    robots: str = ""
    wait: threading.Event = field(default_factory=threading.Event)
    slow: bool = False
    requests: list[tuple[str, str, str]] = field(default_factory=list)  # path, user agent, range


@contextmanager
def in_thread(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Answer requests in a thread, and yield the address."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


@contextmanager
def serving(server: WebServer) -> Iterator[WebServer]:
    """Run the web server in a thread."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            agent, span = self.headers.get("User-Agent", ""), self.headers.get("Range", "")
            server.requests.append((self.path, agent, span))
            if self.path == "/robots.txt":
                self._answer(200 if server.robots else 404, "text/plain", server.robots.encode())
                return
            if server.slow:
                server.wait.wait(30)
            self._answer(server.status, server.content_type, server.video)

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header(
                "Content-Length",
                str(server.announced if self.path != "/robots.txt" and server.announced else len(body)),
            )
            if server.location:
                self.send_header("Location", server.location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with in_thread(Handler) as address:
        server.url = f"{address}/video.mp4"
        try:
            yield server
        finally:
            server.wait.set()


@pytest.fixture
def web(clip: Path) -> Iterator[WebServer]:
    with serving(WebServer(clip.read_bytes())) as server:
        yield server
