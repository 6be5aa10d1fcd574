"""The fixture for authors of DAGs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from instagram_sandbox.testing.handle import SandboxHandle


def test_the_airflow_connection_leads_to_the_sandbox(instagram_sandbox: SandboxHandle) -> None:
    """What stands in the environment reads the sandbox's own account."""
    connection = json.loads(os.environ["AIRFLOW_CONN_INSTAGRAM_DEFAULT"])
    headers = {"Authorization": f"Bearer {connection['password']}"}
    answer = httpx.get(f"{connection['host']}/v27.0/me", params={"fields": "user_id"}, headers=headers)
    assert answer.json()["user_id"] == connection["login"]
    assert instagram_sandbox.calls("account") == 1


def test_each_test_gets_an_empty_sandbox(instagram_sandbox: SandboxHandle) -> None:
    assert instagram_sandbox.posts == []
    assert instagram_sandbox.calls() == 0


def test_the_plugin_loads_nothing_but_pytest() -> None:
    """Every run of pytest loads the plugin, so it may not slow them down."""
    script = (
        "import pytest, sys; before = set(sys.modules); import instagram_sandbox.testing.pytest_plugin;"
        "print(*sorted(set(sys.modules) - before))"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert out == [
        "instagram_sandbox",
        "instagram_sandbox.testing",
        "instagram_sandbox.testing.pytest_plugin",
    ]
