"""What the Posts page says while nobody works: Airflow stands still, or cannot read a DAG file."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.plugin.board import boards
from tests.integration.plugin.runs import begin
from tests.integration.plugin.test_board import DAG_ID, calendar, cards, user
from tests.integration.plugin.test_board_runs import look, no_runs

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["calendar", "no_runs", "user"]

NOW = datetime.now(timezone.utc).replace(microsecond=0)


def heard(**ago_s: float) -> datetime:
    """Store jobs with their last heartbeats, and no others. Return the time at which that was."""
    from airflow.jobs.job import Job
    from airflow.utils.session import create_session
    from sqlalchemy import delete, insert

    now = datetime.now(timezone.utc).replace(microsecond=0)
    rows = [
        {"job_type": name, "state": "running", "latest_heartbeat": now - timedelta(seconds=one)}
        for name, one in ago_s.items()
    ]
    with create_session() as session:
        session.execute(delete(Job))
        if rows:
            session.execute(insert(Job), rows)
    return now


@pytest.fixture(autouse=True)
def no_jobs(no_runs: None) -> Iterator[None]:
    heard()
    yield
    heard()


@pytest.mark.parametrize(
    ("ago_s", "is_still"),
    [
        ({"SchedulerJob": 5, "TriggererJob": 5}, False),
        ({"SchedulerJob": 600, "TriggererJob": 5}, True),
        ({"SchedulerJob": 5, "TriggererJob": 600}, True),
        ({"SchedulerJob": 5}, True),
        ({}, True),
    ],
)
def test_airflow_stands_still_without_a_part_that_each_post_needs(
    user: Any, ago_s: dict[str, float], is_still: bool
) -> None:
    heard(**ago_s)
    answer = user("vic", "VIEWER").get("/instagram/calendar/api/posts", params={"dag_id": DAG_ID}).json()
    assert answer["still"] is is_still


def lose(calendar: str, *, has_error: bool, parsed_at: datetime) -> None:
    """Record that Airflow no longer reads a DAG, as its DAG processor does."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    values = {"is_stale": True, "has_import_errors": has_error, "last_parsed_time": parsed_at}
    with create_session() as session:
        session.execute(update(DagModel).where(DagModel.dag_id == calendar).values(**values))


@pytest.mark.parametrize("has_error", [True, False])
def test_a_dag_that_airflow_cannot_read_leaves_the_last_plan_and_says_since_when(user: Any, has_error: bool) -> None:
    ada = user("ada", "USER")
    before = cards(ada)
    parsed_at = NOW - timedelta(days=2)
    lose(DAG_ID, has_error=has_error, parsed_at=parsed_at)
    assert look(ada) == ("planned", None)
    assert cards(ada).keys() == before.keys()
    [head] = ada.get("/instagram/calendar/api/posts", params={"dag_id": DAG_ID}).json()["calendars"]
    lost = head["lost"]
    assert (lost["error"], lost["since"]) == (has_error, int(parsed_at.timestamp()))
    assert lost["plan"] == pytest.approx(datetime.now(timezone.utc).timestamp(), abs=600)


@pytest.mark.parametrize(
    ("stacktrace", "is_slow"),
    [("DagBag import timeout for /dags/content.py after 30.0s.", True), ("NameError: name 'acounts'", False)],
)
def test_a_dag_file_that_takes_too_long_is_told_from_one_with_an_error(
    user: Any, stacktrace: str, is_slow: bool
) -> None:
    from airflow.models.dag import DagModel
    from airflow.models.errors import ParseImportError
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    lose(DAG_ID, has_error=True, parsed_at=NOW)
    with create_session() as session:
        dag = session.scalars(select(DagModel).where(DagModel.dag_id == DAG_ID)).one()
        dag.relative_fileloc = "content.py"
        where = {"filename": dag.relative_fileloc, "bundle_name": dag.bundle_name}
        session.add(ParseImportError(**where, stacktrace=stacktrace, timestamp=NOW))
    answer = user("ada", "USER").get("/instagram/calendar/api/posts", params={"dag_id": DAG_ID}).json()
    with create_session() as session:
        session.execute(delete(ParseImportError))
    lost = answer["calendars"][0]["lost"]
    assert (lost["error"], lost["slow"]) == (True, is_slow)


def test_a_calendar_that_was_removed_long_ago_is_gone(user: Any) -> None:
    ada = user("ada", "USER")
    lose(DAG_ID, has_error=False, parsed_at=NOW - timedelta(days=31))
    assert ada.get("/instagram/calendar/api/posts", params={"dag_id": DAG_ID, "from": 1}).status_code in (200, 404)
    assert DAG_ID not in {one.dag_id for one in boards.Boards().calendars()}


def test_a_post_that_failed_needs_somebody_whatever_days_are_shown(user: Any) -> None:
    ada = user("ada", "USER")
    begin(DAG_ID, "hello", {"prepare": "failed"}, state="failed")
    assert look(ada)[0] == "failed"
    elsewhere = {"from": 1, "to": 2}
    assert [*cards(ada, **elsewhere)] == ["hello"]  # type: ignore[arg-type]
