"""Plays scenarios through ``dag.test()``: Airflow's own task runner, its database, its state store; no scheduler.

Time is simulated: the sandbox's clock is the only one, and waiting moves it. The end of a process is simulated too. The
rest is real. :mod:`tests.reliability.live` plays scenarios in a running Airflow, with real processes.
"""

from __future__ import annotations

import asyncio
import functools
import os
import secrets
import threading
import time
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import httpx
from airflow.providers.standard.triggers import temporal
from airflow.sdk.execution_time.context import AssetStateStoreAccessor

from airflow_provider_instagram.graph import client as graph_client
from airflow_provider_instagram.ledger.assets import posts_asset
from airflow_provider_instagram.publishing import comments, publish
from airflow_provider_instagram.triggers import container, poller
from airflow_provider_instagram.utils import clock
from instagram_sandbox.testing.handle import connection_json
from tests.integration.tasks import SCOPES
from tests.reliability import sandbox_injection
from tests.reliability.comment_table import REQUEST
from tests.reliability.in_process_injection import CONNECTION, Moments, replace_token
from tests.reliability.main_job import main_job, media_conf, operation
from tests.reliability.scenario import ContainerOutcome, Delay
from tests.reliability.verdict import Observation, Outcome, compare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow.models.dagrun import DagRun
    from airflow.sdk import DAG

    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.reliability.scenario import Injection, Scenario

CONN_ID = "instagram_default"
RETRIES: Final = {"retried": 3, "once": 0}
#: A task starts so long after the one before it.
BETWEEN_TASKS_S = 10.0
OVERSLEEP_S = 60.0
#: Longer than an impatient client waits.
TIMEOUT_S = 1.2
#: How long the sensor waits, in real time, for a container that never gets ready.
NEVER_S = 2
STRANGER: Final = "a_stranger"
TASKS: Final = ("create", "wait", "publish")
REAL_SLEEP = time.sleep


class Job:
    """The main job of one scenario: create, wait, publish, in as many runs and tries as it takes."""

    #: The job of the present scenario: the DAGs are made once, for all.
    now: Job

    def __init__(self, sandbox: SandboxHandle, video: Path, scenario: Scenario) -> None:
        self.sandbox = sandbox
        self.video = video
        self.scenario = scenario
        self.moments = Moments(sandbox, scenario.disturbance.injections)
        self.pauses = [injection for injection in scenario.disturbance.injections if isinstance(injection, Delay)]
        self.errors: list[BaseException] = []
        last_task = scenario.disturbance.last_task
        asked = ("asked",) if scenario.disturbance.act else ()
        self.tasks = (*TASKS, *asked, last_task) if last_task else TASKS
        name = "retried" if scenario.recovery == "retry" else "once"
        self.dag = main_job_once_made(name, last_task)
        self.key = secrets.token_hex(8) if scenario.recovery == "new run" else ""
        self.run_ids: list[str] = []
        self.waits_for_moment = False
        self.is_observed = False
        Job.now = self

    def injected(self) -> set[Injection]:
        """Return the injections that took place."""
        pauses = {one for one in self.scenario.disturbance.injections if isinstance(one, Delay)} - set(self.pauses)
        return self.moments.done | pauses

    def wait(self, seconds: float) -> None:
        """Move the only clock."""
        self.sandbox.advance(seconds)

    async def wait_async(self, seconds: float) -> None:
        """Move the clock for a trigger; one that waits for a point in time may oversleep."""
        self.wait(max(seconds, OVERSLEEP_S) if self.waits_for_moment else seconds)

    def begin_task(self, context: Any) -> None:
        """Move the clock by the time between two tasks, and watch for the moments."""
        self.waits_for_moment = False
        self.wait(BETWEEN_TASKS_S)
        for pause in [pause for pause in self.pauses if pause.before == context["ti"].task_id]:
            self.pauses.remove(pause)
            self.wait(3600 * pause.hours)
        self.is_observed = True

    def ask(self, media_id: str) -> str:
        """Make a stranger comment on a post, unless one has."""
        asked = [one.comment_id for one in self.sandbox.comments(media_id) if one.username == STRANGER]
        return asked[0] if asked else self.sandbox.add_comment(media_id, "Where is this?", STRANGER).comment_id

    def end_task(self, context: Any) -> None:
        """Record the error that a try ended with."""
        self.is_observed = False
        self.errors.append(context["exception"])

    def at(self, moment: str, request: httpx.Request | None = None) -> None:
        """Run the injections of a moment. One that raises an error is the last of its try.

        The uploads of a carousel, in threads of their own, are no moments.
        """
        if not self.is_observed or threading.current_thread() is not threading.main_thread():
            return
        try:
            self.moments.at(moment, request)
        except BaseException:
            self.is_observed = False
            raise

    def run(self) -> DagRun:
        """Make a run with dag.test()."""
        never = any(
            isinstance(one, ContainerOutcome) and one.processing.get("never")
            for one in self.scenario.disturbance.injections
        )
        conf = {
            **media_conf(self.scenario.disturbance.media, self.video),
            "post_key": self.key,
            "create_waits": self.scenario.disturbance.create_waits,
            "sensor_timeout": NEVER_S if never else 1800,
        }
        run: DagRun = self.dag.test(run_conf=conf)
        self.run_ids.append(run.run_id)
        return run

    def clear(self, *tasks: str) -> DagRun:
        """Clear tasks of the last run, and continue it as dag.test() would."""
        from airflow.models.dagrun import DagRun
        from airflow.models.taskinstance import clear_task_instances
        from airflow.utils.session import create_session
        from airflow.utils.state import DagRunState
        from sqlalchemy import select

        with create_session() as session:
            run = session.scalars(select(DagRun).where(DagRun.run_id == self.run_ids[-1])).one()
            chosen = [ti for ti in run.get_task_instances(session=session) if ti.task_id in tasks]
            clear_task_instances(chosen, session, dag_run_state=DagRunState.RUNNING)
        return _go_on(self.dag, self.run_ids[-1])

    def airflow_waits(self, seconds: float) -> None:
        """Move the clock to the next retry. Without one, sleep in real time."""
        from airflow.models.taskinstance import TaskInstance
        from airflow.serialization.serialized_objects import create_scheduler_operator
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            due = TaskInstance.state == "up_for_retry"
            waiting = session.scalars(select(TaskInstance).where(TaskInstance.dag_id == self.dag.dag_id, due)).all()
            for ti in waiting:
                ti.task = create_scheduler_operator(self.dag.get_task(ti.task_id))
                left = ti.next_retry_datetime() - datetime.now(timezone.utc) + timedelta(seconds=1)
                if left > timedelta(0):
                    ti.end_date -= left
                    self.wait(left.total_seconds())
        if not waiting:
            REAL_SLEEP(seconds)


@functools.cache
def main_job_once_made(name: str, last_task: str) -> DAG:
    """Return the main job, stored the way the DAG processor would, so that ``dag.test()`` can make runs of it."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from airflow.utils.session import create_session

    def begin(context: Any) -> None:
        Job.now.begin_task(context)

    def end(context: Any) -> None:
        Job.now.end_task(context)

    hooks: dict[str, Any] = {"pre_execute": begin, "on_failure_callback": end, "on_retry_callback": end}
    dag_id = f"{name}_with_{last_task}" if last_task else name
    acts = {"ask": lambda media_id: Job.now.ask(media_id)} if last_task in REQUEST else {}
    dag = main_job(dag_id, CONN_ID, RETRIES[name], None, last_task=last_task, **acts, **hooks)
    with create_session() as session:
        DagBundlesManager().sync_bundles_to_db(session=session)
    with create_session() as session:
        serialized = [LazyDeserializedDAG.from_dag(dag)]
        update_dag_parsing_results_in_db("dags-folder", None, serialized, {}, None, set(), session=session)
    return dag


def _go_on(dag: DAG, run_id: str) -> DagRun:
    """Run what is left of a run: the loop of ``dag.test()``, which itself always begins a new one."""
    from airflow.models.dagrun import DagRun
    from airflow.sdk.definitions.dag import _run_task
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState, TaskInstanceState
    from sqlalchemy import select

    with create_session() as session:
        run = session.scalars(select(DagRun).where(DagRun.run_id == run_id)).one()
        run.dag = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
        while run.state == DagRunState.RUNNING:
            session.expire_all()
            schedulable, _ = run.update_state(session=session)
            for ti in schedulable:
                ti.try_number += 1
                ti.state = TaskInstanceState.SCHEDULED
            session.commit()
            for ti in run.get_task_instances(session=session):
                if ti.state == TaskInstanceState.SCHEDULED:
                    _run_task(ti=ti, task=dag.task_dict[ti.task_id], run_triggerer=True)
        session.expunge_all()
    return run


@contextmanager
def _observed(job: Job) -> Iterator[None]:
    """Record each API call and each ledger row. A profiler would see them, too, and slow everything else."""
    send, set_row = httpx.Client.send, AssetStateStoreAccessor.set

    def observed_send(client: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        if (name := operation(request)) is None:
            return send(client, request, **options)
        job.at(f"before {name}", request)
        try:
            return send(client, request, **options)
        finally:
            job.at(f"after {name}", request)

    def observed_set(store: AssetStateStoreAccessor, key: str, value: Any) -> None:
        name = f"row {key.partition(':')[0]}"
        job.at(f"before {name}")
        try:
            set_row(store, key, value)
        finally:
            job.at(f"after {name}")

    with (
        mock.patch.object(httpx.Client, "send", observed_send),
        mock.patch.object(AssetStateStoreAccessor, "set", observed_set),
    ):
        yield


@contextmanager
def _one_clock(job: Job) -> Iterator[None]:
    """Make the provider read the sandbox's clock and wait on it."""

    class SandboxTime(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(job.sandbox.now(), tz or timezone.utc)

    class SandboxTimezone:
        def __getattr__(self, name: str) -> Any:
            return getattr(timezones, name)

        def utcnow(self) -> datetime:
            job.waits_for_moment = True
            return SandboxTime.now(timezone.utc)

    def open_client(*args: Any, **options: Any) -> graph_client.GraphClient:
        return GraphClient(*args, **{**options, "sleep": job.wait})

    class SandboxAsyncio:
        sleep = staticmethod(job.wait_async)

        def __getattr__(self, name: str) -> Any:
            return getattr(asyncio, name)

    # asyncio.sleep itself is not replaced: Airflow's API server calls it, too, and would move the clock.
    timezones = vars(temporal)["timezone"]
    GraphClient = graph_client.GraphClient  # noqa: N806 -- it is the class
    with (
        mock.patch.object(clock, "datetime", SandboxTime),
        mock.patch.object(clock.CLOCK, "try_to_compare"),
        mock.patch.object(publish, "Publisher", functools.partial(publish.Publisher, sleep=job.wait)),
        mock.patch.object(comments, "CommentWriter", functools.partial(comments.CommentWriter, sleep=job.wait)),
        mock.patch.object(graph_client, "GraphClient", open_client),
        mock.patch.object(temporal, "timezone", SandboxTimezone()),
        mock.patch.object(temporal, "asyncio", SandboxAsyncio()),
        mock.patch.object(container, "asyncio", SandboxAsyncio()),
        mock.patch.object(
            poller, "Poller", functools.partial(poller.Poller, clock=job.sandbox.now, sleep=job.wait_async)
        ),
        mock.patch.object(time, "sleep", job.airflow_waits),
    ):
        yield


def play(scenario: Scenario, sandbox: SandboxHandle, video: Path) -> Outcome:
    """Play a scenario to its end, and return what came of it.

    :param scenario: The scenario.
    :param sandbox: A sandbox that is used for nothing else.
    :param video: A video that complies.
    """
    token = sandbox.token
    sandbox.reset()
    sandbox.switch(processing={"after_s": 5, "outcome": "finished"})
    if scenario.disturbance.needs_page:
        sandbox.switch(login="any")
        sandbox.token = sandbox.add_token(sandbox.user_id, kind="page", scopes=list(SCOPES))
    job = Job(sandbox, video, scenario)
    try:
        with mock.patch.dict(os.environ, {CONNECTION: connection_json(sandbox)}), _one_clock(job), _observed(job):
            video_bytes = video.stat().st_size
            sandbox_injection.prepare(scenario.disturbance, sandbox, video_bytes, TIMEOUT_S)
            return compare(_play(job), sandbox, video_bytes)
    finally:
        sandbox.token = token


def _play(job: Job) -> Observation:
    run = job.run()
    if job.scenario.recovery != "retry":
        sandbox_injection.before_recovery(job.scenario.disturbance, job.sandbox, lambda: replace_token(job.sandbox))
        run = _recover(job, run)
    last = job.errors[-1] if run.state != "success" else None
    asks_for_clear = last is not None and sandbox_injection.asks_for_clear_of_create(str(last))
    if asks_for_clear and job.scenario.expected.asks_for_clear:
        run = job.clear(*job.tasks)
        last = job.errors[-1] if run.state != "success" else None
    last_task = job.scenario.disturbance.last_task
    return Observation(
        job.scenario,
        first=type(job.errors[0]).__name__ if job.errors else None,
        last=type(last).__name__ if last else None,
        text=str(last),
        asks_for_clear=asks_for_clear,
        result={} if last else _result(run, "publish"),
        comment_id=str(_result(run, last_task)) if last_task not in ("", "delete") and not last else None,
        events=_events(job.run_ids),
        injected=job.injected(),
    )


def _recover(job: Job, run: DagRun) -> DagRun:
    failed = {ti.task_id for ti in run.get_task_instances() if ti.state == "failed"}
    if job.scenario.recovery == "new run":
        return job.run()
    if job.scenario.recovery == "clear the task":
        return job.clear(*job.tasks[job.tasks.index(next(iter(failed), job.tasks[-1])) :])
    return job.clear(*job.tasks)


def _result(run: DagRun, task_id: str) -> Any:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        query = XComModel.get_many(run_id=run.run_id, dag_ids=run.dag_id, task_ids=task_id, key="return_value")
        return XComModel.deserialize_value(session.scalars(query).one())


def _events(run_ids: list[str]) -> int:
    """Count the events of a post that the runs emitted."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    uri = posts_asset(CONN_ID).uri
    with create_session() as session:
        asked = select(func.count()).select_from(AssetEvent).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        return session.scalar(asked.where(AssetModel.uri == uri, AssetEvent.source_run_id.in_(run_ids))) or 0
