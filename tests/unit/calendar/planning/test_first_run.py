"""A DAG that has had no run: Airflow creates DAGs paused, and may be away when the first posts are due."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pendulum
import pytest
from airflow.timetables.base import TimeRestriction

from airflow_provider_instagram.calendar.timetable import ContentCalendarTimetable
from tests.unit.calendar.simulated_runs import after_noon, ids, minutes_after_noon, post

if TYPE_CHECKING:
    from airflow.timetables.base import DataInterval

    from tests.unit.calendar.simulated_runs import SimulatedCalendar

HOUR = 60.0


def caught_up(
    calendar: SimulatedCalendar, at: float, last: DataInterval | None = None
) -> list[tuple[float, list[str]]]:
    """Return the runs that the scheduler creates when it is back at a time, each with the posts that it selects."""
    plan, made = calendar.settings.plan(after_noon(at)), []
    calendar.parse(at)
    timetable = ContentCalendarTimetable(
        plan.runs(calendar.settings.lead_time, calendar.settings.max_lateness),
        int(calendar.settings.lead_time.total_seconds()),
        "",
        clock=lambda: after_noon(at),
        since=plan.since,
    )
    every = TimeRestriction(None, None, catchup=True)
    while info := timetable.next_dagrun_info(last_automated_data_interval=last, restriction=every):
        if info.run_after > after_noon(at):
            break
        begin, last = minutes_after_noon(info.run_after.timestamp()), info.data_interval
        made.append((begin, ids(calendar.run(f"content/{begin}", begin))))
    return made


def test_what_was_due_since_the_calendar_was_first_seen_has_its_run(calendar: SimulatedCalendar) -> None:
    """Whether the DAG was paused or the scheduler away: on time, late, and too late alike."""
    calendar.write(post("over", -20), post("a", 10), post("b", 30), post("c", 200), post("d", 400))
    calendar.parse(0)
    calendar.parse(90)
    assert caught_up(calendar, 150) == [(-50, ["a"]), (-30, ["b"]), (140, ["c"])]


def test_edits_before_the_first_run_count(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 10), post("b", 30), post("c", 200))
    calendar.parse(0)
    calendar.write(post("a", 10, caption="edited"), post("b", 100), post("added", 40))
    calendar.parse(5)
    runs = caught_up(calendar, 150)
    assert sorted(post_id for _, posts in runs for post_id in posts) == ["a", "added", "b"]


@pytest.mark.parametrize("due", [-20, -0.5])
def test_what_was_over_when_the_dag_was_new_is_published_by_no_run_of_another_post(
    calendar: SimulatedCalendar, due: float
) -> None:
    """The first run begins a lead time before its post, so also before the calendar was first seen."""
    calendar.write(post("over", due), post("a", 30))
    calendar.parse(0)
    assert caught_up(calendar, 0) == [(-30, ["a"])]


def test_what_an_outage_missed_is_caught_up_although_the_snapshot_was_lost(calendar: SimulatedCalendar) -> None:
    """The DAG has had runs, so that its posts that are over are not older than the DAG."""
    calendar.write(post("a", 10), post("b", 100))
    calendar.parse(-600)
    last = ContentCalendarTimetable({}, 3600, "").infer_manual_data_interval(
        run_after=pendulum.instance(after_noon(-2 * HOUR))
    )
    for snapshot in (calendar.file.parent / "snapshots").iterdir():
        snapshot.unlink()
    calendar.parse(50)
    assert caught_up(calendar, 50, last) == [(-50, ["a"]), (40, ["b"])]


def test_a_snapshot_that_cannot_be_stored_makes_no_version_of_the_dag_at_each_look(
    calendar: SimulatedCalendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(calendar.file / "snapshots"))
    calendar.write(post("a", 600))
    plans = [calendar.settings.plan(after_noon(at)) for at in (0, 5)]
    assert plans[0] == plans[1]


def test_a_dag_with_a_new_name_begins_when_it_is_first_seen(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 10), post("b", 100))
    calendar.parse(0)
    calendar.dag_id = "renamed"
    calendar.parse(50)
    assert caught_up(calendar, 60) == [(40, ["b"])]
    assert calendar.settings.plan(after_noon(70)).since == after_noon(50).timestamp()
