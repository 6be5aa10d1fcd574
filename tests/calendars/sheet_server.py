"""The server of a sheet: it answers CSV, redirects, hangs, fails and comes back."""

from __future__ import annotations

import ssl
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Answer = tuple[int, "str | bytes", dict[str, str]]


class SheetServer(ThreadingHTTPServer):
    """A web server.

    :param answers: What it answers, by path: a status, a body and headers.
    :param asked: The paths that it was asked for.
    :param scheme: ``https`` if it has a certificate.
    """

    daemon_threads = True

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.delay_s = 0.0
        self.scheme = "http"
        super().__init__(("127.0.0.1", 0), _Web)

    @property
    def address(self) -> str:
        """Its address, without a path."""
        return f"{self.scheme}://127.0.0.1:{self.server_port}"


class _Web(BaseHTTPRequestHandler):
    server: SheetServer

    def do_GET(self) -> None:
        time.sleep(self.server.delay_s)
        status, body, headers = self.server.answers.get(self.path.partition("?")[0], (404, "", {}))
        self.server.asked.append(self.path)
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in ({"Content-Type": "text/csv", "Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@contextmanager
def sheet_server(certificate: tuple[Path, Path] | None = None) -> Iterator[SheetServer]:
    """Start a server.

    :param certificate: The files of a certificate and its key, for https.
    """
    with SheetServer() as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            server.scheme = "https"
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
