"""What a sandbox keeps in its folder."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from instagram_sandbox.simulator.clock import Clock
from instagram_sandbox.simulator.sandbox import Sandbox, Settings

if TYPE_CHECKING:
    from pathlib import Path


def test_the_state_is_not_readable_by_others(tmp_path: Path) -> None:
    """It holds tokens. So do the files that SQLite writes beside it."""
    sandbox = Sandbox.open(Settings(tmp_path), Clock())
    modes = {one.name: oct(one.stat().st_mode & 0o777) for one in tmp_path.iterdir() if one.is_file()}
    asyncio.run(sandbox.close())
    assert modes == dict.fromkeys(("state.sqlite", "state.sqlite-wal"), "0o600")
