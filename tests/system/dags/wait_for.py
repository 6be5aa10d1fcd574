"""Wait for a container that somebody else made."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_instagram.sensors import ContainerStatusSensor

with DAG(
    dag_id="wait_for",
    schedule=None,
    params={"container_id": Param("", type="string"), "timeout_s": Param(1800, type="integer")},
):
    ContainerStatusSensor(
        task_id="wait",
        container_id="{{ params.container_id }}",
        timeout="{{ params.timeout_s }}",
        poke_interval=1,
    )
