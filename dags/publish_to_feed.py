"""Publish a list of videos to the feed with a mapped task group, one map index per video.

Every post has a ``post_key`` of its own, so no retry, Clear or second run publishes it twice.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, task, task_group

from airflow_provider_instagram.files.access import inside_media_roots
from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator, TranscodeOperator
from airflow_provider_instagram.sensors import ContainerStatusSensor

with DAG(
    dag_id="publish_to_feed",
    schedule=None,
    tags=["instagram"],
    doc_md=__doc__,
    params={
        "posts": Param(
            [],
            type="array",
            items={
                "type": "object",
                "required": ["id", "video"],
                "properties": {"id": {"type": "string"}, "video": {"type": "string"}, "caption": {"type": "string"}},
            },
            title="Posts",
            description='A list such as [{"id": "monday", "video": "/data/monday.mov", "caption": "Hello"}].',
        )
    },
) as dag:

    @task
    def posts(params: dict[str, Any] | None = None) -> list[dict[str, str]]:
        """Return the posts in the run's parameters, whose files must be in a place of ``[instagram] media_roots``."""
        return [
            {"post_key": post["id"], "video": inside_media_roots(post["video"]), "caption": post.get("caption", "")}
            for post in (params or {})["posts"]
        ]

    @task_group
    def publish_one(post_key: str, video: str, caption: str) -> None:
        """Publish one post to the feed."""
        transcode = TranscodeOperator(task_id="transcode", source=video, placement="feed")
        create = CreateContainerOperator(
            task_id="create", video=transcode.output, caption=caption, placement="feed", post_key=post_key
        )
        wait = ContainerStatusSensor(task_id="wait", container_id=create.output)
        PublishOperator(task_id="publish", container_id=wait.output)

    publish_one.expand_kwargs(posts())
