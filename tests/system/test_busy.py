"""A calendar in an Airflow with two slots, both of which are taken, and whose store of plans goes away."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from demo.stack import wait_until
from tests.calendars.running_calendar import RunningCalendar, entry, running_calendar, whole_second

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNT = "berlin"
LIMIT_S = 240.0
#: The triggerer looks at a file every 5 s, and the planner's task takes seconds to start beside two others.
READ_WITHIN_S = 60.0
QUEUE = """\
import time

from airflow.sdk import DAG, task

with DAG("queue", schedule=None):

    @task(priority_weight=50, weight_rule="absolute")
    def work(number):
        time.sleep(3)

    work.expand(number=list(range(100)))
"""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def calendar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCalendar]:
    with running_calendar(tmp_path_factory.mktemp("busy"), (ACCOUNT,), AIRFLOW__CORE__PARALLELISM="2") as running:
        yield running


def plans(calendar: RunningCalendar) -> Path:
    """Return the folder in which the planners keep their plans."""
    return calendar.airflow.home / "instagram" / "calendars"


def state(calendar: RunningCalendar, dag_id: str, run_id: str, task_id: str) -> str | None:
    """Return the state of a task, or None if it has none yet."""
    path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
    return calendar.airflow.call("GET", path)["state"] if calendar.airflow.has(path) else None


def is_read(calendar: RunningCalendar, text: str) -> bool:
    """Return whether a stored plan has a text."""
    return any(text in file.read_text() for file in plans(calendar).rglob("*.json"))


def slots_taken(calendar: RunningCalendar) -> int:
    """Return how many slots the other tasks have."""
    return [one["state"] for one in calendar.airflow.tasks("queue", "busy")].count("running")


def test_an_answer_outlives_a_store_of_plans_that_is_away(calendar: RunningCalendar) -> None:
    """The task that resumes fails. Its retry reads the answer that there is, and asks nobody again."""
    dag_id, at = "answered", whole_second(timedelta(seconds=240))
    calendar.write([entry("answered", at, ACCOUNT, approval="required")], dag_id)
    calendar.add_dag(60, dag_id, ahead_s=3600)
    wait_until(lambda: state(calendar, dag_id, "answered", "approve") == "awaiting_input", "asked", LIMIT_S, 0.5)
    away = plans(calendar).with_name("away")
    plans(calendar).rename(away)
    path = f"/dags/{dag_id}/dagRuns/answered/taskInstances/approve/-1/hitlDetails"
    calendar.airflow.call("PATCH", path, json={"chosen_options": ["Approve"], "params_input": {}})
    failed = ("up_for_retry", "failed")
    wait_until(lambda: state(calendar, dag_id, "answered", "approve") in failed, "it has failed", LIMIT_S, 0.5)
    if plans(calendar).exists():  # the planner has begun anew meanwhile
        plans(calendar).rename(away.with_name("begun anew"))
    away.rename(plans(calendar))
    wait_until(lambda: calendar.sandbox.truth.per_caption.get("answered"), "it is published", LIMIT_S, 1.0)

    assert calendar.sandbox.truth.per_caption["answered"] == 1
    assert calendar.airflow.call("GET", f"/dags/{dag_id}/dagRuns/answered/taskInstances/approve")["try_number"] > 1


def test_an_edit_is_read_while_every_slot_is_taken(
    calendar: RunningCalendar, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hundred tasks wait for two slots. The planner's comes first."""
    dag_id, at = "edited", whole_second(timedelta(hours=5))
    calendar.write([entry("edited", at, ACCOUNT)], dag_id)
    calendar.add_dag(60, dag_id)
    wait_until(lambda: is_read(calendar, "edited"), "it is read", LIMIT_S, 0.5)
    (calendar.airflow.home / "dags" / "queue.py").write_text(QUEUE)
    calendar.airflow.wait_for_dag("queue")
    calendar.airflow.trigger("queue", "busy")
    wait_until(lambda: slots_taken(calendar) == 2, "both slots are taken", LIMIT_S, 0.3)
    began_s = time.monotonic()
    calendar.write([entry("edited", at, ACCOUNT, first_comment="Read in time")], dag_id)
    wait_until(lambda: is_read(calendar, "Read in time"), "the edit is read", LIMIT_S, 0.1)
    took_s = time.monotonic() - began_s
    with capsys.disabled():
        print(f"\nAn edit was read after {took_s:.1f} s, while {slots_taken(calendar)} of 2 slots were taken.")  # noqa: T201
    assert took_s < READ_WITHIN_S
