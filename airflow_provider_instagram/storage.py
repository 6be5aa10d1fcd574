"""Videos wherever they live: local files, object storage, https."""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from airflow.sdk import conf

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.files import regular_file
from airflow_provider_instagram.media.process import Cancel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta
    from urllib.parse import SplitResult

    from airflow.sdk import ObjectStoragePath

BLOCK_BYTES = 1 << 20
LOCAL_SCHEMES = ("file", "local")
LARGEST_SOURCE_BYTES = 20 * 10**9

#: A web address; what may be secret in it are a user's name and password, and all that stands behind the path.
WEB_ADDRESS: Final = re.compile(r"(https?://)(?:([^/?#\s]*)@)?([^?#]*)(?:([?#])(.*))?", re.IGNORECASE | re.DOTALL)

_scratch_folders: set[str] = set()
_downloads: set[Cancel] = set()


def is_web(location: str) -> bool:
    """Tell whether a location is a web address."""
    return location.lower().startswith(("https://", "http://"))


def is_public(location: str) -> bool:
    """Tell whether Instagram may be handed a location: https, ASCII, no white space.

    Plain http is for a sandbox on this machine. Source: Meta, content publishing guide.
    """
    if not location.isascii() or re.search(r"\s", location):
        return False
    try:
        parts = _parts(location)
    except ValidationError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1"))


def is_local(location: str) -> bool:
    """Tell whether a location is a path on this machine, plain or as ``file://`` in any of its spellings.

    :raises ValidationError: When it is an address that cannot be read.
    """
    return "://" not in location or _parts(location).scheme in LOCAL_SCHEMES


def local_path(location: str) -> Path:
    """Give the path of a local location."""
    return Path(unquote(_parts(location).path)) if "://" in location else Path(location)


def _parts(location: str) -> SplitResult:
    try:
        return urlsplit(location)
    except ValueError:
        raise ValidationError(
            f"{shown(location)} cannot be read as an address.",
            hint="Correct what stands between :// and the next slash. Only an IPv6 address stands in brackets there.",
        ) from None


def shown(location: str) -> str:
    """Return a location as it may be logged: a web address without its query, which may hold a signature."""
    return WEB_ADDRESS.sub(
        lambda found: f"{found[1]}{found[3]}{found[4]}…" if found[4] else found[1] + found[3], location
    )


def secrets_in(location: str) -> tuple[str, ...]:
    """Return the parts of a location that :func:`shown` leaves out."""
    found = WEB_ADDRESS.search(location)
    return tuple(part for part in (found[2], found[5]) if part) if found else ()


def inside_media_roots(location: str) -> str:
    """Let a location that came from outside (a run parameter) pass only where the operator of this Airflow allows it.

    :param location: A path or URI.
    :return: The same location.
    :raises ValidationError: When it is a local path outside ``[instagram] media_roots``.
    """
    if not is_local(location):
        return location
    roots = [Path(root.strip()).resolve() for root in conf.get("instagram", "media_roots").split(",") if root.strip()]
    path = local_path(location).resolve()
    if any(path.is_relative_to(root) for root in roots):
        return location
    allowed = ", ".join(map(str, roots)) or "none is set"
    raise ValidationError(
        f"{location} is not in a folder that runs may read videos from ({allowed}).",
        hint="Move the video there, or have the folder added to [instagram] media_roots.",
    )


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
