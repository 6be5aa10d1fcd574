"""What the tests of a calendar's runs share: its DAG, its planner's look at the file, and the run of a post."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

from airflow_provider_instagram.calendar import content_calendar_dag
from airflow_provider_instagram.calendar.dag import _planner, _reporter
from airflow_provider_instagram.calendar.planning.look import look
from airflow_provider_instagram.calendar.planning.stored_plan import StoredPlan, due_file, store
from airflow_provider_instagram.calendar.tasks.planner import PlannedPosts, PlanPosts
from airflow_provider_instagram.calendar.tasks.watch import CalendarTrigger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow.sdk import DAG, Asset

    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
    from airflow_provider_instagram.calendar.tasks.prepare import PreparePost

ACCOUNT = "instagram_default"
ACCOUNTS = [ACCOUNT, "other", "paris", "x", "calendar", "due_x"]


class Stores(dict[Any, Any]):
    """The rows of assets in Airflow's database, as its API gives them to tasks."""

    def __missing__(self, asset: Asset) -> Any:
        return SimpleNamespace(get=partial(read_row, asset), set=partial(write_row, asset))


def read_row(asset: Asset, key: str) -> Any:
    with raw_store(asset) as (store, scope, session):
        value = store.get(scope, key, session=session)
    return None if value is None else json.loads(value)


def write_row(asset: Asset, key: str, value: Any) -> None:
    with raw_store(asset) as (store, scope, session):
        store.set(scope, key, json.dumps(value), session=session)


@contextmanager
def raw_store(asset: Asset) -> Iterator[tuple[Any, Any, Any]]:
    from airflow.models.asset import AssetModel
    from airflow.state import AssetScope, get_state_backend
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        known = session.scalars(select(AssetModel).where(AssetModel.uri == asset.uri)).one_or_none()
        if known is None:
            known = AssetModel(name=asset.name, uri=asset.uri)
            session.add(known)
            session.flush()
        yield get_state_backend(), AssetScope(asset_id=known.id), session


def made(file: Path, **arguments: Any) -> DAG:
    return content_calendar_dag("content", str(file), **{"accounts": ACCOUNTS, **arguments})


def settings_of(dag: DAG) -> CalendarSettings:
    return cast("PreparePost", dag.get_task("prepare")).settings


def planned(dag: DAG, now: datetime | None = None) -> StoredPlan:
    """Run the planner's task, and return what it has stored."""
    return planned_by(settings_of(dag), now)


def planned_by(settings: CalendarSettings, now: datetime | None = None) -> StoredPlan:
    """Run the planner's task of a calendar with these settings."""
    before = StoredPlan.read(settings.plan_file)
    now = now or datetime.now(timezone.utc)
    stored, due = look(settings, before, now)
    context: Any = {"asset_state_store": Stores()}
    planner = PlanPosts(task_id="plan", settings=settings)
    stored = planner._record(PlannedPosts(context, settings), stored, before, now)
    store(settings.plan_file, stored)
    store(due_file(settings.plan_file), due)
    return stored


def planner_of(dag: DAG) -> DAG:
    """Return the second DAG of a calendar, which ``content_calendar_dag`` does not return."""
    return _planner(settings_of(dag), {"default_args": dag.default_args})


def trigger_of(planner: DAG) -> CalendarTrigger:
    """Return the trigger that wakes a planner, as the triggerer makes it of what Airflow has stored."""
    (asset,) = cast("list[Asset]", planner.schedule)
    _, kwargs = asset.watchers[0].trigger.serialize()
    return CalendarTrigger(**kwargs)


def run_planner(run_dag: Any, dag: DAG) -> Any:
    """Run the planner, with the operator that starts runs: they stay queued, as no scheduler runs."""
    from tests.integration.conftest import store_dag

    store_dag(dag)
    return run_dag(planner_of(dag))


def run_report(run_dag: Any, dag: DAG) -> Any:
    """Run the planner, and then the DAG that reports, which its event starts."""
    assert run_planner(run_dag, dag).states()["plan"] == "success"
    return run_dag(_reporter(settings_of(dag), {"default_args": dag.default_args}))


def run_post(run_dag: Any, dag: DAG, post_id: str) -> Any:
    """Plan, and play the run that the planner starts for the present version of a post."""
    begun = planned(dag).plan.begun.get(post_id)
    return play_run(run_dag, dag, post_id if begun is None else begun.run)


def play_run(run_dag: Any, dag: DAG, run_id: str, **conf: Any) -> Any:
    """Play a run of a post. An earlier one with its id is deleted. The planner does not look before."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(DagRun).where(DagRun.dag_id == dag.dag_id, DagRun.run_id == run_id))
    with patch.object(DagRun, "generate_run_id", return_value=run_id):
        return run_dag(dag, **conf)


def run_by_hand(run_dag: Any, dag: DAG, post_id: str, **conf: Any) -> Any:
    """Plan, and play a run that a user starts for a post."""
    planned(dag)
    return run_dag(dag, post=post_id, **conf)
