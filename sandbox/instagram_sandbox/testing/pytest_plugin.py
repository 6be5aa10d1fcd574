"""Pytest fixtures to test clients that publish to Instagram: a sandbox, and the Airflow connection to it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instagram_sandbox.testing.handle import SandboxHandle

CONNECTION_VARIABLE = "AIRFLOW_CONN_INSTAGRAM_DEFAULT"
TIMES = ("--processing-time", "0.2", "--visible-after", "1", "--new-ids-unknown", "0")


class SandboxWarning(UserWarning):
    """A call that Meta would not carry out the same way, or a link that was refused."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting of the sandbox's mode."""
    parser.addini(
        "instagram_sandbox_strict",
        "whether the sandbox answers open questions harshly",
        type="bool",
        default=True,
    )


@pytest.fixture(scope="session")
def _instagram_sandbox_process(pytestconfig: pytest.Config) -> Iterator[SandboxHandle]:
    """One sandbox process for all tests, which is reset before each test."""
    from instagram_sandbox.testing.handle import sandbox_process

    with sandbox_process(*TIMES, strict=pytestconfig.getini("instagram_sandbox_strict")) as handle:
        yield handle


@pytest.fixture
def instagram_sandbox(
    _instagram_sandbox_process: SandboxHandle, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SandboxHandle]:
    """An empty local Instagram, and the Airflow connection ``instagram_default`` to it. Airflow is not needed.

    Processing takes 0.2 s, a published post shows after 1 s, and new ids are known at once.
    ``instagram_sandbox.switch(…)`` changes these times. What the journal warns of is a warning of
    the test.
    """
    from instagram_sandbox.testing.handle import connection_json

    handle = _instagram_sandbox_process
    handle.reset()
    monkeypatch.setenv(CONNECTION_VARIABLE, connection_json(handle))
    yield handle
    for warning in dict.fromkeys(handle.warnings):
        warnings.warn(SandboxWarning(warning), stacklevel=1)
