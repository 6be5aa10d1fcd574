"""The four steps in a task group that is mapped over captions."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, task, task_group

from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator, TranscodeOperator
from airflow_provider_instagram.sensors import ContainerStatusSensor

with DAG(
    dag_id="shape_mapped_group",
    schedule=None,
    params={"video": Param("", type="string"), "captions": Param([], type="array")},
):

    @task
    def captions(params: dict[str, Any] | None = None) -> list[str]:
        return list((params or {})["captions"])

    @task_group
    def post(caption: str) -> None:
        transcode = TranscodeOperator(task_id="transcode", source="{{ params.video }}")
        create = CreateContainerOperator(task_id="create", video=transcode.output, caption=caption)
        wait = ContainerStatusSensor(task_id="wait", container_id=create.output, poke_interval=1)
        PublishOperator(task_id="publish", container_id=wait.output)

    post.expand(caption=captions())
