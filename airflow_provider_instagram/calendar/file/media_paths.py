"""The locations of a calendar's videos and pictures."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from airflow.sdk import conf

from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.exceptions import InstagramError, ValidationError
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.files.access import FileAccess, place_of, read_file
from airflow_provider_instagram.utils.urls import is_local, is_web, local_path, shown

T = TypeVar("T")


class CalendarFiles:
    """Finds the files that a calendar names.

    The authors of a calendar may not have permission to read the workers' files. So a file must be
    in the calendar's own folder or prefix, or in one of ``[instagram] media_roots``.

    :param pin: Where Airflow found it before. If it is elsewhere now, nothing in its folder may be
        opened.

    ``access`` decides which locations may be opened; ``own`` is the calendar's folder or prefix
    alone. ``pin`` is where the file must be, and ``moved`` the error of a file that is elsewhere.
    """

    def __init__(self, location: str, pin: str | None = None) -> None:
        self.pin: str | None = None
        self.moved: InstagramError | None = None
        self._is_sheet = is_web(location)
        if self._is_sheet:
            self._beside = ""
            self.own = FileAccess()
        elif is_local(location):
            file = local_path(location).absolute()
            here = place_of(file)
            self.pin = pin or here
            self._beside = str(file.parent)
            self.own = FileAccess.of(str(file.parent))
            if self.pin != here:
                self.moved = _moved(location)
                self.own = FileAccess()
        else:
            self._beside = location.rpartition("/")[0]
            self.own = FileAccess.of(self._beside)
        roots = FileAccess.of_media_roots()
        self.access = FileAccess(
            (*self.own.folders, *roots.folders), (*self.own.prefixes, *roots.prefixes)
        )
        self._allowed: set[str] = set()
        self._found: set[str] = set()

    def text(self, location: str, max_bytes: int) -> bytes:
        """Read the calendar's file itself.

        :raises InstagramError: If it is not where it was, or is a link that leads out of its
            folder.
        """
        if self.moved is not None:
            raise self.moved
        if not is_local(location):
            return read_file(location, max_bytes)
        if not any(
            local_path(location).resolve().is_relative_to(folder) for folder in self.own.folders
        ):
            raise ValidationError(
                f"{location} is a link that leads out of its folder.",
                hint="Name the file itself in the DAG file.",
            )
        return self.own.read(location, max_bytes)

    def access_to(self, location: str) -> FileAccess:
        """Return where a file must be that a task of this calendar opens.

        :param location: A file that the calendar names, or the result of its transcode, which may
            be below ``[instagram] work_prefix``. Its name does not decide that alone: the file must
            be there.
        """
        work = conf.get("instagram", "work_prefix", fallback="").rstrip("/")
        return FileAccess.of(work) if work and location.startswith(f"{work}/") else self.access

    def found(self, written: str, *, check: bool) -> str:
        """Return the complete location of a file.

        :param written: As the calendar names it; a relative path begins at the calendar's folder.
        :raises InvalidValue: If it may not be opened, or does not exist.
        """
        location = self._whole(written)
        if not check and location in self._found:
            return location
        if not read_or_invalid(location, lambda: self._exists(location, check)):
            if read_or_invalid(location, lambda: storage.is_folder(location)):
                raise InvalidValue(f"{location} is a folder.", "Name a file in it.")
            raise InvalidValue(
                f"there is no file {location}.", "Check the name, also upper and lower case."
            )
        self._found.add(location)
        return location

    def _whole(self, written: str) -> str:
        if self._is_sheet and read_or_invalid(written, lambda: is_local(written)):
            raise InvalidValue(
                f"{written!r} is a path, and a sheet has no folder.",
                "Name an https:// link, or a URI of object storage in [instagram] media_roots.",
            )
        if "://" in written or written.startswith("/"):
            return written
        return f"{self._beside}/{written.removeprefix('./')}"

    def _exists(self, location: str, must_exist: bool) -> bool:
        self._check(location)
        return not must_exist or is_web(location) or storage.exists(location)

    def _check(self, location: str) -> None:
        """Check a location. A local folder with thousands of videos is checked once."""
        if "://" in location or "::" in location or not location.isprintable():
            self.access.check(location)
            return
        folder = os.path.dirname(location)  # noqa: PTH120 -- for thousands of posts, pathlib is slow
        if folder not in self._allowed:
            with suppress(ValidationError):
                self.access.check(folder)
                self._allowed.add(folder)
        if folder not in self._allowed or os.path.islink(location):  # noqa: PTH114
            self.access.check(location)


def _moved(location: str) -> ValidationError:
    return ValidationError(
        f"{location}: a link or a folder on this path was replaced since Airflow first read the calendar. Nothing is "
        "read from where it leads now.",
        hint="Put it back. If the calendar has moved, name its new place in the DAG file.",
    )


def read_or_invalid(location: str, read: Callable[[], T]) -> T:
    """Return what ``read`` returns, with each error turned into a problem for the person who named the file.

    :raises InvalidValue: If the file cannot be read.
    """
    try:
        return read()
    except FileNotFoundError:
        raise InvalidValue(
            f"there is no file {location}.", "Check the path, also upper and lower case."
        ) from None
    except InstagramError as error:
        raise InvalidValue(error.message, error.hint or "Check it.") from None
    except Exception as error:  # noqa: BLE001 -- each storage has errors of its own, and a path can be malformed
        said = getattr(error, "strerror", None) or f"{type(error).__name__}: {shown(str(error))}"
        why = f"{shown(location)} cannot be opened: {said}."
        raise InvalidValue(why, "Check the path, its rights and its connection.") from None
