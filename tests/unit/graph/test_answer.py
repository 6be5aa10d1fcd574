"""Answers that never end, or that are larger than they look: both clients give them up, and say what may be live."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import TransientError
from airflow_provider_instagram.graph import answer, calls, client
from airflow_provider_instagram.graph.client import GraphClient
from airflow_provider_instagram.graph.models import ContainerState

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.graph.conftest import Send, WebServer

READ = calls.container_status("17900000000000001")
PUBLISH = calls.publish("17841400000000001", "17900000000000001")
GOOD = json.dumps({"id": "17900000000000001", "status_code": "FINISHED"}).encode()
HEAD = b"HTTP/1.1 200 OK\r\n"
#: The beginning of an answer, and what follows it without an end.
DRIPPING = {
    "a status line": (b"HTTP", b"/"),
    "hints": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "a header": (HEAD + b"X-Long: ", b"a"),
    "many headers": (HEAD, b"X-One: a\r\n"),
    "a body": (HEAD + b"Content-Length: 9000000\r\n\r\n", b" "),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "a body without a length": (HEAD + b"Connection: close\r\n\r\n", b" "),
    "a zipped body": (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 9000000\r\n\r\n", b"\x1f"),
}
MEBIBYTE = 1024**2


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set how long an answer may take, and send reads once."""
    monkeypatch.setattr(client, "_ATTEMPTS", 1)
    return lambda seconds: monkeypatch.setattr(answer, "ANSWER_S", seconds)


@pytest.mark.parametrize("part", DRIPPING)
def test_an_answer_that_never_ends_is_given_up(
    part: str, server: WebServer, send: Send, patience: Callable[[float], None]
) -> None:
    """Each byte that arrives begins the timeout of one read anew, so the client has a deadline beside it."""
    patience(0.3)
    server.drip(*DRIPPING[part])
    with pytest.raises(TransientError, match=r"publish .* was lost .* may have taken effect") as raised:
        send(PUBLISH)
    assert raised.value.outcome_unknown
    server.drip(*DRIPPING[part])
    with pytest.raises(TransientError, match="was lost") as raised:
        send(READ)
    assert not raised.value.outcome_unknown
    assert len(server.requests) == 2


def test_a_slow_answer_is_read_to_its_end(server: WebServer, send: Send, patience: Callable[[float], None]) -> None:
    patience(20)
    body = b"Content-Length: %d\r\n\r\n" % (len(GOOD) + 20)
    server.drip(HEAD + body, b" ", times=20, end=GOOD)
    assert send(READ).state is ContainerState.FINISHED


def test_the_deadline_begins_anew_with_each_call(server: WebServer) -> None:
    """A connection that is used again keeps to the deadline of the new call, not to that of the first."""
    now = [0.0]
    with GraphClient(server.token, base_url=server.url, monotonic=lambda: now[0]) as graph:
        for _ in range(3):
            server.answer(GOOD.decode())
            assert graph.send(READ).state is ContainerState.FINISHED
            now[0] += answer.ANSWER_S + 1


def test_an_upload_may_take_longer_than_its_answer(server: WebServer) -> None:
    """Each chunk that is sent begins the wait anew. What the host answers has the deadline of any answer."""
    now = [0.0]

    def chunks() -> Any:
        for _ in range(5):
            now[0] += answer.ANSWER_S - 1
            yield b"12345"

    def send_bytes() -> None:
        limit = timedelta(seconds=5)
        graph.send_bytes(f"{server.url}/upload", chunks(), offset=0, total_bytes=25, stall_timeout=limit)

    with GraphClient(server.token, base_url=server.url, monotonic=lambda: now[0]) as graph:
        server.answer({"success": True})
        send_bytes()
        server.drip(HEAD, b"X-One: a\r\n", before_each=lambda: now.__setitem__(0, now[0] + 1))
        with pytest.raises(TransientError, match="was lost") as raised:
            send_bytes()
    assert raised.value.outcome_unknown


def test_a_zipped_answer_is_read(server: WebServer, send: Send) -> None:
    zipped = gzip.compress(GOOD)
    server.drip(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(zipped), b"", times=1, end=zipped)
    assert send(READ).state is ContainerState.FINISHED
    assert server.requests[0].headers["Accept-Encoding"] == "gzip"


def zipped(times: int) -> bytes:
    data = b" " * 100 * MEBIBYTE
    for _ in range(times):
        data = gzip.compress(data)
    return data


@pytest.mark.parametrize(
    ("encoding", "make", "why"),
    [
        ("identity", lambda: b" " * 11 * MEBIBYTE, "more than 10,485,760 bytes"),
        ("gzip", lambda: zipped(1), "more than 10,485,760 bytes"),
        ("gzip, gzip, gzip", lambda: zipped(3), "neither gzip nor identity"),
        ("br", lambda: GOOD, "neither gzip nor identity"),
        ("identity", lambda: b"[" + b"[]," * 3_000_000 + b"1]", "more than 300,000 commas and brackets"),
        ("gzip", lambda: gzip.compress(b"[" + b"{}," * 3_000_000 + b"1]"), "more than 300,000 commas and brackets"),
        ("gzip", lambda: GOOD, "not valid gzip"),
        ("gzip", lambda: gzip.compress(GOOD)[:-4], "end is missing"),
    ],
    ids=["large", "a bomb", "a bomb in a bomb", "another encoding", "lists", "objects", "not zipped", "cut off"],
)
def test_an_answer_that_fills_the_memory_is_not_read_to_its_end(
    encoding: str, make: Callable[[], bytes], why: str, server: WebServer, send: Send, patience: Callable[[float], None]
) -> None:
    patience(60)
    body = make()
    head = HEAD + f"Content-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    server.drip(head, b"", times=1, end=body)
    tracemalloc.start()
    try:
        with pytest.raises(TransientError, match=why) as raised:
            send(PUBLISH)
        assert tracemalloc.get_traced_memory()[1] < 40 * MEBIBYTE
    finally:
        tracemalloc.stop()
    assert raised.value.outcome_unknown


def test_what_follows_the_end_of_a_zipped_answer_fills_no_memory(server: WebServer, send: Send) -> None:
    head = HEAD + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n"
    server.drip(head + gzip.compress(GOOD), bytes(MEBIBYTE), times=30)
    tracemalloc.start()
    try:
        with pytest.raises(TransientError, match="more than 10,485,760 bytes"):
            send(PUBLISH)
        assert tracemalloc.get_traced_memory()[1] < 40 * MEBIBYTE
    finally:
        tracemalloc.stop()
