"""Clips that ffmpeg makes once a test run, also where several processes of pytest-xdist ask for them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LIMIT_S = 60


class ClipCache:
    """Keeps clips by what ffmpeg was told to make them.

    :param factory: Its temporary folder belongs to this process; the folder above, below pytest-xdist, to the test run.
    """

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._own = factory.mktemp("clips")
        together = factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()
        self._shared = together / "shared-clips"

    def get(self, name: str, *arguments: str) -> Path:
        """Return a clip, in a folder of its own. A test may write beside it, for no other process sees the folder.

        Two processes that want a clip at the same moment both make it, and one file remains.
        """
        recipe = hashlib.sha256("\0".join((name, *arguments)).encode()).hexdigest()[:12]
        path, shared = self._own / recipe / name, self._shared / recipe / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            if not shared.exists():
                shared.parent.mkdir(parents=True, exist_ok=True)
                command = ["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments, str(path)]
                subprocess.run(command, check=True, timeout=LIMIT_S)
                copy = shared.with_name(f"{os.getpid()}-{name}")
                shutil.copyfile(path, copy)
                copy.replace(shared)
            else:
                shutil.copyfile(shared, path)
        return path
