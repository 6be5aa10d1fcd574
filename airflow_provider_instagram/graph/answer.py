"""Answers of the Graph API: read as they arrive, up to a size and until a deadline, whatever the server sends."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import Any, Final

import httpx

from airflow_provider_instagram.graph.fields import read_json

#: The largest answer. A page of a hundred posts has about 300 kB.
MAX_BYTES: Final = 10 * 1024**2
#: The most commas, brackets and braces in an answer: each may become an object that is much larger
#: than its text.
MAX_SIGNS: Final = 300_000
#: How long the body of an answer may take.
ANSWER_S: Final = 90.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    host: str

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
        if data is None:
            return self.body
        return json.dumps(data, ensure_ascii=False).encode(errors="replace")


class _Body:
    """The body of an answer, as it arrives.

    A timeout of httpx is for one read, and begins again with each byte that a server sends. So the
    body has a deadline of its own.
    """

    def __init__(self, response: httpx.Response) -> None:
        encoding = response.headers.get("content-encoding", "identity")
        if encoding.strip().lower() != "identity":
            raise httpx.DecodingError("it is compressed", request=response.request)
        self._response = response
        self._content = bytearray()
        self._ends_at = time.monotonic() + ANSWER_S

    def add(self, chunk: bytes) -> None:
        """Add what has arrived."""
        self._content += chunk
        request = self._response.request
        if len(self._content) > MAX_BYTES:
            raise httpx.DecodingError(f"it has more than {MAX_BYTES:,} bytes", request=request)
        if time.monotonic() > self._ends_at:
            raise httpx.ReadTimeout(f"it was not complete after {ANSWER_S:g} s", request=request)

    def answer(self) -> Answer:
        """Return the whole answer. A small one does not become a large one in memory."""
        response = self._response
        content = bytes(self._content)
        if sum(map(content.count, (b",", b"[", b"{"))) > MAX_SIGNS:
            raise httpx.DecodingError(
                f"it has more than {MAX_SIGNS:,} commas and brackets", request=response.request
            )
        return Answer(response.status_code, response.headers, content, response.url.host)


def exchange(http: httpx.Client, request: httpx.Request) -> Answer:
    """Send a request and read its answer.

    :raises httpx.RequestError: If there is no answer, or not a whole one in time.
    """
    with closing(http.send(request, stream=True)) as response:
        body = _Body(response)
        for chunk in response.iter_raw():
            body.add(chunk)
    return body.answer()


async def exchange_async(http: httpx.AsyncClient, request: httpx.Request) -> Answer:
    """Send a request and read its answer, as :func:`exchange` does."""
    async with aclosing(await http.send(request, stream=True)) as response:
        body = _Body(response)
        async for chunk in response.aiter_raw():
            body.add(chunk)
    return body.answer()
