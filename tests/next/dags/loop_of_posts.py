"""The main job in a loop of two passes, a post each."""

from __future__ import annotations

from typing import Any, cast

from airflow.sdk import DAG, Param, task_group

from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator
from airflow_provider_instagram.sensors import ContainerStatusSensor

with DAG(dag_id="loop_of_posts", schedule=None, params={"video": Param("", type="string")}) as dag:

    @task_group
    def post() -> None:
        create = CreateContainerOperator(task_id="create", video="{{ params.video }}", caption="pass {{ loop.index }}")
        wait = ContainerStatusSensor(task_id="wait", container_id=create.output, poke_interval=1)
        PublishOperator(task_id="publish", container_id=wait.output)

    cast("Any", post).loop(max_iterations=2)
