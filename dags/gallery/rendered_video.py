"""Publish a video when another DAG has rendered it: for a team whose videos come out of a pipeline.

Change ACCOUNT and RENDERED. RENDERED is an outlet of the task that renders. The extra of its event
names the video and the caption. ``media`` is the connection of the storage, and ``[instagram]
media_roots`` contains the prefix.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, task, task_group

from airflow_provider_instagram.files.access import inside_media_roots
from airflow_provider_instagram.operators import (
    CreateContainerOperator,
    PublishOperator,
    TranscodeOperator,
)

ACCOUNT = "instagram_default"
RENDERED = Asset("s3://renders/social")

with DAG("rendered_video", schedule=[RENDERED], default_args={"instagram_conn_id": ACCOUNT}) as dag:

    @task
    def rendered(triggering_asset_events: Any = None) -> list[dict[str, str]]:
        """List the videos of all events since the last run. A video is published once, by its location."""
        extras = [event.extra for event in triggering_asset_events[RENDERED]]
        return [{"video": inside_media_roots(extra["video"]), "caption": extra["caption"]} for extra in extras]

    @task_group
    def post(video: str, caption: str) -> None:
        """Publish one video as a reel."""
        reel = TranscodeOperator(task_id="transcode", source=video).output
        create = CreateContainerOperator(
            task_id="create", video=reel, caption=caption, post_key=video, wait_for_completion=True
        )
        PublishOperator(task_id="publish", container_id=create.output)

    post.expand_kwargs(rendered())
