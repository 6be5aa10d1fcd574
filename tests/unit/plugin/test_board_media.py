"""Which files the Posts page reads, and how much of them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fastapi import HTTPException

from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.plugin.board import media

if TYPE_CHECKING:
    from pathlib import Path

MB = 1024 * 1024


@pytest.mark.parametrize(
    ("asked", "size", "part"),
    [
        ("", 100, (0, 99)),
        ("bytes=0-", 100 * MB, (0, 2 * MB - 1)),
        ("bytes=10-19", 100, (10, 19)),
        ("bytes=90-500", 100, (90, 99)),
        ("bytes=5242880-", 6 * MB, (5 * MB, 6 * MB - 1)),
    ],
)
def test_a_range_is_bounded(asked: str, size: int, part: tuple[int, int]) -> None:
    assert media._part(asked, size) == part


@pytest.mark.parametrize(
    "asked", ["bytes=100-", "bytes=-", "bytes=-5", "bytes=5-3", "bytes=0-1,5-6", "pages=1-2", f"bytes={'9' * 5000}-"]
)
def test_a_range_that_the_video_does_not_have_is_refused(asked: str) -> None:
    with pytest.raises(HTTPException) as refused:
        media._part(asked, 100)
    assert refused.value.status_code == 416


def test_only_files_of_the_calendar_and_of_the_transcodes_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The location comes from an XCom, which a user of Airflow may have edited."""
    own, work, elsewhere = tmp_path / "own", tmp_path / "work", tmp_path / "elsewhere"
    for folder in (own, work, elsewhere):
        folder.mkdir()
        (folder / "a.mp4").write_bytes(b"a video")
    (own / "link.mp4").symlink_to(elsewhere / "a.mp4")
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__WORK_PREFIX", str(work))
    calendar = CalendarFiles(str(own / "calendar.yaml"))
    for allowed in (own, work):
        with media._opened(str(allowed / "a.mp4"), calendar) as (file, size):
            assert (file.read(), size) == (b"a video", 7)
    for refused in (elsewhere / "a.mp4", own / "link.mp4", own / ".." / "elsewhere" / "a.mp4"):
        with pytest.raises(ValidationError), media._opened(str(refused), calendar):
            pass


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    calendar = CalendarFiles(str(tmp_path / "calendar.yaml"))
    with pytest.raises(ValidationError, match="not a regular file"), media._opened(str(tmp_path), calendar):
        pass
