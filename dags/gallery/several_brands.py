"""Publish one video on the accounts of several brands: for an agency, or a company with a brand for each market.

Change VIDEO and BRANDS. Each brand has a connection and a caption of its own. The video is
transcoded once. A brand whose post fails does not hold back the others.
"""

from __future__ import annotations

from airflow.sdk import DAG, TaskGroup

from airflow_provider_instagram.operators import (
    CreateContainerOperator,
    PublishOperator,
    TranscodeOperator,
)

VIDEO = "/data/teaser.mov"
BRANDS = {
    "instagram_studio": "Coming Friday #teaser",
    "instagram_shop": "In our shop from Friday #teaser",
}

with DAG("several_brands", schedule=None) as dag:
    reel = TranscodeOperator(task_id="transcode", source=VIDEO).output

    for account, caption in BRANDS.items():
        with TaskGroup(account, default_args={"instagram_conn_id": account}):
            create = CreateContainerOperator(task_id="create", video=reel, caption=caption, wait_for_completion=True)
            PublishOperator(task_id="publish", container_id=create.output)
