"""The receiver of webhooks by real HTTP, a queue of SQS or Redis behind it, and Airflow's own trigger that reads it."""

from __future__ import annotations

import argparse
import asyncio
import hmac
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
import redis

from airflow_provider_instagram.cli import webhook
from airflow_provider_instagram.cli.webhook import MOST_BYTES, verify_token
from demo.stack import free_port, wait_until
from tests.integration.docs.pages import BLOCKS

if TYPE_CHECKING:
    from instagram_sandbox.testing.handle import SandboxHandle

SECRET = "an app secret"
COMMENT = {
    "id": "17865799348089039",
    "from": {"id": "1784", "username": "ana"},
    "text": "{{ 7 * 7 }} When?",
    "media": {"id": "17912345678901234", "media_product_type": "REELS"},
}
STORY = {"media_id": "17887498072083520", "impressions": 444, "reach": 44}


class Receiver:
    """The running command, and its queue."""

    def __init__(self, url: str, client: Any, queue: str) -> None:
        self.client, self.queue = client, queue
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=60)

    def send(self, body: bytes, signature: str | None = None, secret: str = SECRET) -> int:
        made = f"sha256={hmac.new(secret.encode(), body, 'sha256').hexdigest()}"
        return self.http.post("/", content=body, headers={"X-Hub-Signature-256": signature or made}).status_code

    def tell(self, *entries: dict[str, Any]) -> int:
        return self.send(json.dumps({"object": "instagram", "entry": entries}).encode())

    def told(self) -> list[dict[str, Any]]:
        """Return what Airflow's trigger of SQS reads, as a DAG does."""
        from airflow.providers.amazon.aws.triggers.sqs import SqsSensorTrigger

        async def first() -> Any:
            trigger = SqsSensorTrigger(self.queue, max_messages=10, wait_time_seconds=0, waiter_delay=1)
            return await asyncio.wait_for(anext(trigger.run()), 20)

        return [json.loads(message["Body"]) for message in asyncio.run(first()).payload["message_batch"]]

    def count(self) -> int:
        names = ["ApproximateNumberOfMessages"]
        found = self.client.get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)["Attributes"]
        return int(found[names[0]])


@pytest.fixture
def receiver(
    instagram_sandbox: SandboxHandle, s3_server: str, monkeypatch: pytest.MonkeyPatch, no_stored_tokens: None
) -> Receiver:
    keys = {"region_name": "us-east-1", "aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    client = boto3.client("sqs", endpoint_url=s3_server, **keys)
    queue = client.create_queue(QueueName=f"instagram-{free_port()}")["QueueUrl"]
    extra = {"endpoint_url": s3_server, "region_name": "us-east-1"}
    aws = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(aws))
    connection = {**instagram_sandbox.connection, "extra": {"app_secret": SECRET}}
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
    return started(queue, client)


def started(queue: str, client: Any) -> Receiver:
    """Run the command until the tests end."""
    made = Receiver(f"http://127.0.0.1:{(args := options(queue)).port}", client, queue)
    threading.Thread(target=webhook.webhook, args=(args,), daemon=True).start()

    def answers() -> bool:
        with suppress(httpx.TransportError):
            return made.http.get("/").status_code == 403
        return False

    wait_until(answers, "the receiver answers", 60)
    return made


@pytest.fixture
def redis_receiver(
    instagram_sandbox: SandboxHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_stored_tokens: None
) -> Iterator[Receiver]:
    """A receiver with a Redis of its own."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path), "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server, redis.Redis(port=port) as client:

        def answers() -> bool:
            with suppress(redis.ConnectionError):
                return bool(client.ping())
            return False

        wait_until(answers, "Redis answers", 60)
        monkeypatch.setenv("AIRFLOW_CONN_REDIS_DEFAULT", f"redis://127.0.0.1:{port}")
        connection = {**instagram_sandbox.connection, "extra": {"app_secret": SECRET}}
        monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
        yield started("redis+pubsub://instagram", client)
        server.terminate()


def options(queue: str = "", **more: Any) -> argparse.Namespace:
    given = {"conn_id": "instagram_default", "queue": queue, "queue_conn_id": "", "host": "127.0.0.1"}
    return argparse.Namespace(**given, **{"port": free_port(), "show_verify_token": False, **more})


def test_meta_is_told_that_the_address_is_ours_only_with_the_verify_token(
    receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    webhook.webhook(options(show_verify_token=True))
    token = capsys.readouterr().out.strip()
    asked = {"hub.mode": "subscribe", "hub.challenge": "<b>1158201444</b>"}
    answer = receiver.http.get("/", params=asked | {"hub.verify_token": token})
    assert (answer.status_code, answer.text) == (200, "<b>1158201444</b>")
    assert answer.headers["content-type"].startswith("text/plain")
    for wrong in ("", "é", token[:-1], verify_token("another secret")):
        assert receiver.http.get("/", params=asked | {"hub.verify_token": wrong}).status_code == 403
    assert SECRET not in token


def test_a_comment_and_the_numbers_of_a_story_reach_the_queue_from_both_logins(receiver: Receiver) -> None:
    """Instagram Login tells them in the entry, Facebook Login in its changes."""
    flat = {"id": "17841400000000001", "time": 1796000000, "field": "comments", "value": COMMENT}
    assert receiver.tell(flat) == 200
    (comment,) = receiver.told()
    assert comment == {
        "field": "comments",
        "ig_user_id": "17841400000000001",
        "time": 1796000000,
        "value": COMMENT,
        "comment_id": "17865799348089039",
        "media_id": "17912345678901234",
        "text": "{{ 7 * 7 }} When?",
        "username": "ana",
    }
    changes = [{"field": "story_insights", "value": STORY}]
    assert receiver.tell({"id": "17841400000000001", "time": 1796000001, "changes": changes}) == 200
    (story,) = receiver.told()
    assert (story["field"], story["value"], "comment_id" in story) == ("story_insights", STORY, False)


def test_what_meta_did_not_sign_is_refused(receiver: Receiver) -> None:
    entry = {"id": "1", "time": 1, "field": "comments", "value": COMMENT}
    body = json.dumps({"object": "instagram", "entry": [entry]}).encode()
    signed = f"sha256={hmac.new(SECRET.encode(), body, 'sha256').hexdigest()}"
    assert receiver.send(body, secret="another secret") == 403
    assert receiver.send(body + b" ", signed) == 403
    for signature in ("sha256=", signed.removeprefix("sha256="), signed.replace("sha256", "sha1"), signed + "0", "é"):
        headers = {b"X-Hub-Signature-256": signature.encode()}
        assert receiver.http.post("/", content=body, headers=headers).status_code == 403
    assert receiver.http.post("/", content=body).status_code == 403
    assert receiver.send(b"x" * (MOST_BYTES + 1)) == 413
    assert receiver.count() == 0
    assert receiver.send(body, signed) == 200
    assert receiver.count() == 1


def test_who_sends_no_body_is_not_waited_for(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "LONGEST_BODY_S", 0.2)
    head = "POST / HTTP/1.1\r\nHost: localhost\r\nX-Hub-Signature-256: sha256=\r\nContent-Length: 10\r\n\r\n"
    with socket.create_connection(("127.0.0.1", receiver.http.base_url.port or 80), timeout=20) as caller:
        caller.sendall(head.encode())
        assert caller.recv(1000).startswith(b"HTTP/1.1 408")


def test_replies_own_comments_and_what_is_no_notification_are_left_out(receiver: Receiver) -> None:
    """An answer to one of the account's own replies would be answered again, without end."""
    own = {**COMMENT, "from": {"id": "5", "self_ig_scoped_id": "5", "username": "studio"}}
    for value in ({**COMMENT, "parent_id": "178"}, {**COMMENT, "from": {"id": "1"}}, own):
        assert receiver.tell({"id": "1", "time": 1, "field": "comments", "value": value}) == 200
    assert receiver.tell({"id": "1", "time": 1, "messaging": [{"message": {"text": "Hello"}}]}) == 200
    for body in (
        b"",
        b"[]",
        b"{",
        b'{"object": "page", "entry": [{"field": "comments"}]}',
        b'{"object": "instagram"}',
        b'{"object": "instagram", "entry": [1, {"changes": [2]}]}',
        b"[" * 9999,
    ):
        assert receiver.send(body) == 200
    assert receiver.count() == 0
    nobody = {**COMMENT, "from": {"username": "ada"}}
    assert receiver.tell({"id": "1", "time": 1, "field": "comments", "value": nobody}) == 200
    assert receiver.count() == 1, "whose id Meta does not tell is not taken for the account"


def test_what_does_not_reach_the_queue_is_not_acknowledged(receiver: Receiver) -> None:
    """Meta then sends it again."""
    receiver.client.delete_queue(QueueUrl=receiver.queue)
    assert receiver.tell({"id": "1", "time": 1, "field": "comments", "value": COMMENT}) == 500


def test_the_list_of_redis_keeps_what_its_trigger_does_not_hear(redis_receiver: Receiver) -> None:
    """The trigger hears one message, if it listens at that moment. The list has all events, in their order."""
    from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger

    entry = {"id": "17841400000000001", "time": 1796000000, "field": "comments"}
    trigger = MessageQueueTrigger(scheme="redis+pubsub", channels=["instagram"], poll_interval=0.1)

    async def heard() -> Any:
        event = asyncio.ensure_future(anext(trigger.run()))
        while not redis_receiver.client.pubsub_channels("instagram"):
            await asyncio.sleep(0.01)
        for text in ("Where?", "When?"):
            told = asyncio.to_thread(redis_receiver.tell, {**entry, "value": {**COMMENT, "text": text}})
            assert await told == 200
        return (await asyncio.wait_for(event, 20)).payload

    assert redis_receiver.tell({**entry, "value": {**COMMENT, "text": "Who?"}}) == 200  # nobody listens yet
    bell = asyncio.run(heard())
    assert (bell["channel"], json.loads(bell["data"])["text"]) == ("instagram", "Where?")
    kept = [json.loads(text) for text in redis_receiver.client.lrange("instagram", 0, -1)]
    assert [event["text"] for event in kept] == ["Who?", "Where?", "When?"]
    assert {event["comment_id"] for event in kept} == {"17865799348089039"}


def test_the_dag_of_the_docs_answers_each_comment_of_the_list_once(
    redis_receiver: Receiver, instagram_sandbox: SandboxHandle, run_dag: Any
) -> None:
    """A run that dies before it has shortened the list leaves the events, and the next one replies to none twice."""
    (block,) = [one for one in BLOCKS if one.page == "docs/publish/webhooks.md" and "RedisHook" in one.code]
    media_id, account = instagram_sandbox.add_foreign_post("Ours"), instagram_sandbox.user_id
    asked = [instagram_sandbox.add_comment(media_id, text) for text in ("Where?", "When?")]
    for one in asked:
        value = {"id": one.comment_id, "text": one.text, "from": {"id": "1", "username": "ana"}}
        assert redis_receiver.tell({"id": account, "time": 1796000000, "field": "comments", "value": value}) == 200
    left = redis_receiver.client.lrange("instagram", 0, -1)
    assert len(left) == 2
    names: dict[str, Any] = {}
    exec(block.code, names)  # noqa: S102 -- a page of ours
    names["ACCOUNT"] = account
    for _ in range(2):
        assert run_dag(names["dag"]).state == "success"
        assert redis_receiver.client.lrange("instagram", 0, -1) == []
        redis_receiver.client.rpush("instagram", *left)
    replies = [(one.parent_id, one.text) for one in instagram_sandbox.comments() if one.parent_id]
    assert sorted(replies) == sorted((one.comment_id, "Thank you!") for one in asked)


def test_a_list_of_redis_that_nothing_reads_keeps_the_newest_events(
    redis_receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "MOST_KEPT", 2)
    for number in range(3):
        entry = {"id": "1", "time": number, "field": "story_insights", "value": STORY}
        assert redis_receiver.tell(entry) == 200
    assert [json.loads(text)["time"] for text in redis_receiver.client.lrange("instagram", 0, -1)] == [1, 2]


def test_what_redis_does_not_take_is_not_acknowledged(redis_receiver: Receiver) -> None:
    redis_receiver.client.set("instagram", "no list")
    assert redis_receiver.tell({"id": "1", "time": 1, "field": "comments", "value": COMMENT}) == 500


def test_without_the_app_secret_nothing_is_received(
    instagram_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {**instagram_sandbox.connection, "extra": {}}
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
    with pytest.raises(SystemExit, match="has no app secret"):
        webhook.webhook(options("https://sqs.example.com/1/queue"))
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps({**connection, "extra": {"app_secret": SECRET}}))
    with pytest.raises(SystemExit, match="--queue"):
        webhook.webhook(options())
