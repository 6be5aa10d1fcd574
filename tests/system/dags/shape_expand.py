"""Each step mapped by itself: create over keyword arguments from an XCom, the others over what came before."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator, TranscodeOperator
from airflow_provider_instagram.sensors import ContainerStatusSensor

with DAG(
    dag_id="shape_expand",
    schedule=None,
    params={"video": Param("", type="string"), "captions": Param([], type="array")},
):

    @task
    def sources(params: dict[str, Any] | None = None) -> list[str]:
        return [(params or {})["video"]] * len((params or {})["captions"])

    @task
    def posts(videos: list[str], params: dict[str, Any] | None = None) -> list[dict[str, str]]:
        return [
            {"video": video, "caption": caption}
            for video, caption in zip(videos, (params or {})["captions"], strict=True)
        ]

    transcode = TranscodeOperator.partial(task_id="transcode").expand(source=sources())
    create = CreateContainerOperator.partial(task_id="create").expand_kwargs(posts(transcode.output))  # type: ignore[arg-type]
    wait = ContainerStatusSensor.partial(task_id="wait", poke_interval=1).expand(container_id=create.output)
    PublishOperator.partial(task_id="publish").expand(container_id=wait.output)
