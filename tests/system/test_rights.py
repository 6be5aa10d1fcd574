"""What a user may do with posts if they may start and edit the runs of one calendar, in an Airflow with FAB's roles.

Nothing of it publishes what nobody approved, another post's text, or a post twice, and no secret is shown.
"""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from demo.stack import AirflowStack, wait_until
from tests.calendars.running_calendar import RunningCalendar, entry, running_calendar, task_instances, whole_second

if TYPE_CHECKING:
    from collections.abc import Iterator

FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
OURS, OTHERS = "berlin", "paris"
#: What the runner of a calendar may do, by the names of FAB's resources. DAGs are added to them.
RUNNER = {
    "DAG Runs": ("can_read", "can_create", "can_edit", "can_delete"),
    "Task Instances": ("can_read", "can_create", "can_edit", "can_delete"),
    "XComs": ("can_read", "can_create", "can_edit", "can_delete"),
    "Task Logs": ("can_read",),
    "HITL Detail": ("can_read",),
}
APPROVER = {**RUNNER, "HITL Detail": ("can_read", "can_edit")}
LIMIT_S = 240.0
#: So long a person reads a question before the answer.
READING_S = 5.0

pytestmark = pytest.mark.timeout(1000)


class Person:
    """A user of Airflow, who knows its REST API."""

    def __init__(self, airflow: AirflowStack) -> None:
        self.airflow = airflow

    def write_xcom(self, dag_id: str, run_id: str, task_id: str, value: Any) -> None:
        """Replace what a task returned, or give it a result."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries"
        if self.airflow.has(f"{path}/return_value"):
            self.airflow.call("PATCH", f"{path}/return_value", json={"value": value, "map_index": -1})
        else:
            self.airflow.call("POST", path, json={"key": "return_value", "value": value, "map_index": -1})

    def clear(self, dag_id: str, run_id: str, *task_ids: str, downstream: bool = False) -> None:
        """Clear tasks of a run: all, if none is named."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": list(task_ids) or None,
            "only_failed": False,
            "reset_dag_runs": True,
            "include_downstream": downstream,
        }
        self.airflow.call("POST", f"/dags/{dag_id}/clearTaskInstances", json=body)

    def mark(self, dag_id: str, run_id: str, task_id: str, state: str = "success") -> None:
        """Set the state of a task instance, unless it has that state."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        if self.state(dag_id, run_id, task_id) != state:
            self.airflow.call("PATCH", path, json={"new_state": state})

    def mark_run(self, dag_id: str, run_id: str, state: str) -> None:
        """Set the state of a run."""
        self.airflow.call("PATCH", f"/dags/{dag_id}/dagRuns/{run_id}", json={"state": state})

    def delete_run(self, dag_id: str, run_id: str) -> None:
        """Delete a run that has ended."""
        self.airflow.call("DELETE", f"/dags/{dag_id}/dagRuns/{run_id}")

    def answer(self, dag_id: str, run_id: str, option: str, task_id: str = "approve") -> None:
        """Answer the question of a task once it waits. Airflow fails a task that is answered as it begins to wait."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        waits_since_s: float | None = None

        def answered() -> bool:
            nonlocal waits_since_s
            if self.state(dag_id, run_id, task_id) != "awaiting_input":
                waits_since_s = None
                return False
            waits_since_s = waits_since_s or time.monotonic()
            if time.monotonic() < waits_since_s + READING_S:
                return False
            self.airflow.call("PATCH", path, json={"chosen_options": [option], "params_input": {}})
            return True

        wait_until(answered, f"{task_id} of {run_id} has been answered", LIMIT_S, 0.5)

    def state(self, dag_id: str, run_id: str, task_id: str) -> str | None:
        """Return the state of a task instance. None if it has none yet, or there is no such run."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        return self.airflow.call("GET", path)["state"] if self.airflow.has(path) else None

    def wait_for(self, dag_id: str, run_id: str, task_id: str, *states: str) -> None:
        """Wait until a task instance has one of these states."""
        what = f"{task_id} of {run_id} is {' or '.join(states)}"
        wait_until(lambda: self.state(dag_id, run_id, task_id) in states, what, LIMIT_S, 0.3)


@pytest.fixture(scope="module")
def calendar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCalendar]:
    folder = tmp_path_factory.mktemp("rights")
    with running_calendar(folder, (OURS, OTHERS), AIRFLOW__CORE__AUTH_MANAGER=FAB) as running:
        yield running


def add_calendar(
    calendar: RunningCalendar, dag_id: str, posts: list[dict[str, Any]], *, lead_s: int, ahead_s: int
) -> None:
    """Write a calendar of our account, and its DAG."""
    calendar.write(posts, dag_id)
    calendar.add_dag(lead_s, dag_id, more="dry_run=False", ahead_s=ahead_s)
    dag = calendar.airflow.home / "dags" / f"{dag_id}.py"
    dag.write_text(dag.read_text().replace(repr([*calendar.users]), repr([OURS])))
    calendar.airflow.wait_for_dag(dag_id)
    calendar.airflow.wait_for_dag(f"{dag_id}_plan")


def add_person(calendar: RunningCalendar, name: str, dag_id: str, rights: dict[str, tuple[str, ...]]) -> Person:
    """Add a user who has these rights for the two DAGs of one calendar, and no other."""
    admin = calendar.airflow
    of_dags = {f"DAG:{each}": ("can_read", "can_edit") for each in (dag_id, f"{dag_id}_plan")}
    actions = [
        {"action": {"name": action}, "resource": {"name": resource}}
        for resource, names in (rights | of_dags).items()
        for action in names
    ]
    role, user = f"{name} of {dag_id}", f"{name}_{dag_id}"
    admin.auth("POST", "roles", json={"name": role, "actions": actions})
    names = {"username": user, "password": user, "first_name": name, "last_name": name}
    admin.auth("POST", "users", json={**names, "email": f"{user}@example.com", "roles": [{"name": role}]})
    return Person(admin.as_user(user, user))


def runs_of(calendar: RunningCalendar, dag_id: str) -> dict[str, dict[str, Any]]:
    """Return the runs of a DAG by their ids."""
    found = calendar.airflow.call("GET", f"/dags/{dag_id}/dagRuns", params={"limit": 100})["dag_runs"]
    return {run["dag_run_id"]: run for run in found}


def ended_run(calendar: RunningCalendar, dag_id: str) -> str | None:
    """Return the id of a run of a DAG that has succeeded."""
    return next((run_id for run_id, run in runs_of(calendar, dag_id).items() if run["state"] == "success"), None)


def published(calendar: RunningCalendar, caption: str) -> int:
    """Return how many posts with a caption there are."""
    return int(calendar.sandbox.truth.per_caption.get(caption, 0))


def card_of(calendar: RunningCalendar, dag_id: str, post_id: str) -> dict[str, Any]:
    """Return what the Posts page shows of a post."""
    page = json.loads(calendar.airflow.download(f"/instagram/calendar/api/posts?dag_id={dag_id}"))
    return next(card for card in page["cards"] if card["id"] == post_id)


def test_what_is_written_into_the_planners_xcom_starts_no_run(calendar: RunningCalendar) -> None:
    """As the conf of a new run, a template in its place would show another team's token."""
    dag_id = "rendered"
    add_calendar(
        calendar, dag_id, [entry("monday", whole_second(timedelta(hours=1)), OURS)], lead_s=60, ahead_s=3 * 3600
    )
    runner = add_person(calendar, "runner", dag_id, RUNNER)
    wait_until(lambda: "monday" in runs_of(calendar, dag_id), "the run has begun", LIMIT_S, 0.5)
    plan_id = f"{dag_id}_plan"
    planner = wait_until(lambda: ended_run(calendar, plan_id), "the planner has looked", LIMIT_S, 0.5)
    secret = f"{{{{ conn.{OTHERS}.password | list | join('.') }}}}"
    runner.write_xcom(plan_id, planner, "plan", [{"trigger_run_id": "stolen", "conf": {"x": secret}}])
    runner.clear(plan_id, planner)
    wait_until(lambda: runs_of(calendar, plan_id)[planner]["state"] in ("success", "failed"), "it ended", LIMIT_S, 0.5)

    shown = json.dumps([runs_of(calendar, dag_id), runs_of(calendar, plan_id)])
    shown += json.dumps(task_instances(calendar.airflow, plan_id))
    assert ".".join(calendar.tokens[OTHERS]) not in shown
    assert calendar.tokens[OTHERS] not in shown
    assert set(runs_of(calendar, dag_id)) == {"monday"}


def test_a_run_that_took_the_posts_id_first_makes_no_dry_run_of_it(calendar: RunningCalendar) -> None:
    """The planner starts a run of its own, and the post goes out once."""
    dag_id = "taken"
    at = whole_second(timedelta(seconds=150))
    # the planner begins the run 45 s before the time
    add_calendar(calendar, dag_id, [entry("taken", at, OURS)], lead_s=45, ahead_s=45)
    runner = add_person(calendar, "runner", dag_id, RUNNER)
    runner.airflow.trigger(dag_id, "taken", {"dry_run": True})
    wait_until(lambda: published(calendar, "taken"), "the post is published", LIMIT_S, 1.0)
    assert published(calendar, "taken") == 1
    wait_until(lambda: card_of(calendar, dag_id, "taken")["state"] == "published", "the page says so", 60, 1.0)


def test_the_container_of_another_post_is_not_published(calendar: RunningCalendar) -> None:
    """Another container in the result of create makes neither that post nor a second one."""
    dag_id = "any_container"
    at = whole_second(timedelta(seconds=150))
    posts = [entry("soon", at, OURS), entry("next-year", at + timedelta(hours=15), OURS)]
    add_calendar(calendar, dag_id, posts, lead_s=20 * 3600, ahead_s=20 * 3600)
    runner = add_person(calendar, "runner", dag_id, RUNNER)
    for post_id in ("soon", "next-year"):
        runner.wait_for(dag_id, post_id, "create", "success")
    other = runner.airflow.xcom(dag_id, "next-year", "create")
    runner.write_xcom(dag_id, "soon", "create", other)
    runner.mark(dag_id, "soon", "create")
    runner.clear(dag_id, "soon", "publish")
    runner.wait_for(dag_id, "soon", "publish", "success", "failed", "skipped", "up_for_retry")

    assert published(calendar, "next-year") == 0
    assert published(calendar, "soon") <= 1


def test_the_answer_about_a_dry_run_publishes_nothing(calendar: RunningCalendar) -> None:
    """It was saved, and written into another run of the same id that is no dry run."""
    dag_id = "dry_answer"
    post = entry("dry-answer", whole_second(timedelta(hours=2)), OURS, approval="required")
    add_calendar(calendar, dag_id, [post], lead_s=60, ahead_s=60)
    runner, approver = (
        add_person(calendar, "runner", dag_id, RUNNER),
        add_person(calendar, "approver", dag_id, APPROVER),
    )
    wanted = {"post": "dry-answer", "now": True}
    wait_until(lambda: ended_run(calendar, f"{dag_id}_plan"), "the planner has looked", LIMIT_S, 1.0)
    runner.airflow.trigger(dag_id, "try", {**wanted, "dry_run": True})
    approver.answer(dag_id, "try", "Approve")
    runner.wait_for(dag_id, "try", "publish", "success", "skipped")
    saved = runner.airflow.xcom(dag_id, "try", "approve")
    wait_until(lambda: runs_of(calendar, dag_id)["try"]["state"] == "success", "the dry run has ended", LIMIT_S, 0.5)
    runner.delete_run(dag_id, "try")
    runner.airflow.trigger(dag_id, "try", wanted)
    runner.wait_for(dag_id, "try", "approve", "awaiting_input", "failed", "up_for_retry")
    runner.write_xcom(dag_id, "try", "approve", saved)
    runner.mark(dag_id, "try", "approve")
    wait_until(lambda: runs_of(calendar, dag_id)["try"]["state"] in ("success", "failed"), "it ended", LIMIT_S, 0.5)

    assert published(calendar, "dry-answer") == 0


def test_a_yes_that_was_withdrawn_stays_withdrawn(calendar: RunningCalendar) -> None:
    """It was cleared and followed by a no. Neither its record nor a task marked as success brings it back."""
    dag_id = "withdrawn"
    at = whole_second(timedelta(seconds=400))
    add_calendar(calendar, dag_id, [entry("withdrawn", at, OURS, approval="required")], lead_s=45, ahead_s=3600)
    runner = add_person(calendar, "runner", dag_id, RUNNER)
    approver = add_person(calendar, "approver", dag_id, APPROVER)
    approver.answer(dag_id, "withdrawn", "Approve")
    runner.wait_for(dag_id, "withdrawn", "approve", "success")
    saved = runner.airflow.xcom(dag_id, "withdrawn", "approve")
    approver.clear(dag_id, "withdrawn", "approve", downstream=True)
    approver.answer(dag_id, "withdrawn", "Reject")
    runner.wait_for(dag_id, "withdrawn", "approve", "skipped", "failed")
    runner.write_xcom(dag_id, "withdrawn", "approve", saved)
    runner.mark(dag_id, "withdrawn", "approve")
    runner.clear(dag_id, "withdrawn", "create", downstream=True)
    ended = ("success", "failed")
    wait_until(lambda: runs_of(calendar, dag_id)["withdrawn"]["state"] in ended, "it has ended", 500, 1.0)

    assert published(calendar, "withdrawn") == 0
    card = card_of(calendar, dag_id, "withdrawn")
    assert "Approved by" not in json.dumps(card)
    assert card["state"] != "published"


def test_a_run_that_was_deleted_is_begun_again_or_missed_on_its_card(calendar: RunningCalendar) -> None:
    dag_id = "deleted"
    add_calendar(
        calendar, dag_id, [entry("deleted", whole_second(timedelta(hours=1)), OURS)], lead_s=60, ahead_s=3 * 3600
    )
    runner = add_person(calendar, "runner", dag_id, RUNNER)
    runner.wait_for(dag_id, "deleted", "create", "deferred", "success")
    before = card_of(calendar, dag_id, "deleted")
    runner.mark_run(dag_id, "deleted", "failed")
    ended = ("success", "failed")
    wait_until(lambda: runs_of(calendar, dag_id)["deleted"]["state"] in ended, "its teardowns have ended", LIMIT_S, 0.5)
    runner.delete_run(dag_id, "deleted")

    def noticed() -> bool:
        return bool(runs_of(calendar, dag_id)) or card_of(calendar, dag_id, "deleted")["state"] == "failed"

    wait_until(noticed, "the post has a run again, or its card says that it has lost it", LIMIT_S, 1.0)
    assert before["state"] != "failed"
