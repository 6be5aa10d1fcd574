"""The DAGs of the gallery in a running Airflow, copied as a user does. ``test_main_job.py`` publishes the one reel.

``tests/integration/docs/test_gallery.py`` has their other cases, in one process.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from PIL import Image
from sqlalchemy.engine import make_url

from demo.stack import wait_until
from demo.ui import connect
from instagram_sandbox.testing.handle import SandboxHandle
from tests.gallery import adapted, example_on
from tests.reliability.postgres import postgres
from tests.system.conftest import wait_for_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from demo.stack import AirflowStack
    from tests.system.conftest import Run, Videos

CONN_ID = "gallery"
BRANDS = {"brand_one": "One", "brand_two": "Two"}
NUMBERS = "gallery_numbers"
#: The user id of each account, by its connection.
USERS = {conn_id: f"1784148800000000{number}" for number, conn_id in enumerate((CONN_ID, *BRANDS, NUMBERS), 1)}
BUCKETS = ("renders", "shoots", "shoots-finished", "menus", "menus-finished", "reports")
TODAY = f"{datetime.now(timezone.utc):%Y-%m-%d}"
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
    """An S3 server with the buckets of the DAGs: a rendered video, a shoot of a photographer, the menu of the day."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", **KEYS)
    for bucket in BUCKETS:
        client.create_bucket(Bucket=bucket)
    reel = videos.reel.read_bytes()
    for bucket, key, body in (
        ("renders", "social/teaser.mp4", reel),
        ("shoots", "harbour/2-reel.mp4", reel),
        ("shoots", "harbour/1-boat.jpg", _picture("navy")),
        ("shoots", "harbour/caption.txt", b"A morning in the harbour"),
        ("menus", f"{TODAY}.jpg", _picture("olive")),
    ):
        client.put_object(Bucket=bucket, Key=key, Body=body)
    yield client
    server.stop()


def _picture(colour: str) -> bytes:
    file = BytesIO()
    Image.new("RGB", (720, 1280), colour).save(file, format="JPEG")
    return file.getvalue()


@pytest.fixture(scope="module")
def sheet(videos: Videos) -> Iterator[str]:
    """The address of a sheet with two posts, as CSV."""
    rows = ("id,video,caption", f"sheet-1,{videos.reel},First row", f"sheet-2,{videos.reel},{{{{ 7 * 7 }}}}")

    class Sheet(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write("\r\n".join(rows).encode())

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Sheet)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")
def warehouse() -> Iterator[dict[str, Any]]:
    """The connection of an empty PostgreSQL."""
    with postgres() as settings:
        url = make_url(settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
        yield {
            "conn_type": "postgres",
            "host": url.host,
            "port": url.port,
            "login": url.username,
            "schema": url.database,
        }


@pytest.fixture(scope="module")
def connections(airflow: AirflowStack, sandbox: SandboxHandle, storage: Any, slack: Slack, warehouse: Any) -> None:
    """Store the connections that the DAGs name."""
    for conn_id, user_id in USERS.items():
        account = SandboxHandle(sandbox.url, sandbox.add_account(user_id, conn_id), user_id)
        connect(airflow, account, conn_id)
        account.close()
    extra = json.dumps({"endpoint_url": storage.meta.endpoint_url, "region_name": "us-east-1"})
    media = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
    webhook = {"conn_type": "http", "host": f"{slack.url}/services", "password": WEBHOOK}
    for conn_id, fields in (("media", media), ("slack", webhook), ("warehouse", warehouse)):
        airflow.call("POST", "/connections", json={"connection_id": conn_id, **fields})


@pytest.fixture(scope="module")
def seen_posts(sandbox: SandboxHandle, connections: None) -> None:
    """Make posts that people have seen. They exist before the DAG that reads them, which looks for posts rarely."""
    for hours, views in ((2, 11), (26, 22), (24 * 8, 33)):
        media_id = sandbox.add_foreign_post(f"{hours} hours", age_s=hours * 3600, user_id=USERS[NUMBERS])
        sandbox.set_insights(media_id, views=views)


@pytest.fixture(scope="module")
def gallery(airflow: AirflowStack, seen_posts: None, sheet: str, videos: Videos) -> Iterator[AirflowStack]:
    """An Airflow to which a user has copied the DAGs, with their connections."""
    texts = {
        "gallery_rendered.py": adapted("gallery/rendered_video.py", ACCOUNT=CONN_ID),
        "gallery_renderer.py": example_on("posts.md"),
        "gallery_slack.py": adapted("gallery/tell_slack.py", ACCOUNT=CONN_ID),
        "gallery_sheet.py": adapted("gallery/posts_from_sheet.py", ACCOUNT=CONN_ID, SHEET=sheet),
        "gallery_folder.py": adapted("gallery/carousel_from_folder.py", ACCOUNT=CONN_ID),
        "gallery_story.py": adapted("gallery/story_every_morning.py", ACCOUNT=CONN_ID, ZONE="UTC"),
        "gallery_brands.py": adapted("gallery/several_brands.py", VIDEO=str(videos.reel), BRANDS=BRANDS),
        "gallery_report.py": adapted("gallery/insights_and_report.py", ACCOUNTS=[NUMBERS]),
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


@pytest.fixture
def play(gallery: AirflowStack, run_of: Callable[[str, str], Run]) -> Callable[..., Run]:
    """Run a DAG to its successful end."""

    def played(dag_id: str, **conf: str) -> Run:
        run_id = secrets.token_hex(6)
        gallery.trigger(dag_id, run_id, conf)
        run = run_of(dag_id, run_id)
        run.wait()
        return run

    return played


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
    sandbox: SandboxHandle,
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


def test_each_row_of_a_sheet_is_one_post_also_when_the_sheet_is_read_again(
    play: Callable[..., Run], posts_of: Callable[[str], list[str]]
) -> None:
    play("posts_from_sheet")
    assert play("posts_from_sheet").result("post.publish", map_index=1)["already_published"] is True
    assert [len(posts_of(caption)) for caption in ("First row", "{{ 7 * 7 }}")] == [1, 1]


def test_a_folder_becomes_a_carousel_in_the_order_of_its_names(
    play: Callable[..., Run], sandbox: SandboxHandle
) -> None:
    items = play("carousel_from_folder", folder="harbour").result("transcode")
    assert [item.rpartition(".")[2] for item in items] == ["jpg", "mp4"]
    (post,) = (post for post in sandbox.posts if post.caption == "A morning in the harbour")
    assert post.media_type == "CAROUSEL_ALBUM"


def test_the_picture_of_the_day_becomes_one_story(play: Callable[..., Run], sandbox: SandboxHandle) -> None:
    play("story_every_morning")
    play("story_every_morning")
    stories = [post for post in sandbox.posts if post.media_product_type == "STORY" and post.user_id == USERS[CONN_ID]]
    assert [post.media_type for post in stories] == ["IMAGE"]


def test_one_video_is_published_on_the_accounts_of_all_brands(play: Callable[..., Run], sandbox: SandboxHandle) -> None:
    play("several_brands")
    posts = [(post.user_id, post.caption) for post in sandbox.posts if post.user_id in {USERS[name] for name in BRANDS}]
    assert sorted(posts) == [(USERS[name], caption) for name, caption in BRANDS.items()]


def test_the_report_lists_the_posts_of_the_week_from_the_database(play: Callable[..., Run], storage: Any) -> None:
    """The most viewed first. A post from before the week is left out."""
    play("insights_to_postgres")
    report = play("weekly_report").result("write").removeprefix("s3://media@reports/")
    text = storage.get_object(Bucket="reports", Key=report)["Body"].read().decode()
    assert re.findall(r"^\| https?://\S+ \| (\d+) \|$", text, re.MULTILINE) == ["22", "11"]


def _asked(airflow: AirflowStack) -> bool:
    """Return whether the question has been open for as long as a person reads."""
    found = airflow.call("GET", "/dags/gallery_calendar/dagRuns/~/hitlDetails")["hitl_details"]
    read = datetime.now(timezone.utc) - READING
    return any(datetime.fromisoformat(one["created_at"]) < read for one in found)
