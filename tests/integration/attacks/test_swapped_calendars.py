"""Somebody who may write to a calendar's folder, or to the one above, puts another team's folder or file in its place.

Between the planner's look and a task, and over looks. The other team's files are not opened, nor its captions shown.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import yaml

from airflow_provider_instagram.calendar import content_calendar_dag
from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
from airflow_provider_instagram.calendar.tasks.prepare import PreparePost
from airflow_provider_instagram.files.access import place_of
from tests.integration.calendar.runs import planned, planned_by, play_run, run_post

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle

ACCOUNT = "instagram_default"
SECRET = "What the other team plans"


@dataclass
class Teams:
    """The folders of two teams. Ours is under attack by its own people.

    :param ours: The calendar's folder, two levels below one that our people may write to as well.
    :param theirs: Another team's folder, with a calendar and a video of the same names.
    """

    ours: Path
    theirs: Path
    post_id: str = field(default_factory=lambda: f"attack-{uuid4().hex[:8]}")

    @property
    def file(self) -> Path:
        return self.ours / "posts.yaml"

    def write(self) -> None:
        at = f"{datetime.now(timezone.utc) + timedelta(minutes=2):%Y-%m-%d %H:%M:%S} UTC"
        for folder, caption in ((self.ours, "Ours"), (self.theirs, SECRET)):
            post = {"id": self.post_id, "publish_at": at, "video": "clip.mp4", "caption": caption}
            (folder / "posts.yaml").write_text(yaml.safe_dump({"posts": [post]}))

    def link_folder(self) -> None:
        self.ours.rename(self.ours.with_name("mine"))
        self.ours.symlink_to(self.theirs)

    def link_parent(self) -> None:
        above = self.ours.parent
        shutil.copytree(self.theirs, self.theirs.parent / "copy" / self.ours.name)
        above.rename(above.with_name("mine"))
        above.symlink_to(self.theirs.parent / "copy")

    def link_beside(self) -> None:
        """To a folder in the same folder, as a checkout has it."""
        self.ours.rename(self.ours.with_name("mine"))
        shutil.copytree(self.theirs, self.ours.with_name("theirs"))
        self.ours.symlink_to("theirs")

    def link_file(self) -> None:
        self.file.unlink()
        self.file.symlink_to(self.theirs / "posts.yaml")

    def link_file_relatively(self) -> None:
        self.file.unlink()
        self.file.symlink_to(os.path.relpath(self.theirs / "posts.yaml", self.ours))


FOLDERS: tuple[Callable[[Teams], None], ...] = (Teams.link_folder, Teams.link_parent, Teams.link_beside)
LINKS = (*FOLDERS, Teams.link_file, Teams.link_file_relatively)


@pytest.fixture
def teams(tmp_path: Path, portrait_video: Path, monkeypatch: pytest.MonkeyPatch) -> Teams:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    made = Teams(tmp_path / "team" / "plans" / "spring", tmp_path / "others")
    for folder in (made.ours, made.theirs):
        folder.mkdir(parents=True)
        shutil.copyfile(portrait_video, folder / "clip.mp4")
    return made


def shown(settings: CalendarSettings, now: datetime | None = None) -> str:
    """Return what the plan shows after a look of the planner, or without one."""
    plan = (settings.stored() if now is None else planned_by(settings, now)).plan
    return " ".join(
        [
            *(post.caption for post in plan.calendar.posts),
            *(f"{one.message} {one.remedy}" for one in plan.calendar.problems),
        ]
    )


def moved(settings: CalendarSettings) -> str | None:
    """Return why a task opens no file of the calendar, if it does not."""
    error = CalendarFiles(settings.calendar, settings.stored().plan.calendar.pin).moved
    return None if error is None else error.message


@pytest.mark.parametrize("swap", LINKS)
def test_a_run_opens_nothing_of_what_is_put_in_the_calendars_place(
    instagram_sandbox: SandboxHandle, run_dag: Any, teams: Teams, swap: Callable[[Teams], None]
) -> None:
    """Neither the video, nor the calendar that the same name has there."""
    teams.write()
    dag = content_calendar_dag("content", teams.file, default_args={"retries": 0})
    planned(dag)
    swap(teams)
    assert play_run(run_dag, dag, teams.post_id).states()["prepare"] == "failed"
    assert instagram_sandbox.containers == []
    assert SECRET not in shown(CalendarSettings.of("content", teams.file))


@pytest.mark.parametrize("swap", FOLDERS)
def test_a_swap_after_the_first_look_of_a_task_opens_nothing(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    teams: Teams,
    swap: Callable[[Teams], None],
    mocker: MockerFixture,
) -> None:
    """Right before the video is opened."""
    real = PreparePost.check_links

    def attacked(task: PreparePost, post: Any) -> None:
        real(task, post)
        swap(teams)

    mocker.patch.object(PreparePost, "check_links", attacked)
    teams.write()
    dag = content_calendar_dag("content", teams.file, default_args={"retries": 0})
    assert run_post(run_dag, dag, teams.post_id).states()["prepare"] == "failed"
    assert instagram_sandbox.containers == []


@pytest.mark.parametrize("swap", LINKS)
def test_a_swap_that_stays_is_a_problem_at_each_look_and_shows_nothing_of_the_others(
    teams: Teams, swap: Callable[[Teams], None]
) -> None:
    teams.write()
    settings, now = CalendarSettings.of("content", teams.file), datetime.now(timezone.utc)
    assert "Ours" in shown(settings, now)
    swap(teams)
    for minutes in (1, 2, 3):
        text = shown(settings, now + timedelta(minutes=minutes))
        assert SECRET not in text
        assert "was replaced since Airflow first read the calendar" in text
    assert SECRET not in str(content_calendar_dag("content", teams.file).doc_md)
    assert all(SECRET not in one.read_text() for one in (teams.ours.parents[2] / "snapshots").glob("*.json"))


def test_a_calendar_that_has_always_been_a_link_to_elsewhere_is_refused(teams: Teams) -> None:
    """And a check says it as well."""
    teams.write()
    teams.link_file()
    text = shown(CalendarSettings.of("content", teams.file), datetime.now(timezone.utc))
    assert "is a link that leads out of its folder. Name the file itself in the DAG file." in text
    assert SECRET not in text


def test_a_folder_that_was_exchanged_is_the_calendars_again(teams: Teams) -> None:
    """As a deployment does it that renames a new folder over the old one. No task has to wait for the planner."""
    teams.write()
    settings = CalendarSettings.of("content", teams.file)
    planned_by(settings, datetime.now(timezone.utc))
    shutil.copytree(teams.ours, teams.ours.with_name("new"))
    shutil.rmtree(teams.ours)
    teams.ours.with_name("new").rename(teams.ours)
    assert moved(settings) is None


def test_a_config_map_is_read_after_each_of_its_updates(tmp_path: Path, teams: Teams) -> None:
    """Kubernetes puts each version into a folder of its own, and changes the link ``..data`` to it."""
    teams.write()
    mount, settings = tmp_path / "mount", CalendarSettings.of("content", tmp_path / "mount" / "posts.yaml")
    now = datetime.now(timezone.utc)
    mount.mkdir()
    (mount / "posts.yaml").symlink_to("..data/posts.yaml")
    for number, caption in enumerate(("First", "Second", "Third")):
        version = mount / f"..2026_{number}"
        version.mkdir()
        text = teams.file.read_text().replace("Ours", caption)
        (version / "posts.yaml").write_text(text.replace("clip.mp4", "https://example.com/a.mp4"))
        (mount / "..new").symlink_to(version.name)
        (mount / "..new").rename(mount / "..data")
        if number:
            shutil.rmtree(mount / f"..2026_{number - 1}")
        assert number == 0 or moved(settings) is None, "no task has to wait for the planner"
        assert shown(settings, now + timedelta(minutes=number)) == caption
        assert moved(settings) is None


def test_a_checkout_that_moves_with_each_version_is_read(tmp_path: Path, teams: Teams) -> None:
    """As git-sync has it: ``repo`` is a link to a folder beside it, which is another one for each commit."""
    teams.write()
    root = tmp_path / "git"
    root.mkdir()
    settings, now = CalendarSettings.of("content", root / "repo" / "plans" / "posts.yaml"), datetime.now(timezone.utc)
    for number in range(3):
        version = root / ".worktrees" / str(number) / "plans"
        shutil.copytree(teams.ours, version)
        (root / "new").symlink_to(Path(".worktrees") / str(number))
        (root / "new").rename(root / "repo")
        assert number == 0 or moved(settings) is None, "no task has to wait for the planner"
        assert shown(settings, now + timedelta(minutes=number)) == "Ours"


def test_links_in_a_circle_are_no_endless_walk(tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / one).symlink_to(tmp_path / other / "x")
    assert place_of(tmp_path / "a" / "posts.yaml").startswith(str(tmp_path))


def test_a_place_is_the_same_in_each_spelling_of_the_same_path(tmp_path: Path) -> None:
    (tmp_path / "real" / "plans").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to("../real/plans")
    plain = tmp_path / "real" / "plans" / "a.yaml"
    assert place_of(tmp_path / "out" / ".." / "out" / "link" / "a.yaml") == place_of(plain) == str(plain)
