"""Somebody comments on a post, and a DAG runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from demo.stack import wait_until
from demo.ui import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.stack import AirflowStack
    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.system.conftest import Run


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
