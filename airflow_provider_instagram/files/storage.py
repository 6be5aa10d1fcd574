"""Access to videos and pictures in local files, in object storage and on the web."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import IO, Any

from airflow.sdk import conf

from airflow_provider_instagram.exceptions import InstagramError, TransientError, ValidationError
from airflow_provider_instagram.files import scratch
from airflow_provider_instagram.files.access import FileCheck, object_path, read_file
from airflow_provider_instagram.files.replace import unfinished
from airflow_provider_instagram.utils.local_files import file_digest, regular_file
from airflow_provider_instagram.utils.time_limit import within_small_file_timeout
from airflow_provider_instagram.utils.urls import is_local, is_public_url, is_web, local_path, shown

BLOCK_BYTES = 1 << 20
LARGEST_SOURCE_BYTES = 20 * 10**9
LARGEST_OWN_FILE_BYTES = 64 * 1024**2
SET_PUBLIC_PREFIX = (
    "Set [instagram] public_prefix to a prefix in object storage, such as s3://my_aws@bucket/instagram/. Or use the "
    "picture's https address, or its URI in object storage."
)


def make_folder(folder: Path) -> None:
    """Create a local folder and its parents, unless they exist."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValidationError(
            f"The folder {folder} cannot be created on this worker: {error.strerror}.",
            hint="Use another folder, or create this one and give write access to the user that runs tasks.",
        ) from error


@contextmanager
def as_local_file(
    location: str,
    *,
    max_bytes: int = LARGEST_SOURCE_BYTES,
    check: FileCheck | None = None,
    until_s: float = math.inf,
) -> Iterator[Path]:
    """Yield a video or a picture as a local file: the file itself, or a copy that is removed afterwards.

    A local file that a user named is copied, too: ffmpeg opens it many times by its name, under
    which its owner may put another one, or a link to a file of others.

    :param location: A local path, ``file://``, ``https://``, or any URI that ObjectStoragePath
        opens.
    :param check: What must be true of the file. None if the author of a DAG named it.
    :param until_s: When a copy must be complete, in seconds of :func:`time.monotonic`.
    :raises TransientError: If this worker's disk has no space for the copy, or it is not complete
        in time.
    """
    if is_local(location):
        path = local_path(location)
        regular_file(path)
        if check is None:
            yield path
            return
    elif check is not None:
        check.access.check(location)
    with scratch.scratch_folder() as folder:
        copy = _fetched(location, folder, check, max_bytes, until_s)
        if check is not None:
            check.check_content(copy, location)
        with _named(copy, shown(location)):
            yield copy


@contextmanager
def _named(copy: Path, name: str) -> Iterator[None]:
    """Replace the path of a copy in errors by the name that the user knows."""
    try:
        yield
    except InstagramError as error:
        error.message = error.message.replace(str(copy), name)
        raise


def _copy(
    file: IO[bytes], copy: Path, location: str, size: int, max_bytes: int, until_s: float
) -> None:
    """Copy an open file.

    :param size: Its size. The file may grow meanwhile, but the copy does not become larger.
    :raises TransientError: If the disk has no space for it, or if it has another size meanwhile.
    """
    if size > max_bytes:
        raise ValidationError(
            f"{shown(location)} has {size:,} bytes; the limit is {max_bytes:,} bytes.",
            hint="Use a smaller file.",
        )
    scratch.require_space(copy.parent, size)
    with copy.open("wb") as out:
        while block := file.read(min(BLOCK_BYTES, size - out.tell())):
            out.write(block)
            if time.monotonic() > until_s:
                raise TransientError(
                    f"{shown(location)} could not be copied in time.", hint="Use a faster storage."
                )
        if out.tell() < size or file.read(1):
            raise TransientError(
                f"{shown(location)} was changed while it was being read.",
                hint="Wait until the file is complete, and run again.",
            )


def _fetched(
    location: str, folder: Path, check: FileCheck | None, max_bytes: int, until_s: float
) -> Path:
    """Copy a file into a folder. Without a check, it is not a local one."""
    if is_web(location):
        from airflow_provider_instagram.files.download import TOTAL_TIMEOUT_S, download

        total_s = max(0.0, min(TOTAL_TIMEOUT_S, until_s - time.monotonic()))
        return download(location, folder, max_bytes=max_bytes, total_s=total_s)
    if check is not None and is_local(location):
        copy = folder / local_path(location).name
        try:
            with check.access.opened(location) as file:
                _copy(file, copy, location, os.fstat(file.fileno()).st_size, max_bytes, until_s)
        except PermissionError as error:
            raise ValidationError(
                f"{shown(location)} cannot be read: {error.strerror}.",
                hint="Check its permissions.",
            ) from error
        return copy
    source = object_path(location)
    try:
        about = source.stat()
    except FileNotFoundError:
        raise ValidationError(
            f"The file {shown(location)} does not exist.", hint="Check the path and its connection."
        ) from None
    copy = folder / (source.name or "video")
    with source.open("rb") as remote:
        _copy(remote, copy, location, about.st_size, max_bytes, until_s)
    return copy


def put(file: Path, location: str) -> None:
    """Copy a finished local file into object storage, where it appears complete or not at all."""
    path = object_path(location)
    # unlike a plain copy, this sets the content type of a video
    path.fs.put_file(str(file), path.path)


def presigned(location: str, life: timedelta) -> str:
    """Return a link with which Instagram can fetch an object for a while. The link is a secret and is never logged."""
    path = object_path(location)
    try:
        return str(_signer(path.fs).sign(path.path, expiration=int(life.total_seconds())))
    except NotImplementedError as error:
        raise ValidationError(
            f"The storage of {shown(location)} does not support presigned links.",
            hint='Send the bytes of a video instead: upload="file". For a picture, use its public https address.',
        ) from error


def _signer(files: Any) -> Any:
    """Return a file system whose links each server accepts, unless its connection names a form of signatures."""
    # For us-east-1, and without a region, botocore signs links by Signature Version 2. AWS refuses
    # that for buckets made since June 2020 and for SSE-KMS, and other servers refuse it always.
    if "s3" not in files.protocol:
        return files
    config = {"signature_version": "s3v4", **files.config_kwargs}
    return type(files)(
        session=files.session,
        config_kwargs=config,
        endpoint_url=files.endpoint_url,
        anon=files.anon,
    )


def read(location: str, *, max_bytes: int = LARGEST_OWN_FILE_BYTES) -> bytes | None:
    """Return the content of a file that the provider keeps for itself, or None if it does not exist.

    Somebody else may have put a pipe or a huge file there: what :func:`read_file` refuses is
    refused here, too.
    """
    try:
        return read_file(location, max_bytes)
    except FileNotFoundError:
        return None


def write(location: str, content: bytes) -> None:
    """Write a file in one step, so that no reader sees half of it."""
    if not is_local(location):
        path = object_path(location)
        within_small_file_timeout(lambda: path.write_bytes(content))
        return
    file = local_path(location)
    file.parent.mkdir(parents=True, exist_ok=True)
    with unfinished(file.parent) as (part, out):
        out.write(content)
        out.flush()
        part.replace(file)


def remove(location: str) -> None:
    """Remove a file that the provider keeps for itself."""
    if is_local(location):
        local_path(location).unlink()
    else:
        within_small_file_timeout(object_path(location).unlink)


def unwritable_because(folder: str) -> str | None:
    """Return why no file can be written to a folder or prefix, or None if one was written and removed again."""
    try:
        write(f"{folder}/.write-test", b"")
    except Exception as error:  # noqa: BLE001 -- each storage has errors of its own
        return shown(str(getattr(error, "strerror", None) or error))
    with suppress(Exception):  # the right to write is enough
        remove(f"{folder}/.write-test")
    return None


def exists(location: str) -> bool:
    """Return whether a file exists."""
    if is_local(location):
        return local_path(location).is_file()
    return bool(within_small_file_timeout(object_path(location).is_file))


def is_folder(location: str) -> bool:
    """Return whether a location is that of a folder."""
    if is_local(location):
        return local_path(location).is_dir()
    return bool(within_small_file_timeout(object_path(location).is_dir))


def modified(location: str) -> datetime | None:
    """Return when a file was last written, or None if it does not exist, or its storage does not say."""
    try:
        if is_local(location):
            return datetime.fromtimestamp(local_path(location).stat().st_mtime, timezone.utc)
        path = object_path(location)
        at: datetime = within_small_file_timeout(lambda: path.fs.modified(path.path))
        return at
    except (FileNotFoundError, NotImplementedError):
        return None


def names_below(prefix: str) -> list[str]:
    """Return the names of what is right below a prefix of object storage."""
    path = object_path(prefix.rstrip("/"))
    path.fs.invalidate_cache(path.path)  # another process may have added a file
    return [
        name.rpartition("/")[2]
        for name in within_small_file_timeout(lambda: path.fs.ls(path.path, detail=False))
    ]


def why_no_link(*, has_keys: bool = False) -> str | None:
    """Return why Instagram can fetch no picture below ``[instagram] public_prefix``; None if nothing is known.

    :param has_keys: Whether this machine must have the connection and its keys, because it
        publishes.
    """
    prefix = _public("prefix")
    public_url = _public("url")
    if not prefix:
        return "[instagram] public_prefix is not set"
    named = f"[instagram] public_prefix is {shown(prefix)}"
    try:
        if is_local(prefix) or is_web(prefix):
            return f"{named}, which is not in object storage"
        if public_url and not is_public_url(public_url):
            return f"[instagram] public_url is {shown(public_url)}, which is not an https address"
        if not public_url:
            presigned(f"{prefix}/picture.jpg", timedelta(minutes=1))
    except ValidationError as error:
        return f"{named}: {error.message}"
    except Exception as error:  # noqa: BLE001 -- each storage has errors of its own
        return f"{named}, and no link comes from it: {shown(str(error))}" if has_keys else None
    return None


def check_public_prefix(picture: Path) -> None:
    """Check that Instagram can fetch a local picture from somewhere.

    :raises ValidationError: If no link can come from ``[instagram] public_prefix``.
    """
    if (why := why_no_link()) is not None:
        message = f"Instagram fetches pictures by link, and {picture} is a local file; {why}."
        raise ValidationError(message, hint=SET_PUBLIC_PREFIX)


def _public(what: str) -> str:
    return str(conf.get("instagram", f"public_{what}", fallback="")).strip().rstrip("/")


def public_link(picture: Path, life: timedelta) -> str:
    """Copy a local picture below ``[instagram] public_prefix``, unless it is there, and return a link to the copy.

    The name of the copy is the digest of its content. A copy with another content is replaced:
    whoever could change a picture while it was copied would otherwise decide what later posts with
    the first content show. The link is presigned, or below ``[instagram] public_url`` if that is
    set.

    :raises ValidationError: If the storage has no presigned links.
    """
    digest = file_digest(picture)
    name = f"{digest}.jpg"
    copy = f"{_public('prefix')}/{name}"
    if not _has_content(copy, digest):
        put(picture, copy)
    if public_url := _public("url"):
        return f"{public_url}/{name}"
    return presigned(copy, life)


def _has_content(location: str, digest: str) -> bool:
    try:
        with as_local_file(location) as stored:
            return file_digest(stored) == digest
    except ValidationError:  # it does not exist
        return False
