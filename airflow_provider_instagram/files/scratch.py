"""The folders of copies: files on their way from or to another place, on this machine's own disk (TMPDIR)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from airflow_provider_instagram.exceptions import TransientError
from airflow_provider_instagram.utils.owned_folder import (
    lack_of_space,
    owned_folder,
    remove_abandoned,
)

PREFIX: Final = ".instagram-copy-"

_folders: set[Path] = set()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Create a temporary folder for a file on its way from or to another place, and remove it afterwards."""
    with owned_folder(Path(tempfile.gettempdir()), PREFIX) as folder:
        _folders.add(folder)
        try:
            yield folder
        finally:
            _folders.discard(folder)


def remove_all() -> None:
    """Remove the scratch folders of this process, which a killed task has no time to do later."""
    for folder in list(_folders):
        shutil.rmtree(folder, ignore_errors=True)


def remove_left_behind() -> None:
    """Remove the scratch folders on this machine whose process was killed."""
    remove_abandoned(Path(tempfile.gettempdir()), PREFIX)


def require_space(folder: Path, needed_bytes: int) -> None:
    """Check whether a disk has space for a copy, before the copy is begun.

    :raises TransientError: If it has not. Another worker may have space, and so may this one later.
    """
    if lack := lack_of_space(folder, needed_bytes):
        raise TransientError(
            lack, hint="Free some space on this worker, or set TMPDIR to another disk."
        )
