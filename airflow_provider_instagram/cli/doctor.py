"""``airflow instagram doctor``: check everything that publishing needs, one after the other."""

from __future__ import annotations

import argparse
import resource
import secrets
from collections.abc import Iterator
from dataclasses import asdict

from airflow.cli.simple_table import AirflowConsole
from airflow.configuration import conf
from airflow.jobs.job import Job, most_recent_job
from airflow.jobs.triggerer_job_runner import TriggererJobRunner
from airflow.models.asset_state_store import AssetStateStoreModel
from airflow.sdk.exceptions import AirflowException
from airflow.utils.session import create_session
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_instagram.accounts.overview import refused_to
from airflow_provider_instagram.doctor.checks import (
    account_findings,
    host_name,
    machine_findings,
    read_work_file,
)
from airflow_provider_instagram.doctor.findings import Finding, checked, judged, unchecked
from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.ledger.database import NoLedgerError, open_ledger
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.quota.reservations import QuotaReservations, post_quotas

#: A triggerer keeps a log file open for each waiting task, and needs as many files again for
#: everything else.
FILES_PER_TRIGGER = 2


def doctor(args: argparse.Namespace) -> None:
    """Print the findings about a connection, and exit with 1 if something needs fixing."""
    is_table = args.output == "table"
    if is_table:
        print(
            f"This is about the machine {host_name()}. The DAG instagram_doctor checks the workers."
        )
    found = []
    for finding in _run_checks(args.conn_id):
        found.append(finding)
        if is_table:
            print(finding)  # at once, because a check may take seconds
    if not is_table:
        AirflowConsole().print_as(data=[asdict(finding) for finding in found], output=args.output)
    raise SystemExit(1 if any(finding.good is False for finding in found) else 0)


def _run_checks(conn_id: str) -> Iterator[Finding]:
    yield from account_findings(conn_id)
    yield from _refused(conn_id)
    yield _own_posts(conn_id)
    test_file = f"{secrets.token_hex(8)}.txt"
    yield from machine_findings(test_file)
    read_work_file(test_file)
    yield checked("state store", _state_store)
    yield checked("triggerer", _triggerer)
    capacity = conf.getint("triggerer", "capacity")
    yield checked("capacity", lambda: triggerer_capacity(capacity))


def _refused(conn_id: str) -> Iterator[Finding]:
    try:
        found = refused_to(conn_id)
    except SQLAlchemyError:
        return  # the check of the state store says so
    for what, one in found.items():
        yield Finding("refused", False, f"{what}, at {one.at:%Y-%m-%d %H:%M}: {one.reason}")


def _own_posts(conn_id: str) -> Finding:
    """Return how many posts the ledger counts, of those that the connection allows."""
    try:
        quotas = post_quotas(*InstagramHook(conn_id).most_posts)
        with open_ledger(conn_id) as store:
            reservations = QuotaReservations(Ledger(store, conn_id), quotas)
            used = [
                f"{reservations.used(quota)} of {quota.posts} this {quota.name}" for quota in quotas
            ]
            free_at = reservations.available_at()
    except NoLedgerError:
        return Finding("posts", True, "none was made here yet")
    except (InstagramError, AirflowException, SQLAlchemyError):  # their own checks say so
        return next(unchecked("posts"))
    to_do = f"Wait: the next post is possible at {free_at:%Y-%m-%d %H:%M} UTC" if free_at else ""
    return judged("posts", free_at is None, f"{', '.join(used)} by the ledger's count", to_do)


def _state_store() -> str:
    try:
        with create_session() as session:
            rows = session.scalar(select(func.count()).select_from(AssetStateStoreModel))
    except SQLAlchemyError as error:
        raise LookupError(
            f"cannot be read ({type(error).__name__}). Run: airflow db migrate"
        ) from error
    return f"{rows} rows"


def _triggerer() -> str:
    job: Job | None = most_recent_job(TriggererJobRunner.job_type)
    if job is None or not job.is_alive():
        raise LookupError("is not running, so deferred tasks never resume. Run: airflow triggerer")
    return "is running"


def triggerer_capacity(capacity: int) -> str:
    """Check whether a triggerer on this machine may open as many files as its capacity needs."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files < FILES_PER_TRIGGER * capacity:
        raise LookupError(
            f"holds {capacity} waiting tasks ([triggerer] capacity) but may open only {files} files, and crashes when "
            f"it runs out of files. Raise LimitNOFILE (ulimit -n) to {FILES_PER_TRIGGER * capacity}, or lower the "
            "capacity"
        )
    return f"holds {capacity} waiting tasks ([triggerer] capacity; any others are queued) and may open {files} files"
