"""What the planner remembers of the runs that it had to start."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_instagram.calendar.tasks.planner import PlanPosts, RecordStarts
from airflow_provider_instagram.calendar.tasks.watch import CalendarTrigger
from airflow_provider_instagram.utils.server_clock import CLOCK
from tests.unit.calendar.simulated_runs import after_noon, post

if TYPE_CHECKING:
    from tests.unit.calendar.simulated_runs import SimulatedCalendar


def record_starts(calendar: SimulatedCalendar, *runs: str) -> None:
    task = RecordStarts(task_id="started", settings=calendar.settings, runs=[{"trigger_run_id": run} for run in runs])
    task.execute(calendar.context())


def test_a_run_that_could_not_be_started_makes_no_other_one_begin_anew(calendar: SimulatedCalendar) -> None:
    """That would take the answer from a person who has just approved another post."""
    calendar.write(post("a", 60), post("b", 60), post("c", 60))
    calendar.plan(0, all_started=False)
    calendar.states = {"start_0": "success", "start_1": "failed", "start_2": "success"}
    with pytest.raises(AirflowFailException, match=r"started again in two minutes: b$"):
        record_starts(calendar, "a", "b", "c")
    assert calendar.plan(2, all_started=False) == ["b"]
    calendar.states = {"start_0": "success"}
    record_starts(calendar, "b")
    assert calendar.plan(4) == []


def test_starts_that_are_recorded_again_take_no_other_run_from_the_plan(calendar: SimulatedCalendar) -> None:
    """The process may die after the first of two writes, and users clear tasks of old runs."""
    calendar.write(post("a", 60), post("b", 60), post("c", 60))
    calendar.plan(0, all_started=False)
    calendar.states = {"start_0": "success", "start_1": "failed", "start_2": "success"}
    for _ in range(2):
        with pytest.raises(AirflowFailException, match=r": b$"):
            record_starts(calendar, "a", "b", "c")
    calendar.states = {"start_0": "success"}
    record_starts(calendar, "c")
    assert calendar.plan(2, all_started=False) == ["b"]


def test_a_post_that_comes_near_while_runs_are_started_is_not_forgotten(
    calendar: SimulatedCalendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else wakes the planner for the last post of a calendar."""
    calendar.given = {"prepare_ahead": timedelta(hours=2)}
    calendar.write(post("a", 120), post("b", 121))
    assert calendar.plan(0, all_started=False) == ["a"]
    calendar.states = {"start_0": "success"}
    monkeypatch.setattr(CLOCK, "now", lambda: after_noon(2))
    record_starts(calendar, "a")
    trigger = CalendarTrigger(str(calendar.file), calendar.settings.plan_file, calendar.settings.digest)
    assert trigger.reason().startswith("time")
    assert calendar.plan(3) == ["b"]


def test_more_runs_than_airflow_maps_a_task_over_are_started_one_look_after_the_other(
    calendar: SimulatedCalendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "2")
    calendar.write(post("a", 60), post("b", 60), post("c", 60))
    plan = PlanPosts(task_id="plan", settings=calendar.settings)
    assert [one["trigger_run_id"] for one in plan.execute(calendar.context())] == ["a", "b"]
    calendar.states = {"start_0": "success", "start_1": "success"}
    for _ in range(2):
        record_starts(calendar, "a", "b")
    assert [one["trigger_run_id"] for one in plan.execute(calendar.context())] == ["c"]
