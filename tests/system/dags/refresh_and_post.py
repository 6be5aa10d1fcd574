"""Refresh the token of a second account, and post with the new one."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator, RefreshTokenOperator
from airflow_provider_instagram.sensors import ContainerStatusSensor

with DAG(
    dag_id="refresh_and_post",
    schedule=None,
    default_args={"instagram_conn_id": "second_account"},
    params={"video": Param("", type="string"), "caption": Param("", type="string")},
):
    refresh = RefreshTokenOperator(task_id="refresh")
    create = CreateContainerOperator(task_id="create", video="{{ params.video }}", caption="{{ params.caption }}")
    wait = ContainerStatusSensor(task_id="wait", container_id=create.output, poke_interval=1)
    publish = PublishOperator(task_id="publish", container_id=wait.output)
    refresh >> create
