"""The runs that Airflow's scheduler creates for a calendar's timetable, in Airflow's database."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG

from airflow_provider_instagram.calendar import content_calendar_dag
from airflow_provider_instagram.calendar.timetable import ContentCalendarTimetable
from airflow_provider_instagram.operators import PublishOperator
from tests.integration.conftest import store_dag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest


def create_run(dag_id: str) -> None:
    """Create the next run of a DAG if its time has come and the DAG is not paused, as the scheduler does."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    with create_session() as session:
        models = DagModel.dags_needing_dagruns(session)[0]
        SchedulerJobRunner(job=Job())._create_dag_runs([one for one in models if one.dag_id == dag_id], session)


@contextmanager
def created_runs(dag_id: str) -> Iterator[list[Any]]:
    """Return the runs of a DAG, by time."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        yield list(session.scalars(select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.run_after)))


def test_runs_that_reach_back_to_one_another_are_created_once_each(airflow_db: None) -> None:
    """The second reaches back to the first's time, and the third to before it.

    Airflow's default for the logical date is the start of the data interval. With it, the second run was taken for the
    first, and none after it was created.
    """
    now = datetime.now(timezone.utc).replace(second=0, microsecond=0)
    first, second, third, fourth = (now - timedelta(minutes=ago) for ago in (50, 30, 20, 10))
    posts_from = {first: first, second: first, third: first - timedelta(minutes=5), fourth: fourth}
    runs = {begin.timestamp(): earliest.timestamp() for begin, earliest in posts_from.items()}
    dag = DAG("calendar_scheduling", schedule=ContentCalendarTimetable(runs, 3600, ""), start_date=now - timedelta(1))
    dag.is_paused_upon_creation = False
    dag.max_active_runs = 16
    for _ in range(6):  # the DAG processor and the scheduler take turns
        store_dag(dag)
        create_run(dag.dag_id)
    with created_runs(dag.dag_id) as created:
        dates = [(run.run_after, run.logical_date, run.data_interval_start, run.data_interval_end) for run in created]
        run_ids = [run.run_id for run in created]
    assert dates == [(begin, begin, earliest, begin) for begin, earliest in posts_from.items()]
    assert run_ids == [f"scheduled__{begin.isoformat()}" for begin in posts_from]


def test_a_post_gets_the_only_free_slot_before_the_32_accounts_of_another_calendar(
    airflow_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run is the younger one, and its task has no other task behind it: Airflow's own weights put it last."""
    from airflow.executors.local_executor import LocalExecutor
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState, TaskInstanceState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType
    from sqlalchemy import select

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "1")
    now = datetime.now(timezone.utc)
    at = f"{now + timedelta(hours=2):%Y-%m-%d %H:%M} UTC"
    posts = [{"id": f"p{n}", "publish_at": at, "account": f"brand_{n}", "video": "a.mp4"} for n in range(32)]
    (tmp_path / "posts.json").write_text(json.dumps({"posts": posts}))
    accounts = [str(post["account"]) for post in posts]
    crowd = content_calendar_dag("crowd", tmp_path / "posts.json", accounts=accounts, is_paused_upon_creation=False)
    with DAG("one_post", schedule=None, start_date=now - timedelta(1), is_paused_upon_creation=False) as one:
        PublishOperator(task_id="publish", container_id="179")
    for dag in (crowd, one):
        store_dag(dag)
    with create_session() as session:
        for age_s, dag in enumerate((one, crowd)):
            stored = SerializedDagModel.get_dag(dag.dag_id, session=session)
            assert stored is not None
            run = stored.create_dagrun(
                run_id="r",
                logical_date=now - timedelta(seconds=age_s),
                run_after=now,
                run_type=DagRunType.MANUAL,
                triggered_by=DagRunTriggeredByType.TEST,
                state=DagRunState.RUNNING,
                session=session,
            )
            for ti in run.get_task_instances(session=session):
                if ti.task_id.startswith(("due_", "publish")):
                    ti.state = TaskInstanceState.SCHEDULED
        session.flush()
        scheduler = SchedulerJobRunner(job=Job(), executors=[LocalExecutor(parallelism=1)])
        scheduler._critical_section_enqueue_task_instances(session)
        ours = select(TaskInstance.dag_id).where(TaskInstance.dag_id.in_(("crowd", "one_post")))
        assert session.scalars(ours.where(TaskInstance.state == TaskInstanceState.QUEUED)).all() == ["one_post"]
        session.rollback()


def test_a_dag_that_is_unpaused_late_has_a_run_for_each_post_since_its_calendar_was_first_seen(
    airflow_db: None, calendar: Callable[..., Path]
) -> None:
    """Airflow creates DAGs paused, and the first posts are due before a person presses the switch."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    now, minute = datetime.now(timezone.utc), 60.0
    file = calendar({"over": -50 * minute, "a": -30 * minute, "b": -5 * minute, "c": 20 * minute, "d": 300 * minute})
    for ago in (40, 20, 0):
        seen_at = now - timedelta(minutes=ago)
        dag = content_calendar_dag(
            "unpaused_late",
            file,
            clock=partial(datetime.fromtimestamp, seen_at.timestamp(), timezone.utc),
            is_paused_upon_creation=True,
            prepare_ahead=timedelta(0),
        )
        store_dag(dag)
        create_run(dag.dag_id)
    with created_runs(dag.dag_id) as runs:
        assert runs == []
    with create_session() as session:
        session.execute(update(DagModel).where(DagModel.dag_id == dag.dag_id).values(is_paused=False))
    for _ in range(5):
        create_run(dag.dag_id)
    with created_runs(dag.dag_id) as runs:
        begins = [(now - run.run_after).total_seconds() / minute for run in runs]
    assert [int(before) for before in begins] == [90, 65, 40], "an hour before a, b and c"
