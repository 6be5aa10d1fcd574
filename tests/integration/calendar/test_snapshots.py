"""A calendar's snapshot, in a folder or in object storage that all machines share."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
from airflow_provider_instagram.calendar.planning.snapshot import snapshot_problems
from airflow_provider_instagram.files import storage

if TYPE_CHECKING:
    import pytest

NOON = datetime(2098, 12, 1, 12, tzinfo=timezone.utc)
POST = "{{id: {}, publish_at: 2099-01-01 12:00 UTC, account: studio, video: https://example.com/a.mp4}}\n"


def test_a_task_on_another_machine_reads_the_last_version_that_the_dag_processor_could_read(
    snapshots: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    calendar = tmp_path / "calendar.yaml"
    calendar.write_text("posts:\n- " + POST.format("one"))
    settings = CalendarSettings.of("content", calendar)
    assert [post.id for post in settings.plan(NOON).calendar.posts] == ["one"]

    calendar.write_text("posts: [")
    plan = settings.plan()
    assert ([post.id for post in plan.calendar.posts], plan.readable) == (["one"], False)
    assert [path.name for path in Path.cwd().iterdir() if path.name.startswith("s3")] == []


def test_an_edit_is_dated_by_the_snapshot(snapshots: str, tmp_path: Path) -> None:
    calendar = tmp_path / "calendar.yaml"
    calendar.write_text("posts:\n- " + POST.format("one"))
    settings = CalendarSettings.of("content", calendar)
    settings.plan(NOON)
    calendar.write_text("posts:\n- " + POST.format("one") + "- " + POST.format("two").replace("12:00", "13:00"))
    later = NOON + timedelta(minutes=7)
    assert settings.plan(later).seen["two"].at == int(later.timestamp())
    assert settings.plan().seen["two"].at == int(later.timestamp())
    assert settings.plan(later + timedelta(hours=1)).seen["one"].at is None


def test_a_place_that_cannot_be_written_is_a_problem(snapshots: str) -> None:
    file = CalendarSettings.of("content", "calendar.yaml").snapshot
    assert file.startswith(snapshots.rstrip("/"))
    assert snapshot_problems(file) == []
    assert storage.read(file) is None


def test_a_bucket_that_does_not_exist_is_a_problem(bucket: str) -> None:
    (problem,) = snapshot_problems(f"{bucket}-elsewhere/kept/a.json")
    assert "the folder s3://media@clips-elsewhere/kept cannot be written to" in problem.message
    assert "edits made within the lead time are not published" in problem.message


def test_a_folder_that_cannot_be_made_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    (problem,) = snapshot_problems(f"{tmp_path}/file/a.json")
    assert f"the folder {tmp_path}/file cannot be written to" in problem.message
