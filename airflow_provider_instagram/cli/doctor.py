"""``airflow instagram doctor``: check everything that publishing needs, one after the other."""

from __future__ import annotations

import argparse
import resource
import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta

from airflow.configuration import conf
from airflow.jobs.job import Job, most_recent_job
from airflow.jobs.triggerer_job_runner import TriggererJobRunner
from airflow.models.asset_state_store import AssetStateStoreModel
from airflow.utils.session import create_session
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_instagram.accounts.overview import refused_to
from airflow_provider_instagram.calendar.planning.schedule import most_in_window, utc_now
from airflow_provider_instagram.calendar.stored_dags import CalendarDag, Calendars, SnapshotReader
from airflow_provider_instagram.doctor.checks import account_findings, host_name, machine_findings, read_work_file
from airflow_provider_instagram.doctor.findings import Finding, checked

#: A triggerer keeps a log file open for each waiting task, and needs as many files again for everything else.
FILES_PER_TRIGGER = 2


def doctor(args: argparse.Namespace) -> None:
    """Print the findings about a connection, and exit with 1 if something needs fixing."""
    print(f"This is about the machine {host_name()}. The DAG instagram_doctor checks the workers.")
    failed = False
    for finding in _run_checks(args.conn_id):
        print(finding)
        failed = failed or finding.good is False
    raise SystemExit(1 if failed else 0)


def _run_checks(conn_id: str) -> Iterator[Finding]:
    yield from account_findings(conn_id)
    yield from _refused(conn_id)
    test_file = f"{secrets.token_hex(8)}.txt"
    yield from machine_findings(test_file)
    read_work_file(test_file)
    yield checked("state store", _state_store)
    yield checked("triggerer", _triggerer)
    capacity = conf.getint("triggerer", "capacity")
    yield checked("capacity", lambda: triggerer_capacity(capacity))
    yield _looked_up("waits", lambda: _waits(capacity))
    yield _looked_up("calendars", lambda: _calendars(conn_id))


def _looked_up(what: str, look: Callable[[], tuple[bool | None, str]]) -> Finding:
    """Return the finding of a look into Airflow's database; it is unknown if the database cannot be read."""
    try:
        return Finding(what, *look())
    except (SQLAlchemyError, TimeoutError) as error:
        return Finding(what, None, f"cannot be looked up ({type(error).__name__})")


def _refused(conn_id: str) -> Iterator[Finding]:
    try:
        found = refused_to(conn_id)
    except SQLAlchemyError:
        return  # the check of the state store says so
    for what, one in found.items():
        yield Finding("refused", False, f"{what}, at {one.at:%Y-%m-%d %H:%M}: {one.reason}")


def _calendars(conn_id: str) -> tuple[bool, str]:
    with create_session() as session:
        dag_ids = [calendar.dag_id for calendar in Calendars().all(session) if conn_id in calendar.accounts]
    return True, f"may publish on {conn_id}: {', '.join(dag_ids) or 'none'}"


def _waits(capacity: int) -> tuple[bool | None, str]:
    """Compare the triggerers' capacity with the posts of all calendars that wait at once, within the coming day."""
    with create_session() as session:
        needed = sum(_most_waits(calendar) for calendar in Calendars().all(session) if not calendar.is_paused)
        jobs = session.scalars(select(Job).where(Job.job_type == TriggererJobRunner.job_type, Job.end_date.is_(None)))
        places = capacity * max(1, sum(job.is_alive() for job in jobs))
    said = f"up to {needed} at once within the coming day, for posts of calendars; triggerers hold {places}"
    if needed <= places:
        return True, said
    late = "The posts keep their time, but that Instagram has processed a container is noticed late"
    return None, f"{said}. {late}. Raise [triggerer] capacity, or start another triggerer"


def _most_waits(calendar: CalendarDag) -> int:
    stored, now = SnapshotReader().read(calendar), utc_now()
    soon = now, now + timedelta(days=1) + calendar.lead_time
    times = [post.publish_at for post in stored.plan.timely.posts] if stored else []
    return most_in_window((at.timestamp() for at in times if soon[0] < at < soon[1]), calendar.lead_time)


def _state_store() -> str:
    try:
        with create_session() as session:
            rows = session.scalar(select(func.count()).select_from(AssetStateStoreModel))
    except SQLAlchemyError as error:
        raise LookupError(f"cannot be read ({type(error).__name__}). Run: airflow db migrate") from error
    return f"{rows} rows"


def _triggerer() -> str:
    job: Job | None = most_recent_job(TriggererJobRunner.job_type)
    if job is None or not job.is_alive():
        raise LookupError("is not running, so deferred tasks never resume. Run: airflow triggerer")
    return "is running"


def triggerer_capacity(capacity: int, open_files: int | None = None) -> str:
    """Check whether a triggerer on this machine may open as many files as its capacity needs."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if open_files is None else open_files
    if files < FILES_PER_TRIGGER * capacity:
        raise LookupError(
            f"holds {capacity} waiting tasks ([triggerer] capacity) but may open only {files} files, and crashes when "
            f"it runs out of files. Raise LimitNOFILE (ulimit -n) to {FILES_PER_TRIGGER * capacity}, or lower the "
            "capacity"
        )
    return f"holds {capacity} waiting tasks ([triggerer] capacity; any others are queued) and may open {files} files"
