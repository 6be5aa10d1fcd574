"""The DAGs of the gallery that wake each other, in a running Airflow, copied as a user does.

``tests/integration/docs/test_gallery.py`` runs the others.
"""

from __future__ import annotations

import json
import secrets
import shutil
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from demo.stack import wait_until
from demo.ui import connect
from instagram_sandbox.testing.handle import SandboxHandle
from tests.gallery import adapted, example_on
from tests.system.conftest import wait_for_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from demo.stack import AirflowStack
    from tests.system.conftest import Run, Videos

CONN_ID = "gallery"
USER_ID = "17841488000000001"
KEYS = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
RENDERED = "Coming Friday #teaser"
ASKED = "Tonight at eight"
#: What follows the host in the URL of Slack's webhook, and is as good as a password.
WEBHOOK = f"T01/B01/{secrets.token_hex(12)}"
POST_IN = timedelta(seconds=100)
#: Airflow 3.3.2 fails a task that is answered before its scheduler has seen that it waits.
READING = timedelta(seconds=5)
LIMIT_S = 150


class Slack:
    """A server that takes the messages of a webhook."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []
        slack = self

        class Webhook(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                slack.messages.append((self.path, sent["text"]))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: Any) -> None:
                """Print nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def text(self) -> str:
        return "\n".join(text for _, text in self.messages)


@pytest.fixture(scope="module")
def slack() -> Iterator[Slack]:
    made = Slack()
    yield made
    made.server.shutdown()


@pytest.fixture(scope="module")
def storage(videos: Videos) -> Iterator[Any]:
    """An S3 server with a rendered video."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", **KEYS)
    client.create_bucket(Bucket="renders")
    client.put_object(Bucket="renders", Key="social/teaser.mp4", Body=videos.reel.read_bytes())
    yield client
    server.stop()


@pytest.fixture(scope="module")
def connections(airflow: AirflowStack, sandbox: SandboxHandle, storage: Any, slack: Slack) -> None:
    """Store the connections that the DAGs name."""
    account = SandboxHandle(sandbox.url, sandbox.add_account(USER_ID, CONN_ID), USER_ID)
    connect(airflow, account, CONN_ID)
    account.close()
    extra = json.dumps({"endpoint_url": storage.meta.endpoint_url, "region_name": "us-east-1"})
    media = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
    webhook = {"conn_type": "http", "host": f"{slack.url}/services", "password": WEBHOOK}
    for conn_id, fields in (("media", media), ("slack", webhook)):
        airflow.call("POST", "/connections", json={"connection_id": conn_id, **fields})


@pytest.fixture(scope="module")
def gallery(airflow: AirflowStack, connections: None, videos: Videos) -> Iterator[AirflowStack]:
    """An Airflow to which a user has copied the DAGs, with their connections."""
    texts = {
        "gallery_rendered.py": adapted("gallery/rendered_video.py", ACCOUNT=CONN_ID),
        "gallery_renderer.py": example_on("posts.md"),
        "gallery_slack.py": adapted("gallery/tell_slack.py", ACCOUNT=CONN_ID),
        "gallery_calendar.py": adapted(
            "content_calendar.py", EXAMPLE=str(_calendar(airflow, videos)), ACCOUNTS=[CONN_ID]
        ).replace('"content_calendar"', '"gallery_calendar"'),
    }
    for name, text in texts.items():
        (airflow.home / "dags" / name).write_text(text)
    for name in texts:
        wait_for_file(airflow, name)
    yield airflow
    for name in texts:
        (airflow.home / "dags" / name).unlink()


def _calendar(airflow: AirflowStack, videos: Videos) -> str:
    """Write a calendar whose one post waits for a person, and return its path."""
    folder = airflow.home / "calendar"
    folder.mkdir()
    shutil.copy(videos.reel, folder / "reel.mp4")
    at = (datetime.now(timezone.utc) + POST_IN).isoformat(timespec="seconds")
    post = {"id": "asked", "publish_at": at, "account": CONN_ID, "video": "reel.mp4", "caption": ASKED}
    (folder / "posts.yaml").write_text(json.dumps({"posts": [post | {"approval": "required"}]}))
    return str(folder / "posts.yaml")


def test_a_post_waits_for_a_person_a_rendered_video_does_not_and_slack_is_told_of_both(
    gallery: AirflowStack,
    slack: Slack,
    run_of: Callable[[str, str], Run],
    posts_of: Callable[[str], list[str]],
) -> None:
    """They run at the same time. The webhook's password is in no log."""
    gallery.trigger("render", "once")
    wait_until(lambda: _asked(gallery), "the question is asked", LIMIT_S, 0.5)
    assert posts_of(ASKED) == []
    question = "/dags/gallery_calendar/dagRuns/asked/taskInstances/approve/-1/hitlDetails"
    answer = {"chosen_options": ["Approve"], "params_input": {"caption": ASKED, "reason": None}}
    gallery.call("PATCH", question, json=answer)
    (rendered,) = wait_until(lambda: posts_of(RENDERED), "the rendered video is published", LIMIT_S, 1.0)
    (approved,) = wait_until(lambda: posts_of(ASKED), "the approved post is published", LIMIT_S, 1.0)

    wait_until(lambda: {rendered, approved} <= set(slack.text.split()), "Slack is told of both", LIMIT_S, 1.0)
    assert {path for path, _ in slack.messages} == {f"/services/{WEBHOOK}"}
    assert [slack.text.count(link) for link in (rendered, approved)] == [1, 1]
    runs = gallery.call("GET", "/dags/tell_slack/dagRuns")["dag_runs"]
    logs = "".join(run_of("tell_slack", run["dag_run_id"]).log("send") for run in runs)
    assert "Sending 'POST' to url" in logs
    assert WEBHOOK not in logs


def _asked(airflow: AirflowStack) -> bool:
    """Return whether the question has been open for as long as a person reads."""
    found = airflow.call("GET", "/dags/gallery_calendar/dagRuns/~/hitlDetails")["hitl_details"]
    read = datetime.now(timezone.utc) - READING
    return any(datetime.fromisoformat(one["created_at"]) < read for one in found)
