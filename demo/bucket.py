"""Object storage on this machine, from which the sandbox fetches pictures."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "instagram"
REGION = "us-east-1"
#: The storage asks for keys, and takes any.
KEYS = ("demo-key", "demo-secret")


@contextmanager
def picture_bucket() -> Iterator[dict[str, str]]:
    """Serve a bucket. Return the settings of an Airflow that copies local pictures there."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it would print a line for each request
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        key, secret = KEYS
        client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
        )
        client.create_bucket(Bucket=BUCKET)
        extra = {"endpoint_url": url, "region_name": REGION}
        connection = {"conn_type": "aws", "login": key, "password": secret, "extra": extra}
        yield {
            "AIRFLOW_CONN_DEMO_STORAGE": json.dumps(connection),
            "AIRFLOW__INSTAGRAM__PUBLIC_PREFIX": f"s3://demo_storage@{BUCKET}/pictures",
        }
    finally:
        server.stop()
