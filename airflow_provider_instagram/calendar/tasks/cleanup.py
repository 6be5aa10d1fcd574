"""Removes the covers and the results of posts that are long past, once a day for each calendar."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import conf

from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.tasks.covers import covers_folder
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.files import old_files, storage
from airflow_provider_instagram.files.access import FileAccess
from airflow_provider_instagram.ledger.records import CONTAINER_LIFE
from airflow_provider_instagram.utils.locations import is_local, shown

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import Calendar
    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings

#: The names of results: those of their sources, the profile, the key of the work, and an ending.
RESULT: Final = re.compile(r".+\.[a-z_]+\.[0-9a-f]{24}\.(?:mp4|jpg)", re.DOTALL)
#: The names of covers, and of their small copies.
COVER: Final = re.compile(r"[0-9a-f]{16}(?:-[1-9][0-9]?)?(?:\.small)?\.jpg")
EVERY: Final = timedelta(days=1)
MOST_FILES: Final = 500

log = logging.getLogger(__name__)


def remove_old_files(settings: CalendarSettings, calendar: Calendar, now: datetime) -> None:
    """Remove what the provider wrote for posts that are long past. A failure is logged, and keeps nothing from working.

    A file is written before its post, but by less than half of the time for which it is kept. Its name decides whether
    the provider wrote it. So a calendar decides nothing about what is removed outside of its own folder.

    :param calendar: The calendar. If it has problems, nothing is removed from its own folder: a post that is left out
        may name a result as its video.
    """
    try:
        kept, left = old_files.kept_for(), MOST_FILES
        if kept is None or not _is_due(f"{settings.snapshot}.cleaned", now):
            return
        for folder, is_ours, access in _folders(settings, calendar):
            with suppress(
                FileNotFoundError, ValidationError
            ):  # nothing is there, or it is not the calendar's own folder
                left -= old_files.remove_old(folder, is_ours, now - kept - CONTAINER_LIFE, left, access)
        log.info("Removed %s files of posts that were published more than %s days ago", MOST_FILES - left, kept.days)
    except Exception as error:  # noqa: BLE001 -- each storage has errors of its own, and another day will do
        log.warning("Old files are not removed: %s", shown(str(error)))


def _is_due(mark: str, now: datetime) -> bool:
    """Return whether nothing was removed for a day, and record that it is now."""
    last = storage.modified(mark)
    if last is not None and now - last < EVERY:
        return False
    storage.write(mark, b"")
    return True


def _folders(settings: CalendarSettings, calendar: Calendar) -> Iterator[tuple[str, Callable[[str], Any], FileAccess]]:
    """Return where old files may be, what tells that the provider wrote them, and where each folder must really be."""
    for folder, name in ((covers_folder(), COVER), (conf.get("instagram", "work_prefix", fallback=""), RESULT)):
        if folder:
            yield folder, name.fullmatch, FileAccess.of(folder)
    if not is_local(settings.calendar) or calendar.problems:
        return
    sources = [PurePath(source) for post in calendar.posts for source in post.media if is_local(source)]
    named = {source.name for source in sources}
    own = CalendarFiles(settings.calendar, calendar.pin).own
    for folder in sorted({*map(str, own.folders), *(str(source.parent) for source in sources)}):
        yield folder, lambda name: name not in named and RESULT.fullmatch(name), own
