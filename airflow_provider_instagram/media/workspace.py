"""A temporary directory for unfinished work, next to its result, which is removed in every case."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import TranscodeError, ValidationError
from airflow_provider_instagram.utils.owned_folder import lack_of_space, owned_folder, remove_abandoned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREFIX: Final = ".instagram-work-"


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
    remove_abandoned(folder, PREFIX)
    if lack := lack_of_space(folder, needed_bytes):
        raise TranscodeError(lack, hint="Free some space, or set output= to another disk.")
    with owned_folder(folder, PREFIX) as made:
        yield made
