"""The runs that a calendar's planner starts, in Airflow's database."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG
from airflow.utils.state import DagRunState

from airflow_provider_instagram.calendar import content_calendar_dag
from airflow_provider_instagram.calendar.dag import _planner, _reporter
from airflow_provider_instagram.calendar.planning.told import due_asset, looked_asset
from airflow_provider_instagram.calendar.tasks.planner import PlanPosts
from airflow_provider_instagram.operators import PublishOperator
from tests.integration.calendar.runs import made, planned, play_run, run_planner, settings_of
from tests.integration.conftest import store_dag

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle

MINUTE, DAY = 60.0, 86_400.0


@pytest.fixture(autouse=True)
def no_runs(airflow_db: None) -> None:
    """Neither runs of other tests, whose ids would be taken, nor rows of their posts."""
    from airflow.models.asset_state_store import AssetStateStoreModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        for name in ("content", "busy", "frozen"):
            session.execute(delete(DagRun).where(DagRun.dag_id.startswith(name)))
        session.execute(delete(AssetStateStoreModel).where(AssetStateStoreModel.key.startswith("begun:")))


def change(statement: Any) -> None:
    """Change the runs of the calendar, as a user does."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    with create_session() as session:
        session.execute(statement(DagRun).where(DagRun.dag_id == "content"))


def runs() -> dict[str, tuple[str, int]]:
    """Return the state of each run of the calendar, and how often it began anew."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        ours = select(DagRun.run_id, DagRun.state, DagRun.clear_number).where(DagRun.dag_id == "content")
        return {run_id: (str(state), number) for run_id, state, number in session.execute(ours)}


def test_each_post_has_one_run_for_its_whole_life_which_an_edit_begins_anew(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    due_s = {"life-a": DAY, "life-b": DAY, "life-far": 9 * DAY}
    dag = made(calendar(due_s))
    assert run_planner(run_dag, dag).state == "success"
    assert (runs()["life-a"], runs()["life-b"]) == (("queued", 0), ("queued", 0))
    assert "life-far" not in runs()
    calendar({"life-a": DAY, "life-far": 9 * DAY}, **{"life-a": {"caption": "{{ 7 * 7 }}"}})
    result = run_planner(run_dag, dag)
    assert (result.state, settings_of(dag).stored().plan.pending) == ("success", ())
    assert (runs()["life-a"], runs()["life-b"]) == (("queued", 1), ("queued", 1)), "both end"
    assert runs()["life-a~v2"] == ("queued", 0)
    before = runs()
    assert run_planner(run_dag, dag).state == "success"
    assert runs() == before


def test_nothing_that_a_user_writes_into_the_planners_xcoms_is_rendered_or_started(
    run_dag: Any, calendar: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture
) -> None:
    """A user who may edit task instances writes there what another team's token is, and which runs to start."""
    monkeypatch.setenv("AIRFLOW_CONN_OTHER_TEAM", json.dumps({"conn_type": "instagram", "password": "IGAA-of-others"}))
    dag = made(calendar({"planned-post": DAY}), default_args={"retries": 0})
    planned(dag)
    secret = "{{ conn.other_team.password | list | join('.') }}"
    hostile = [{"trigger_run_id": name, "conf": {"x": secret}} for name in ("stolen", secret)]
    mocker.patch.object(PlanPosts, "execute", return_value=hostile)
    run_planner(run_dag, dag)
    assert not {"stolen", secret, "I.G.A.A.-.o.f.-.o.t.h.e.r.s"} & runs().keys()


def test_a_run_id_that_a_stranger_has_taken_before_the_planner_is_not_adopted(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    """Neither its parameters nor its date become those of the post, also if its tasks were quicker than the planner."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    dag = made(calendar({"taken-a": 30, "taken-b": DAY}))
    planned(dag, datetime.now(timezone.utc) - timedelta(days=9))
    stranger = play_run(run_dag, dag, "taken-a", dry_run=True)
    with create_session() as session:
        far = datetime(2099, 1, 1, tzinfo=timezone.utc)
        about: dict[str, Any] = {"run_type": "manual", "run_after": far, "conf": {"dry_run": True}}
        session.add(DagRun(dag_id="content", run_id="taken-b", state=DagRunState.QUEUED, **about))
    assert run_planner(run_dag, dag).state == "success"
    assert {"taken-a~v2", "taken-b~v2"} <= runs().keys()
    assert runs()["taken-b"] == ("queued", 0)
    assert stranger.states()["prepare"] == "skipped"
    assert play_run(run_dag, dag, "taken-a~v2").state == "success"
    assert [post.user_id for post in instagram_sandbox.posts] == [instagram_sandbox.user_id]


def test_a_run_that_was_deleted_and_dated_ahead_is_begun_again_under_another_id(
    run_dag: Any, calendar: Callable[..., Path]
) -> None:
    from sqlalchemy import update

    dag = made(calendar({"ahead": DAY}))
    assert run_planner(run_dag, dag).state == "success"
    change(lambda run: update(run).values(run_after=datetime(2099, 1, 1, tzinfo=timezone.utc)))
    assert run_planner(run_dag, dag).state == "success"
    assert "ahead~v2" in runs()


def test_a_dag_that_is_unpaused_late_has_a_run_for_each_post_since_its_calendar_was_first_seen(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    """Airflow creates DAGs paused, and the first posts are due before a person presses the switch."""
    now, due = datetime.now(timezone.utc), {"late-over": -50, "late-a": -30, "late-b": -5, "late-c": 20, "late-d": 300}
    file = calendar({name: minutes * MINUTE for name, minutes in due.items()})
    dag = made(file, is_paused_upon_creation=True, prepare_ahead=timedelta(0))
    for ago in (40, 20):
        planned(dag, now - timedelta(minutes=ago))
    assert run_planner(run_dag, dag).state == "success"
    started = {name: run for name, run in runs().items() if name.startswith("late-")}
    assert started == dict.fromkeys(("late-a", "late-b", "late-c"), ("queued", 0))


def test_a_post_gets_the_only_free_slot_before_the_32_posts_that_another_calendar_prepares(
    airflow_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run is the younger one, and its task has no other task behind it: Airflow's own weights put it last."""
    from airflow.executors.local_executor import LocalExecutor
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from airflow.utils.state import TaskInstanceState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType
    from sqlalchemy import select

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "1")
    now = datetime.now(timezone.utc)
    (tmp_path / "posts.json").write_text(json.dumps({"posts": []}))
    crowd = content_calendar_dag("crowd", tmp_path / "posts.json", is_paused_upon_creation=False)
    with DAG("one_post", schedule=None, start_date=now - timedelta(1), is_paused_upon_creation=False) as one:
        PublishOperator(task_id="publish", container_id="179")
    for dag in (crowd, one):
        store_dag(dag)
    with create_session() as session:
        for age_s, (dag, run_id) in enumerate([(one, "r"), *((crowd, f"p{number}") for number in range(32))]):
            stored = SerializedDagModel.get_dag(dag.dag_id, session=session)
            assert stored is not None
            run = stored.create_dagrun(
                run_id=run_id,
                logical_date=now - timedelta(seconds=age_s),
                run_after=now,
                run_type=DagRunType.MANUAL,
                triggered_by=DagRunTriggeredByType.TEST,
                state=DagRunState.RUNNING,
                session=session,
            )
            for ti in run.get_task_instances(session=session):
                if ti.task_id in ("prepare", "publish") and (dag is one or ti.task_id == "prepare"):
                    ti.state = TaskInstanceState.SCHEDULED
        session.flush()
        scheduler = SchedulerJobRunner(job=Job(), executors=[LocalExecutor(parallelism=1)])
        scheduler._critical_section_enqueue_task_instances(session)
        ours = select(TaskInstance.dag_id).where(TaskInstance.dag_id.in_(("crowd", "one_post")))
        assert session.scalars(ours.where(TaskInstance.state == TaskInstanceState.QUEUED)).all() == ["one_post"]
        session.rollback()


def test_an_edit_is_read_with_the_next_free_slot_while_the_tasks_of_posts_wait_and_the_last_report(
    airflow_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planner looks once at a time: what waits for a slot in it keeps the next look from beginning."""
    from airflow.executors.local_executor import LocalExecutor
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models.asset import AssetModel
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy import select

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    (tmp_path / "posts.json").write_text(json.dumps({"posts": []}))
    posts = content_calendar_dag("busy", tmp_path / "posts.json", is_paused_upon_creation=False)
    planner, reporter = _planner(settings_of(posts), {}), _reporter(settings_of(posts), {})
    for dag in (posts, planner, reporter):
        store_dag(dag)
    executor = LocalExecutor(parallelism=1)
    scheduler = SchedulerJobRunner(job=Job(), executors=[executor])
    with create_session() as session:
        for number in range(32):
            _begun(session, posts, f"p{number}", prepare=TaskInstanceState.SCHEDULED)
        done: Any = {task_id: TaskInstanceState.SUCCESS for task_id in planner.task_ids if task_id != "problems"}
        _begun(session, planner, "look", **done)
        _begun(session, reporter, "report", problems=TaskInstanceState.SCHEDULED)
        edited = session.scalar(select(AssetModel.id).where(AssetModel.uri == due_asset("busy").uri))
        _emitted(session, edited, planner)
    executor.running.add("another task")  # type: ignore[arg-type]
    with create_session() as session:
        scheduler._do_scheduling(session)
        time.sleep(1)  # SQLite's time has no fraction, so a run that was made in this second is still to come
        for _ in range(3):
            scheduler._do_scheduling(session)
        executor.running.clear()
        scheduler._do_scheduling(session)
        queued = select(TaskInstance.dag_id, TaskInstance.task_id).where(TaskInstance.state == TaskInstanceState.QUEUED)
        ours = queued.where(TaskInstance.dag_id.in_([posts.dag_id, planner.dag_id, reporter.dag_id]))
        assert session.execute(ours).all() == [(planner.dag_id, "plan")]


@pytest.mark.parametrize("task_id", ["plan", "problems"])
def test_runs_that_a_user_dates_ahead_keep_no_planner_from_looking_which_two_never_do_at_once(
    airflow_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task_id: str
) -> None:
    """For an event, Airflow makes no run of a DAG that has as many queued runs as may be active, also years ahead."""
    from airflow.executors.local_executor import LocalExecutor
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models.asset import AssetModel
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy import select

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    (tmp_path / "posts.json").write_text(json.dumps({"posts": []}))
    posts = content_calendar_dag("frozen", tmp_path / "posts.json")
    make, event = (_planner, due_asset) if task_id == "plan" else (_reporter, looked_asset)
    dag = make(settings_of(posts), {})
    store_dag(dag)
    scheduler = SchedulerJobRunner(job=Job(), executors=[LocalExecutor(parallelism=8)])
    far = datetime(2099, 1, 1, tzinfo=timezone.utc)
    with create_session() as session:
        for number in range(9):
            _begun(session, dag, f"by-a-user-{number}", run_after=far, state=DagRunState.QUEUED)
        for number in range(2):
            waiting: Any = {task_id: TaskInstanceState.SCHEDULED}
            _begun(session, dag, f"look-{number}", **waiting)
        asset_id = session.scalar(select(AssetModel.id).where(AssetModel.uri == event(posts.dag_id).uri))
        _emitted(session, asset_id, dag)
    with create_session() as session:
        scheduler._do_scheduling(session)
        ours = select(DagRun.run_id).where(DagRun.dag_id == dag.dag_id, DagRun.run_type == "asset_triggered")
        assert len(session.scalars(ours).all()) == 1
        tasks = select(TaskInstance.run_id).where(TaskInstance.dag_id == dag.dag_id)
        assert len(session.scalars(tasks.where(TaskInstance.state == TaskInstanceState.QUEUED)).all()) == 1


def _emitted(session: Any, asset_id: Any, dag: Any) -> None:
    """Store what Airflow stores when an event is emitted for which a DAG is scheduled."""
    from airflow.models.asset import AssetDagRunQueue, AssetEvent

    event = AssetEvent(asset_id=asset_id)
    session.add(event)
    session.flush()
    about = {"asset_event_id": event.id} if hasattr(AssetDagRunQueue, "asset_event_id") else {}  # from 3.4 on
    session.add(AssetDagRunQueue(asset_id=asset_id, target_dag_id=dag.dag_id, **about))


def _begun(
    session: Any,
    dag: DAG,
    run_id: str,
    *,
    run_after: datetime | None = None,
    state: DagRunState = DagRunState.RUNNING,
    **states: Any,
) -> None:
    """Store a run, some of whose tasks have a state."""
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    stored = SerializedDagModel.get_dag(dag.dag_id, session=session)
    assert stored is not None
    run = stored.create_dagrun(
        run_id=run_id,
        logical_date=None,
        run_after=run_after or datetime.now(timezone.utc),
        run_type=DagRunType.MANUAL,
        triggered_by=DagRunTriggeredByType.TEST,
        state=state,
        session=session,
    )
    for ti in run.get_task_instances(session=session):
        ti.state = states.get(ti.task_id, ti.state)
