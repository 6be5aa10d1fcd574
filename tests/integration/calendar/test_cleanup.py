"""What a run removes of posts that are long past, and what it leaves."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.tasks.problems import RESULT
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.files import old_files, storage
from airflow_provider_instagram.files.access import FileAccess
from tests.integration.calendar.runs import made, run_report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle

KEY = "0123456789abcdef01234567"
DAY_S = 86400


def written(file: Path, days_ago: float) -> Path:
    """Write a file that is some days old."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"content")
    os.utime(file, (time.time() - days_ago * DAY_S,) * 2)
    return file


def cleaned(run_dag: Any, file: Path) -> None:
    """Run a calendar's planner, with the cleaning of its day."""
    for mark in file.parent.glob("snapshots/*.cleaned"):
        mark.unlink()
    assert run_report(run_dag, made(file)).states()["problems"] == "success"


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__WORK_PREFIX", f"{tmp_path}/work/")
    return tmp_path / "work"


def test_a_run_removes_the_covers_and_results_of_posts_that_are_long_past(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], work: Path, tmp_path: Path
) -> None:
    covers = tmp_path / "snapshots" / "covers"
    old = [
        written(covers / "0123456789abcdef0123456789abcdef.jpg", 40),
        written(covers / "0123456789abcdef0123456789abcdef-2.small.jpg", 40),
        written(work / f"clip.reels.{KEY}.mp4", 40),
        written(work / f"still.carousel.{KEY}.jpg", 40),
        written(tmp_path / f"clip.feed.{KEY}.mp4", 40),
    ]
    link = tmp_path / f"link.reels.{KEY}.mp4"
    link.symlink_to(written(tmp_path / "outside.mp4", 40))
    os.utime(link, (time.time() - 40 * DAY_S,) * 2, follow_symlinks=False)
    kept = [
        link,
        written(covers / "fedcba9876543210fedcba9876543210.jpg", 20),
        written(covers / "portrait.jpg", 40),
        written(work / f"young.reels.{KEY}.mp4", 20),
        written(work / "mine.mp4", 40),
        written(work / "below" / f"clip.reels.{KEY}.mp4", 40),
        written(tmp_path / "camera.reels.mp4", 40),
    ]
    file = calendar({"later": 7200})
    cleaned(run_dag, file)
    assert [one.exists() for one in old] == [False] * len(old)
    assert [one.exists() for one in kept] == [True] * len(kept)

    again = written(work / f"clip.reels.{KEY}.mp4", 40)
    run_report(run_dag, made(file))
    assert again.exists(), "once a day"


def test_what_the_calendar_names_and_what_others_may_have_written_is_left(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    calendar: Callable[..., Path],
    portrait_video: Path,
    work: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A result that became a source stays. Results beside the sources of ``media_roots`` may be another team's."""
    shared, own = tmp_path_factory.mktemp("shared"), tmp_path / "own"
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", f"{portrait_video.parent}, {shared}")
    theirs = written(shared / f"clip.reels.{KEY}.mp4", 40)
    source = shared / "clip.mp4"
    source.write_bytes(portrait_video.read_bytes())
    own.mkdir()
    named = own / f"teaser.reels.{KEY}.mp4"
    named.write_bytes(portrait_video.read_bytes())
    os.utime(named, (time.time() - 40 * DAY_S,) * 2)
    posts = {"later": {"video": str(source)}, "last": {"video": str(named)}}
    file = calendar({"later": 7200, "last": 9000}, **posts)
    cleaned(run_dag, file)
    assert theirs.exists()
    assert named.exists()

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__KEEP_RESULTS_DAYS", "0")
    for_ever = written(work / f"clip.reels.{KEY}.mp4", 4000)
    cleaned(run_dag, file)
    assert for_ever.exists()


def test_a_folder_whose_place_a_link_has_taken_is_left(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    theirs = written(other / f"clip.reels.{KEY}.mp4", 40)
    own.mkdir()
    (own / "videos").symlink_to(other)
    with pytest.raises(ValidationError, match="not in an allowed folder"):
        old_files.remove_old(
            str(own / "videos"), lambda name: True, datetime.now(timezone.utc), 9, FileAccess.of(str(own))
        )
    assert theirs.exists()


def test_old_results_in_object_storage_are_removed_a_number_at_a_time(bucket: str, airflow_db: None) -> None:
    names = [f"clip{number}.reels.{KEY}.mp4" for number in range(3)]
    for name in (*names, "mine.mp4", f"below/clip.reels.{KEY}.mp4"):
        storage.write(f"{bucket}/work/{name}", b"content")
    access, soon = FileAccess.of(f"{bucket}/work/"), datetime.now(timezone.utc) + timedelta(hours=1)

    def removed(before: datetime, most: int) -> int:
        return old_files.remove_old(f"{bucket}/work/", lambda name: bool(RESULT.fullmatch(name)), before, most, access)

    assert removed(soon - timedelta(days=1), 9) == 0
    assert [removed(soon, 2), removed(soon, 2), removed(soon, 2)] == [2, 1, 0]
    assert sorted(storage.names_below(f"{bucket}/work/")) == ["below", "mine.mp4"]
    assert storage.exists(f"{bucket}/work/below/clip.reels.{KEY}.mp4")


def test_a_storage_that_fails_keeps_no_run_from_working(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__WORK_PREFIX", "s3://nobody@nowhere/work/")
    cleaned(run_dag, calendar({"later": 7200}))
