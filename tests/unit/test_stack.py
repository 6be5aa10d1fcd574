"""How the demo's Airflow ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from demo.stack import COMPONENTS
from tests.processes import running_with, wait_for

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
