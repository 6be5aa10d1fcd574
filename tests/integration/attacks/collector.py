"""A server of an attacker that keeps everything it is sent, under a name that is not this machine's."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

NAME = "collector.example"


@dataclass
class Collector:
    """A server that answers every call as told, and keeps what came.

    :param scheme: ``https`` or ``http``.
    :param port: Its port.
    :param answers: What it answers to a path's last part: JSON, or bytes as they are.
    :param location: Where it redirects every call to, when it does.
    :param connections: How many connections were opened to it.
    :param received: The calls: request line, headers and body in one text.
    """

    scheme: str = "https"
    port: int = 0
    answers: dict[str, Any] = field(default_factory=dict)
    location: str = ""
    connections: int = 0
    received: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address under the name that is not this machine's."""
        return f"{self.scheme}://{NAME}:{self.port}"

    @property
    def text(self) -> str:
        """Everything that it was sent."""
        return "\n".join(self.received)


@contextmanager
def collecting(collector: Collector, tls: ssl.SSLContext | None = None) -> Iterator[Collector]:
    """Run a collector in a thread."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode(errors="replace")
            collector.received.append(f"{self.requestline}\n{self.headers}\n{body}")
            asked = self.path.partition("?")[0].rpartition("/")[2]
            answer = collector.answers.get(asked, {})
            text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(307 if collector.location else 200)
            if collector.location:
                self.send_header("Location", collector.location)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_CONNECT = do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    class Server(ThreadingHTTPServer):
        def get_request(self) -> Any:
            connection, address = super().get_request()
            collector.connections += 1
            if tls is not None:
                connection = tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            return connection, address

        def handle_error(self, *_: object) -> None:
            """Log nothing about a caller that breaks off."""

    with Server(("127.0.0.1", 0), Handler) as server:
        collector.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
