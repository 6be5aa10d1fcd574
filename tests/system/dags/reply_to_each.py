"""A DAG that replies to each comment on the posts of its account."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_instagram.operators import CommentOperator
from airflow_provider_instagram.triggers import InstagramCommentTrigger

watcher = AssetWatcher(name="questions", trigger=InstagramCommentTrigger("asked", poll_interval_s=2))
QUESTIONS = Asset("instagram://asked/comments", watchers=[watcher])

with DAG(dag_id="reply_to_each", schedule=[QUESTIONS]):

    @task
    def heard(triggering_asset_events: Any = None) -> list[Any]:
        return [event.extra["payload"] for event in triggering_asset_events[QUESTIONS]]

    reply = CommentOperator.partial(task_id="reply", instagram_conn_id="asked", message="Soon")
    reply.expand(reply_to=heard())
