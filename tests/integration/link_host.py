"""A server whose links Instagram fetches, and that fails as it is told."""

from __future__ import annotations

import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: The beginning of the name by which Meta's fetcher introduces itself.
FETCHER = "facebookexternalhit"
TYPES = {".jpg": "image/jpeg", ".mp4": "video/mp4"}


class LinkHost:
    """Files behind links.

    :param url: The address of the server.
    :param clock: The time by which it fails.
    """

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        self.url, self.clock = url, clock
        self.files: dict[str, Path] = {}
        self.fails(0)

    def link(self, file: Path) -> str:
        self.files[f"/{file.name}"] = file
        return f"{self.url}/{file.name}?signature=secret"

    def fails(self, seconds: float, status: int = 503, *, for_everybody: bool = False) -> None:
        """Answer requests for files with an error: those of Instagram alone, or all."""
        self.until, self.status, self.for_everybody = self.clock() + seconds, status, for_everybody

    def answer_to(self, user_agent: str) -> int:
        fails = self.clock() < self.until and (self.for_everybody or user_agent.startswith(FETCHER))
        return self.status if fails else 200


@contextmanager
def link_host(clock: Callable[[], float], certificate: tuple[Path, Path] | None = None) -> Iterator[LinkHost]:
    """Serve links on this machine.

    :param clock: The time by which the server fails.
    :param certificate: The certificate of https and its key.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            file = host.files.get(self.path.partition("?")[0])
            status = 404 if file is None else host.answer_to(self.headers.get("User-Agent", ""))
            if file is None or status != 200:
                self.send_error(status)
                return
            content = file.read_bytes()
            is_range = "Range" in self.headers
            self.send_response(206 if is_range else 200)
            if is_range:
                self.send_header("Content-Range", f"bytes 0-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Type", TYPES[file.suffix])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    host = LinkHost(f"http://127.0.0.1:{server.server_port}", clock)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        host.url = f"https://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield host
    server.shutdown()
    server.server_close()
