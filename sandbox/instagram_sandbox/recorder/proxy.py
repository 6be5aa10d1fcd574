"""A proxy on this machine between a client and Meta, which writes down what passes.

It forwards to hosts that were named, and to no other. An upload passes through in blocks; of its bytes nothing is kept.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from instagram_sandbox.http.body import parameters, structured
from instagram_sandbox.http.connections import drop_connection
from instagram_sandbox.recorder.journal import Recorded
from instagram_sandbox.recorder.redaction import CALLS
from instagram_sandbox.simulator.addresses import is_loopback, web_address
from instagram_sandbox.simulator.errors import ApiError
from instagram_sandbox.simulator.fetch import trusted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from instagram_sandbox.recorder.journal import Writer
    from instagram_sandbox.recorder.redaction import Redactor

INSTAGRAM, FACEBOOK, UPLOADS = (
    "https://graph.instagram.com",
    "https://graph.facebook.com",
    "https://rupload.facebook.com",
)
PREFIX: Final = "/_to/"
LIMIT_S: Final = 300
MOST_BYTES: Final = 4_000_000
"""Of a request that is no upload, and of an answer."""
_OF_THE_HOP: Final = frozenset(
    {"connection", "content-encoding", "content-length", "date", "host", "keep-alive", "proxy-authorization", "server"}
    | {"te", "trailer", "transfer-encoding", "upgrade", "accept-encoding"}
)
_KEPT_HEADERS: Final = ("content-type", "offset", "file_size")
_USAGE: Final = ("x-business-use-case-usage", "x-app-usage")


class RefusedError(Exception):
    """A request that is not forwarded."""


def origin(text: str) -> str:
    """Return the origin that a host name or an address names: https, or http on this machine.

    :raises ValueError: It names none, or http elsewhere.
    """
    parts = web_address(text if "://" in text else f"https://{text}")
    if parts is None or parts.path.strip("/") or parts.query or "@" in parts.netloc:
        raise ValueError(f"{text!r} is not a host: give one such as graph.facebook.com")
    if parts.scheme == "http" and not is_loopback(str(parts.hostname)):
        raise ValueError(f"{text!r} is http, by which others could read the token: give https")
    return f"{parts.scheme}://{parts.netloc.lower()}"


@dataclass
class Proxy:
    """An application that forwards each request, and records it.

    :param to: The origins that requests may be forwarded to.
    :param redactor: Takes out what nobody may read.
    :param journal: Where the calls are written.
    """

    to: tuple[str, ...]
    redactor: Redactor
    journal: Writer
    began: float = field(default_factory=time.monotonic)
    calls: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        request = Request(scope, receive)
        try:
            _check_host(request)
            response = await self._forward(request)
        except RefusedError as refused:
            print(f"Not forwarded: {refused}", file=sys.stderr, flush=True)
            response = JSONResponse({"detail": str(refused)}, 403)
        except ClientDisconnect:
            return
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            print(f"No answer: {type(error).__name__}. The client sees a lost connection.", file=sys.stderr, flush=True)
            drop_connection(scope)
            await asyncio.sleep(0)
            return
        await response(scope, receive, send)

    async def _forward(self, request: Request) -> Response:
        target, path = self.target(request)
        is_upload = path.startswith("/ig-api-upload/")
        self.calls += 1
        call = Recorded(
            number=self.calls,
            at_s=round(time.monotonic() - self.began, 3),
            host=str(urlsplit(target).hostname),
            method=request.method,
            path="",
        )
        body = b"" if is_upload else await _small_body(request)
        self._note_request(call, request, path, await _sent(request, is_upload))
        url = target + path + (f"?{request.url.query}" if request.url.query else "")
        began = time.perf_counter()
        try:
            answer = await self._ask(request, url, self._counted(request, call) if is_upload else body or None)
        except BaseException as error:
            call.note = f"no answer: {type(error).__name__}"
            self._write(call, began)
            raise
        response = self._answer(call, *answer, f"http://{request.headers['host']}")
        self._write(call, began)
        return response

    async def _ask(
        self, request: Request, url: str, body: bytes | AsyncIterator[bytes] | None
    ) -> tuple[int, dict[str, str], bytes]:
        headers = [(name, value) for name, value in request.headers.items() if name not in _OF_THE_HOP]
        if not isinstance(body, bytes | None) and "content-length" in request.headers:
            headers.append(("content-length", request.headers["content-length"]))
        async with (
            httpx.AsyncClient(timeout=LIMIT_S, trust_env=False, verify=trusted()) as client,
            client.stream(
                request.method, url, headers=[*headers, ("accept-encoding", "identity")], content=body
            ) as answer,
        ):
            found = bytearray()
            async for block in answer.aiter_bytes():
                found += block
                if len(found) > MOST_BYTES:
                    raise httpx.DecodingError(f"the answer has more than {MOST_BYTES} bytes")
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_THE_HOP}
            return answer.status_code, kept, bytes(found)

    def target(self, request: Request) -> tuple[str, str]:
        """Return the origin that a request goes to, and its path there.

        :raises RefusedError: Its host was not named.
        """
        path = request.url.path
        if path.startswith(PREFIX):
            host, _, rest = path.removeprefix(PREFIX).partition("/")
            found = next((one for one in self.to if one.partition("://")[2] == host.lower()), None)
            if found is None:
                raise RefusedError(f"{host} is not among the hosts of this recording. To add it: --to {host}")
            return found, f"/{rest}"
        if path.startswith("/ig-api-upload/") and UPLOADS in self.to:
            return UPLOADS, path
        graphs = [one for one in self.to if one != UPLOADS]
        if set(graphs) == {INSTAGRAM, FACEBOOK}:
            return FACEBOOK if (_token(request) or "").startswith("EA") else INSTAGRAM, path
        return graphs[0], path

    def _note_request(self, call: Recorded, request: Request, path: str, params: dict[str, Any]) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        self.redactor.learn(token.strip() or scheme)
        self.redactor.learn_from(params)
        call.authorization = scheme if token else ""
        call.path = self.redactor.masked(path)
        call.sent = self.redactor.value(params)
        call.sent_bytes = int(request.headers.get("content-length", 0) or 0)
        sent = {name: request.headers[name].partition(";")[0] for name in _KEPT_HEADERS if name in request.headers}
        if "file_url" in request.headers:
            sent["file_url"] = request.headers["file_url"]
        call.headers = self.redactor.value(sent)

    def _answer(self, call: Recorded, status: int, headers: dict[str, str], content: bytes, here: str) -> Response:
        call.status = status
        if "location" in headers:
            headers["location"] = _link_here(headers["location"], here)
        said = _json(content)
        if said is None:
            call.note = f"the answer is no JSON ({headers.get('content-type', 'no type')})"
            return Response(content, status, headers)
        self.redactor.learn_from(said)
        call.answer = self.redactor.value(said)
        for name in _USAGE:
            if name in headers:
                call.usage[name] = self.redactor.value(_json(headers[name]))
        led = _led_here(said, here)
        return Response(content if led == said else json.dumps(led), status, headers)

    def _write(self, call: Recorded, began: float) -> None:
        call.took_s = round(time.perf_counter() - began, 3)
        self.journal.write(call)

    async def _counted(self, request: Request, call: Recorded) -> AsyncIterator[bytes]:
        call.sent_bytes = 0
        async for block in request.stream():
            call.sent_bytes += len(block)
            yield block


def _check_host(request: Request) -> None:
    """Refuse a page of another site that made its own name lead here."""
    named = urlsplit(f"http://{request.headers.get('host', '')}").hostname or ""
    if not is_loopback(named):
        raise RefusedError(f"the request names the host {named[:200]!r}, not this machine")


def _token(request: Request) -> str | None:
    token = request.headers.get("authorization", "").partition(" ")[2].strip()
    return token or request.query_params.get("access_token")


async def _small_body(request: Request) -> bytes:
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > MOST_BYTES:
            raise RefusedError(f"the request has more than {MOST_BYTES} bytes and is no upload")
    request._body = bytes(body)
    return bytes(body)


async def _sent(request: Request, is_upload: bool) -> dict[str, Any]:
    if is_upload:
        return structured(request.query_params.multi_items())
    try:
        return await parameters(request)
    except (ApiError, ValueError, RecursionError):
        return structured(request.query_params.multi_items())


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _led_here(value: Any, here: str) -> Any:
    """Return an answer whose links to further calls lead to the proxy, so that the token goes nowhere else."""
    if isinstance(value, list):
        return [_led_here(one, here) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _link_here(one, here) if name in CALLS and isinstance(one, str) else _led_here(one, here)
        for name, one in value.items()
    }


def _link_here(url: str, here: str) -> str:
    parts = web_address(url)
    if parts is None:
        return url
    return f"{here}{PREFIX}{parts.netloc}{parts.path}" + (f"?{parts.query}" if parts.query else "")
