"""A DAG that posts at a time, and one that runs when its account has posted."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, Param, task

from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator

with DAG(
    dag_id="post_and_tell",
    schedule=None,
    default_args={"instagram_conn_id": "talkative"},
    params={
        "video": Param("", type="string"),
        "caption": Param("", type="string"),
        "post_key": Param("", type="string"),
        "publish_at": Param("", type="string"),
    },
):
    create = CreateContainerOperator(
        task_id="create",
        video="{{ params.video }}",
        caption="{{ params.caption }}",
        post_key="{{ params.post_key or run_id }}",
        publish_at="{{ params.publish_at }}",
        wait_for_completion=True,
    )
    PublishOperator(task_id="publish", container_id=create.output, publish_at="{{ params.publish_at }}")

POSTS = Asset("instagram://talkative/posts")

with DAG(dag_id="hears_of_posts", schedule=[POSTS]):

    @task
    def heard(triggering_asset_events: Any = None) -> list[Any]:
        return [event.extra for event in triggering_asset_events[POSTS]]

    heard()
