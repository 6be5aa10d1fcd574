"""What one loop of the scheduler costs while people are asked about posts, compared with an idle calendar.

The runs, their task instances and their questions are written as a preparation leaves them, and Airflow's own scheduler
ends the runs. Run ``python -m benchmarks.preparation``; exit code 1: open questions cost more than twice an idle
calendar.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.program import as_program

if TYPE_CHECKING:
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

HOURS: Final = 72
LOOPS: Final = 7
DAG_ID: Final = "calendar"
LIMIT: Final = 2.0


@dataclass(frozen=True)
class Loop:
    """What one loop needed."""

    cpu_ms: float
    statements: int


def main() -> int:
    """Measure an idle calendar, and one of whose posts each has an open question."""
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

        initdb()
        accounts = _stored_calendar(Path(home), given.posts, given.accounts)
        runner = SchedulerJobRunner(job=Job(), executors=[LocalExecutor(parallelism=4)])
        idle = _measure(runner, "no active run")
        _ask(accounts)
        _measure(runner, f"the end of {HOURS} runs", loops=1)
        asked = _measure(runner, f"{_end(runner):,} open questions")
    print(f"open questions cost {asked.cpu_ms / idle.cpu_ms:.2f} times an idle calendar")
    is_cheap = asked.cpu_ms <= LIMIT * idle.cpu_ms and asked.statements <= LIMIT * idle.statements
    return 0 if is_cheap else 1


def _stored_calendar(home: Path, count: int, account_count: int) -> list[str]:
    """Store the DAG of a calendar, and return the account of each post."""
    from airflow_provider_instagram.calendar import content_calendar_dag
    from tests.integration.conftest import store_dag

    now = datetime.now(timezone.utc)
    accounts = [f"brand_{number % account_count:02}" for number in range(count)]
    posts = [
        {"id": f"p{number}", "publish_at": f"{now + timedelta(hours=2, minutes=2 * number):%Y-%m-%d %H:%M} UTC",
         "account": account, "image": "a.jpg", "approval": "required"}
        for number, account in enumerate(accounts)
    ]  # fmt: skip
    file = home / "posts.json"
    file.write_text(json.dumps({"min_spacing": "0 s", "posts": posts}))
    store_dag(content_calendar_dag(DAG_ID, file, accounts=sorted(set(accounts)), is_paused_upon_creation=False))
    return accounts


def _measure(runner: SchedulerJobRunner, name: str, loops: int = LOOPS) -> Loop:
    """Return the median of some loops in which no run begins."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import event, update

    statements: list[int] = []

    def count(*_: Any) -> None:
        statements.append(1)

    measured = []
    for _ in range(loops):
        with create_session() as session:
            session.execute(update(DagModel).values(next_dagrun_create_after=None))
            session.commit()
            event.listen(session.get_bind(), "before_cursor_execute", count)
            statements.clear()
            begun_s = time.process_time()
            runner._do_scheduling(session)
            measured.append(Loop(1000 * (time.process_time() - begun_s), len(statements)))
            event.remove(session.get_bind(), "before_cursor_execute", count)
    cpu_ms = statistics.median(loop.cpu_ms for loop in measured)
    median = Loop(cpu_ms, int(statistics.median(loop.statements for loop in measured)))
    print(f"{name:<36}{median.cpu_ms:7.1f} ms of CPU{median.statements:6} statements a loop", flush=True)
    return median


def _ask(accounts: list[str]) -> None:
    """Write a run for each hour, whose posts are transcoded and asked about."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    now = datetime.now(timezone.utc)
    with create_session() as session:
        dag: Any = SerializedDagModel.get_dag(DAG_ID, session=session)
        for hour in range(HOURS):
            begin = now - timedelta(hours=HOURS - hour)
            run = dag.create_dagrun(
                run_id=f"scheduled__{hour}", logical_date=begin, run_after=begin, data_interval=(begin, begin),
                run_type=DagRunType.SCHEDULED, triggered_by=DagRunTriggeredByType.TEST, state=DagRunState.RUNNING,
                session=session,
            )  # fmt: skip
            session.flush()
            posts = Counter(accounts[hour::HOURS])
            for ti in run.get_task_instances(session=session):
                account, _, step = ti.task_id.partition(".")
                states = {"": "success", "transcode": "success", "approve": "skipped"}
                ti.state = states.get(step, "skipped") if not step or posts[account] else "skipped"
                if step and posts[account]:
                    ti.map_index, task = 0, dag.get_task(ti.task_id)
                    for index in range(1, posts[account]):
                        version = ti.dag_version_id
                        more = TaskInstance(task, run_id=run.run_id, map_index=index, dag_version_id=version)
                        more.state = ti.state
                        session.add(more)
            session.flush()
            asking = (ti for ti in run.get_task_instances(session=session) if ti.task_id.endswith(".approve"))
            options = ["Approve", "Reject"]
            session.add_all(
                HITLDetail(ti_id=ti.id, options=options, subject="Publish?", params={})
                for ti in asking
                if ti.map_index >= 0
            )


def _end(runner: SchedulerJobRunner) -> int:
    """Schedule until no run is active, and return how many questions are open then."""
    from airflow.models.dagrun import DagRun
    from airflow.models.hitl import HITLDetail
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    active = 1
    while active:
        with create_session() as session:
            runner._do_scheduling(session)
            active = session.scalar(select(func.count()).select_from(DagRun).where(DagRun.state == "running")) or 0
    with create_session() as session:
        return session.scalar(select(func.count()).where(HITLDetail.responded_at.is_(None))) or 0


if __name__ == "__main__":
    as_program(main)
