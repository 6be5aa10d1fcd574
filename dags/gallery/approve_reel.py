"""Publish a reel after a person has approved it. Trigger it from the UI: for a team without a calendar.

Airflow asks its own question, under Required Actions. Change WITHIN: without an answer in that
time, as after a rejection, the tasks after the question are skipped.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param

from airflow_provider_instagram.files.access import inside_media_roots
from airflow_provider_instagram.operators import (
    CreateContainerOperator,
    PublishOperator,
    TranscodeOperator,
)

FORM = {
    "video": Param("", type="string", minLength=1),
    "caption": Param("", type="string", format="multiline"),
}
WITHIN = timedelta(days=1)
CHECK = {"inside_media_roots": inside_media_roots}

with DAG("approve_reel", schedule=None, params=FORM, user_defined_macros=CHECK) as dag:
    transcode = TranscodeOperator(task_id="transcode", source="{{ inside_media_roots(params.video) }}")
    approve = ApprovalOperator(
        task_id="approve",
        subject="Publish this reel?",
        # as code, not as Markdown
        body="    {{ ti.xcom_pull('transcode') }}\n\n    {{ params.caption | indent }}",
        response_timeout=WITHIN,
        defaults=["Reject"],
    )
    create = CreateContainerOperator(
        task_id="create",
        video=transcode.output,
        caption="{{ params.caption }}",
        wait_for_completion=True,
    )
    publish = PublishOperator(task_id="publish", container_id=create.output)
    transcode >> approve >> create
