"""Pytest fixtures to test DAGs that publish to Instagram: a sandbox, and the Airflow connection to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instagram_sandbox.testing.handle import SandboxHandle

CONNECTION_VARIABLE = "AIRFLOW_CONN_INSTAGRAM_DEFAULT"


@pytest.fixture(scope="session")
def _instagram_sandbox_process() -> Iterator[SandboxHandle]:
    """One sandbox process for all tests, which is reset before each test."""
    from instagram_sandbox.testing.handle import sandbox_process

    with sandbox_process("--processing-time", "0.2", "--visible-after", "1", "--new-ids-unknown", "0") as handle:
        yield handle


@pytest.fixture
def instagram_sandbox(_instagram_sandbox_process: SandboxHandle, monkeypatch: pytest.MonkeyPatch) -> SandboxHandle:
    """An empty local Instagram, and the Airflow connection ``instagram_default`` to it.

    Processing takes 0.2 s, a published post shows after 1 s, and new ids are known at once.
    ``instagram_sandbox.switch(…)`` changes these times.
    """
    from instagram_sandbox.testing.handle import connection_json

    handle = _instagram_sandbox_process
    handle.reset()
    monkeypatch.setenv(CONNECTION_VARIABLE, connection_json(handle))
    return handle
