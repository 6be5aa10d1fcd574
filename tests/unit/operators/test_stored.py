"""Airflow's DAG processor stores the DAGs of our operators."""

from __future__ import annotations

import msgspec
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from airflow_provider_instagram.operators import CommentOperator, CreateContainerOperator, PublishOperator


def test_the_dag_processor_can_send_a_dag_whose_keys_are_not_given() -> None:
    with DAG("stored", schedule=None) as dag:
        create = CreateContainerOperator(task_id="create", video="/data/teaser.mp4")
        publish = PublishOperator(task_id="publish", container_id=create.output)
        CommentOperator(task_id="comment", media_id=publish.output, message="Hello")
    assert msgspec.msgpack.encode(DagSerialization.to_dict(dag))
