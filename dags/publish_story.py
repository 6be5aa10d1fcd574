"""Publish a video or a picture as a story. Trigger it from the UI and fill in the form.

The file is an https URL, or in one of the places in ``[instagram] media_roots``. Instagram fetches
pictures by link, so a local one needs ``[instagram] public_prefix``. Meta publishes stories of
business accounts only.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_instagram.files.access import inside_media_roots
from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator, TranscodeOperator

with DAG(
    dag_id="publish_story",
    schedule=None,
    tags=["instagram"],
    doc_md=__doc__,
    user_defined_macros={"inside_media_roots": inside_media_roots},
    params={
        "file": Param(
            "", type="string", minLength=1, title="File", description="A path on the worker, or an https URL."
        ),
        "kind": Param("picture", enum=["picture", "video"], title="Kind"),
        "fit": Param("blur", enum=["pad", "blur", "crop"], title="Fit", description="If its shape is not 9:16."),
    },
) as dag:
    transcode = TranscodeOperator(
        task_id="transcode", source="{{ inside_media_roots(params.file) }}", placement="story", fit="{{ params.fit }}"
    )
    create = CreateContainerOperator(
        task_id="create",
        video="{{ ti.xcom_pull(task_ids='transcode') if params.kind == 'video' else '' }}",
        image="{{ ti.xcom_pull(task_ids='transcode') if params.kind == 'picture' else '' }}",
        placement="story",
        wait_for_completion=True,
    )
    publish = PublishOperator(task_id="publish", container_id=create.output)
    transcode >> create
