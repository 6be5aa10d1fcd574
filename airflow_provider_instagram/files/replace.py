"""Replace a file if nobody has changed it meanwhile, and add a file that does not exist yet.

A local file is replaced like this:

1. A lock beside it is taken, which every other writer of this package takes. A writer that dies
   releases it.
2. The file is read again. If it is not the one that was read before, nothing is written.
3. The new content is written to a file beside it, to the disk, and renamed. A reader sees the old
   or the new content.

An object of S3 is replaced by a request with ``If-Match``, which S3 refuses if the object has
changed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.files.access import FileAccess, object_path, read_file
from airflow_provider_instagram.utils.time_limit import within_small_file_timeout, within_timeout
from airflow_provider_instagram.utils.urls import is_local, shown

#: S3's answers to a request whose condition does not hold, as botocore and s3fs name them.
REFUSED: Final = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
S3: Final = ("s3", "s3a")
#: How long others may hold the lock, and how long to wait between two attempts to take it.
LOCK_TIMEOUT_S: Final = 10.0
LOCK_PAUSE_S: Final = 0.01
#: How long the upload of a large file to object storage may take.
UPLOAD_TIMEOUT_S: Final = 900.0


class ChangedMeanwhileError(Exception):
    """Somebody has changed the file since it was read, or has made the one that was to be added."""


class NotWritableError(Exception):
    """A file that cannot be written here. The text says why."""


class MayBeWrittenError(Exception):
    """The storage has not answered in time: the file may be written, now or in a moment. The text says so."""


@dataclass(frozen=True)
class ReadFile:
    """A file as it was read."""

    content: bytes = field(repr=False)
    etag: str = ""


def read_for_edit(location: str, access: FileAccess, max_bytes: int) -> ReadFile:
    """Read a small file that is to be replaced."""
    if is_local(location):
        return ReadFile(access.read(location, max_bytes))
    access.check(location)
    path = _s3_path(location)
    # An older version than the content belongs to is harmless: the write is refused, and both are
    # read again.
    etag = within_small_file_timeout(lambda: str(_fresh_info(path)["ETag"]))
    return ReadFile(read_file(location, max_bytes), etag)


def _s3_path(location: str) -> Any:
    path = object_path(location)
    if path.protocol not in S3:
        raise ValidationError(
            f"{path.protocol}:// has no writes that depend on whether a file has changed."
        )
    return path


def _fresh_info(path: Any) -> Any:
    path.fs.invalidate_cache(path.path)
    return path.fs.info(path.path)


def replace(
    location: str,
    access: FileAccess,
    before: ReadFile,
    content: bytes,
) -> None:
    """Replace a file. A local file is locked meanwhile.

    :raises ChangedMeanwhileError: If it is another one by now.
    :raises NotWritableError: If it cannot be written.
    :raises MayBeWrittenError: If that is unknown.
    """
    if not is_local(location):
        path = object_path(location)
        try:
            within_small_file_timeout(
                lambda: path.fs.pipe_file(path.path, content, IfMatch=before.etag)
            )
        except Exception as error:  # noqa: BLE001 -- s3fs turns some of botocore's errors into an OSError
            # The answer to the write may be lost, and the client's next attempt is refused because
            # of the first.
            if _content(location, len(content)) != content:
                raise _refusal(location, error) from None
        return
    try:
        file = access.resolved(location)
        with _lock(file), unfinished(file.parent) as (part, out):
            status = file.lstat()
            with suppress(OSError):  # only members of a group may give it a file
                os.fchown(out.fileno(), -1, status.st_gid)
            out.write(content)
            _to_disk(out, stat.S_IMODE(status.st_mode))
            if access.read(location, len(before.content) + 1) != before.content:
                raise ChangedMeanwhileError
            part.replace(file)
    except ValidationError:  # longer than it was
        raise ChangedMeanwhileError from None
    except OSError as error:
        raise NotWritableError(f"{shown(location)} cannot be written: {error.strerror}.") from None


def _content(location: str, max_bytes: int) -> bytes | None:
    path = object_path(location)
    with suppress(Exception):  # each storage has errors of its own
        within_small_file_timeout(lambda: _fresh_info(path))
        return read_file(location, max_bytes)
    return None


def add(source: Path, location: str, access: FileAccess) -> None:
    """Write a copy of a local file where no file is.

    :raises ChangedMeanwhileError: If a file is there.
    :raises NotWritableError: If the folder cannot be written to.
    :raises MayBeWrittenError: If a storage has not answered.
    """
    access.check(location)
    if not is_local(location):
        path = _s3_path(location)
        try:
            within_timeout(
                UPLOAD_TIMEOUT_S, lambda: path.fs.put_file(str(source), path.path, mode="create")
            )
        except Exception as error:  # noqa: BLE001 -- as above
            raise _refusal(location, error) from None
        return
    try:
        file = access.resolved(location)
        with unfinished(file.parent) as (part, out):
            with source.open("rb") as given:
                shutil.copyfileobj(given, out)
            _to_disk(out, 0o644)
            file.hardlink_to(part)  # fails where a file is
    except FileExistsError:
        raise ChangedMeanwhileError from None
    except OSError as error:
        raise NotWritableError(f"{shown(location)} cannot be written: {error.strerror}.") from None


def _refusal(location: str, error: Exception) -> Exception:
    """Return our error for that of a storage."""
    code = str(getattr(error.__cause__ or error, "response", {}).get("Error", {}).get("Code", ""))
    if isinstance(error, FileExistsError) or code in REFUSED:
        return ChangedMeanwhileError()
    if isinstance(error, TimeoutError):
        return MayBeWrittenError(f"{shown(location)} may have been written: {error}.")
    return NotWritableError(f"{shown(location)} cannot be written: {shown(str(error))}.")


@contextmanager
def unfinished(folder: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """Create a file in a folder, and remove it afterwards, unless it was renamed."""
    number, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=folder)
    part = Path(name)
    try:
        with os.fdopen(number, "wb") as out:
            yield part, out
    finally:
        part.unlink(missing_ok=True)


def _to_disk(out: IO[bytes], mode: int) -> None:
    os.fchmod(out.fileno(), mode)  # whatever the umask says: the tasks may run as another user
    out.flush()
    os.fsync(out.fileno())


@contextmanager
def _lock(file: Path) -> Iterator[None]:
    lock = file.with_name(f".{file.name}.lock")
    number = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o660)
    try:
        deadline_s = time.monotonic() + LOCK_TIMEOUT_S
        while True:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline_s:
                    raise NotWritableError(
                        f"The file cannot be written: another program holds its lock {lock.name}."
                    ) from None
                time.sleep(LOCK_PAUSE_S)
        yield
    finally:
        os.close(number)
