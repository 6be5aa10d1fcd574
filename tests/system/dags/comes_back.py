"""A DAG that is deleted and comes back, with a witness: a row of state that goes when nothing holds it."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, Param, task

from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator
from airflow_provider_instagram.sensors import ContainerStatusSensor

WITNESS = Asset(name="witness", uri="witness://comes_back")

with DAG(
    dag_id="comes_back",
    schedule=None,
    default_args={"instagram_conn_id": "comes_back"},
    params={"video": Param("", type="string"), "caption": Param("", type="string")},
):

    @task(inlets=[WITNESS])
    def witness(asset_state_store: Any = None) -> None:
        asset_state_store[WITNESS].set("here", "yes")

    create = CreateContainerOperator(
        task_id="create", video="{{ params.video }}", caption="{{ params.caption }}", post_key="comes back"
    )
    wait = ContainerStatusSensor(task_id="wait", container_id=create.output, poke_interval=1)
    publish = PublishOperator(task_id="publish", container_id=wait.output)
    witness() >> create
