"""Make a video comply."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_instagram.operators import TranscodeOperator

with DAG(dag_id="transcode_only", schedule=None, params={"video": Param("", type="string")}):
    TranscodeOperator(task_id="transcode", source="{{ params.video }}", output="{{ params.video }}.out/")
