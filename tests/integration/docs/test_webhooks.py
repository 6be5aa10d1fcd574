"""The function for webhooks by HTTP: what it refuses, what it queues, and what the DAG of the gallery reads."""

from __future__ import annotations

import asyncio
import hmac
import json
import runpy
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import boto3
import httpx
import pytest

from demo.stack import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]
SECRET = "an app secret"
ACCOUNT = "17841400000000000"
COMMENT = {
    "id": "17865799348089039",
    "from": {"id": "1784", "username": "ana"},
    "text": "{{ 7 * 7 }} When?",
    "media": {"id": "17912345678901234", "media_product_type": "REELS"},
}
STORY = {"media_id": "17887498072083520", "impressions": 444, "reach": 44}


def names_of(file: str) -> dict[str, Any]:
    """Execute a file, and return its names."""
    return runpy.run_path(str(ROOT / file))


def served(handler: Callable[[dict[str, Any], None], dict[str, Any]]) -> ThreadingHTTPServer:
    """Serve a function as AWS does: a request is an event of payload format 2.0, and an error is answered with 502."""

    class Request(BaseHTTPRequestHandler):
        def answer(self) -> None:
            address = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            event: dict[str, Any] = {
                "requestContext": {"http": {"method": self.command}},
                "headers": {name.lower(): value for name, value in self.headers.items()},
                **({"queryStringParameters": dict(parse_qsl(address.query))} if address.query else {}),
                **({"body": body.decode("latin-1"), "isBase64Encoded": False} if body else {}),
            }
            try:
                made = handler(event, None)
            except Exception:  # noqa: BLE001 -- whatever the function raises
                made = {"statusCode": 502, "headers": {}, "body": "Internal Server Error"}
            self.send_response(made["statusCode"])
            for name, value in made["headers"].items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(made["body"].encode())

        do_GET = do_POST = answer  # noqa: N815 -- the names of http.server

        def log_message(self, *_: Any) -> None:
            """Write no log."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Request)


class Function:
    """The running function, and its queue."""

    def __init__(self, url: str, client: Any, queue: str) -> None:
        self.client, self.queue = client, queue
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=60)

    def send(self, body: bytes, signature: str | None = None, secret: str = SECRET) -> int:
        made = f"sha256={hmac.new(secret.encode(), body, 'sha256').hexdigest()}"
        headers = {"X-Hub-Signature-256": made if signature is None else signature}
        return self.http.post("/", content=body, headers=headers).status_code

    def tell(self, *entries: dict[str, Any]) -> int:
        return self.send(json.dumps({"object": "instagram", "entry": entries}).encode())

    def read(self) -> Any:
        """Return the payload of an event of Airflow's trigger of SQS."""
        from airflow.providers.amazon.aws.triggers.sqs import SqsSensorTrigger

        async def first() -> Any:
            trigger = SqsSensorTrigger(self.queue, max_messages=10, wait_time_seconds=0, waiter_delay=1)
            return await asyncio.wait_for(anext(trigger.run()), 20)

        return asyncio.run(first()).payload

    def count(self) -> int:
        names = ["ApproximateNumberOfMessages"]
        found = self.client.get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)["Attributes"]
        return int(found[names[0]])


@pytest.fixture
def function(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Function]:
    keys = {"region_name": "eu-central-1", "aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    client = boto3.client("sqs", endpoint_url=s3_server, **keys)
    queue = client.create_queue(QueueName=f"instagram-{free_port()}")["QueueUrl"]
    aws = {"conn_type": "aws", "login": "key", "password": "secret"}
    extra = {"endpoint_url": s3_server, "region_name": "eu-central-1"}
    for name, value in {
        "AWS_ENDPOINT_URL_SQS": s3_server,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps({**aws, "extra": extra}),
        "APP_SECRET": SECRET,
        "VERIFY_TOKEN": "a token",
        "QUEUE": queue,
    }.items():
        monkeypatch.setenv(name, value)
    with served(names_of("deploy/webhook_function.py")["handler"]) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Function(f"http://127.0.0.1:{server.server_port}", client, queue)
        server.shutdown()


def test_meta_is_told_that_the_address_is_ours_only_with_the_verify_token(function: Function) -> None:
    asked = {"hub.mode": "subscribe", "hub.challenge": "<b>1158201444</b>"}
    answer = function.http.get("/", params=asked | {"hub.verify_token": "a token"})
    assert (answer.status_code, answer.text) == (200, "<b>1158201444</b>")
    assert answer.headers["content-type"].startswith("text/plain")
    for wrong in ("", "é", "a toke", "A token"):
        assert function.http.get("/", params=asked | {"hub.verify_token": wrong}).status_code == 403
    assert function.http.get("/").status_code == 403


def test_what_meta_did_not_sign_is_refused(function: Function) -> None:
    entry = {"id": ACCOUNT, "time": 1, "field": "comments", "value": COMMENT}
    body = json.dumps({"object": "instagram", "entry": [entry]}).encode()
    signed = f"sha256={hmac.new(SECRET.encode(), body, 'sha256').hexdigest()}"
    assert function.send(body, secret="another secret") == 403
    assert function.send(body + b" ", signed) == 403
    for signature in ("", "sha256=", signed.removeprefix("sha256="), signed.replace("sha256", "sha1"), signed + "0"):
        assert function.send(body, signature) == 403
    assert function.http.post("/", content=body).status_code == 403
    assert function.count() == 0
    assert function.send(body, signed) == 200
    assert function.count() == 1


def test_the_dag_of_the_gallery_reads_the_comments_of_both_logins(function: Function) -> None:
    """Instagram Login tells them in the entry, Facebook Login in its changes. Stories, messages and others are not."""
    names = names_of("dags/gallery/webhook_reply.py")
    flat = {"id": ACCOUNT, "time": 1796000000, "field": "comments", "value": COMMENT}
    nested = [{"field": "comments", "value": {**COMMENT, "id": "2"}}, {"field": "story_insights", "value": STORY}]
    message = {"id": ACCOUNT, "time": 1796000000, "messaging": [{"message": {"text": "Hello"}}]}
    assert function.tell(flat, {"id": ACCOUNT, "changes": nested}, {**flat, "id": "another account"}, message) == 200
    assert function.count() == 4
    events = {names["WEBHOOKS"]: [SimpleNamespace(extra={"payload": function.read()})]}
    assert sorted(names["dag"].get_task("comments").python_callable(events)) == ["17865799348089039", "2"]


def test_the_dag_of_the_gallery_answers_neither_replies_nor_the_account_itself() -> None:
    """An answer to one of the account's own replies would be answered again, without end."""
    is_from_others = names_of("dags/gallery/webhook_reply.py")["is_from_others"]
    own = {"id": "5", "self_ig_scoped_id": "5", "username": "studio"}
    for comment in ({**COMMENT, "parent_id": "178"}, {**COMMENT, "from": {"id": ACCOUNT}}, {**COMMENT, "from": own}):
        assert not is_from_others(comment)
    assert is_from_others(COMMENT)
    nobody = {**COMMENT, "from": {"username": "ada"}}
    assert is_from_others(nobody), "whose id Meta does not tell is not taken for the account"


def test_what_does_not_reach_the_queue_is_not_acknowledged(function: Function) -> None:
    """Meta then sends it again."""
    function.client.delete_queue(QueueUrl=function.queue)
    assert function.tell({"id": ACCOUNT, "time": 1, "field": "comments", "value": COMMENT}) == 502
