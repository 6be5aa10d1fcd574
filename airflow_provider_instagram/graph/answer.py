"""Answers of the Graph API: read as they arrive, up to a size and until a deadline, whatever the server sends."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import Any, Final

import httpx

from airflow_provider_instagram.graph.fields import read_json

#: The largest answer, unzipped. A page of a hundred posts has about 300 kB.
MAX_BYTES: Final = 10 * 1024**2
#: The most commas, brackets and braces in an answer: each may become an object that is much larger
#: than its text.
MAX_SIGNS: Final = 300_000
#: How long an answer may take, from the last byte of the request to its own last byte.
ANSWER_S: Final = 90.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, with its body unzipped."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    host: str = ""

    @property
    def is_success(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300

    def data(self) -> Any:
        """Return the JSON in the body, or None if there is none."""
        return read_json(self.body)

    def without_escapes(self) -> bytes:
        """Return JSON without escapes for characters, in which a secret would not be found; anything else as it is."""
        data = self.data()
        return (
            self.body
            if data is None
            else json.dumps(data, ensure_ascii=False).encode(errors="replace")
        )


class Deadline:
    """The deadline of the answer that a thread waits for.

    A timeout of httpx is for one read, and begins again with each byte that a server sends. So each
    connection reads with the time that is left.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._of_thread = threading.local()

    def start(self) -> None:
        """Begin to wait for an answer."""
        self._of_thread.at = self._monotonic() + ANSWER_S

    def after(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the chunks of a request. Each of them begins the wait anew."""
        for chunk in chunks:
            self.start()
            yield chunk
        self.start()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Make a connection keep to the deadline. This is the ``trace`` of a request to httpcore."""
        if not event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            return
        stream = info["return_value"]
        read = stream.read

        def read_in_time(max_bytes: int, timeout: float | None = None) -> bytes:
            if (left := self._of_thread.at - self._monotonic()) <= 0:
                raise TimeoutError
            data: bytes = read(max_bytes, timeout=left if timeout is None else min(left, timeout))
            return data

        stream.read = read_in_time


def exchange(http: httpx.Client, request: httpx.Request, deadline: Deadline) -> Answer:
    """Send a request and read its answer.

    :raises httpx.RequestError: If there is no answer, or not a whole one in time.
    """
    request.extensions = {**request.extensions, "trace": deadline.trace}
    deadline.start()
    body = bytearray()
    try:
        with closing(http.send(request, stream=True)) as response:
            for chunk in response.iter_raw():
                _add(body, chunk, request)
    except TimeoutError:
        raise _too_late(request) from None
    return _answer(response, body)


async def exchange_async(http: httpx.AsyncClient, request: httpx.Request) -> Answer:
    """Send a request and read its answer, as :func:`exchange` does."""

    async def read() -> Answer:
        body = bytearray()
        async with aclosing(await http.send(request, stream=True)) as response:
            async for chunk in response.aiter_raw():
                _add(body, chunk, request)
        return _answer(response, body)

    try:
        return await asyncio.wait_for(read(), ANSWER_S)
    except (TimeoutError, asyncio.TimeoutError):  # one class from Python 3.11 on
        raise _too_late(request) from None


def _add(body: bytearray, more: bytes, request: httpx.Request) -> None:
    body += more
    if len(body) > MAX_BYTES:
        raise httpx.DecodingError(f"it has more than {MAX_BYTES:,} bytes", request=request)


def _answer(response: httpx.Response, sent: bytearray) -> Answer:
    """Return a whole answer. A small one does not become a large one in memory."""
    encoding, body = (
        response.headers.get("content-encoding", "identity").strip().lower(),
        bytearray(),
    )
    if encoding == "identity":
        body = sent
    elif encoding != "gzip":
        raise httpx.DecodingError(
            "its encoding is neither gzip nor identity", request=response.request
        )
    elif sent:
        unzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            _add(body, unzip.decompress(sent, MAX_BYTES + 1), response.request)
        except zlib.error:
            raise httpx.DecodingError("it is not valid gzip", request=response.request) from None
        if not unzip.eof:
            raise httpx.DecodingError("its end is missing", request=response.request)
    if sum(map(body.count, (b",", b"[", b"{"))) > MAX_SIGNS:
        raise httpx.DecodingError(
            f"it has more than {MAX_SIGNS:,} commas and brackets", request=response.request
        )
    return Answer(response.status_code, response.headers, bytes(body), response.url.host)


def _too_late(request: httpx.Request) -> httpx.ReadTimeout:
    return httpx.ReadTimeout(f"it was not complete after {ANSWER_S:g} s", request=request)
