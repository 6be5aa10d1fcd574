"""The first posts of an account, all at once: tasks that end in the same moment."""

from __future__ import annotations

import time
from typing import Any

from airflow.sdk import DAG, Param

from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator

EVERY_S = 4


def end_with_the_others(context: Any, result: Any) -> None:
    time.sleep(-time.time() % EVERY_S)


with DAG(
    dag_id="first_posts",
    schedule=None,
    default_args={"instagram_conn_id": "newcomer", "post_execute": end_with_the_others},
    params={"video": Param("", type="string"), "caption": Param("", type="string")},
):
    create = CreateContainerOperator.partial(
        task_id="create", video="{{ params.video }}", caption="{{ params.caption }}", wait_for_completion=True
    ).expand(post_key=["first", "second", "third", "fourth"])
    PublishOperator.partial(task_id="publish").expand(container_id=create.output)
