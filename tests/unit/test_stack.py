"""The demo's Airflow over its REST API."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from demo.stack import AirflowStack

if TYPE_CHECKING:
    from pathlib import Path

LOCKED = {"detail": {"reason": "Database error", "message": "Serious error when handling your request."}}


@pytest.mark.parametrize(("answers", "calls"), [([(500, LOCKED), (200, {"ok": 1})], 2), ([(500, {"detail": "x"})], 1)])
def test_a_call_is_repeated_if_the_database_was_locked_and_not_otherwise(
    tmp_path: Path, answers: list[tuple[int, object]], calls: int
) -> None:
    """`make ui` starts tasks and stores connections at the same time, on SQLite."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers[len(asked)]
            asked.append(self.path)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *about: object) -> None:
            """Print nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack = AirflowStack(f"http://127.0.0.1:{server.server_port}", tmp_path, {})
        if answers[-1][0] == 200:
            assert stack.call("GET", "/connections/a") == {"ok": 1}
        else:
            with pytest.raises(RuntimeError, match="HTTP 500"):
                stack.call("GET", "/connections/a")
        server.shutdown()
    assert asked == ["/api/v2/connections/a"] * calls
