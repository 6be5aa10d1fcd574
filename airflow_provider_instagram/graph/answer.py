"""Answers of the Graph API: read as they arrive, up to a size and until a deadline, whatever the server sends."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from airflow_provider_instagram.graph.fields import read_json

#: The largest answer, unzipped. A page of a hundred posts has about 300 kB.
MAX_BYTES: Final = 10 * 1024**2
#: The most commas, brackets and braces in an answer: each may become an object that is much larger than its text.
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
        return self.body if data is None else json.dumps(data, ensure_ascii=False).encode(errors="replace")


class Deadline:
    """The deadline of the answer that a thread waits for.

    A timeout of httpx is for one read, and begins again with each byte that a server sends. So each connection reads
    with the time that is left.
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


@dataclass(slots=True)
class _Body:
    """A body, unzipped as it arrives, so that a small one cannot become a large one in memory."""

    response: httpx.Response
    content: bytearray = field(default_factory=bytearray)
    _unzip: Any = None

    def __post_init__(self) -> None:
        encoding = self.response.headers.get("content-encoding", "identity").strip().lower()
        if encoding == "gzip":
            self._unzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
        elif encoding != "identity":
            raise self._error("its encoding is neither gzip nor identity")

    def add(self, chunk: bytes) -> None:
        """Add bytes as they arrived. Those after the end of a gzip are ignored: zlib would keep all of them."""
        if self._unzip and self._unzip.eof:
            return
        try:
            self.content += self._unzip.decompress(chunk, MAX_BYTES + 1 - len(self.content)) if self._unzip else chunk
        except zlib.error:
            raise self._error("it is not valid gzip") from None
        if len(self.content) > MAX_BYTES:
            raise self._error(f"it has more than {MAX_BYTES:,} bytes")

    def answer(self) -> Answer:
        """Return the whole answer."""
        if self._unzip and self.content and not self._unzip.eof:
            raise self._error("its end is missing")
        if sum(map(self.content.count, (b",", b"[", b"{"))) > MAX_SIGNS:
            raise self._error(f"it has more than {MAX_SIGNS:,} commas and brackets")
        return Answer(self.response.status_code, self.response.headers, bytes(self.content), self.response.url.host)

    def _error(self, why: str) -> httpx.DecodingError:
        return httpx.DecodingError(why, request=self.response.request)


def exchange(http: httpx.Client, request: httpx.Request, deadline: Deadline) -> Answer:
    """Send a request and read its answer.

    :raises httpx.RequestError: If there is no answer, or not a whole one in time.
    """
    request.extensions = {**request.extensions, "trace": deadline.trace}
    deadline.start()
    try:
        with closing(http.send(request, stream=True)) as response:
            body = _Body(response)
            for chunk in response.iter_raw():
                body.add(chunk)
    except TimeoutError:
        raise _too_late(request) from None
    return body.answer()


async def exchange_async(http: httpx.AsyncClient, request: httpx.Request) -> Answer:
    """Send a request and read its answer, as :func:`exchange` does."""

    async def read() -> Answer:
        async with aclosing(await http.send(request, stream=True)) as response:
            body = _Body(response)
            async for chunk in response.aiter_raw():
                body.add(chunk)
        return body.answer()

    try:
        return await asyncio.wait_for(read(), ANSWER_S)
    except (TimeoutError, asyncio.TimeoutError):  # one class from Python 3.11 on
        raise _too_late(request) from None


def _too_late(request: httpx.Request) -> httpx.ReadTimeout:
    return httpx.ReadTimeout(f"it was not complete after {ANSWER_S:g} s", request=request)
