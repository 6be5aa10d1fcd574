"""The gallery of DAGs in a running Airflow: each file as it is, except for the values that its user has to change.

The runs begin together, and each test waits for its own. The first DAG of the gallery, ``publish_reel``, is the one of
the other system tests.
"""

from __future__ import annotations

import ast
import json
import re
import secrets
import shutil
from contextlib import ExitStack
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

from airflow_provider_instagram.calendar.planning.schedule import pool_name
from demo.scene import ROOT
from demo.stack import wait_until
from demo.ui import connect
from instagram_sandbox.testing.handle import SandboxHandle
from tests.reliability.postgres import postgres
from tests.system.conftest import Run, wait_for_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.stack import AirflowStack
    from instagram_sandbox.simulator.truth import PostTruth
    from tests.system.conftest import Videos

#: The connections of the tests, and the accounts of the sandbox behind them.
USERS = {"gallery": "17841488000000001", "brand_one": "17841488000000002", "brand_two": "17841488000000003"}
BUCKETS = ("shoots", "shoots-finished", "menus", "menus-finished", "renders", "reports")
KEYS = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
RENDERER = re.compile(r"```python\n(.*?)```", re.DOTALL)
WEBHOOK = f"T01/B01/{secrets.token_hex(12)}"
CALENDAR = "gallery_calendar"
POST_IN = timedelta(seconds=100)
#: Airflow 3.3.2 fails a task that is answered before its scheduler has seen that it waits.
READING = timedelta(seconds=5)
LIMIT_S = 150


class Web(BaseHTTPRequestHandler):
    """A sheet behind a redirect, as Google exports it, and Slack's webhook."""

    sheet = b""
    messages: list[tuple[str, str]]

    def do_GET(self) -> None:
        if self.path.startswith("/export"):
            self.send_response(307)
            self.send_header("Location", "/sheet.csv")
            self.end_headers()
        else:
            self._answer(self.sheet)

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.messages.append((self.path, sent["text"]))
        self._answer(b"ok")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/csv; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


class Gallery:
    """The DAGs of the gallery, their runs, and what is around them."""

    def __init__(self, airflow: AirflowStack, sandbox: SandboxHandle, storage: Any, web: type[Web]) -> None:
        self.airflow = airflow
        self.sandbox = sandbox
        self.storage = storage
        self.web = web
        self.runs: dict[str, Run] = {}

    def copy(self, path: str, dag_id: str | None = None, **values: Any) -> None:
        """Copy a DAG file, and change values at its top, as a user does.

        :param dag_id: Another id for the DAG.
        """
        text = (ROOT / "dags" / path).read_text()
        lines = text.splitlines(keepends=True)
        for node in reversed(ast.parse(text).body):
            if isinstance(node, ast.Assign) and (name := ast.unparse(node.targets[0])) in values:
                lines[node.lineno - 1 : node.end_lineno] = [f"{name} = {values.pop(name)!r}\n"]
        assert not values, f"{path} has no {', '.join(values)}"
        changed = "".join(lines)
        if dag_id is not None:
            changed = changed.replace(f'"{path.removesuffix(".py")}"', f'"{dag_id}"')
        self.write(f"gallery_{path.rpartition('/')[2]}", changed)

    def write(self, name: str, text: str) -> None:
        """Write a DAG file."""
        (self.airflow.home / "dags" / name).write_text(text)

    def start(self, dag_id: str, **conf: Any) -> Run:
        """Start a run."""
        run = Run(self.airflow, dag_id, secrets.token_hex(6))
        self.airflow.trigger(dag_id, run.run_id, conf)
        self.runs[dag_id] = run
        return run

    def posts(self, conn_id: str = "gallery") -> list[PostTruth]:
        """List the posts that were made through the API on the account of a connection."""
        return [post for post in self.sandbox.posts if post.user_id == USERS[conn_id]]

    def captions(self, conn_id: str = "gallery") -> list[str]:
        """List the captions of these posts."""
        return [post.caption for post in self.posts(conn_id)]

    def put(self, bucket: str, key: str, body: bytes) -> None:
        """Put an object into a bucket."""
        self.storage.put_object(Bucket=bucket, Key=key, Body=body)


@pytest.fixture(scope="module")
def gallery(airflow: AirflowStack, sandbox: SandboxHandle, videos: Videos) -> Iterator[Gallery]:
    """The whole gallery, with a run of each DAG that a person or the clock starts."""
    with ExitStack() as around:
        storage = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
        storage.start()
        around.callback(storage.stop)
        s3_url = "http://{}:{}".format(*storage.get_host_and_port())
        client = boto3.client("s3", endpoint_url=s3_url, **KEYS)
        for bucket in BUCKETS:
            client.create_bucket(Bucket=bucket)

        class Served(Web):
            messages: list[tuple[str, str]] = []  # noqa: RUF012 -- one for all requests

        server = ThreadingHTTPServer(("127.0.0.1", 0), Served)
        Thread(target=server.serve_forever, daemon=True).start()
        around.callback(server.shutdown)
        web_url = f"http://127.0.0.1:{server.server_port}"
        database = make_url(around.enter_context(postgres())["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])

        made = Gallery(airflow, sandbox, client, Served)
        warehouse = {"host": database.host, "port": database.port, "login": database.username, "schema": "airflow"}
        extra = {"endpoint_url": s3_url, "region_name": "us-east-1"}
        media = {"conn_type": "aws", "login": "key", "password": "secret", "extra": json.dumps(extra)}
        _connect(made, "media", **media)
        _connect(made, "slack", conn_type="http", host=f"{web_url}/services", password=WEBHOOK)
        _connect(made, "warehouse", conn_type="postgres", **warehouse)
        _open_accounts(made)
        _prepare_files(made, videos)
        _copy_all(made, videos, web_url)
        yield made
        for file in (airflow.home / "dags").glob("gallery_*.py"):
            file.unlink()


def _connect(gallery: Gallery, conn_id: str, **fields: Any) -> None:
    gallery.airflow.call("POST", "/connections", json={"connection_id": conn_id, **fields})


def _open_accounts(gallery: Gallery) -> None:
    for conn_id, user_id in USERS.items():
        token = gallery.sandbox.add_account(user_id, conn_id)
        account = SandboxHandle(gallery.sandbox.url, token, user_id)
        connect(gallery.airflow, account, conn_id, calls_per_hour=20_000)
        account.close()
    pool = {"name": pool_name("gallery"), "slots": 1}
    gallery.airflow.call("POST", "/pools", json=pool)


def _prepare_files(gallery: Gallery, videos: Videos) -> None:
    """Put the files where the DAGs look for them, and a sheet with an empty row behind its link."""
    gallery.put("shoots", "harbour/2-reel.mp4", videos.reel.read_bytes())
    gallery.put("shoots", "harbour/1-boat.jpg", _picture("navy"))
    gallery.put("shoots", "harbour/caption.txt", b"A morning in the harbour")
    gallery.put("menus", f"{datetime.now(timezone.utc):%Y-%m-%d}.jpg", _picture("olive"))
    gallery.put("renders", "social/teaser.mp4", videos.reel.read_bytes())
    rows = [f'one,{videos.reel},"One, in\ntwo lines",x', ",,,", f"two,{videos.reel},Two {{{{ 7 * 7 }}}},"]
    gallery.web.sheet = "\r\n".join(["id,video,caption,notes", *rows]).encode()


def _picture(colour: str) -> bytes:
    file = BytesIO()
    Image.new("RGB", (720, 1280), colour).save(file, format="JPEG")
    return file.getvalue()


def _copy_all(gallery: Gallery, videos: Videos, web_url: str) -> None:
    """Copy every DAG, wait until Airflow has read them, and start those that no asset starts."""
    gallery.copy("gallery/posts_from_sheet.py", ACCOUNT="gallery", SHEET=f"{web_url}/export?format=csv")
    gallery.copy("gallery/carousel_from_folder.py", ACCOUNT="gallery")
    gallery.copy("gallery/story_every_morning.py", ACCOUNT="gallery", ZONE="UTC")
    gallery.copy("gallery/rendered_video.py", ACCOUNT="gallery")
    gallery.copy("gallery/tell_slack.py", ACCOUNT="gallery")
    gallery.copy("gallery/insights_and_report.py", ACCOUNTS=["gallery"])
    brands = {"brand_one": "From one", "brand_two": "From two"}
    gallery.copy("gallery/several_brands.py", VIDEO=str(videos.reel), BRANDS=brands)
    (renderer,) = RENDERER.findall((ROOT / "docs/gallery/rendered_video.md").read_text())
    gallery.write("gallery_render.py", renderer)
    for file in (gallery.airflow.home / "dags").glob("gallery_*.py"):
        wait_for_file(gallery.airflow, file.name)
    _add_calendar(gallery, videos)
    gallery.sandbox.add_foreign_post("Made in the app", age_s=7200, user_id=USERS["gallery"])
    for dag_id in ("render", "posts_from_sheet", "story_every_morning", "several_brands", "insights_to_postgres"):
        gallery.start(dag_id)
    gallery.start("carousel_from_folder", folder="harbour")


def _add_calendar(gallery: Gallery, videos: Videos) -> None:
    """Write a calendar whose one post waits for a person, and copy its DAG."""
    folder = gallery.airflow.home / "calendar"
    folder.mkdir()
    shutil.copy(videos.reel, folder / "reel.mp4")
    at = datetime.now(timezone.utc).replace(microsecond=0) + POST_IN
    post = {"id": "asked", "publish_at": at.isoformat(), "account": "gallery", "video": "reel.mp4"}
    text = {"posts": [post | {"caption": "Asked first", "approval": "required"}]}
    (folder / "posts.yaml").write_text(json.dumps(text))
    gallery.copy("content_calendar.py", dag_id=CALENDAR, EXAMPLE=str(folder / "posts.yaml"))
    wait_for_file(gallery.airflow, "gallery_content_calendar.py")


def test_each_row_of_a_sheet_is_one_post_also_when_the_sheet_is_read_again(gallery: Gallery) -> None:
    """A row without an id is left out. What looks like a template is text."""
    gallery.runs["posts_from_sheet"].wait()
    again = gallery.start("posts_from_sheet")
    again.wait()
    captions = ["One, in\ntwo lines", "Two {{ 7 * 7 }}"]
    assert [caption for caption in sorted(gallery.captions()) if caption[:3] in ("One", "Two")] == captions
    assert [again.result("post.publish", index)["already_published"] for index in (0, 1)] == [True, True]


def test_a_folder_becomes_a_carousel_in_the_order_of_its_names(gallery: Gallery) -> None:
    gallery.runs["carousel_from_folder"].wait()
    (post,) = [post for post in gallery.posts() if post.caption == "A morning in the harbour"]
    assert post.media_type == "CAROUSEL_ALBUM"
    kinds = [re.sub(r".*\.", "", file) for file in gallery.runs["carousel_from_folder"].result("transcode")]
    assert kinds == ["jpg", "mp4"]


def test_the_picture_of_the_day_becomes_a_story_and_a_day_without_one_is_skipped(gallery: Gallery) -> None:
    gallery.runs["story_every_morning"].wait()
    (story,) = [post for post in gallery.posts() if post.media_product_type == "STORY"]
    assert story.media_type == "IMAGE"
    gallery.storage.delete_object(Bucket="menus", Key=f"{datetime.now(timezone.utc):%Y-%m-%d}.jpg")
    without = gallery.start("story_every_morning")
    without.wait()
    assert set(without.states().values()) == {"skipped"}
    assert len([post for post in gallery.posts() if post.media_product_type == "STORY"]) == 1


def test_a_video_is_published_when_another_dag_has_rendered_it(gallery: Gallery) -> None:
    gallery.runs["render"].wait()
    wait_until(lambda: "Coming Friday #teaser" in gallery.captions(), "the rendered video is published", LIMIT_S, 1.0)
    (post,) = [post for post in gallery.posts() if post.caption == "Coming Friday #teaser"]
    assert post.media_product_type == "REELS"


def test_one_video_goes_out_on_the_accounts_of_all_brands(gallery: Gallery) -> None:
    gallery.runs["several_brands"].wait()
    assert {brand: gallery.captions(brand) for brand in ("brand_one", "brand_two")} == {
        "brand_one": ["From one"],
        "brand_two": ["From two"],
    }


def test_the_numbers_are_in_postgresql_and_the_report_lists_the_posts_of_the_week(gallery: Gallery) -> None:
    gallery.runs["insights_to_postgres"].wait()
    assert gallery.runs["insights_to_postgres"].result("read_gallery")["read"] >= 1
    report = gallery.start("weekly_report")
    report.wait()
    key = f"instagram/{datetime.now(timezone.utc):%Y-%m-%d}.md"
    lines = gallery.storage.get_object(Bucket="reports", Key=key)["Body"].read().decode().splitlines()
    assert lines[:2] == ["| post | views |", "|---|---|"]
    assert re.fullmatch(r"\| http\S+ \| \d+ \|", lines[2])


def test_a_post_of_a_calendar_goes_out_when_a_person_has_approved_it(gallery: Gallery) -> None:
    path = f"/dags/{CALENDAR}/dagRuns/~/hitlDetails"

    def asked() -> dict[str, Any] | None:
        found = gallery.airflow.call("GET", path)["hitl_details"]
        read = datetime.now(timezone.utc) - READING
        return next((one for one in found if datetime.fromisoformat(one["created_at"]) < read), None)

    ti = wait_until(asked, "the question is asked", LIMIT_S, 0.5)["task_instance"]
    assert "Asked first" not in gallery.captions()
    answer = {"chosen_options": ["Approve"], "params_input": {}}
    of_task = f"/dags/{CALENDAR}/dagRuns/{ti['dag_run_id']}/taskInstances/{ti['task_id']}/{ti['map_index']}"
    gallery.airflow.call("PATCH", f"{of_task}/hitlDetails", json=answer)
    wait_until(lambda: "Asked first" in gallery.captions(), "the approved post is published", LIMIT_S, 1.0)


def test_slack_is_told_of_every_post_of_the_account(gallery: Gallery) -> None:
    """The webhook's secret path is in no log."""
    for dag_id in ("posts_from_sheet", "carousel_from_folder", "story_every_morning"):
        gallery.runs[dag_id].end()
    links = {post.permalink for post in gallery.posts()}
    assert len(links) >= len(("a carousel", "a story", "two rows"))
    told = lambda: {link for link in links if any(link in text for _, text in gallery.web.messages)}  # noqa: E731
    wait_until(lambda: told() == links, "Slack has been told of all posts", LIMIT_S, 1.0)
    assert {path for path, _ in gallery.web.messages} == {f"/services/{WEBHOOK}"}
    runs = gallery.airflow.call("GET", "/dags/tell_slack/dagRuns")["dag_runs"]
    logs = [Run(gallery.airflow, "tell_slack", run["dag_run_id"]).log("send") for run in runs]
    assert "Sending 'POST'" in "".join(logs)
    assert WEBHOOK not in "".join(logs)
