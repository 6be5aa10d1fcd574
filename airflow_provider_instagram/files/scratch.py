"""The folders of copies: files on their way from or to another place, on this machine's own disk (TMPDIR)."""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from airflow_provider_instagram.exceptions import TransientError
from airflow_provider_instagram.utils.owned_folder import lack_of_space, owned_folder

PREFIX: Final = ".instagram-copy-"


def scratch_folder() -> AbstractContextManager[Path]:
    """Create a temporary folder for a file on its way from or to another place, and remove it afterwards."""
    return owned_folder(Path(tempfile.gettempdir()), PREFIX)


def require_space(folder: Path, needed_bytes: int) -> None:
    """Check whether a disk has space for a copy, before the copy is begun.

    :raises TransientError: If it has not. Another worker may have space, and so may this one later.
    """
    if lack := lack_of_space(folder, needed_bytes):
        raise TransientError(
            lack, hint="Free some space on this worker, or set TMPDIR to another disk."
        )
