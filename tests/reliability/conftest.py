"""A sandbox of its own and one small video for the reliability scenarios."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instagram_sandbox.testing.handle import sandbox_process
from tests.reliability.video import make_reel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle


@pytest.fixture(scope="session")
def quiet_sandbox() -> Iterator[SandboxHandle]:
    with sandbox_process("--visible-after", "10") as running:
        yield running


@pytest.fixture(scope="session")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_reel(tmp_path_factory.mktemp("videos") / "reel.mp4")
