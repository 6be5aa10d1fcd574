"""A transcode on each of the two workers, by their queues."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_instagram.operators import TranscodeOperator

with DAG("on_each_worker", schedule=None, params={"video": Param("", type="string")}) as dag:
    for queue in ("worker-1", "worker-2"):
        TranscodeOperator(task_id=f"transcode_on_{queue}", source="{{ params.video }}", queue=queue)
