"""A DAG that runs when somebody comments on a post of its account."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_instagram.triggers import InstagramCommentTrigger

watcher = AssetWatcher(name="comments", trigger=InstagramCommentTrigger("popular", poll_interval_s=2))

COMMENTS = Asset("instagram://popular/comments", watchers=[watcher])

with DAG(dag_id="on_comment", schedule=[COMMENTS]):

    @task
    def heard(triggering_asset_events: Any = None) -> list[Any]:
        return [event.extra["payload"] for event in triggering_asset_events[COMMENTS]]

    heard()
