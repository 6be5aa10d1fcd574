"""The runs that Airflow's scheduler creates for a calendar's timetable, in Airflow's database."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG

from airflow_provider_instagram.calendar.timetable import ContentCalendarTimetable
from tests.integration.conftest import store_dag


def test_runs_that_reach_back_to_one_another_are_created_once_each(airflow_db: None) -> None:
    """The second reaches back to the first's time, and the third to before it.

    Airflow's default for the logical date is the start of the data interval. With it, the second run was taken for the
    first, and none after it was created.
    """
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    now = datetime.now(timezone.utc).replace(second=0, microsecond=0)
    first, second, third, fourth = (now - timedelta(minutes=ago) for ago in (50, 30, 20, 10))
    posts_from = {first: first, second: first, third: first - timedelta(minutes=5), fourth: fourth}
    runs = {begin.timestamp(): earliest.timestamp() for begin, earliest in posts_from.items()}
    dag = DAG("calendar_scheduling", schedule=ContentCalendarTimetable(runs, 3600, ""), start_date=now - timedelta(1))
    dag.max_active_runs = 16
    for _ in range(6):  # the DAG processor and the scheduler take turns
        store_dag(dag)
        with create_session() as session:
            scheduler = SchedulerJobRunner(job=Job())
            model = session.scalar(select(DagModel).where(DagModel.dag_id == dag.dag_id))
            assert model is not None
            if model.next_dagrun_create_after is not None:
                scheduler._create_dag_runs([model], session)
    with create_session() as session:
        created = session.scalars(select(DagRun).where(DagRun.dag_id == dag.dag_id).order_by(DagRun.run_after)).all()
        dates = [(run.run_after, run.logical_date, run.data_interval_start, run.data_interval_end) for run in created]
        run_ids = [run.run_id for run in created]
    assert dates == [(begin, begin, earliest, begin) for begin, earliest in posts_from.items()]
    assert run_ids == [f"scheduled__{begin.isoformat()}" for begin in posts_from]
