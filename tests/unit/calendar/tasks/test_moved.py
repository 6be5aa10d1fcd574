"""What the tasks of a post do when its calendar moves, before and after the planner has read it at its new place."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.calendar.tasks.create import _result_now
from airflow_provider_instagram.calendar.tasks.prepare import PreparePost
from airflow_provider_instagram.exceptions import TransientError
from tests.unit.calendar.simulated_runs import post

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.calendar.simulated_runs import SimulatedCalendar


def opens_files(calendar: SimulatedCalendar) -> None:
    """Do what ``prepare`` and ``create`` do before they open the files of a post."""
    task, context = PreparePost(task_id="prepare", settings=calendar.settings), calendar.context("a")
    task.check_links(task.wanted_post(context))


@pytest.fixture
def moved(calendar: SimulatedCalendar, tmp_path: Path) -> tuple[Path, Path]:
    """Return the old and the new place of a calendar whose post has begun, and whose folder has just moved."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    calendar.file = old / "posts.yaml"
    calendar.write(post("a", 60))
    (old / "a.mp4").write_bytes(b"video")
    calendar.plan(0)
    opens_files(calendar)
    old.rename(new)
    return old / "posts.yaml", new / "posts.yaml"


def test_a_task_waits_for_the_planner_that_has_not_read_the_new_place(
    calendar: SimulatedCalendar, moved: tuple[Path, Path]
) -> None:
    calendar.file = moved[1]
    with pytest.raises(TransientError, match="different places"):
        opens_files(calendar)
    assert calendar.plan(1) == []
    opens_files(calendar)


def test_a_task_waits_whose_dag_file_names_the_old_place(calendar: SimulatedCalendar, moved: tuple[Path, Path]) -> None:
    with pytest.raises(TransientError, match="not where its planner has found them"):
        opens_files(calendar)
    calendar.file = moved[1]
    calendar.plan(1)
    calendar.file = moved[0]
    with pytest.raises(TransientError, match="different places"):
        opens_files(calendar)


def test_a_calendar_that_is_gone_stops_no_post_whose_file_is_there(
    calendar: SimulatedCalendar, moved: tuple[Path, Path]
) -> None:
    shutil.move(moved[1].parent, moved[0].parent)
    moved[0].unlink()
    opens_files(calendar)


@pytest.mark.parametrize(
    ("source", "made", "now"),
    [
        ("/new/a.mp4", "/old/a.mp4", "/new/a.mp4"),
        ("/new/a.mov", "/old/a.reels.0123.mp4", "/new/a.reels.0123.mp4"),
        ("s3://new/a.mp4", "s3://old/a.mp4", "s3://new/a.mp4"),
        ("s3://new/a.mov", "s3://work/a.reels.0123.mp4", "s3://work/a.reels.0123.mp4"),
        ("https://example.com/a.mp4", "/work/a.reels.0123.mp4", "/work/a.reels.0123.mp4"),
    ],
)
def test_a_result_that_was_made_before_the_calendar_moved_is_found(source: str, made: str, now: str) -> None:
    assert _result_now(source, made) == now
