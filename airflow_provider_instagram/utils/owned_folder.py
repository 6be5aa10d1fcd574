"""Temporary folders that are known to be in use or not, so that what a killed process left can be removed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

#: Newer folders are not removed, because their owner may not have locked them yet.
MIN_AGE_S: Final = 60.0
SPARE_BYTES: Final = 64 * 1024**2


@contextmanager
def owned_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Create a folder, and remove it afterwards.

    1. The folders whose owner was killed are removed.
    2. The folder is created and locked. The lock ends with this process, however it ends.
    3. If this process is killed, the folder stays, and its lock is free.
    """
    _remove_abandoned(parent, prefix)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=parent, ignore_cleanup_errors=True) as name:
        lock = os.open(name, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(lock)


def _remove_abandoned(parent: Path, prefix: str) -> None:
    """Remove the folders of :func:`owned_folder` whose owner has gone."""
    for left in parent.glob(f"{prefix}*"):
        with suppress(OSError):  # another process may be removing it, or working in it
            if time.time() - left.stat().st_mtime < MIN_AGE_S:
                continue
            lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left)
            finally:
                os.close(lock)


def lack_of_space(folder: Path, needed_bytes: int) -> str | None:
    """Return what is missing if a disk has too little space, or None if it has enough."""
    free_bytes = shutil.disk_usage(folder).free
    needed_bytes = needed_bytes + SPARE_BYTES
    if free_bytes >= needed_bytes:
        return None
    return f"{folder} has {free_bytes / 1e6:,.0f} MB free, but needs {needed_bytes / 1e6:,.0f} MB."
