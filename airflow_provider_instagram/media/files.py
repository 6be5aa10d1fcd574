"""The check of a local file before it is opened, and the digest of its content."""

from __future__ import annotations

import hashlib
import stat
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import ValidationError

if TYPE_CHECKING:
    import os
    from pathlib import Path

BLOCK_BYTES: Final = 1024**2


def regular_file(path: Path) -> os.stat_result:
    """Return the status of a regular file. Reading a pipe or a device could block.

    :param path: A local file, or a link to one.
    :raises ValidationError: If the file is missing, is not a regular file, or cannot be accessed.
    """
    if any("\udc80" <= letter <= "\udcff" for letter in str(path)):
        raise ValidationError(f"The name of {path!r} is not UTF-8.", hint="Rename the file.")
    try:
        status = path.stat()
    except FileNotFoundError:
        raise ValidationError(
            f"The file {path} does not exist on this worker.",
            hint="Check the path. If another worker created the file, use storage that both workers can access: set "
            "output= of TranscodeOperator, or work_prefix in the section [instagram] of Airflow's configuration.",
        ) from None
    except OSError as error:
        raise ValidationError(f"{path} cannot be read: {error.strerror}.", hint="Check its permissions.") from error
    if not stat.S_ISREG(status.st_mode):
        raise ValidationError(
            f"{path} is not a regular file.", hint="Use a video file, not a directory, pipe or device."
        )
    return status


def file_digest(path: Path, prefix: bytes = b"") -> str:
    """Return the SHA-256 digest of a file, in hexadecimal.

    :param path: A local file, which is read completely.
    :param prefix: Bytes to put before the content.
    """
    digest = hashlib.sha256(prefix)
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
