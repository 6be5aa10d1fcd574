"""Runs the main job through the real operators, against a real sandbox, and disturbs it.

Time is played (the sandbox's clock is the only one, and waiting moves it), and so are the disturbances. The rest is the
product as it is: operators, sensor, trigger, retry policy, hook, client over HTTP. The ledger's rows are kept in a dict
that outlives tries and runs, as Airflow's store does; the same scenarios in a running Airflow are in tests/system.
"""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import httpx
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import AirflowSensorTimeout, TaskDeferred
from airflow.sdk.execution_time.context import OutletEventAccessors

from airflow_provider_instagram import ledger, publishing
from airflow_provider_instagram.graph import client as graph_client
from airflow_provider_instagram.ledger import posts_alias
from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator
from airflow_provider_instagram.sandbox.handle import connection_json
from airflow_provider_instagram.sensors import ContainerStatusSensor
from tests.reliability.moments import CONNECTION, Killed, Moments, Store, StoreOfAllAssets, replace_token
from tests.reliability.terms import (
    HALF,
    Answer,
    Fate,
    FullQuota,
    Pause,
    Revocation,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow.sdk import BaseOperator

    from airflow_provider_instagram.sandbox.handle import SandboxHandle
    from tests.reliability.terms import Plant, Scenario

CONN_ID = "instagram_default"
CAPTION = "Exactly once"
RETRIES = 3
#: What Airflow waits before it tries again a task that died without an exception of ours.
DEFAULT_RETRY_DELAY_S = 300.0
#: A task starts so long after the one before it.
BETWEEN_TASKS_S = 10.0
STEPS = ("create", "wait", "publish")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a scenario.

    :param scenario: The scenario.
    :param deviations: How it differs from what was expected, in words.
    :param posts: How many posts there really are.
    :param first: The error of the first try that failed.
    :param last: The error that the job ended with.
    :param uploaded_again_bytes: Bytes that were sent a second time.
    """

    scenario: Scenario
    deviations: tuple[str, ...]
    posts: int
    first: str | None
    last: str | None
    uploaded_again_bytes: int


@dataclass(frozen=True)
class TaskInstance:
    """The name of a task instance; nobody else is at work in these scenarios."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1

    def get_task_states(self, dag_id: str, **only: Any) -> dict[str, dict[str, str]]:
        return {run_id: dict.fromkeys(only["task_ids"], "failed") for run_id in only["run_ids"]}


class Job:
    """The main job of one scenario: create, wait, publish, in as many runs and tries as it takes."""

    def __init__(self, sandbox: SandboxHandle, video: Path, scenario: Scenario) -> None:
        self.sandbox = sandbox
        self.video = video
        self.scenario = scenario
        self.moments = Moments(sandbox, scenario.disturbance.plants)
        self.store = Store()
        self.store.moments = self.moments
        self.run_id = "run-1"
        self.xcoms: dict[str, Any] = {}
        self.errors: list[BaseException] = []
        self.events = 0
        self.pauses = [plant for plant in scenario.disturbance.plants if isinstance(plant, Pause)]
        waits = scenario.disturbance.create_waits
        self.steps = tuple(step for step in STEPS if not (waits and step == "wait"))

    def wait(self, seconds: float) -> None:
        """Let time pass: on the only clock there is."""
        self.sandbox.advance(seconds)

    def run(self, steps: tuple[str, ...], tries: int) -> BaseException | None:
        """Run tasks one after the other, as Airflow does.

        :param steps: Which.
        :param tries: How often each may be tried.
        :return: The error that ended the run; None for success.
        """
        for step in steps:
            self.wait(BETWEEN_TASKS_S)
            for pause in [pause for pause in self.pauses if pause.before == step]:
                self.pauses.remove(pause)
                self.wait(3600 * pause.hours)
            try:
                self.xcoms[step] = self._tried(step, tries)
            except (Exception, Killed) as error:  # noqa: BLE001 -- whatever it is, Airflow takes the task for failed
                self.failed_step = step
                return error
        return None

    def _tried(self, step: str, tries: int) -> Any:
        for number in range(1, tries + 1):
            operator, context = self._operator(step), self._context(step)
            try:
                result = self._executed(operator, context)
            except (Exception, Killed) as error:
                self.errors.append(error)
                delay_s = _retry_delay_s(operator, error, number, tries)
                if delay_s is None:
                    raise
                self.wait(delay_s)
            else:
                self.events += len(context["outlet_events"][posts_alias(CONN_ID)].asset_alias_events)
                return result
        raise AssertionError("unreachable: the last try returns or raises")

    def _executed(self, operator: BaseOperator, context: Any) -> Any:
        before = ExecutorSafeguard.tracker.set(operator)  # as Airflow's own task runner does
        try:
            step: Callable[[], Any] | None = functools.partial(operator.execute, context)
            while step is not None:
                step, result = self._until_deferred(operator, context, step)
            return result
        finally:
            ExecutorSafeguard.tracker.reset(before)

    def _until_deferred(
        self, operator: BaseOperator, context: Any, step: Callable[[], Any]
    ) -> tuple[Callable[[], Any] | None, Any]:
        """Give how the task goes on after its wait, or its result."""
        try:
            return None, step()
        except TaskDeferred as deferred:
            event = self._fired(deferred.trigger)
            return functools.partial(getattr(operator, deferred.method_name), context, event), None

    def _fired(self, trigger: Any) -> Any:
        """Let a trigger find the end of its wait: half an hour passes, and its deadline with it."""
        self.wait(1800)
        trigger.deadline = 0.0

        async def first() -> Any:
            return (await anext(trigger.run())).payload

        return asyncio.run(first())

    def _context(self, step: str) -> Any:
        return {
            "ti": TaskInstance("main_job", self.run_id, step),
            "asset_state_store": StoreOfAllAssets(self.store),
            "outlet_events": OutletEventAccessors(),
        }

    def _operator(self, step: str) -> BaseOperator:
        key = "the post" if self.scenario.then == "new run" else None
        if step == "create":
            waits = self.scenario.disturbance.create_waits
            return CreateContainerOperator(
                task_id=step, video=str(self.video), caption=CAPTION, post_key=key, wait_for_completion=waits
            )
        if step == "wait":
            return ContainerStatusSensor(task_id=step, container_id=self.xcoms["create"])
        container_id = self.xcoms["wait" if "wait" in self.steps else "create"]
        return PublishOperator(task_id=step, container_id=container_id, post_key=key)


def _retry_delay_s(operator: BaseOperator, error: BaseException, number: int, tries: int) -> float | None:
    """Decide as Airflow does after a failed try: when the next one begins, or None when there is none."""
    if number == tries or isinstance(error, AirflowSensorTimeout):
        return None
    if isinstance(error, Killed) or operator.retry_policy is None:
        return DEFAULT_RETRY_DELAY_S
    decision = operator.retry_policy.evaluate(error, number, tries - 1)
    if decision.action is RetryAction.FAIL:
        return None
    return decision.retry_delay.total_seconds() if decision.retry_delay else DEFAULT_RETRY_DELAY_S


@contextmanager
def _one_clock(job: Job) -> Iterator[None]:
    """Make the product read the sandbox's clock and wait on it, and show its requests to the scenario's moments."""

    class SandboxTime(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(job.sandbox.now(), tz or timezone.utc)

    def open_client(*args: Any, **options: Any) -> graph_client.GraphClient:
        client = GraphClient(*args, **{**options, "sleep": job.wait})
        client._http.event_hooks = {"request": [job.moments.on_request], "response": [job.moments.on_response]}
        return client

    GraphClient = graph_client.GraphClient  # noqa: N806 -- it is the class
    with (
        mock.patch.object(ledger, "datetime", SandboxTime),
        mock.patch.object(publishing, "Publisher", functools.partial(publishing.Publisher, sleep=job.wait)),
        mock.patch.object(graph_client, "GraphClient", open_client),
    ):
        yield


def play(scenario: Scenario, sandbox: SandboxHandle, video: Path) -> Outcome:
    """Run a scenario from its disturbance to its end, and hold the end against the sandbox's truth.

    :param scenario: The scenario.
    :param sandbox: A sandbox that is used for nothing else.
    :param video: A video that complies.
    """
    token = sandbox.token
    sandbox.reset()
    sandbox.switch(processing={"after_s": 5, "outcome": "finished"})
    job = Job(sandbox, video, scenario)
    try:
        with mock.patch.dict(os.environ, {CONNECTION: connection_json(sandbox)}), _one_clock(job):
            _plant(job)
            last, told = _played(job)
            return _judged(job, last, told)
    finally:
        sandbox.token = token


def _played(job: Job) -> tuple[BaseException | None, bool]:
    then = job.scenario.then
    last = job.run(job.steps, tries=1 + RETRIES if then == "retry" else 1)
    if then != "retry":
        _before_then(job)
        last = _then(job)
    told = last is not None and _asks_for_clear_of_create(last)
    if told and job.scenario.expected.told:
        last = job.run(job.steps, tries=1 + RETRIES)
    return last, told


def _then(job: Job) -> BaseException | None:
    steps, then = job.steps, job.scenario.then
    if then == "clear the task":
        steps = steps[steps.index(getattr(job, "failed_step", "publish")) :]
    elif then == "clear the run":  # which makes the compliant video again, under another name
        job.video = Path(shutil.copy(job.video, job.video.with_name("again.mp4")))
    elif then == "new run":
        job.run_id = "run-2"
    return job.run(steps, tries=1 + RETRIES)


def _before_then(job: Job) -> None:
    """What a person does, or lets happen, before pressing the button."""
    plants = job.scenario.disturbance.plants
    if any(isinstance(plant, Revocation) and not plant.replaced for plant in plants):
        replace_token(job.sandbox)
    for plant in plants:
        if isinstance(plant, FullQuota) and plant.room_in_hours is not None:
            job.wait(3600 * plant.room_in_hours)
    if job.scenario.disturbance.cure == "wait for expiry":
        job.wait(25 * 3600)


def _asks_for_clear_of_create(error: BaseException) -> bool:
    return "clear the create task" in str(error).lower()


def _plant(job: Job) -> None:
    sandbox, size = job.sandbox, job.video.stat().st_size
    for plant in job.scenario.disturbance.plants:
        if isinstance(plant, Answer):
            fault: dict[str, Any] = {name: size // 2 if value == HALF else value for name, value in plant.fault.items()}
            sandbox.fail(plant.operation, **fault)
        elif isinstance(plant, Fate):
            sandbox.process_next(**plant.processing)
        elif isinstance(plant, FullQuota):
            sandbox.switch(quota_total=0)
            if plant.room_in_hours is not None:
                _use_up_quota(sandbox)
                sandbox.advance(timedelta(hours=24 - plant.room_in_hours))


def _use_up_quota(sandbox: SandboxHandle) -> None:
    """Make the one post of the day, with a video that the sandbox fetches by itself (and is told to find fit)."""
    sandbox.switch(quota_total=1)
    bearer = {"Authorization": f"Bearer {sandbox.token}"}
    with httpx.Client(base_url=f"{sandbox.url}/v26.0/{sandbox.user_id}", headers=bearer, trust_env=False) as http:
        wanted = {"media_type": "REELS", "video_url": "https://example.com/a.mp4", "caption": "another post"}
        container = http.post("media", data=wanted).raise_for_status().json()
        sandbox.advance(10)
        http.post("media_publish", data={"creation_id": container["id"]}).raise_for_status()


def _judged(job: Job, last: BaseException | None, told: bool) -> Outcome:
    sandbox, expected, disturbance = job.sandbox, job.scenario.expected, job.scenario.disturbance
    posts = [post for post in sandbox.posts if post.caption == CAPTION]
    containers = [container for container in sandbox.containers if container.caption == CAPTION]
    size = job.video.stat().st_size
    sent_bytes = sum(entry.received_bytes or 0 for entry in sandbox.journal("upload"))
    first_name = type(job.errors[0]).__name__ if job.errors else None
    last_name = type(last).__name__ if last else None
    compared: list[tuple[str, Any, Any]] = [
        ("posts", expected.posts, len(posts)),
        ("first failure", disturbance.first, first_name),
        ("end", expected.last, last_name),
        ("containers", expected.containers, len(containers)),
        ("bytes uploaded", expected.uploads * size, sent_bytes),
    ]
    if expected.told:
        compared.append(("asks for Clear of create", True, told or last is None))
    result = job.xcoms.get("publish", {})
    if posts and last is None:
        (post,) = posts[:1]
        permalinks = (post.permalink,) if disturbance.permalink else (post.permalink, None)
        compared.append(("media id reported", post.media_id, result.get("media_id")))
        compared.append(("permalink reported", True, result.get("permalink") in permalinks))
    if job.events > 1:
        compared.append(("events of one post", 1, job.events))
    compared += [("happened", True, _happened(job, plant)) for plant in disturbance.plants]
    deviations = tuple(f"{name}: expected {want}, found {got}" for name, want, got in compared if want != got)
    if deviations and last is not None:
        deviations += (f"last error: {last}",)
    again_bytes = max(0, sent_bytes - size)
    return Outcome(job.scenario, deviations, len(posts), first_name, last_name, again_bytes)


def _happened(job: Job, plant: Plant) -> bool:
    """Tell whether a disturbance really took place: seen by the sandbox, or by what was to raise it."""
    journal = job.sandbox.journal
    if isinstance(plant, Answer):
        hits = [entry for entry in journal(plant.operation) if entry.fault]
        answers = [one for one in job.scenario.disturbance.plants if isinstance(one, Answer)]
        return len(hits) == sum(int(one.fault.get("times", 1)) for one in answers if one.operation == plant.operation)
    if isinstance(plant, Revocation):
        return plant in job.moments.done and any("190" in e.outcome or "NotAuth" in e.outcome for e in journal())
    if isinstance(plant, FullQuota):
        return any("2207042" in entry.outcome for entry in journal("publish"))
    if isinstance(plant, Fate):
        return bool(job.sandbox.containers) and _fate_of(job.sandbox) != "FINISHED"
    if isinstance(plant, Pause):
        return not job.pauses
    return plant in job.moments.done


def _fate_of(sandbox: SandboxHandle) -> str:
    return sandbox.containers[0].status_code
