"""Where a calendar's videos and caption files are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, TypeVar

from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.files.access import FileAccess
from airflow_provider_instagram.files.locations import is_local, is_web, local_path, shown

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

MAX_CAPTION_BYTES: Final = 64_000


class CalendarFiles:
    """Finds the files that a calendar names.

    A calendar is written by people who need not have a shell on the workers: a file is taken from the calendar's own
    folder or prefix, and from the places of ``[instagram] media_roots``.

    :param location: The calendar's own.

    ``access`` decides which locations may be opened.
    """

    def __init__(self, location: str) -> None:
        self._beside = (
            str(local_path(location).absolute().parent) if is_local(location) else location.rpartition("/")[0]
        )
        self.access = FileAccess.of_media_roots(self._beside)
        self._allowed: dict[str, bool] = {}
        self._found: set[str] = set()
        self._captions: dict[str, str] = {}

    def found(self, written: str, *, check: bool) -> str:
        """Return the whole location of a file.

        :param written: As the calendar names it; a relative path begins at the calendar's folder.
        :param check: Whether to look if it is there.
        :raises InvalidValue: When it may not be read from there, or is not there.
        """
        location = self._whole(written)
        if not check and location in self._found:
            return location
        if not read_or_invalid(location, lambda: self._is_there(location, check)):
            raise InvalidValue(f"there is no file {location}.", "Check the name, also upper and lower case.")
        self._found.add(location)
        return location

    def caption(self, written: str) -> str:
        """Read a caption file.

        :param written: As the calendar names it.
        :raises InvalidValue: When it may not be read, is not there, is too large, or is not text.
        """
        location = self._whole(written)
        if location not in self._captions:
            data = read_or_invalid(location, lambda: self.access.read(location, MAX_CAPTION_BYTES))
            try:
                self._captions[location] = data.decode("utf-8-sig").strip()
            except UnicodeDecodeError:
                raise InvalidValue(f"{location} is not UTF-8 text.", "Save it as UTF-8.") from None
        return self._captions[location]

    def _whole(self, written: str) -> str:
        if "://" in written or written.startswith("/"):
            return written
        return f"{self._beside}/{written.removeprefix('./')}"

    def _is_there(self, location: str, look: bool) -> bool:
        self._check(location)
        return not look or is_web(location) or storage.exists(location)

    def _check(self, location: str) -> None:
        """Check a location; a local folder that holds thousands of videos is looked at once."""
        if "://" in location or "::" in location:
            self.access.check(location)
            return
        folder = os.path.dirname(location)  # noqa: PTH120 -- for thousands of posts, pathlib is slow
        if folder not in self._allowed:
            self._allowed[folder] = self._is_allowed(folder)
        if not self._allowed[folder] or os.path.islink(location):  # noqa: PTH114
            self.access.check(location)

    def _is_allowed(self, folder: str) -> bool:
        try:
            self.access.check(folder)
        except ValidationError:
            return False
        return True


def read_or_invalid(location: str, read: Callable[[], T]) -> T:
    """Do something with a file; what goes wrong is said to the person who named it.

    :param location: The file.
    :param read: What is done.
    :raises InvalidValue: When it goes wrong.
    """
    try:
        return read()
    except FileNotFoundError:
        raise InvalidValue(f"there is no file {location}.", "Check the path, also upper and lower case.") from None
    except ValidationError as error:
        raise InvalidValue(error.message, error.hint or "Check it.") from None
    except Exception as error:  # noqa: BLE001 -- every storage has errors of its own, and paths can be none
        why = f"{shown(location)} cannot be opened: {type(error).__name__}: {shown(str(error))}."
        raise InvalidValue(why, "Check the path, its rights and its connection.") from None
