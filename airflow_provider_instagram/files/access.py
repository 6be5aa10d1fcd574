"""The allow-list for files that a user names in a file of posts, a spreadsheet or a run parameter.

Such a user has no access to the server's files, so the name is data and is checked here. Files that
the author of a DAG names are not checked.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from airflow.sdk import conf

from airflow_provider_instagram.exceptions import TransientError, ValidationError
from airflow_provider_instagram.utils.local_files import file_digest
from airflow_provider_instagram.utils.time_limit import within_small_file_timeout
from airflow_provider_instagram.utils.urls import is_local, is_web, local_path, shown

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: What marks a link that leads to a place beside it, as a checkout and a ConfigMap have them: an
#: update changes it.
BESIDE: Final = "@"
#: So often an object is read that others write at the same moment.
MOST_READS: Final = 5
#: The longest location that is looked at: the longest path of Linux, and room for a signature. To
#: resolve a path of a million parts would take minutes.
LONGEST_LOCATION: Final = 8192
CONTROL_CHARACTER: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
#: A URI of object storage: scheme, connection and bucket, key. No other form is allowed, and none
#: that chains file systems with two colons.
OBJECT_URI: Final = re.compile(r"(?!.*::)([a-z][a-z0-9+.-]*://(?:[^/?#@\\\s]+@)?[^/?#@\\\s]*/)(.*)")
NOT_ALLOWED_HINT: Final = (
    "Move the file to an allowed location, or add its location to [instagram] media_roots."
)


@dataclass(frozen=True)
class FileAccess:
    """The locations whose files a user may name.

    :param folders: Local folders, resolved.
    :param prefixes: Prefixes of object storage, each with its connection and a slash at the end.
    """

    folders: tuple[Path, ...] = ()
    prefixes: tuple[str, ...] = ()

    @classmethod
    def of_media_roots(cls) -> FileAccess:
        """Return the locations in ``[instagram] media_roots``."""
        roots = [root.strip() for root in conf.get("instagram", "media_roots").split(",")]
        return cls.of(*roots)

    @classmethod
    def of(cls, *folders: str) -> FileAccess:
        """Return the locations of files in some folders and prefixes."""
        locations = list(filter(None, folders))
        return cls(
            tuple(local_path(location).resolve() for location in locations if is_local(location)),
            tuple(f"{location.rstrip('/')}/" for location in locations if not is_local(location)),
        )

    def check(self, location: str) -> None:
        """Check that a location may be opened."""
        if len(location) > LONGEST_LOCATION:
            raise ValidationError(
                f"{shown(location)} has {len(location):,} characters; at most {LONGEST_LOCATION:,} are allowed.",
                hint="Use a shorter name.",
            )
        if CONTROL_CHARACTER.search(location):
            raise ValidationError(
                f"{shown(location)!r} contains a control character.", hint="Type the name again."
            )
        if is_local(location):
            self.resolved(location)
        elif is_web(location):
            if not location.lower().startswith("https:"):
                raise ValidationError(
                    f"{shown(location)} is not https.", hint="Use an https:// address."
                )
        else:
            self._check_object(location)

    def resolved(self, location: str) -> Path:
        """Return the real path of a local location, which must be in the folders, also behind links."""
        try:
            path = local_path(location).resolve()
        except RuntimeError:  # Python before 3.13; later, it cannot be opened
            raise ValidationError(
                f"{shown(location)} is a link to itself.", hint="Put the file there."
            ) from None
        if any(path.is_relative_to(folder) for folder in self.folders):
            return path
        raise ValidationError(
            f"{shown(location)} is not in an allowed folder ({self._listed(self.folders)}).",
            hint=NOT_ALLOWED_HINT,
        )

    def opened(self, location: str) -> AbstractContextManager[IO[bytes]]:
        """Open a local file that a user named, and follow no link that is put in its place meanwhile.

        :raises ValidationError: If the file is outside the folders, or is not a regular file.
        :raises FileNotFoundError: If the file does not exist.
        """
        return open_regular(self.resolved(location), os.O_NOFOLLOW)

    def _check_object(self, location: str) -> None:
        """Check the scheme, the connection, the bucket and the prefix of the key in a URI of object storage."""
        parts = OBJECT_URI.fullmatch(location)
        if parts is None or {".", ".."} & set(parts[2].split("/")):
            raise ValidationError(
                f"{shown(location)} is not a plain URI of object storage.",
                hint="Use the form s3://connection@bucket/folder/file.mp4, without '.', '..' and '::'.",
            )
        if not any(location.startswith(prefix) for prefix in self.prefixes):
            raise ValidationError(
                f"{shown(location)} is not below an allowed prefix ({self._listed(self.prefixes)}). "
                "The connection in the URI must match as well.",
                hint=NOT_ALLOWED_HINT,
            )

    @staticmethod
    def _listed(locations: tuple[Path, ...] | tuple[str, ...]) -> str:
        return ", ".join(map(str, locations)) or "none is set"

    def read(self, location: str, max_bytes: int) -> bytes:
        """Read a small file that a user named."""
        self.check(location)
        if is_web(location):
            raise ValidationError(
                f"{shown(location)} is a web address, not a file.",
                hint="Use a path or a URI of object storage.",
            )
        if not is_local(location):
            return read_file(location, max_bytes)
        with self.opened(location) as file:
            return _content(file, location, max_bytes)


@dataclass(frozen=True)
class FileCheck:
    """What must be true of a file that a user named.

    :param sha256: The digest of the content that was approved. None if any content will do.
    """

    access: FileAccess
    sha256: str | None = None

    def check_content(self, copy: Path, location: str) -> None:
        """Check that the copy of a file has the content that was approved."""
        if self.sha256 is None:
            return
        sha256 = file_digest(copy)
        if sha256 != self.sha256:
            raise ValidationError(
                f"{shown(location)} has changed since it was approved: the SHA-256 of its content was {self.sha256}, "
                f"and is {sha256} now.",
                hint="Put the approved file back and clear this task. To publish the new one, give it another name, "
                "or trigger the DAG with the id of the post: either run asks about it.",
            )


def inside_media_roots(location: str) -> str:
    """Check that a location from outside, such as a run parameter, is https, or in ``[instagram] media_roots``."""
    FileAccess.of_media_roots().check(location)
    return location


def read_file(location: str, max_bytes: int) -> bytes:
    """Read a small file, with a limit on its size, and in object storage also on the time.

    :raises TransientError: If a storage does not answer.
    """
    if is_local(location):
        with open_regular(local_path(location)) as file:
            return _content(file, location, max_bytes)
    # the connection is looked up here, in the thread that talks with Airflow
    path = object_path(location)

    def read(attempt: int = 1) -> bytes:
        try:
            # with its cache, s3fs would read 50 MB at once
            with path.open("rb", cache_type="none") as file:
                return _content(file, location, max_bytes)
        except OSError as error:
            if error.errno != errno.EBUSY or attempt == MOST_READS:
                raise
        # s3fs has seen two versions: somebody writes at this moment
        path.fs.invalidate_cache(path.path)
        return read(attempt + 1)

    try:
        return within_small_file_timeout(read)
    except TimeoutError as error:
        raise TransientError(
            f"{shown(location)} cannot be read: {error}.",
            hint="Check the storage and its connection.",
        ) from None


def object_path(location: str) -> ObjectStoragePath:
    """Return the path of a file in object storage."""
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


def _content(file: IO[bytes], location: str, max_bytes: int) -> bytes:
    data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValidationError(
            f"{shown(location)} has more than {max_bytes:,} bytes.", hint="Make the file smaller."
        )
    return data


@contextmanager
def open_regular(path: Path, flags: int = 0) -> Iterator[IO[bytes]]:
    """Open a local file that is a regular one: reading a pipe would wait for a writer.

    :param flags: Further flags of :func:`os.open`.
    """
    # Without O_NONBLOCK, opening a pipe would wait for a writer.
    number = os.open(path, flags | os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    # Before os.fdopen(), which raises an error of its own for a folder and leaves it open.
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise ValidationError(
            f"{shown(str(path))} is not a regular file.",
            hint="Use a file, not a folder, pipe or device.",
        )
    with os.fdopen(number, "rb") as file:
        yield file


def place_of(file: Path) -> str:
    """Return where a file is: its path without links, so that one that is put on its way later is noticed.

    A link that leads to a place in its own folder is not followed, but marked: an update may change
    it.
    """
    try:
        return str(_without_links(file))
    except (OSError, RuntimeError):  # links in a circle: whoever opens the file gets the error
        return str(file)


def _without_links(path: Path) -> Path:
    place = real = Path(path.anchor)
    for name in path.parts[1:]:
        step = real / name
        there = step.resolve()
        if name == "..":
            place = there
        elif not step.is_symlink():
            place /= name
        elif there.is_relative_to(real):
            place /= f"{name}{BESIDE}"
        else:
            place = _without_links(real / step.readlink())
        real = there
    return place
