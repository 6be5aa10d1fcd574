"""How often the page reads a calendar's snapshot."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_instagram.files import storage
from airflow_provider_instagram.plugin.board.calendars import CalendarDag, SnapshotReader

if TYPE_CHECKING:
    import pytest


def test_a_snapshot_in_object_storage_is_read_again_if_a_page_has_seen_a_newer_edit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise, two API server processes would show the calendar before and after an edit in turns, for seconds."""
    reads: list[str] = []
    monkeypatch.setattr(storage, "read", reads.append)
    hour = timedelta(hours=1)
    calendar = CalendarDag("a", "a", False, "s3://media/a.yaml", "s3://media/snapshots/a.json", hour, hour, False)
    reader, now = SnapshotReader(), time.time()
    for edited_at, expected in ((0.0, 1), (now - 3600, 1), (now, 2)):
        reader.read(calendar, edited_at)
        assert len(reads) == expected, edited_at
