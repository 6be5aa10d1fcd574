"""Videos wherever they live: local files, object storage, https."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk import conf

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.files.access import inside_media_roots as inside_media_roots
from airflow_provider_instagram.files.locations import is_local, is_web, local_path, shown
from airflow_provider_instagram.media.files import regular_file
from airflow_provider_instagram.media.process import Cancel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from airflow.sdk import ObjectStoragePath

BLOCK_BYTES = 1 << 20
LARGEST_SOURCE_BYTES = 20 * 10**9

_scratch_folders: set[str] = set()
_downloads: set[Cancel] = set()


def make_folder(folder: Path) -> None:
    """Make a folder on this machine, and those above it, where there is none.

    :raises ValidationError: When that is not possible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValidationError(
            f"The folder {folder} cannot be made on this worker: {error.strerror}.",
            hint="Name another one, or have it made and opened to the user that runs tasks.",
        ) from error


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give a folder for what is on its way from or to object storage; it goes away afterwards."""
    with tempfile.TemporaryDirectory(prefix="instagram-") as folder:
        _scratch_folders.add(folder)
        try:
            yield Path(folder)
        finally:
            _scratch_folders.discard(folder)


def abandon_copies() -> None:
    """End this process's downloads and remove its scratch folders: Airflow gives a task that is ended no time for it.

    A signal handler may call it, in the middle of whatever the task does.
    """
    for download in list(_downloads):
        download.cancel()
    for folder in list(_scratch_folders):
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def as_local_file(location: str, *, max_bytes: int = LARGEST_SOURCE_BYTES) -> Iterator[Path]:
    """Give a video as a local file: itself, or a copy that goes away afterwards.

    :param location: A local path, ``file://``, ``https://``, or any URI that ObjectStoragePath opens.
    :param max_bytes: The largest file to copy.
    :raises ValidationError: When there is no such file, it is no regular file, or it is too large.
    """
    if is_local(location):
        path = local_path(location)
        regular_file(path)
        yield path
        return
    with scratch_folder() as folder:
        yield _fetched(location, folder, max_bytes)


def _fetched(location: str, folder: Path, max_bytes: int) -> Path:
    if is_web(location):
        from airflow_provider_instagram.media.download import download

        allow_private = conf.getboolean("instagram", "private_sources", fallback=False)
        _downloads.add(cancel := Cancel())
        try:
            return download(location, folder, max_bytes=max_bytes, allow_private=allow_private, cancel=cancel)
        finally:
            _downloads.discard(cancel)
    source = _object(location)
    try:
        size = source.stat().st_size
    except FileNotFoundError:
        raise ValidationError(
            f"There is no file {shown(location)}.", hint="Check the path and its connection."
        ) from None
    if size > max_bytes:
        raise ValidationError(f"{shown(location)} has {size:,} bytes: at most {max_bytes:,} are read.")
    copy = folder / (source.name or "video")
    with source.open("rb") as remote, copy.open("wb") as local:
        shutil.copyfileobj(remote, local, BLOCK_BYTES)
    return copy


def put(made: Path, location: str) -> None:
    """Copy a finished local file into object storage, where it appears whole or not at all.

    :param made: The finished file.
    :param location: Any URI that ObjectStoragePath opens.
    """
    path = _object(location)
    path.fs.put_file(str(made), path.path)  # unlike a plain copy, it tells the storage that this is a video


def presigned(location: str, life: timedelta) -> str:
    """Make a link to an object that works for a while, for Instagram to fetch it. It is a secret: it is never logged.

    :param location: Any URI that ObjectStoragePath opens.
    :param life: How long the link works.
    :raises ValidationError: When this kind of storage makes no links.
    """
    path = _object(location)
    try:
        return str(path.fs.sign(path.path, expiration=int(life.total_seconds())))
    except NotImplementedError as error:
        raise ValidationError(
            f"{shown(location)} is in a storage that makes no links for others.",
            hint='Send the bytes instead: upload="file".',
        ) from error


def exists(location: str) -> bool:
    """Tell whether a file is there."""
    if is_local(location):
        return local_path(location).is_file()
    return bool(_object(location).is_file())


def _object(location: str) -> ObjectStoragePath:
    from airflow.sdk import ObjectStoragePath

    try:
        path = ObjectStoragePath(location)
        path.fs  # noqa: B018 -- the file system is looked up here
    except (ImportError, ValueError) as error:
        raise ValidationError(
            f"Airflow cannot open {shown(location)}: {shown(str(error))}.",
            hint="Install the Airflow provider of this storage with its file system, "
            "for example apache-airflow-providers-amazon[s3fs] for s3://.",
        ) from error
    return path
