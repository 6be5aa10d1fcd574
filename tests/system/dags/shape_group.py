"""The four steps in a task group."""

from __future__ import annotations

from airflow.sdk import DAG, Param, task_group

from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator, TranscodeOperator
from airflow_provider_instagram.sensors import ContainerStatusSensor

with DAG(
    dag_id="shape_group", schedule=None, params={"video": Param("", type="string"), "caption": Param("", type="string")}
):

    @task_group
    def post() -> None:
        transcode = TranscodeOperator(task_id="transcode", source="{{ params.video }}")
        create = CreateContainerOperator(task_id="create", video=transcode.output, caption="{{ params.caption }}")
        wait = ContainerStatusSensor(task_id="wait", container_id=create.output, poke_interval=1)
        PublishOperator(task_id="publish", container_id=wait.output)

    post()
