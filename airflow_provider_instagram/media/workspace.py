"""A temporary directory for unfinished work, next to its result, which is removed in every case."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import TranscodeError, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREFIX: Final = ".instagram-work-"
#: Newer directories are not removed, because their owner may not have locked them yet.
MIN_AGE_S: Final = 60.0
SPARE_BYTES: Final = 64 * 1024**2


@contextmanager
def workspace(output: Path, needed_bytes: int) -> Iterator[Path]:
    """Create a directory on the disk of the result, and remove it afterwards.

    A killed process cannot clean up, so the next process that works in the same folder removes its directory. A lock on
    the directory, which ends with its owner, shows whether the directory is in use.

    :param output: The file that the work is for.
    :param needed_bytes: How much the work may write.
    :return: The directory.
    :raises ValidationError: If the folder of the result cannot be used.
    :raises TranscodeError: If the disk has too little space.
    """
    folder = output.absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ValidationError(
            f"{folder} is not a writable directory.", hint="Create it, or set output= to another directory."
        )
    if output.is_dir():
        raise ValidationError(
            f"{output} is a directory.", hint="Use the name of a file, or end output= with / for a file inside it."
        )
    _remove_abandoned(folder)
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes + SPARE_BYTES:
        raise TranscodeError(
            f"{folder} has {free_bytes / 1e6:,.0f} MB free, but needs {(needed_bytes + SPARE_BYTES) / 1e6:,.0f} MB.",
            hint="Free some space, or set output= to another disk.",
        )
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=folder) as name:
        lock = os.open(name, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder / name
        finally:
            os.close(lock)


def _remove_abandoned(folder: Path) -> None:
    for left in folder.glob(f"{PREFIX}*"):
        with suppress(OSError):  # another process may be removing it, or working in it
            if time.time() - left.stat().st_mtime < MIN_AGE_S:
                continue
            lock = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left)
            finally:
                os.close(lock)
