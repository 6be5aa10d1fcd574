"""Instagram's clock, as its answers tell it."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.utils.clock import ServerClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle


def utc() -> datetime:
    return datetime.now(timezone.utc)


@contextmanager
def server_with(**headers: str) -> Iterator[str]:
    """Serve answers with exactly these headers."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(400)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_clock_that_is_right_stays_this_machines(instagram_sandbox: SandboxHandle) -> None:
    """A header that names a second would make it worse."""
    clock = ServerClock()
    assert clock.compare(instagram_sandbox.url) == timedelta(0)
    now = clock.now()
    assert timedelta(0) <= utc() - now < timedelta(milliseconds=100)


@pytest.mark.parametrize("wrong_by", [timedelta(seconds=90), timedelta(seconds=-90), timedelta(hours=-5), timedelta(0)])
def test_a_clock_is_never_early_once_it_was_compared_whatever_becomes_of_this_machines(
    instagram_sandbox: SandboxHandle, wrong_by: timedelta
) -> None:
    local = iter([wrong_by])
    clock = ServerClock(lambda: utc() + next(local, timedelta(days=3)))  # somebody sets it, also during the comparison
    clock.compare(instagram_sandbox.url)
    before = utc()
    assert before - timedelta(seconds=30) < clock.now() <= utc()
    assert instagram_sandbox.journal() == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Date": "yesterday"},
        {"Date": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"Date": format_datetime(utc() - timedelta(hours=2), usegmt=True), "Age": "7200"},
    ],
    ids=["none", "no date", "absurd", "from a cache"],
)
def test_a_date_that_is_not_the_servers_time_counts_for_nothing(headers: dict[str, str]) -> None:
    moment = utc()
    clock = ServerClock(lambda: moment)
    with server_with(**headers) as url:
        with pytest.raises(LookupError):
            clock.compare(url)
        clock.try_to_compare(url)
    assert clock.now() == moment
    clock.try_to_compare("http://127.0.0.1:9")
    assert clock.now() == moment


def test_an_answer_that_never_ends_holds_no_task(mocker: MockerFixture) -> None:
    """A timeout of httpx is for one read, and begins again with each header that arrives."""
    over, moment = threading.Event(), utc()

    class Dripping(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(200)
            with suppress(OSError):  # the client has left
                while not over.wait(0.01):
                    self.send_header("X-One", "a")
                    self.flush_headers()

    mocker.patch("airflow_provider_instagram.utils.clock.TIMEOUT_S", 0.5)
    clock = ServerClock(lambda: moment)
    with HTTPServer(("127.0.0.1", 0), Dripping) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        begun_s = time.monotonic()
        clock.try_to_compare(f"http://127.0.0.1:{server.server_port}")
        took_s = time.monotonic() - begun_s
        over.set()
        server.shutdown()
        thread.join()
    assert took_s < 10
    assert clock.now() == moment
