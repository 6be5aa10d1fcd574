"""Which files may be opened for a person who only names them: in a calendar, a sheet or a run parameter.

Such a person may not read the server's files, so a name is data, and this allow-list decides. What the author of a DAG
writes is the author's own business and does not come here.
"""

from __future__ import annotations

import os
import re
import stat
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

from airflow.sdk import conf

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.files.locations import is_local, is_web, local_path, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: How long reading one small file may take, in seconds.
READ_S: Final = 30.0
BLOCK_BYTES: Final = 1 << 16
CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
#: A URI of object storage: scheme, connection and bucket, key. No other spelling is understood, so none is allowed.
OBJECT: Final = re.compile(r"([a-z][a-z0-9+.-]*://(?:[^/?#@\\\s]+@)?[^/?#@\\\s]*/)(.*)")
ELSEWHERE: Final = "Put the file into one of these places, or have its own added to [instagram] media_roots."


@dataclass(frozen=True)
class FileAccess:
    """The places that a person may name files of.

    :param folders: Folders of this machine, resolved.
    :param prefixes: Prefixes of object storage, each with its connection and a slash at the end.
    """

    folders: tuple[Path, ...] = ()
    prefixes: tuple[str, ...] = ()

    @classmethod
    def of_media_roots(cls, *own: str) -> FileAccess:
        """Return the places that this Airflow's operator allows.

        :param own: Places that come in addition: the folder or prefix of a calendar.
        """
        roots = [root.strip() for root in conf.get("instagram", "media_roots").split(",")]
        places = [place for place in (*own, *roots) if place]
        return cls(
            tuple(local_path(place).resolve() for place in places if is_local(place)),
            tuple(f"{place.rstrip('/')}/" for place in places if not is_local(place)),
        )

    def check(self, location: str) -> None:
        """Check that a location may be opened.

        :param location: An https address, a local path, or a URI of object storage.
        :raises ValidationError: When it may not.
        """
        if CONTROL.search(location):
            raise ValidationError(f"{location!r} holds a control character.", hint="Write the name anew.")
        if is_local(location) and "::" not in location:
            self.resolved(location)
        elif is_web(location):
            if not location.lower().startswith("https:"):
                raise ValidationError(f"{shown(location)} is not https.", hint="Give an https:// address.")
        elif "::" in location:
            raise ValidationError(
                f"{location} chains file systems with '::', which is not allowed.",
                hint="Name the file itself: a path, an https:// address, or one URI of object storage.",
            )
        else:
            self._check_object(location)

    def resolved(self, location: str) -> Path:
        """Return the real path of a local location.

        :param location: A local location.
        :raises ValidationError: When it lies outside of the folders, itself or behind a symbolic link.
        """
        path = local_path(location).resolve()
        if any(path.is_relative_to(folder) for folder in self.folders):
            return path
        raise ValidationError(
            f"{location} is not in a folder that files may be taken from ({self._listed(self.folders)}).",
            hint=ELSEWHERE,
        )

    def _check_object(self, location: str) -> None:
        """Check a URI of object storage: its scheme, its connection, its bucket and the beginning of its key."""
        parts = OBJECT.fullmatch(location)
        if parts is None or {".", ".."} & set(parts[2].split("/")):
            raise ValidationError(
                f"{location} is not a plain URI of object storage.",
                hint="Write it like s3://connection@bucket/folder/file.mp4, without '.' and '..'.",
            )
        if not any(location.startswith(prefix) for prefix in self.prefixes):
            raise ValidationError(
                f"{location} is not below a prefix that files may be taken from ({self._listed(self.prefixes)}). "
                "The connection in it counts as well.",
                hint=ELSEWHERE,
            )

    @staticmethod
    def _listed(places: tuple[Path, ...] | tuple[str, ...]) -> str:
        return ", ".join(map(str, places)) or "none is set"

    def read(self, location: str, max_bytes: int) -> bytes:
        """Read a file that a person named.

        :param location: A local path or a URI of object storage.
        :param max_bytes: The largest size that is read.
        :raises ValidationError: When it may not be opened, is too large, or is not a regular file.
        :raises FileNotFoundError: When there is no such file.
        """
        self.check(location)
        if is_web(location):
            raise ValidationError(f"{shown(location)} is a web address, not a file.", hint="Name a file.")
        if not is_local(location):
            return read_file(location, max_bytes)
        # What is opened is what was checked: a link that took the file's place meanwhile is not followed.
        return read_file(str(self.resolved(location)), max_bytes, flags=os.O_NOFOLLOW)


def inside_media_roots(location: str) -> str:
    """Let a location from outside, a run parameter for example, pass only where this Airflow's operator allows it.

    :param location: An https address, a path, or a URI of object storage.
    :return: The same location.
    :raises ValidationError: When it is neither https nor in a place of ``[instagram] media_roots``.
    """
    FileAccess.of_media_roots().check(location)
    return location


def read_file(location: str, max_bytes: int, *, flags: int = 0) -> bytes:
    """Read a small file, bounded in size and time.

    :param location: A local path, ``file://``, or any URI that ObjectStoragePath opens.
    :param max_bytes: The largest size that is read.
    :param flags: More flags for opening a local file.
    :raises ValidationError: When it is larger, slower, or not a regular file.
    :raises FileNotFoundError: When there is no such file.
    """
    data, deadline_s = bytearray(), time.monotonic() + READ_S
    with _opened(location, flags) as file:
        while block := file.read(min(BLOCK_BYTES, max_bytes + 1 - len(data))):
            data += block
            if len(data) > max_bytes:
                raise ValidationError(f"The file has more than {max_bytes:,} bytes.", hint="Make it smaller.")
            if time.monotonic() > deadline_s:
                raise ValidationError(f"The file was not read within {READ_S:.0f} s.", hint="Try a faster storage.")
    return bytes(data)


@contextmanager
def _opened(location: str, flags: int) -> Iterator[IO[bytes]]:
    if not is_local(location):
        from airflow.sdk import ObjectStoragePath

        with ObjectStoragePath(location).open("rb") as file:
            yield file
        return
    # Opening a pipe would wait for somebody to write into it.
    number = os.open(local_path(location), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | flags)
    with os.fdopen(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise ValidationError("It is not a regular file.", hint="Name a file, not a folder, a pipe or a device.")
        yield file
