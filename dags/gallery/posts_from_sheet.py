"""Publish each row of a sheet once, as a reel: for a team that collects its posts in Google Sheets.

Change ACCOUNT and SHEET. The sheet has the columns ``id``, ``video`` and ``caption``, and its link
opens it.
"""

from __future__ import annotations

import csv
from io import StringIO

import httpx
from airflow.sdk import DAG, task, task_group

from airflow_provider_instagram.files.access import inside_media_roots
from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator, TranscodeOperator

ACCOUNT = "instagram_default"
SHEET = "https://docs.google.com/spreadsheets/d/YOUR-SHEET/export?format=csv"

with DAG("posts_from_sheet", schedule="@hourly", max_active_runs=1, default_args={"instagram_conn_id": ACCOUNT}) as dag:

    @task
    def posts() -> list[dict[str, str]]:
        """Read the rows that have an id. A post that is already published is found by its id, and not repeated."""
        sheet = StringIO(httpx.get(SHEET, follow_redirects=True, timeout=60).raise_for_status().text)
        rows = [row for row in csv.DictReader(sheet) if row["id"]]
        return [{"post_key": r["id"], "video": inside_media_roots(r["video"]), "caption": r["caption"]} for r in rows]

    @task_group
    def post(post_key: str, video: str, caption: str) -> None:
        """Publish one row as a reel."""
        reel = TranscodeOperator(task_id="transcode", source=video).output
        create = CreateContainerOperator(
            task_id="create", video=reel, caption=caption, post_key=post_key, wait_for_completion=True
        )
        PublishOperator(task_id="publish", container_id=create.output)

    post.expand_kwargs(posts())
