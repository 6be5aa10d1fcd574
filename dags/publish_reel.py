"""Publish one video to Instagram: transcode, create, wait, publish. Trigger it from the UI and fill in the form.

The connection decides whether the DAG publishes to the sandbox or to Meta. The video is an https
URL, or a file in one of the places in ``[instagram] media_roots``.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_instagram.files.access import inside_media_roots
from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator, TranscodeOperator
from airflow_provider_instagram.sensors import ContainerStatusSensor

FORM = {
    "video": Param("", type="string", minLength=1, title="Video", description="A path on the worker, or an https URL."),
    "caption": Param(
        "", type=["null", "string"], format="multiline", title="Caption", description="Up to 2,200 characters."
    ),
    "placement": Param("reels", enum=["reels", "feed"], title="Placement"),
    "cover_ms": Param(None, type=["null", "integer"], minimum=0, title="Cover frame", description="In milliseconds."),
}
CHECK = {"inside_media_roots": inside_media_roots}

with DAG(
    "publish_reel", schedule=None, tags=["instagram"], doc_md=__doc__, params=FORM, user_defined_macros=CHECK
) as dag:
    transcode = TranscodeOperator(
        task_id="transcode", source="{{ inside_media_roots(params.video) }}", placement="{{ params.placement }}"
    )
    create = CreateContainerOperator(
        task_id="create",
        video=transcode.output,
        caption="{{ params.caption }}",
        placement="{{ params.placement }}",
        video_cover_timestamp_ms="{{ params.cover_ms }}",
    )
    wait = ContainerStatusSensor(task_id="wait", container_id=create.output)
    publish = PublishOperator(task_id="publish", container_id=wait.output)
