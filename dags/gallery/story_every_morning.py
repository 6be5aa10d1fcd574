"""Publish the picture of the day as a story at 8: for a restaurant that shows its menu each morning.

Change ACCOUNT, PICTURES, ZONE and the time. The picture of a day is named after its date, such as
``2026-11-26.jpg``. A day without a picture is skipped. ``media`` is the connection of the storage.
Stories need a business account.
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.sdk import DAG, CronTriggerTimetable, ObjectStoragePath, task
from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator, TranscodeOperator

ACCOUNT = "instagram_default"
PICTURES = "s3://media@menus/"
FINISHED = "s3://media@menus-finished/"
ZONE = "Europe/Berlin"
MORNING = CronTriggerTimetable("0 8 * * *", timezone=ZONE)

with DAG("story_every_morning", schedule=MORNING, catchup=False, default_args={"instagram_conn_id": ACCOUNT}) as dag:

    @task
    def picture(dag_run: Any = None) -> str:
        """Find the picture of the day on which the run is due."""
        found = ObjectStoragePath(f"{PICTURES}{pendulum.instance(dag_run.run_after).in_timezone(ZONE).date()}.jpg")
        if not found.exists():
            raise AirflowSkipException(f"{found} does not exist, so there is no story today.")
        return str(found)

    today = picture()
    story = TranscodeOperator(task_id="transcode", source=today, output=FINISHED, placement="story", fit="blur")
    create = CreateContainerOperator(
        task_id="create", image=story.output, placement="story", post_key=today, wait_for_completion=True
    )
    PublishOperator(task_id="publish", container_id=create.output)
