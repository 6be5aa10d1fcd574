"""Publish the files of a folder as one carousel: for a photographer who uploads each shoot to a folder of its own.

Change ACCOUNT and SHOOTS. Trigger the DAG with the name of a folder. The files appear in the order
of their names, and ``caption.txt`` contains the caption. ``media`` is the connection of the
storage.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, ObjectStoragePath, Param, task

from airflow_provider_instagram.operators import (
    CreateContainerOperator,
    PublishOperator,
    TranscodeOperator,
)

ACCOUNT = "instagram_default"
SHOOTS = "s3://media@shoots/"
FINISHED = "s3://media@shoots-finished/"

FORM = {"folder": Param("", type="string", pattern=r"^[\w-]+$", title="Folder")}

with DAG("carousel_from_folder", schedule=None, params=FORM, default_args={"instagram_conn_id": ACCOUNT}) as dag:

    @task
    def shoot(params: Any = None) -> dict[str, Any]:
        """Read the caption, and list the pictures and videos."""
        folder = ObjectStoragePath(SHOOTS) / params["folder"]
        files = sorted(str(file) for file in folder.iterdir() if file.suffix != ".txt")
        return {"files": files, "caption": (folder / "caption.txt").read_text()}

    found = shoot()
    items = TranscodeOperator(task_id="transcode", source=found["files"], output=FINISHED, placement="carousel")
    create = CreateContainerOperator(
        task_id="create",
        carousel=items.output,
        caption=found["caption"],
        post_key="{{ params.folder }}",
        wait_for_completion=True,
    )
    PublishOperator(task_id="publish", container_id=create.output)
