"""``airflow instagram doctor``: check everything that publishing needs, one after the other."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from airflow.configuration import conf

from airflow_provider_instagram.accounts.connections import read_as_server
from airflow_provider_instagram.calendar.planning.schedule import pool_name
from airflow_provider_instagram.cli.limits import triggerer_capacity
from airflow_provider_instagram.doctor.account import account_findings
from airflow_provider_instagram.doctor.findings import Finding, checked
from airflow_provider_instagram.doctor.machine import host_name, machine_findings, read_work_file

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator


def doctor(args: argparse.Namespace) -> None:
    """Print the findings about a connection, and exit with 1 if something needs fixing."""
    read_as_server()
    print(f"This is about the machine {host_name()}. The DAG instagram_doctor checks the workers.")
    failed = False
    for finding in run_checks(args.conn_id):
        print(finding)
        failed = failed or finding.good is False
    raise SystemExit(1 if failed else 0)


def run_checks(conn_id: str) -> Iterator[Finding]:
    """Check everything that publishing on this connection needs.

    :param conn_id: The connection.
    """
    yield from account_findings(conn_id)
    test_file = f"{secrets.token_hex(8)}.txt"
    yield from machine_findings(test_file)
    read_work_file(test_file)
    yield checked("state store", _state_store)
    yield checked("triggerer", _triggerer)
    yield checked("capacity", lambda: triggerer_capacity(conf.getint("triggerer", "capacity")))
    yield _pool(conn_id)


def _pool(conn_id: str) -> Finding:
    from airflow.models import Pool
    from sqlalchemy.exc import SQLAlchemyError

    name = pool_name(conn_id)
    try:
        pool = Pool.get_pool(name)
    except SQLAlchemyError as error:
        return Finding("pool", None, f"{name} cannot be looked up ({type(error).__name__})")
    if pool is None:
        return Finding("pool", None, f"{name} does not exist. Content calendars need it. Run: airflow instagram pools")
    return Finding("pool", True, f"{name} has {pool.slots} slot{'' if pool.slots == 1 else 's'}")


def _state_store() -> str:
    from airflow.models.asset_state_store import AssetStateStoreModel
    from airflow.utils.session import create_session
    from sqlalchemy import func, select
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with create_session() as session:
            rows = session.scalar(select(func.count()).select_from(AssetStateStoreModel))
    except SQLAlchemyError as error:
        raise LookupError(f"cannot be read ({type(error).__name__}). Run: airflow db migrate") from error
    return f"{rows} rows"


def _triggerer() -> str:
    from airflow.jobs.job import Job, most_recent_job
    from airflow.jobs.triggerer_job_runner import TriggererJobRunner

    job: Job | None = most_recent_job(TriggererJobRunner.job_type)
    if job is None or not job.is_alive():
        raise LookupError("is not running, so deferred tasks never resume. Run: airflow triggerer")
    return "is running"
