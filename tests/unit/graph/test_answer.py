"""Answers that never end, or that are larger than they look: both clients give them up, and say what may be live."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import TransientError
from airflow_provider_instagram.graph import answer, calls, client
from airflow_provider_instagram.graph.models import ContainerState

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mock import MockerFixture

    from tests.unit.graph.conftest import Send, WebServer

READ = calls.container_status("17900000000000001")
PUBLISH = calls.publish("17841400000000001", "17900000000000001")
GOOD = json.dumps({"id": "17900000000000001", "status_code": "FINISHED"}).encode()
HEAD = b"HTTP/1.1 200 OK\r\n"
#: The beginning of an answer, and what follows it without an end.
DRIPPING = {
    "a body": (HEAD + b"Content-Length: 9000000\r\n\r\n", b" "),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "a body without a length": (HEAD + b"Connection: close\r\n\r\n", b" "),
}
MEBIBYTE = 1024**2


@pytest.fixture
def patience(mocker: MockerFixture) -> Callable[..., Any]:
    """Set how long an answer may take, and send reads once."""
    mocker.patch.object(client, "_ATTEMPTS", 1)
    return partial(mocker.patch.object, answer, "ANSWER_S")


@pytest.mark.parametrize("part", DRIPPING)
def test_an_answer_that_never_ends_is_given_up(
    part: str, server: WebServer, send: Send, patience: Callable[..., Any]
) -> None:
    """Each byte that arrives begins the timeout of one read anew, so a body has a deadline beside it."""
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


def test_a_slow_answer_is_read_to_its_end(server: WebServer, send: Send, patience: Callable[..., Any]) -> None:
    patience(20)
    body = b"Content-Length: %d\r\n\r\n" % (len(GOOD) + 20)
    server.drip(HEAD + body, b" ", times=20, end=GOOD)
    assert send(READ).state is ContainerState.FINISHED


@pytest.mark.parametrize(
    ("encoding", "make", "why"),
    [
        ("identity", lambda: b" " * 11 * MEBIBYTE, "more than 10,485,760 bytes"),
        ("gzip", lambda: gzip.compress(b" " * 100 * MEBIBYTE), "it is compressed"),
        ("br", lambda: GOOD, "it is compressed"),
        ("identity", lambda: b"[" + b"[]," * 3_000_000 + b"1]", "more than 300,000 commas and brackets"),
    ],
    ids=["large", "a bomb", "another encoding", "lists"],
)
def test_an_answer_that_fills_the_memory_is_not_read_to_its_end(
    encoding: str, make: Callable[[], bytes], why: str, server: WebServer, send: Send, patience: Callable[..., Any]
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
