"""What wakes a calendar's planner, and that nothing is lost while its trigger or a storage is away."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.tasks import watch
from airflow_provider_instagram.calendar.tasks.watch import CalendarTrigger
from airflow_provider_instagram.files import storage
from tests.unit.calendar.simulated_runs import post

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

    from tests.unit.calendar.simulated_runs import SimulatedCalendar

LOOKS = 6 * 60


@pytest.fixture
def why(calendar: SimulatedCalendar) -> Any:
    """Return why a trigger that has just been made fires, in a word."""

    def reason() -> str:
        settings = calendar.settings
        return CalendarTrigger(settings.location, settings.plan_file, settings.digest).reason().partition(" ")[0]

    return reason


def test_the_planner_is_woken_for_a_new_file_an_edit_a_setting_and_a_moment(
    calendar: SimulatedCalendar, why: Any
) -> None:
    calendar.write(post("a", 60))
    assert why() == "new"
    calendar.plan(0)
    assert why() == ""
    calendar.write(post("a", 60, caption="Grüße"))
    assert why() == "edited"
    calendar.plan(1)
    assert why() == ""
    calendar.given = {"dry_run": True}
    assert why() == "settings"
    calendar.plan(2)
    calendar.plan(3)
    calendar.now = 3 + LOOKS - 1
    assert why() == ""
    calendar.now = 3 + LOOKS
    assert why() == "time"


def test_the_planner_is_woken_when_its_plan_alone_is_lost(calendar: SimulatedCalendar, why: Any) -> None:
    """Else, no task would find its post for hours."""
    calendar.write(post("a", 60))
    calendar.plan(0)
    storage.remove(calendar.settings.plan_file)
    assert why() == "new"
    calendar.plan(1)
    assert why() == ""


def test_the_planner_is_woken_when_a_file_goes_or_comes_back(calendar: SimulatedCalendar, why: Any) -> None:
    calendar.write(post("a", 60))
    calendar.plan(0)
    text = calendar.file.read_text()
    calendar.file.unlink()
    assert why() == "edited"
    calendar.plan(1)
    assert why() == "", "it is not woken for the same again"
    calendar.file.write_text(text)
    assert why() == "edited"


def test_the_planner_is_woken_once_when_a_link_leads_elsewhere(
    calendar: SimulatedCalendar, why: Any, tmp_path: Path
) -> None:
    """Where it leads now, nothing is read. A folder that a deployment replaces is the same place."""
    folder, other = tmp_path / "plans", tmp_path / "other"
    folder.mkdir()
    calendar.file = folder / "posts.yaml"
    calendar.write(post("a", 60))
    calendar.plan(0)
    shutil.copytree(folder, tmp_path / "new")
    shutil.move(folder, other)
    (tmp_path / "new").rename(folder)
    assert why() == ""
    shutil.rmtree(folder)
    folder.symlink_to(other)
    assert why() == "edited"
    calendar.plan(1)
    assert why() == ""
    assert "was replaced since Airflow first read the calendar" in calendar.problems()[0]


def test_a_trigger_fires_once_for_each_reason_and_outlasts_a_storage_that_is_away(
    mocker: MockerFixture,
) -> None:
    mocker.patch.object(watch, "LOOK_EVERY_S", 0)
    looks: list[Any] = ["", OSError("away"), "edited 1", "edited 1", "edited 2", "", OSError("away"), "edited 2"]
    trigger = CalendarTrigger("/data/posts.yaml", "/data/plan.json", "digest")
    left: list[int] = []

    def reason() -> str:
        found = looks.pop(0)
        if isinstance(found, Exception):
            raise found
        return str(found)

    async def events(number: int) -> None:
        async for event in trigger.run():
            assert event.payload == {"calendar": "/data/posts.yaml", "why": "edited"}
            left.append(len(looks))
            if len(left) == number:
                return

    mocker.patch.object(trigger, "reason", reason)
    asyncio.run(events(3))
    assert left == [5, 3, 0]
