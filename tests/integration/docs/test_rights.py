"""The rights of ``docs/operate/storage.md`` are enough for a post, and for nothing else: an S3 server enforces them."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.integration.docs.pages import BLOCKS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.integration.conftest import Gallery

POLICY, LIFECYCLE = (
    block.code for block in BLOCKS if (block.page, block.language) == ("docs/operate/storage.md", "json")
)
(BUCKET,) = set(re.findall(r"arn:aws:s3:::(\w+)", POLICY))
PLAN = b"posts: [{id: a, publish_at: 2030-05-06 08:30 UTC, video: teaser.mov}]"
OWNER = {"region_name": "us-east-1", "aws_access_key_id": "key", "aws_secret_access_key": "secret"}


@contextmanager
def enforced() -> Iterator[None]:
    """Refuse what no policy allows. Without it, the server takes every key."""
    from moto import settings

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0.0)
        yield


@pytest.fixture
def worker(s3_server: str, bucket: str, landscape_mov: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The connection ``media`` of a worker with the policy of the page, and a client with its key."""
    owner, iam = (boto3.client(name, endpoint_url=s3_server, **OWNER) for name in ("s3", "iam"))
    owner.create_bucket(Bucket=BUCKET)
    owner.upload_file(str(landscape_mov), BUCKET, "raw/teaser.mov")
    owner.put_object(Bucket=BUCKET, Key="raw/plan.yaml", Body=PLAN)
    owner.put_object(Bucket=BUCKET, Key="payroll/june.csv", Body=b"secret")
    user = f"worker-{uuid4()}"  # the server outlives the test
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="instagram", PolicyDocument=POLICY)
    made = iam.create_access_key(UserName=user)["AccessKey"]
    extra = {"endpoint_url": s3_server, "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": made["AccessKeyId"], "password": made["SecretAccessKey"], "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_MEDIA", json.dumps(connection))
    for option, prefix in (("WORK_PREFIX", "work"), ("PUBLIC_PREFIX", "public"), ("CALENDAR_SNAPSHOTS", "snapshots")):
        monkeypatch.setenv(f"AIRFLOW__INSTAGRAM__{option}", f"s3://media@{BUCKET}/{prefix}/")
    return boto3.client(
        "s3",
        endpoint_url=s3_server,
        region_name="us-east-1",
        aws_access_key_id=made["AccessKeyId"],
        aws_secret_access_key=made["SecretAccessKey"],
    )


def keys(client: Any) -> set[str]:
    return {found["Key"].partition("/")[0] for found in client.list_objects_v2(Bucket=BUCKET)["Contents"]}


def test_a_worker_with_these_rights_publishes_from_the_bucket(
    instagram_sandbox: SandboxHandle, run_dag: Any, gallery: Gallery, worker: Any
) -> None:
    """A video by way of the work prefix, a local picture by way of the public one, a calendar with its snapshot.

    Instagram fetches nothing here: this server does not know the keys of presigned links.
    """
    from airflow.sdk import DAG

    from airflow_provider_instagram.calendar import content_calendar_dag
    from airflow_provider_instagram.operators import CreateContainerOperator, TranscodeOperator
    from tests.integration.calendar.runs import planned

    with DAG("with_these_rights", schedule=None) as dag:
        source = f"s3://media@{BUCKET}/raw/teaser.mov"
        transcode = TranscodeOperator(task_id="transcode", source=source, fit="blur", retries=0)
        CreateContainerOperator(task_id="video", video=transcode.output, retries=0)
        CreateContainerOperator(task_id="picture", image=gallery.file("one"), wait_for_completion=False, retries=0)
    instagram_sandbox.process_next(outcome="finished", times=2)
    with enforced():
        assert run_dag(dag).state == "success"
        planned(content_calendar_dag("shop", f"s3://media@{BUCKET}/raw/plan.yaml"))
    assert keys(worker) == {"payroll", "public", "raw", "snapshots", "work"}
    assert instagram_sandbox.calls("upload") == 1


def test_these_rights_allow_nothing_else(worker: Any) -> None:
    with enforced():
        worker.delete_object(Bucket=BUCKET, Key="work/old.mp4")
        for act, key in (
            ("put_object", "raw/x"),
            ("delete_object", "raw/teaser.mov"),
            ("get_object", "payroll/june.csv"),
        ):
            with pytest.raises(ClientError, match="AccessDenied"):
                getattr(worker, act)(Bucket=BUCKET, Key=key)


def test_the_lifecycle_rule_removes_the_copies_and_nothing_else(s3_server: str, worker: Any) -> None:
    owner = boto3.client("s3", endpoint_url=s3_server, **OWNER)
    owner.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration=json.loads(LIFECYCLE))
    rules = owner.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert [(rule["Filter"]["Prefix"], rule["Expiration"]["Days"]) for rule in rules if "Expiration" in rule] == [
        ("public/", 2)
    ]
