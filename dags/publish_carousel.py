"""Publish several pictures and videos as one carousel. Trigger it from the UI and fill in the form.

The files are https URLs, or in one of the places in ``[instagram] media_roots``. Instagram fetches
pictures by link, so local ones need ``[instagram] public_prefix``.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_instagram.files.access import inside_media_roots
from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator, TranscodeOperator

with DAG(
    dag_id="publish_carousel",
    schedule=None,
    tags=["instagram"],
    doc_md=__doc__,
    user_defined_filters={"inside_media_roots": inside_media_roots},
    params={
        "files": Param(
            [],
            type="array",
            items={"type": "string"},
            minItems=2,
            maxItems=10,
            title="Files",
            description="2 to 10 pictures and videos, one per line. All get the shape of the first.",
        ),
        "caption": Param(
            "", type=["null", "string"], format="multiline", title="Caption", description="Up to 2,200 characters."
        ),
        "fit": Param("pad", enum=["pad", "blur", "crop"], title="Fit", description="For items of another shape."),
    },
) as dag:
    transcode = TranscodeOperator(
        task_id="transcode",
        # tojson would escape the & of a link, so that Airflow would not recognise the signature
        # that it has to mask.
        source="{{ macros.json.dumps(params.files | map('inside_media_roots') | list, ensure_ascii=False) }}",
        placement="carousel",
        fit="{{ params.fit }}",
    )
    create = CreateContainerOperator(
        task_id="create", carousel=transcode.output, caption="{{ params.caption }}", wait_for_completion=True
    )
    publish = PublishOperator(task_id="publish", container_id=create.output)
