"""What the tests of the Posts page share: a stored calendar, and runs of its posts as Airflow stores them."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.calendar.dag import _planner, _reporter
from airflow_provider_instagram.calendar.planning.begin_runs import Begun
from airflow_provider_instagram.calendar.planning.stored_plan import StoredPlan, plan_file, store
from tests.integration.calendar.runs import planned, settings_of
from tests.integration.conftest import store_dag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import DAG

    from airflow_provider_instagram.calendar.file.columns import ScheduledPost


def store_calendar(dag: DAG) -> None:
    """Store a calendar's DAGs as the DAG processor does, and its plan as its planner does."""
    store_dag(dag)
    store_dag(_planner(settings_of(dag), {}))
    store_dag(_reporter(settings_of(dag), {}))
    planned(dag)


def begin(
    dag_id: str, post_id: str, tasks: Mapping[str, str | None], *, run_id: str = "", state: str = "running",
    conf: Any = None, run_after: datetime | None = None, started: datetime | None = None,
    logical_date: datetime | None = None,
) -> ScheduledPost:  # fmt: skip
    """Store a run of a post with its tasks, as Airflow and the planner do.

    :param tasks: The states of its tasks. Those that are missing have not been created.
    :param run_id: Its id, if that is not the post's.
    :param started: When its tasks began, if that is not the date of the run.
    """
    from airflow.models.dag_version import DagVersion
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from sqlalchemy import delete, insert, select

    file = plan_file(os.environ["AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS"], dag_id)
    stored = StoredPlan.read(file)
    assert stored is not None
    post = stored.plan.calendar.post(post_id)
    assert post is not None
    now, run_id = datetime.now(timezone.utc), run_id or post_id
    if run_id == post_id:
        begun = stored.plan.begun | {post_id: Begun(post.version, post.publish_at.timestamp(), post.key, post_id)}
        store(file, stored.model_copy(update={"plan": replace(stored.plan, begun=begun)}))
    with create_session() as session:
        for model in (TaskInstance, DagRun):
            session.execute(delete(model).where(model.dag_id == dag_id, model.run_id == run_id))
        about: dict[str, Any] = {
            "run_type": "manual",
            "run_after": run_after or now,
            "logical_date": logical_date,
            "queued_at": now,
            "conf": conf or {},
        }
        session.add(DagRun(dag_id=dag_id, run_id=run_id, state=DagRunState(state), **about))
        session.flush()
        version = session.scalar(select(DagVersion.id).where(DagVersion.dag_id == dag_id))
        index = TaskInstance.map_index.expression.name  # from 3.4 on, the column has another name
        common: dict[str, Any] = {
            "dag_id": dag_id,
            "run_id": run_id,
            "pool": "default_pool",
            "dag_version_id": version,
            index: -1,
        }
        common["start_date"] = started or run_after
        rows = [{**common, "task_id": name, "state": one, "updated_at": now} for name, one in tasks.items()]
        if rows:
            session.execute(insert(TaskInstance), rows)
    return post


def ask(dag_id: str, post_id: str, **tasks: str | None) -> None:
    """Store a run of a post whose approval waits for an answer, with its question."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from airflow_provider_instagram.calendar.tasks.approve import question

    states: dict[str, str | None] = {"prepare": "success", "approve": "awaiting_input", "create": None, "publish": None}
    post = begin(dag_id, post_id, states | tasks)
    ours = (TaskInstance.dag_id == dag_id, TaskInstance.run_id == post_id, TaskInstance.task_id == "approve")
    with create_session() as session:
        ti_id = session.scalars(select(TaskInstance.id).where(*ours)).one()
        subject = f"Publish {post_id} on {post.account} at Fri 01 Jan 2027, 12:00 UTC?"
        about = {"subject": subject, "body": question(post, []), "options": ["Approve", "Reject"], "params": {}}
        session.add(HITLDetail(ti_id=ti_id, **about))


def push_xcom(dag_id: str, run_id: str, task_id: str, key: str, value: Any) -> None:
    """Store an XCom as Airflow does, in place of one that is there. Its model is not for writing from 3.4 on."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    about: dict[str, Any] = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id}
    with create_session() as session:
        XComModel.set(key, value, **about, serialize=False, session=session)


def write_row(asset_uri: str, key: str, value: Any, *, is_sealed: bool = True) -> None:
    """Write a row of an asset, in place of one that is there. ``...`` deletes it."""
    from airflow.models.asset import AssetModel
    from airflow.models.asset_state_store import AssetStateStoreModel as Row
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    from airflow_provider_instagram.ledger.seal import sealed

    with create_session() as session:
        asset_id = session.scalar(select(AssetModel.id).where(AssetModel.uri == asset_uri))
        session.execute(delete(Row).where(Row.asset_id == asset_id, Row.key == key))
        if value is not ...:
            content = sealed(value, key, asset_uri) if is_sealed else value
            session.add(Row(asset_id=asset_id, key=key, value=json.dumps(content)))
