"""A recorder in a process of its own, and a server in Meta's place."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from sandbox.tests.integration.conftest import in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-m", "instagram_sandbox"]
TOKEN = "IGAAsecretOfARealAccount0123456789"
USER = "17841405822304914"


@contextmanager
def recording(journal: Path, *to: str, options: tuple[str, ...] = ()) -> Iterator[str]:
    """Record in a process of its own, and yield where it listens."""
    hosts = [part for host in to for part in ("--to", host)]
    process = subprocess.Popen(
        [*COMMAND, "record", str(journal), "--port", "0", *hosts, *options], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert " on http://127.0.0.1:" in line, line
        yield line.partition(" on ")[2].partition(". ")[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def lines(journal: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in journal.read_text().splitlines()]


class Odd:
    """A server in Meta's place, which answers as its paths say and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.heard: list[tuple[str, str, dict[str, str], int]] = []
        self.url = ""


@contextmanager
def odd_server() -> Iterator[Odd]:
    odd = Odd()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            left = length = int(self.headers.get("Content-Length", 0))
            body = b""
            while left:
                block = self.rfile.read(min(left, 65_536))
                left -= len(block)
                body = body + block if length < 100_000 else b""
            headers = {name.lower(): value for name, value in self.headers.items()}
            odd.heard.append((self.command, self.path, headers, length))
            status, said = odd.answers.get(urlsplit(self.path).path, (200, {"id": USER}))
            if callable(said):
                said = said(self.path, headers, body.decode("utf-8", "replace"))
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with in_thread(Handler) as odd.url:
        yield odd


@pytest.fixture
def odd() -> Iterator[Odd]:
    with odd_server() as server:
        yield server


@pytest.fixture(scope="module")
def _recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Odd, str]]:
    with (
        odd_server() as server,
        recording(tmp_path_factory.mktemp("recorded") / "journal.jsonl", server.url) as address,
    ):
        yield server, address


@pytest.fixture
def recorded(_recorded: tuple[Odd, str]) -> tuple[Odd, str]:
    """A server that has heard nothing yet, and the address of a recorder before it, for tests that read no journal."""
    server, address = _recorded
    server.answers.clear()
    server.heard.clear()
    return server, address
