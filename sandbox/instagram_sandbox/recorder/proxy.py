"""A proxy on this machine between a client and Meta, which writes down what passes.

It forwards to hosts that were named, and to no other. An upload passes through in blocks; of its
bytes nothing is kept.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from instagram_sandbox.http.body import parameters
from instagram_sandbox.http.connections import drop_connection
from instagram_sandbox.recorder.journal import METHODS, Recorded
from instagram_sandbox.simulator.addresses import (
    FACEBOOK,
    INSTAGRAM,
    UPLOADS,
    is_loopback,
    web_address,
)
from instagram_sandbox.simulator.errors import ApiError
from instagram_sandbox.simulator.fetch import trusted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from instagram_sandbox.recorder.journal import Writer
    from instagram_sandbox.recorder.redaction import Redactor

PREFIX: Final = "/_to/"
_UPLOAD: Final = re.compile(rf"({PREFIX}[^/]+)?/ig-api-upload/")
#: Links to other calls.
_CALLS: Final = frozenset({"next", "previous", "uri"})
_OF_LINKS: Final = "%/:?#[]@!$&'()*+,;=~|"
LIMIT_S: Final = 300
MOST_BYTES: Final = 4_000_000
"""Of a request that is no upload, and of an answer."""
_OF_THE_HOP: Final = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "date",
        "host",
        "keep-alive",
        "proxy-authorization",
        "server",
    }
    | {"te", "trailer", "transfer-encoding", "upgrade", "accept-encoding"}
)
_KEPT: Final = ("content-type", "offset", "file_size", "file_url")
_SCHEMES: Final = ("Bearer", "OAuth", "Basic")
_USAGE: Final = ("x-business-use-case-usage", "x-app-usage")


class RefusedError(Exception):
    """A request that is not forwarded."""


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
            _check_caller(request)
            response = await self._forward(request)
        except RefusedError as refused:
            print(f"Not forwarded: {refused}", file=sys.stderr, flush=True)
            response = JSONResponse({"detail": str(refused)}, 403)
        except ClientDisconnect:
            return
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            print(
                f"No answer: {type(error).__name__}. The client sees a lost connection.",
                file=sys.stderr,
                flush=True,
            )
            drop_connection(scope)
            await asyncio.sleep(0)
            return
        await response(scope, receive, send)

    async def _forward(self, request: Request) -> Response:
        is_upload = _UPLOAD.match(request.url.path) is not None
        body = b"" if is_upload else await _small_body(request)
        sent = await _sent(request, is_upload)
        target, path = self.target(request, str(sent.get("access_token", "")))
        call = Call(
            request,
            path,
            sent,
            str(urlsplit(target).hostname),
            at_s=round(time.monotonic() - self.began, 3),
        )
        url = target + path + (f"?{request.url.query}" if request.url.query else "")
        began = time.perf_counter()
        try:
            status, headers, content = call.answer = await self._ask(
                request, url, _counted(request, call) if is_upload else body or None
            )
        except BaseException as error:
            call.note = f"no answer: {type(error).__name__}"
            raise
        finally:
            call.took_s = round(time.perf_counter() - began, 3)
            self._write(call)
        here = f"http://{request.headers['host']}"
        if "location" in headers:
            headers["location"] = _link_here(headers["location"], here)
        said = _json(content)
        with suppress(RecursionError):
            led = _led_here(said, here)
            content = content if led == said else json.dumps(led).encode()
        return Response(content, status, headers)

    async def _ask(
        self, request: Request, url: str, body: bytes | AsyncIterator[bytes] | None
    ) -> tuple[int, dict[str, str], bytes]:
        headers = [
            (name, value) for name, value in request.headers.items() if name not in _OF_THE_HOP
        ]
        if not isinstance(body, bytes | None) and "content-length" in request.headers:
            headers.append(("content-length", request.headers["content-length"]))
        async with (
            httpx.AsyncClient(timeout=LIMIT_S, trust_env=False, verify=trusted()) as client,
            client.stream(
                request.method,
                url,
                headers=[*headers, ("accept-encoding", "identity")],
                content=body,
            ) as answer,
        ):
            found = bytearray()
            async for block in answer.aiter_bytes():
                found += block
                if len(found) > MOST_BYTES:
                    raise httpx.DecodingError(f"the answer has more than {MOST_BYTES} bytes")
            kept = {
                name: value
                for name, value in answer.headers.items()
                if name.lower() not in _OF_THE_HOP
            }
            return answer.status_code, kept, bytes(found)

    def target(self, request: Request, token: str = "") -> tuple[str, str]:
        """Return the origin that a request goes to, and its path there.

        :param token: The token among its parameters.
        :raises RefusedError: Its host was not named.
        """
        path = request.url.path
        if path.startswith(PREFIX):
            host, _, rest = path.removeprefix(PREFIX).partition("/")
            found = next((one for one in self.to if one.partition("://")[2] == host.lower()), None)
            if found is None:
                named = web_address(f"https://{host.rpartition('@')[2][:200]}")
                shown = named.netloc if named else "HOST"
                raise RefusedError(
                    f"{shown} is not among the hosts of this recording. To add it: --to {shown}"
                )
            return found, f"/{rest}"
        if path.startswith("/ig-api-upload/") and UPLOADS in self.to:
            return UPLOADS, path
        graphs = [one for one in self.to if one != UPLOADS]
        if set(graphs) == {INSTAGRAM, FACEBOOK}:
            token = request.headers.get("authorization", "").partition(" ")[2].strip() or token
            return FACEBOOK if token.startswith("EA") else INSTAGRAM, path
        return graphs[0], path

    def _write(self, call: Call) -> None:
        """Write a call down. Whatever fails here, the client gets the answer: the call may have had an effect."""
        self.calls += 1
        try:
            self.journal.write(call.recorded(self.calls, self.redactor))
        except (OSError, ValueError, RecursionError) as error:
            why = f"Call {self.calls} could not be written down ({type(error).__name__})."
            print(why, file=sys.stderr, flush=True)
            if not isinstance(error, OSError):
                call.sent = {}
                call.note = "the call could not be written down"
                call.answer = call.answer and (call.answer[0], {}, b"null")
                with suppress(OSError, ValueError):
                    self.journal.write(call.recorded(self.calls, self.redactor))


@dataclass
class Call:
    """A call that passed, and what was answered: status, headers and content."""

    request: Request
    path: str
    sent: dict[str, Any]
    host: str
    at_s: float
    took_s: float = 0.0
    sent_bytes: int | None = None
    answer: tuple[int, dict[str, str], bytes] | None = None
    note: str = ""

    def recorded(self, number: int, redactor: Redactor) -> Recorded:
        """Return what is written down of it."""
        headers = self.request.headers
        scheme, _, token = headers.get("authorization", "").partition(" ")
        for secret in (token.strip() or scheme, headers.get("cookie", "")):
            redactor.learn(secret)
        call = Recorded.model_construct(
            number=number,
            at_s=self.at_s,
            took_s=self.took_s,
            host=self.host,
            method=self.request.method,
            path=redactor.path(self.path),
            authorization=next(
                (one for one in _SCHEMES if one.lower() == scheme.lower()), "***" if scheme else ""
            ),
            sent=redactor.value(self.sent),
            headers={
                name: redactor.value(headers[name].partition(";")[0], name)
                for name in _KEPT
                if name in headers
            },
            sent_bytes=int(headers.get("content-length", 0))
            if self.sent_bytes is None
            else self.sent_bytes,
            note=self.note,
        )
        if self.answer is not None:
            call.status, answered, content = self.answer
            said = _json(content)
            call.answer = redactor.value(said)
            call.note = call.note or ("the answer is no JSON" if said is None else "")
            call.usage = {
                name: redactor.value(_json(answered[name])) for name in _USAGE if name in answered
            }
        return call


async def _counted(request: Request, call: Call) -> AsyncIterator[bytes]:
    call.sent_bytes = 0
    async for block in request.stream():
        call.sent_bytes += len(block)
        yield block


def _check_caller(request: Request) -> None:
    """Refuse what a page of another site sends, also one that made its own name lead here."""
    named = urlsplit(f"http://{request.headers.get('host', '')}").hostname or ""
    if not is_loopback(named):
        raise RefusedError(f"the request names the host {named[:200]!a}, not this machine")
    pages = [web_address(page) for page in request.headers.getlist("origin")]
    strange = any(page is None or not is_loopback(page.hostname or "") for page in pages)
    if strange or request.headers.get("sec-fetch-site") == "cross-site":
        raise RefusedError("a page of another site sent the request")
    if request.method not in METHODS:
        raise RefusedError(f"the method is none of {', '.join(sorted(METHODS))}")


async def _small_body(request: Request) -> bytes:
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > MOST_BYTES:
            raise RefusedError(f"the request has more than {MOST_BYTES} bytes and is no upload")
    request._body = bytes(body)
    return bytes(body)


async def _sent(request: Request, is_upload: bool) -> dict[str, Any]:
    """Return the parameters that can be read. A body that cannot is forwarded, and not kept."""
    if not is_upload:
        with suppress(ApiError, ValueError, RecursionError):
            return await parameters(request)
    return dict(request.query_params)


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _led_here(value: Any, here: str) -> Any:
    """Return an answer whose links to further calls lead to the proxy, so that the token goes nowhere else."""
    if isinstance(value, list):
        return [_led_here(one, here) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _link_here(one, here)
        if name in _CALLS and isinstance(one, str)
        else _led_here(one, here)
        for name, one in value.items()
    }


def _link_here(url: str, here: str) -> str:
    """Return where a link leads to through the proxy. One that cannot be read leads nowhere."""
    if not url or re.fullmatch(r"/(?![/\\])[!-~]*", url):
        return url
    parts = web_address(
        quote(f"https:{url}" if url.startswith("//") else url, safe=_OF_LINKS, errors="replace")
    )
    if parts is None:
        return f"{here}{PREFIX}invalid/"
    return f"{here}{PREFIX}{parts.netloc}{parts.path}" + (f"?{parts.query}" if parts.query else "")
