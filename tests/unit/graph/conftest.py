"""A web server that answers as a test planned it, or does not answer, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_instagram.graph.client import AsyncGraphClient, GraphClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_provider_instagram.graph.calls import Call

T = TypeVar("T")
TOKEN = "IGAAtest0123456789abcdefgh"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}


@dataclass
class WebServer:
    url: str = ""
    token: str = TOKEN
    requests: list[Request] = field(default_factory=list)
    plan: deque[Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=deque)
    over: threading.Event = field(default_factory=threading.Event)

    def answer(self, body: object, status: int = 200, times: int = 1, **headers: str) -> None:
        """Plan an answer: JSON, or text as it is."""
        text = body if isinstance(body, str) else json.dumps(body)

        def act(handler: BaseHTTPRequestHandler) -> None:
            self._take(handler)
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.send_header("Content-Length", str(len(text.encode())))
            handler.end_headers()
            handler.wfile.write(text.encode())

        self.plan.extend([act] * times)

    def refuse(self, code: int, subcode: int | None = None, status: int = 400, times: int = 1, **more: Any) -> None:
        """Plan an error of the Graph API."""
        error = {"message": "No.", "type": "OAuthException", "code": code, "error_subcode": subcode, **more}
        self.answer({"error": error}, status, times)

    def drop(self, after_bytes: int | None = None, times: int = 1) -> None:
        """Plan to take the request, or so many bytes of its body, and to close the connection."""

        def act(handler: BaseHTTPRequestHandler) -> None:
            self._take(handler, after_bytes)
            handler.close_connection = True

        self.plan.extend([act] * times)

    def stall(self, after_bytes: int | None = None) -> None:
        """Plan to take the request, or so many bytes of its body, and then to do nothing."""

        def act(handler: BaseHTTPRequestHandler) -> None:
            self._take(handler, after_bytes)
            self.over.wait(30)
            handler.close_connection = True

        self.plan.append(act)

    def drip(
        self,
        begin: bytes,
        drop: bytes,
        times: int | None = None,
        end: bytes = b"",
        before_each: Callable[[], None] = lambda: None,
    ) -> None:
        """Plan the bytes of an answer: its beginning, then the same ones again and again, and its end, if any."""

        def act(handler: BaseHTTPRequestHandler) -> None:
            self._take(handler)
            with suppress(OSError):  # the client has left
                handler.wfile.write(begin)
                for _ in count() if times is None else range(times):
                    before_each()
                    handler.wfile.write(drop)
                    handler.wfile.flush()
                    if self.over.wait(0.01):
                        break
                handler.wfile.write(end)
                handler.wfile.flush()
            handler.close_connection = True

        self.plan.append(act)

    def _take(self, handler: BaseHTTPRequestHandler, limit: int | None = None) -> None:
        length = int(handler.headers.get("Content-Length", 0))
        body = handler.rfile.read(length if limit is None else min(limit, length))
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.requests.append(Request(handler.command, parts.path, query, dict(handler.headers), body))


@pytest.fixture
def server() -> Iterator[WebServer]:
    web = WebServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            web.plan.popleft()(self)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        web.url = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, args=(0.02,))
        thread.start()
        yield web
        web.over.set()
        http.shutdown()
        thread.join()


class Send(Protocol):
    pauses_s: list[float]

    def __call__(self, call: Call[T], token: str | None = TOKEN, **options: Any) -> T: ...


class SyncSend:
    def __init__(self, url: str) -> None:
        self.url = url
        self.pauses_s: list[float] = []

    def __call__(self, call: Call[T], token: str | None = TOKEN, **options: Any) -> T:
        with GraphClient(token, **{"base_url": self.url, "sleep": self.pauses_s.append, **options}) as client:
            return client.send(call)


class AsyncSend(SyncSend):
    def __call__(self, call: Call[T], token: str | None = TOKEN, **options: Any) -> T:
        async def sleep(seconds: float) -> None:
            self.pauses_s.append(seconds)

        async def run() -> T:
            async with AsyncGraphClient(token, **{"base_url": self.url, "sleep": sleep, **options}) as client:
                return await client.send(call)

        return asyncio.run(run())


@pytest.fixture(params=[SyncSend, AsyncSend], ids=["sync", "async"])
def send(request: pytest.FixtureRequest, server: WebServer) -> Send:
    """Send one call to the web server, through each of the two clients."""
    sender: Send = request.param(server.url)
    return sender
