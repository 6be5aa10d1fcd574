"""A wait that no triggerer runs: the scheduler ends it by its timeout, as a full or a missing triggerer does not."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException, TaskDeferred

from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.ledger.seal import sealed
from airflow_provider_instagram.operators import CreateContainerOperator
from airflow_provider_instagram.sensors import ContainerStatusSensor

if TYPE_CHECKING:
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle

#: What the scheduler passes to a task whose wait has timed out.
TIMED_OUT = ("__fail__", {"error": "Trigger timeout"})
PROCESSING_S = 1200


class Rows(dict[str, Any]):
    def set(self, key: str, value: Any) -> None:
        self[key] = value

    def grow_older(self, by: timedelta) -> None:
        for key, row in self.items():
            if key.startswith("container:"):
                content = row["row"]
                created = (datetime.fromisoformat(content["created_at"]) - by).isoformat()
                self[key] = sealed({**content, "created_at": created}, key, ledger_asset("instagram_default").uri)


def context_of(rows: Rows, *, began: timedelta = timedelta()) -> Any:
    told = SimpleNamespace(add=lambda *_, **__: None, limit=lambda number: [None] * number)
    everything = type("Everything", (dict,), {"__missing__": lambda *_: told})()
    tries = {"try_number": 1, "max_tries": 8, "start_date": datetime.now(timezone.utc) - began}
    ti = SimpleNamespace(id=1, dag_id="dag", run_id="run", task_id="t", map_index=-1, **tries)
    store = {ledger_asset("instagram_default"): rows}
    return {"ti": ti, "asset_state_store": store, "outlet_events": everything, "inlet_events": everything}


def _wait(work: Any, *arguments: Any) -> timedelta:
    with pytest.raises(TaskDeferred) as deferred:
        work(*arguments)
    timeout = deferred.value.timeout
    assert isinstance(timeout, timedelta)
    return timeout


def test_create_looks_itself_less_and_less_often_when_no_triggerer_does(
    airflow_db: None, instagram_sandbox: SandboxHandle, portrait_video: Path
) -> None:
    """The container waits behind a thousand others. It is created once, and noticed."""
    instagram_sandbox.process_next(after_s=PROCESSING_S)
    rows = Rows()
    create = CreateContainerOperator(
        task_id="t", video=str(portrait_video), post_key="unnoticed", wait_for_completion=True
    )
    assert _wait(create.execute, context_of(rows)) == timedelta(minutes=5)
    rows.grow_older(timedelta(minutes=6))
    next_look = _wait(create.resume_execution, *TIMED_OUT, context_of(rows))
    assert timedelta(minutes=6) <= next_look < timedelta(minutes=7)
    rows.grow_older(timedelta(minutes=6))
    instagram_sandbox.advance(PROCESSING_S)
    (container,) = instagram_sandbox.containers
    assert create.resume_execution(*TIMED_OUT, context_of(rows)) == container.container_id
    assert instagram_sandbox.calls("create") == 1


def test_the_sensor_looks_itself_and_ends_at_its_timeout(
    airflow_db: None, instagram_sandbox: SandboxHandle, portrait_video: Path
) -> None:
    instagram_sandbox.process_next(after_s=PROCESSING_S)
    rows = Rows()
    container_id = CreateContainerOperator(task_id="t", video=str(portrait_video)).execute(context_of(rows))
    sensor = ContainerStatusSensor(task_id="t", container_id=container_id, timeout=3600)
    assert _wait(sensor.execute, context_of(rows)) == timedelta(minutes=5)
    after = timedelta(minutes=20)
    assert _wait(sensor.resume_execution, *TIMED_OUT, context_of(rows, began=after)) >= after
    with pytest.raises(AirflowSensorTimeout, match="still not ready"):
        sensor.resume_execution(*TIMED_OUT, context_of(rows, began=timedelta(hours=2)))
    soft = ContainerStatusSensor(task_id="t", container_id=container_id, timeout=60, soft_fail=True)
    with pytest.raises(AirflowSkipException):
        soft.resume_execution(*TIMED_OUT, context_of(rows, began=timedelta(hours=2)))
    instagram_sandbox.advance(PROCESSING_S)
    assert sensor.resume_execution(*TIMED_OUT, context_of(rows, began=timedelta(hours=2))) == container_id
