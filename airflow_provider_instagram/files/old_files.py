"""Files that the provider has written and no longer needs: results and covers of posts that are long past."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from airflow.sdk import conf

from airflow_provider_instagram.files import storage
from airflow_provider_instagram.utils.clock import utc_now
from airflow_provider_instagram.utils.urls import is_local

if TYPE_CHECKING:
    from airflow_provider_instagram.files.access import FileAccess

#: Half of this is longer than a result is needed after a transcode: from the preparation of a post,
#: by default three days ahead, to its time, and then for a day, while Instagram may fetch it.
SHORTEST: Final = timedelta(days=9)


def kept_for() -> timedelta | None:
    """Return how long results and covers are kept (``[instagram] keep_results_days``), or None if for ever."""
    days = conf.getint("instagram", "keep_results_days")
    return max(timedelta(days=days), SHORTEST) if days > 0 else None


def is_reusable(location: str) -> bool:
    """Return whether a result is there, and stays long enough for one more post. An older one is made again."""
    if not storage.exists(location):
        return False
    kept = kept_for()
    written = storage.modified(location)
    return kept is None or written is None or utc_now() - written < kept / 2


def remove_old(
    folder: str, is_ours: Callable[[str], bool], before: datetime, most: int, access: FileAccess
) -> int:
    """Remove files that are right in a folder or below a prefix. Links are neither followed nor removed."""
    removed = 0
    for name in _names(folder, access):
        location = f"{folder.rstrip('/')}/{name}"
        if removed == most or not is_ours(name):
            continue
        written = storage.modified(location)
        if written is not None and written < before:
            with suppress(FileNotFoundError):  # another run removes it as well
                storage.remove(location)
                removed += 1
    return removed


def _names(folder: str, access: FileAccess) -> list[str]:
    if not is_local(folder):
        return storage.names_below(folder)
    with os.scandir(access.resolved(folder)) as entries:
        return [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
