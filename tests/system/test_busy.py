"""A calendar in an Airflow with two slots, both of which are taken, and whose store of plans goes away."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from demo.stack import wait_until
from tests.calendars.running_calendar import RunningCalendar, entry, queue_file, running_calendar, whole_second

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNT = "berlin"
LIMIT_S = 240.0
#: So long a person reads a question before the answer.
READING = timedelta(seconds=5)
#: Twice what the docs say: the machine may be busy with more than these tasks, and the number is printed.
READ_WITHIN_S = 20.0

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


def is_asked(calendar: RunningCalendar, dag_id: str, run_id: str) -> bool:
    """Return whether a question waits, and has been there for as long as a person reads."""
    if state(calendar, dag_id, run_id, "approve") != "awaiting_input":
        return False
    path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
    asked_at = datetime.fromisoformat(calendar.airflow.call("GET", path)["created_at"])
    return datetime.now(timezone.utc) - asked_at > READING


def slots_taken(calendar: RunningCalendar) -> int:
    """Return how many slots the other tasks have, or are about to have."""
    states = [one["state"] for one in calendar.airflow.tasks("queue", "busy")]
    return states.count("queued") + states.count("running")


def test_an_answer_counts_while_the_store_of_plans_is_away(calendar: RunningCalendar) -> None:
    """The task that resumes reads the row of its post, and no plan. A planner that begins anew asks nobody again."""
    dag_id, at = "answered", whole_second(timedelta(seconds=240))
    calendar.write([entry("answered", at, ACCOUNT, approval="required")], dag_id)
    calendar.add_dag(60, dag_id, ahead_s=3600)
    wait_until(lambda: is_asked(calendar, dag_id, "answered"), "a person has read the question", LIMIT_S, 0.5)
    away = plans(calendar).with_name("away")
    plans(calendar).rename(away)
    path = f"/dags/{dag_id}/dagRuns/answered/taskInstances/approve/-1/hitlDetails"
    calendar.airflow.call("PATCH", path, json={"chosen_options": ["Approve"], "params_input": {}})
    wait_until(lambda: state(calendar, dag_id, "answered", "approve") == "success", "it counts", LIMIT_S, 0.5)
    if plans(calendar).exists():  # the planner has begun anew meanwhile
        plans(calendar).rename(away.with_name("begun anew"))
    away.rename(plans(calendar))
    wait_until(lambda: calendar.sandbox.truth.per_caption.get("answered"), "it is published", LIMIT_S, 1.0)

    assert calendar.sandbox.truth.per_caption["answered"] == 1
    assert calendar.airflow.call("GET", f"/dags/{dag_id}/dagRuns/answered/taskInstances/approve")["try_number"] == 1


def test_an_edit_and_a_removal_are_read_while_every_slot_is_taken(
    calendar: RunningCalendar, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hundred tasks wait for two slots. The planner's comes first, also beside a report that waits."""
    dag_id, at = "edited", whole_second(timedelta(hours=5))
    post, other = entry("edited", at, ACCOUNT), entry("removed", at, ACCOUNT)
    calendar.write([post, other], dag_id)
    calendar.add_dag(60, dag_id)
    wait_until(lambda: is_read(calendar, "removed"), "it is read", LIMIT_S, 0.5)
    (calendar.airflow.home / "dags" / "queue.py").write_text(queue_file(100, 4, 2))
    calendar.airflow.wait_for_dag("queue")
    # LocalExecutor takes any number of tasks, and runs them in the order in which they came.
    slots = {"name": "default_pool", "slots": 2}
    calendar.airflow.call("PATCH", "/pools/default_pool", params={"update_mask": "slots"}, json=slots)
    calendar.airflow.trigger("queue", "busy")
    wait_until(lambda: slots_taken(calendar) == 2, "both slots are taken", LIMIT_S, 0.3)
    began_s = time.monotonic()
    calendar.write([{**post, "first_comment": "Read in time"}, other], dag_id)
    wait_until(lambda: is_read(calendar, "Read in time"), "the edit is read", LIMIT_S, 0.1)
    edited_s = time.monotonic()
    calendar.write([post], dag_id)
    wait_until(lambda: not is_read(calendar, "removed"), "the removal is read", LIMIT_S, 0.1)
    took_s = edited_s - began_s, time.monotonic() - edited_s
    with capsys.disabled():
        print(f"\nAn edit was read after {took_s[0]:.1f} s, a removal after {took_s[1]:.1f} s.")  # noqa: T201
    assert calendar.airflow.run_state("queue", "busy") == "running", "tasks still wait for the slots"
    assert max(took_s) < READ_WITHIN_S
