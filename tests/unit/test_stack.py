"""The demo's Airflow over its REST API."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from demo.stack import COMPONENTS, AirflowStack
from tests.processes import running_with, wait_for

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


#: An Airflow whose components only wait, each with a child, and ignore nothing.
COMPONENT = """#!/bin/sh
[ "$1" = db ] && exit 0
sleep 86.{mark} &
exec sleep 86.{mark}
"""
STARTER = """
import sys
from pathlib import Path
from demo import stack
from instagram_sandbox.testing.handle import sandbox_process
stack.AIRFLOW = sys.argv[2]
stack.end_on_sigterm()
with sandbox_process(), stack.airflow_stack({"AIRFLOW_HOME": sys.argv[1]}):
    raise AssertionError("it never becomes healthy")
"""


@pytest.mark.parametrize("terms", [1, 3])
def test_an_airflow_and_its_sandbox_end_with_a_starter_that_is_ended_by_sigterm(tmp_path: Path, terms: int) -> None:
    """Also if the signal comes again while they are being stopped, as from a shell that ends its whole group."""
    mark = f"{os.getpid()}{terms}"
    (airflow := tmp_path / "airflow").write_text(COMPONENT.format(mark=mark))
    airflow.chmod(0o755)
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    starter = subprocess.Popen([sys.executable, "-c", STARTER, tmp_path, airflow], env=environment, stderr=-1)
    wait_for(lambda: len(running_with(f"86.{mark}")) == 2 * len(COMPONENTS), within_s=60)
    assert any(str(tmp_path) in Path(f"/proc/{pid}/cmdline").read_text() for pid in running_with("instagram_sandbox"))
    for _ in range(terms):
        starter.send_signal(signal.SIGTERM)
    _, said = starter.communicate(timeout=60)
    assert b"KeyboardInterrupt" in said
    assert not running_with(f"86.{mark}")
    assert not running_with(f"{tmp_path}/instagram-sandbox-")
