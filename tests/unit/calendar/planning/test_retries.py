"""A calendar's tasks are tried for as long as their posts may be published, and a day longer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar import content_calendar_dag
from airflow_provider_instagram.calendar.dag import _planner
from airflow_provider_instagram.calendar.planning.settings import LONGEST_DELAY, retries_spanning

if TYPE_CHECKING:
    from pathlib import Path

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CALENDAR = """\
posts:
- {id: one, publish_at: 2099-01-01 12:00 UTC, account: studio, video: https://example.com/a.mp4, approval: required}
"""


@pytest.fixture
def calendar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    file = tmp_path / "calendar.yaml"
    file.write_text(CALENDAR)
    return file


def shortest_span(retries: dict[str, Any]) -> timedelta:
    """Return how long the retries last at least: Airflow doubles the delay up to the longest, with some jitter."""
    delay, span = retries["retry_delay"], timedelta()
    for _ in range(retries["retries"]):
        span += delay
        delay = min(2 * delay, retries["max_retry_delay"])
    return span


@pytest.mark.parametrize("max_lateness", [timedelta(), timedelta(minutes=10), HOUR, 6 * HOUR, 2 * DAY])
@pytest.mark.parametrize("lead_time", [timedelta(minutes=5), HOUR, 23 * HOUR])
def test_the_retries_outlast_an_outage_as_long_as_max_lateness(lead_time: timedelta, max_lateness: timedelta) -> None:
    span = shortest_span(retries_spanning(lead_time, max_lateness, LONGEST_DELAY))
    assert lead_time + max_lateness + DAY <= span <= lead_time + max_lateness + DAY + HOUR


@pytest.mark.parametrize(
    ("max_lateness", "delay"),
    [(timedelta(minutes=6), timedelta(minutes=1)), (HOUR, timedelta(minutes=5)), (DAY, timedelta(minutes=5))],
)
def test_a_post_waits_minutes_after_an_outage(max_lateness: timedelta, delay: timedelta) -> None:
    assert retries_spanning(HOUR, max_lateness, LONGEST_DELAY)["max_retry_delay"] == delay


def test_every_task_of_a_calendar_has_them(calendar: Path) -> None:
    dag = content_calendar_dag("content", calendar, accounts=["studio"])
    tasks = {task.task_id: (task.retries, task.max_retry_delay) for task in dag.tasks}
    assert set(tasks) == {"prepare", "approve", "create", "publish", "comment"}
    assert set(tasks.values()) == {
        (1164 + 4, timedelta(minutes=5))
    }  # 26 hours in steps of 5 minutes, after 20 s to 160 s


def test_a_planner_waits_a_minute_at_most_because_the_next_post_waits_for_it(calendar: Path) -> None:
    prepare: Any = content_calendar_dag("content", calendar, accounts=["studio"]).get_task("prepare")
    planner = _planner(prepare.settings, {})
    longest = {task.task_id: task.max_retry_delay for task in planner.tasks}
    assert longest == {"plan": timedelta(minutes=1)}


def test_the_author_may_set_others(calendar: Path) -> None:
    given = {"retries": 2, "retry_delay": timedelta(seconds=7), "max_retry_delay": None, "priority_weight": None}
    dag = content_calendar_dag("content", calendar, accounts=["studio"], default_args=given)
    of_tasks = {(task.retries, task.retry_delay, task.max_retry_delay) for task in dag.tasks}
    assert of_tasks == {(2, timedelta(seconds=7), timedelta(minutes=5))}, "None sets nothing"
