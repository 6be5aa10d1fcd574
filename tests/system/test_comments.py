"""Somebody comments on a post, and a DAG runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from demo.stack import AirflowStack, free_port, wait_until
from demo.ui import connect
from instagram_sandbox.testing.handle import SandboxHandle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.system.conftest import Run

ASKED = "17841488000000077"


def test_a_comment_starts_the_dag_that_waits_for_it(
    airflow: AirflowStack, sandbox: SandboxHandle, run_of: Callable[[str, str], Run]
) -> None:
    connect(airflow, sandbox, "popular")
    media_id = sandbox.add_foreign_post("Ask us anything")
    airflow.wait_for_dag("on_comment")

    def looks() -> int:
        return sum(entry.parameters.get("fields") == "id,comments_count,username" for entry in sandbox.journal())

    wait_until(lambda: looks() >= 2, "the trigger has looked twice", 120)
    asked = sandbox.add_comment(media_id, "When is part two?", "ana")

    def heard() -> list[dict[str, Any]]:
        runs = airflow.call("GET", "/dags/on_comment/dagRuns")["dag_runs"]
        ended = [run["dag_run_id"] for run in runs if run["state"] == "success"]
        return [told for run_id in ended for told in run_of("on_comment", run_id).result("heard")]

    wait_until(heard, "the DAG has heard of the comment", 120)
    assert [(told["comment_id"], told["text"], told["username"]) for told in heard()] == [
        (asked.comment_id, "When is part two?", "ana")
    ]


@pytest.fixture
def other(airflow: AirflowStack) -> Iterator[AirflowStack]:
    """A second triggerer of the same Airflow."""
    port = {"AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port())}
    stack = AirflowStack(airflow.url, airflow.home, airflow.settings | port)
    stack.start("triggerer")
    yield stack
    stack.stop()


def test_each_comment_gets_one_reply_although_two_triggerers_are_killed_in_turn(
    airflow: AirflowStack, sandbox: SandboxHandle, other: AirflowStack
) -> None:
    """Each is killed right after a look that found comments. Further ones are written while it is gone."""
    account = SandboxHandle(sandbox.url, sandbox.add_account(ASKED, "asked"), ASKED)
    connect(airflow, account, "asked", calls_per_hour=36_000)
    media_id = sandbox.add_foreign_post("Ask us anything", user_id=ASKED)
    airflow.wait_for_dag("reply_to_each")

    def looks(path: str) -> int:
        return sum(entry.account == ASKED and entry.path.endswith(path) for entry in sandbox.journal())

    def replies() -> list[int]:
        comments = sandbox.comments(media_id)
        parents = [one.parent_id for one in comments]
        return [parents.count(one.comment_id) for one in comments if one.parent_id is None]

    wait_until(lambda: looks("/media") >= 2, "a trigger has looked twice", 120)
    for stack in (airflow, other, airflow):
        read = looks("/comments")
        for text in ("When?", "Where?"):
            sandbox.add_comment(media_id, text, "ana")
        wait_until(lambda: looks("/comments") > read, "a trigger has read the comments", 120, 0.02)  # noqa: B023
        stack.stop("triggerer", force=True)
        sandbox.add_comment(media_id, "Anybody?", "ben")
        wait_until(lambda: all(replies()), "each comment has a reply", 180)
        stack.start("triggerer")

    def is_idle() -> bool:
        runs = airflow.call("GET", "/dags/reply_to_each/dagRuns")["dag_runs"]
        return all(run["state"] == "success" for run in runs)

    wait_until(is_idle, "each run has succeeded", 120)
    assert replies() == [1] * 9
