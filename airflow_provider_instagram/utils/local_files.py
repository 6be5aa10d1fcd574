"""The checks of a local file before it is opened and after it was read, and the digest of its content."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airflow_provider_instagram.exceptions import TransientError, ValidationError

BLOCK_BYTES: Final = 1024**2
#: Some programs write zeros after the end of a file. Up to this many bytes are ignored.
PADDING_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file when it was read."""

    path: Path
    size_bytes: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> FileInfo:
        """Return the state of a regular file."""
        status = regular_file(path)
        return FileInfo(path, status.st_size, status.st_mtime_ns)

    def raise_if_changed(self) -> None:
        """Raise an error if the file was changed or removed after it was read."""
        with suppress(FileNotFoundError):
            status = self.path.stat()
            if (status.st_size, status.st_mtime_ns) == (self.size_bytes, self.modified_ns):
                return
        raise TransientError(
            f"{self.path} was changed while it was being read.",
            hint="Wait until the file is complete, and run again.",
        )


def regular_file(path: Path) -> os.stat_result:
    """Return the status of a regular file. Reading a pipe or a device could block.

    :raises ValidationError: If the file is missing, is not a regular file, or cannot be accessed.
    """
    if any("\udc80" <= letter <= "\udcff" for letter in str(path)):
        raise ValidationError(f"The name of {path!r} is not UTF-8.", hint="Rename the file.")
    try:
        status = path.stat()
    except FileNotFoundError:
        raise ValidationError(
            f"The file {path.absolute()} does not exist on this worker.",
            hint="Check the path, and write it whole: a relative one is below the worker's folder. If another worker "
            "created the file, clear the task that created it (such as transcode) instead of this one. Storage that "
            "all workers can access prevents this: set output= of TranscodeOperator, or work_prefix in the section "
            "[instagram] of Airflow's configuration.",
        ) from None
    except OSError as error:
        raise ValidationError(
            f"{path} cannot be read: {error.strerror}.", hint="Check its permissions."
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise ValidationError(
            f"{path} is not a regular file.",
            hint="Use a video or a picture, not a directory, pipe or device.",
        )
    return status


def ends_with(path: Path, end: bytes) -> bool:
    """Return whether a file ends with these bytes, and zeros."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - PADDING_BYTES))
        return file.read(PADDING_BYTES).rstrip(b"\x00").endswith(end)


def file_digest(path: Path, prefix: bytes = b"") -> str:
    """Return the SHA-256 digest of a file, in hexadecimal."""
    digest = hashlib.sha256(prefix)
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
