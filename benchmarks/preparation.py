"""What one loop of the scheduler costs while people are asked about posts, each of which has an active run.

The runs, their task instances and their questions are written as the task prepare leaves them. The
scheduler examines 20 active runs a loop, so a loop does not become slower with more. What grows is
how many loops it takes until each run was examined. Run ``python -m benchmarks.preparation``; exit
code 1: a loop with all questions costs more than twice one with 20.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from benchmarks.program import as_program

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

#: As many active runs as the scheduler examines a loop, by default.
EXAMINED: Final = 20
LOOPS: Final = 7
DAG_ID: Final = "calendar"
LIMIT: Final = 2.0


@dataclass(frozen=True)
class Loop:
    """What one loop needed."""

    cpu_ms: float
    statements: int


def main() -> int:
    """Measure an idle calendar, one with a few open questions, and one with an open question about each post."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--posts", type=int, default=2000)
    options.add_argument("--accounts", type=int, default=27, help="with 25 posts a day each")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS": f"{home}/snapshots",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        }
        from airflow.executors.local_executor import LocalExecutor
        from airflow.jobs.job import Job
        from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
        from airflow.utils.db import initdb

        from airflow_provider_instagram.calendar import content_calendar_dag
        from tests.integration.conftest import store_dag

        initdb()
        accounts = [f"brand_{number:02}" for number in range(given.accounts)]
        store_dag(
            content_calendar_dag(
                DAG_ID, f"{home}/posts.yaml", accounts=accounts, is_paused_upon_creation=False
            )
        )
        runner = SchedulerJobRunner(job=Job(), executors=[LocalExecutor(parallelism=4)])
        idle = _measure(runner, "no active run")
        _ask(range(EXAMINED))
        few = _measure(runner, f"{EXAMINED} open questions")
        _ask(range(EXAMINED, given.posts))
        asked = _measure(runner, f"{given.posts:,} open questions")
    print(
        f"{given.posts:,} open questions cost {asked.cpu_ms / few.cpu_ms:.2f} times {EXAMINED}, ",
        end="",
    )
    print(f"and {asked.cpu_ms / idle.cpu_ms:.1f} times an idle calendar")
    is_cheap = asked.cpu_ms <= LIMIT * few.cpu_ms and asked.statements <= LIMIT * few.statements
    return 0 if is_cheap else 1


def _measure(runner: SchedulerJobRunner, name: str) -> Loop:
    """Return the median of some loops."""
    from airflow.utils.session import create_session
    from sqlalchemy import event

    statements: list[int] = []

    def count(*_: Any) -> None:
        statements.append(1)

    measured = []
    for _ in range(LOOPS):
        with create_session() as session:
            event.listen(session.get_bind(), "before_cursor_execute", count)
            statements.clear()
            begun_s = time.process_time()
            runner._do_scheduling(session)
            measured.append(Loop(1000 * (time.process_time() - begun_s), len(statements)))
            event.remove(session.get_bind(), "before_cursor_execute", count)
    cpu_ms = statistics.median(loop.cpu_ms for loop in measured)
    median = Loop(cpu_ms, int(statistics.median(loop.statements for loop in measured)))
    print(
        f"{name:<36}{median.cpu_ms:7.1f} ms of CPU{median.statements:6} statements a loop",
        flush=True,
    )
    return median


def _ask(numbers: Iterable[int]) -> None:
    """Write the runs of posts that are prepared and asked about."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    now, states = (
        datetime.now(timezone.utc) - timedelta(minutes=1),
        {"prepare": "success", "approve": "awaiting_input"},
    )
    with create_session() as session:
        dag: Any = SerializedDagModel.get_dag(DAG_ID, session=session)
        for number in numbers:
            run = dag.create_dagrun(
                run_id=f"post-{number}", logical_date=None, run_after=now, data_interval=None,
                run_type=DagRunType.OPERATOR_TRIGGERED, triggered_by=DagRunTriggeredByType.TEST,
                state=DagRunState.RUNNING, session=session,
            )  # fmt: skip
            session.flush()
            tasks = {ti.task_id: ti for ti in run.get_task_instances(session=session)}
            for task_id, state in states.items():
                tasks[task_id].state = state
            question = HITLDetail(
                ti_id=tasks["approve"].id,
                options=["Approve", "Reject"],
                subject="Publish?",
                params={},
            )
            session.add(question)


if __name__ == "__main__":
    as_program(main)
