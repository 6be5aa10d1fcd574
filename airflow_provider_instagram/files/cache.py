"""Results that a task has sent to object storage, kept on this machine for the next tasks (TMPDIR).

A kept file is used only if neither the object nor the file has changed since. It is linked, and never opened for
writing, so that tasks may keep, use and remove files at the same time, and be killed meanwhile. fsspec's caches keep
only what was downloaded, not what was sent, do not see that another process has changed a file, and have no limit.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from airflow.sdk import conf

from airflow_provider_instagram.utils.local_files import file_digest
from airflow_provider_instagram.utils.locations import shown

PREFIX: Final = ".instagram-cache-"
MAX_AGE_S: Final = 3600.0
#: With less free space on the disk, nothing is kept.
MIN_FREE_BYTES: Final = 2 * 10**9
#: How storages name the version of an object. Without one, nobody sees that an object has changed.
VERSIONS: Final = ("ETag", "etag", "generation")
#: What else they say about it.
DETAILS: Final = ("size", "LastModified", "last_modified", "updated")

log = logging.getLogger(__name__)


def keep(file: Path, location: str, about: Mapping[str, Any]) -> None:
    """Keep a finished file that has just been sent to object storage, if there is room.

    :param location: Where it was sent. Its name depends on its content, so that nobody sends another file there.
    """
    trim()
    identity, folder = _identity(location, about), _folder(create=True)
    if identity is not None and folder is not None and file.stat().st_size <= _max_bytes():
        with suppress(OSError):  # another task has kept it already, or the disk has no links
            os.link(file, folder / f"{identity}.{file_digest(file)}")
            trim()


def link(location: str, about: Mapping[str, Any], copy: Path) -> bool:
    """Link the kept file of an object to another name, which stays when the kept file is removed."""
    identity, folder = _identity(location, about), _folder()
    if identity is None or folder is None:
        return False
    for kept in folder.glob(f"{identity}.*"):
        with suppress(OSError):  # another task is removing it
            os.link(kept, copy, follow_symlinks=False)
            if copy.stat().st_size == about["size"] and kept.suffix == f".{file_digest(copy)}":
                log.info("Using this machine's own copy of %s", shown(location))
                return True
            copy.unlink()
            kept.unlink()
    return False


def trim() -> None:
    """Remove kept files that are older than an hour, and the oldest beyond ``[instagram] cache_mb``."""
    folder = _folder()
    if folder is None:
        return
    left_bytes = _max_bytes() if shutil.disk_usage(folder).free >= MIN_FREE_BYTES else 0
    for written_at, size, kept in sorted(_kept(folder), reverse=True):
        left_bytes -= size
        if left_bytes < 0 or written_at < time.time() - MAX_AGE_S:
            kept.unlink(missing_ok=True)


def _kept(folder: Path) -> list[tuple[float, int, Path]]:
    files = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another task removes it
            status = path.stat()
            files.append((status.st_mtime, status.st_size, path))
    return files


def _max_bytes() -> int:
    return int(conf.getint("instagram", "cache_mb", fallback=1000) * 10**6)


def _identity(location: str, about: Mapping[str, Any]) -> str | None:
    """Return a digest of an object's location and version, or None if the storage does not say its version."""
    if not any(about.get(name) for name in VERSIONS):
        return None
    details = {name: str(about[name]) for name in (*VERSIONS, *DETAILS) if name in about}
    return hashlib.sha256(json.dumps([location, details], sort_keys=True).encode()).hexdigest()[:32]


def _folder(*, create: bool = False) -> Path | None:
    """Return the folder of the kept files, or None if it is missing or another user might write to it."""
    folder = Path(tempfile.gettempdir()) / f"{PREFIX}{os.geteuid()}"
    if create:
        with suppress(OSError):
            folder.mkdir(mode=0o700)
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return None
    is_private = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
    return folder if is_private else None
