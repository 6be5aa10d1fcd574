"""Where a calendar's videos and caption files are."""

from __future__ import annotations

import os
from pathlib import Path

from airflow_provider_instagram import storage
from airflow_provider_instagram.calendar.faults import Refusal
from airflow_provider_instagram.exceptions import ValidationError


class CalendarFiles:
    """Finds the files that a calendar names.

    A calendar is written by people who need not have a shell on the workers: a local file is taken from the
    calendar's own folder and from ``[instagram] media_roots``, so that none of them publishes a file of the system.

    :param location: The calendar's own.
    """

    def __init__(self, location: str) -> None:
        self._folder = storage.local_path(location).absolute().parent if storage.is_local(location) else None
        self._beside = str(self._folder or location.rpartition("/")[0])
        self._allowed: dict[str, bool] = {}
        self._found: set[str] = set()

    def found(self, written: str, *, check: bool) -> str:
        """Give the whole location of a file.

        :param written: As the calendar names it; a relative path begins at the calendar's folder.
        :param check: Whether to look if it is there.
        :raises Refusal: When it may not be read from there, or is not there.
        """
        location = self._whole(written)
        if not check and location in self._found:
            return location
        try:
            if storage.is_local(location):
                self._refuse_outside(str(storage.local_path(location)) if "://" in location else location)
            there = not check or storage.is_web(location) or storage.exists(location)
        except Refusal:
            raise
        except ValidationError as error:
            raise Refusal(f"it cannot be looked for: {error.message}", error.hint or "Check it.") from None
        except Exception as error:  # noqa: BLE001 -- every storage has errors of its own, and paths can be none
            raise Refusal(f"it cannot be looked for: {error}.", "Check the path and its connection.") from None
        if not there:
            raise Refusal(f"there is no file {location}.", "Check the name, also upper and lower case.")
        self._found.add(location)
        return location

    def _whole(self, written: str) -> str:
        if "://" in written or written.startswith("/"):
            return written
        return f"{self._beside}/{written}"

    def _refuse_outside(self, path: str) -> None:
        folder = os.path.dirname(path)  # noqa: PTH120 -- for thousands of posts, pathlib is slow
        if folder not in self._allowed:
            self._allowed[folder] = self._is_allowed(Path(folder))
        if self._allowed[folder] and not os.path.islink(path):  # noqa: PTH114
            return
        if not self._is_allowed(Path(path)):
            raise Refusal(
                "this folder is not one that posts may take files from.",
                "Put the file beside the calendar, or have its folder added to [instagram] media_roots.",
            )

    def _is_allowed(self, path: Path) -> bool:
        if self._folder is not None and path.resolve().is_relative_to(self._folder.resolve()):
            return True
        try:
            storage.inside_media_roots(str(path))
        except ValidationError:
            return False
        return True
