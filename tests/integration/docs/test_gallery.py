"""The gallery of DAGs: its files are short, its pages show them, and those that nothing triggers run to their end.

Most of them run in a running Airflow in ``tests/system/test_gallery.py``.
"""

from __future__ import annotations

import ast
import json
import re
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from PIL import Image
from sqlalchemy.engine import make_url

from airflow_provider_instagram.calendar.planning.look import look
from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator
from airflow_provider_instagram.operators.approval import Verdict
from airflow_provider_instagram.plugin.users import DELETES
from tests.gallery import DAGS, PAGES, adapted
from tests.integration.tasks import connect_page
from tests.reliability.postgres import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow.sdk import DAG
    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.integration.conftest import RunDag

FILES = [
    "publish_reel.py",
    "content_calendar.py",
    *sorted(f"gallery/{file.name}" for file in DAGS.glob("gallery/*.py")),
]
INDEX = (PAGES / "index.md").read_text()
LINK = re.compile(r"\]\((?!http)([^)#]+)")
INCLUDED = re.compile(r"```\{literalinclude\} (\S+)\n:language: python\n```")
MOST_LINES = 50
KEYS = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
TODAY = f"{datetime.now(timezone.utc):%Y-%m-%d}"

pytestmark = pytest.mark.usefixtures("no_stored_tokens")


def dags_of(text: str, name: str) -> dict[str, DAG]:
    """Return the DAGs of a file by their ids."""
    from airflow.sdk import DAG

    namespace: dict[str, Any] = {"__name__": "gallery", "__file__": str(DAGS / name)}
    exec(compile(text, str(DAGS / name), "exec", dont_inherit=True), namespace)  # noqa: S102 -- our own examples
    dags = {found.dag_id: found for found in namespace.values() if isinstance(found, DAG)}
    for task in (task for dag in dags.values() for task in dag.tasks if not task.is_mapped):
        task.retries = 0  # what fails here fails at once
    return dags


@pytest.mark.parametrize("name", FILES)
def test_a_dag_has_less_than_fifty_lines_and_says_who_wants_it(name: str) -> None:
    text = (DAGS / name).read_text()
    assert text.count("\n") < MOST_LINES
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("name", FILES)
def test_the_index_lists_each_dag_and_one_page_shows_it(name: str) -> None:
    pages = [page for page in PAGES.glob("*.md") if f"../../dags/{name}" in INCLUDED.findall(page.read_text())]
    (page,) = pages
    (row,) = [line for line in INDEX.splitlines() if f"](../../dags/{name})" in line]
    assert f"]({page.name}#" in row


def test_what_the_pages_link_to_is_there() -> None:
    pages = {page: page.read_text() for page in PAGES.glob("*.md")}
    links = [
        (page.name, link) for page, text in pages.items() for link in (*LINK.findall(text), *INCLUDED.findall(text))
    ]
    assert [(page, link) for page, link in links if not (PAGES / link).exists()] == []


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("gallery/")])
def test_each_value_that_a_docstring_asks_to_change_stands_at_the_top(name: str) -> None:
    tree = ast.parse((DAGS / name).read_text())
    asked = set(re.findall(r"\b[A-Z]{3,}\b", (ast.get_docstring(tree) or "").partition("Change ")[2].partition(".")[0]))
    constants = {ast.unparse(node.targets[0]) for node in tree.body if isinstance(node, ast.Assign)}
    assert asked
    assert asked <= constants


def test_airflow_leaves_the_gallery_alone_until_a_file_is_copied() -> None:
    """``make ui`` and the Compose file read the folder above, and have none of the gallery's folders and sheets."""
    from airflow._shared.module_loading.file_discovery import find_path_from_directory

    found = {str(file).removeprefix(f"{DAGS}/") for file in find_path_from_directory(DAGS, ".airflowignore", "glob")}
    assert "publish_reel.py" in found
    assert [file for file in found if file.startswith("gallery/")] == []


class Storage:
    """The buckets of the examples, behind the connection ``media``."""

    def __init__(self, url: str) -> None:
        self.client = boto3.client("s3", endpoint_url=url, **KEYS)

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=bucket, Key=key, Body=body)


@pytest.fixture
def storage(s3_server: str, bucket: str) -> Storage:
    made = Storage(s3_server)
    for name in ("shoots", "shoots-finished", "menus", "menus-finished", "reports"):
        made.client.create_bucket(Bucket=name)
    return made


def picture(colour: str) -> bytes:
    file = BytesIO()
    Image.new("RGB", (720, 1280), colour).save(file, format="JPEG")
    return file.getvalue()


@pytest.fixture
def sheet_link(portrait_video: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A sheet behind a redirect, as Google exports it: two posts, and a row without an id."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", str(portrait_video.parent))
    rows = [
        f'gallery-1,{portrait_video},"One, in\ntwo lines",ready',
        ",,,",
        f"gallery-2,{portrait_video},{{{{ 7 * 7 }}}},",
    ]
    text = "\r\n".join(["id,video,caption,notes", *rows]).encode()
    clip = "https://cdn.example.com/a.mp4"
    planned = f"ID;Date;Time;Clip;Text\nmonday;06.05.2030;18:00;{clip};One\ntuesday;7/5/2030;9:30 am;{clip};Two\n"

    class Sheet(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_export = self.path.startswith("/export")
            self.send_response(307 if is_export else 200)
            self.send_header(
                *(("Location", "/sheet.csv") if is_export else ("Content-Type", "text/csv; charset=utf-8"))
            )
            self.end_headers()
            self.wfile.write(b"" if is_export else planned.encode() if "planned" in self.path else text)

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Sheet)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/export?format=csv"
    server.shutdown()


def test_each_row_of_a_sheet_is_one_post_also_when_the_sheet_is_read_again(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, sheet_link: str
) -> None:
    """A row without an id is left out. What looks like a template is text."""
    name = "gallery/posts_from_sheet.py"
    dag = dags_of(adapted(name, SHEET=sheet_link), name)["posts_from_sheet"]
    assert run_dag(dag).state == "success"
    again = run_dag(dag)
    assert again.state == "success"
    assert again.xcom("post.publish", map_index=1)["already_published"] is True
    assert sorted(post.caption for post in instagram_sandbox.posts) == ["One, in\ntwo lines", "{{ 7 * 7 }}"]


def test_the_rows_of_a_published_sheet_are_the_posts_of_its_calendar(
    sheet_link: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_HOSTS", "http://127.0.0.1")
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path))
    name = "gallery/calendar_from_sheet.py"
    dags = dags_of(adapted(name, SHEET=sheet_link.replace("/export", "/planned"), ZONE="UTC"), name)
    prepare: Any = dags["calendar_from_sheet"].get_task("prepare")
    planned, _ = look(prepare.settings, None, datetime(2030, 5, 1, tzinfo=timezone.utc))
    assert {post.id: f"{post.publish_at:%d %H:%M}" for post in planned.plan.calendar.posts} == {
        "monday": "06 18:00", "tuesday": "07 09:30",
    }  # fmt: skip


def test_a_folder_becomes_a_carousel_in_the_order_of_its_names(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, storage: Storage, portrait_video: Path
) -> None:
    storage.put("shoots", "harbour/2-reel.mp4", portrait_video.read_bytes())
    storage.put("shoots", "harbour/1-boat.jpg", picture("navy"))
    storage.put("shoots", "harbour/caption.txt", b"A morning in the harbour")
    name = "gallery/carousel_from_folder.py"
    result = run_dag(dags_of(adapted(name), name)["carousel_from_folder"], folder="harbour")
    assert result.state == "success"
    assert [item.rpartition(".")[2] for item in result.xcom("transcode")] == ["jpg", "mp4"]
    (post,) = instagram_sandbox.posts
    assert (post.media_type, post.caption) == ("CAROUSEL_ALBUM", "A morning in the harbour")


def test_the_picture_of_the_day_becomes_a_story_and_a_day_without_one_is_skipped(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, storage: Storage
) -> None:
    name = "gallery/story_every_morning.py"
    dag = dags_of(adapted(name, ZONE="UTC"), name)["story_every_morning"]
    assert set(run_dag(dag).states().values()) == {"skipped"}
    storage.put("menus", f"{TODAY}.jpg", picture("olive"))
    assert run_dag(dag).state == "success"
    assert [(post.media_type, post.media_product_type) for post in instagram_sandbox.posts] == [("IMAGE", "STORY")]


def test_one_video_is_published_on_the_accounts_of_all_brands(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, portrait_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account of one brand refuses its token, and the other's post is published."""
    users = {"brand_one": "17841488000000002", "brand_two": "17841488000000003"}
    for conn_id, user_id in users.items():
        token = instagram_sandbox.add_account(user_id, conn_id)
        account = instagram_sandbox.connection | {"login": user_id, "password": token}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(account))
    dead = instagram_sandbox.connection | {"login": "17841488000000004", "password": "dead"}
    monkeypatch.setenv("AIRFLOW_CONN_BRAND_DEAD", json.dumps(dead))
    name, brands = "gallery/several_brands.py", {"brand_one": "One", "brand_dead": "None", "brand_two": "Two"}
    dag = dags_of(adapted(name, VIDEO=str(portrait_video), BRANDS=brands), name)["several_brands"]
    result = run_dag(dag)
    failed = {task for task, state in result.states().items() if state in ("failed", "upstream_failed")}
    assert failed == {"brand_dead.create", "brand_dead.publish"}
    assert {post.user_id: post.caption for post in instagram_sandbox.posts} == {
        users["brand_one"]: "One",
        users["brand_two"]: "Two",
    }


@pytest.fixture
def warehouse(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty PostgreSQL, behind the connection of the example."""
    with postgres() as settings:
        url = make_url(settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
        found = {"host": url.host, "port": url.port, "login": url.username, "schema": url.database}
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "postgres", **found}))
        yield


@pytest.mark.usefixtures("warehouse")
def test_the_report_lists_the_posts_of_the_week_from_the_database(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The most viewed first. A post from before the week is left out."""
    monkeypatch.setenv("AIRFLOW_CONN_GALLERY_NUMBERS", json.dumps(instagram_sandbox.connection))
    ages = {"less": 2, "more": 26, "old": 24 * 8}
    media = {
        caption: instagram_sandbox.add_foreign_post(caption, age_s=hours * 3600) for caption, hours in ages.items()
    }
    for caption, views in (("less", 11), ("more", 22), ("old", 33)):
        instagram_sandbox.set_insights(media[caption], views=views)
    name = "gallery/insights_and_report.py"
    dags = dags_of(adapted(name, ACCOUNTS=["gallery_numbers"]), name)
    assert run_dag(dags["insights_to_postgres"]).xcom("read_gallery_numbers")["read"] == len(media)
    assert run_dag(dags["weekly_report"]).state == "success"
    report = storage.client.get_object(Bucket="reports", Key=f"instagram/{TODAY}.md")["Body"].read().decode()
    assert report.startswith("| post | views |\n|---|---|\n|")
    assert re.findall(r"^\| https?://\S+ \| (\d+) \|$", report, re.MULTILINE) == ["22", "11"]


def hear(dag: DAG, task_id: str, *payloads: dict[str, Any]) -> None:
    """Pass events to a task, as Airflow does in a run that they started."""
    task: Any = dag.task_dict[task_id]
    heard = task.python_callable
    events = {heard.__globals__["COMMENTS"]: [SimpleNamespace(extra={"payload": one}) for one in payloads]}
    task.python_callable = lambda: heard(triggering_asset_events=events)


def said(sandbox: SandboxHandle, *texts: str) -> list[dict[str, Any]]:
    """Write comments of a stranger, and return the payloads of their events."""
    media_id = sandbox.add_foreign_post("Ask us anything")
    told = [sandbox.add_comment(media_id, text, "ana") for text in texts]
    names = {"comment_id", "media_id", "text", "username"}
    return [{**one.model_dump(include=names), "timestamp": one.created_at.isoformat()} for one in told]


def replies(sandbox: SandboxHandle) -> dict[str | None, list[str]]:
    """Return the replies to each comment."""
    comments = sandbox.comments()
    return {
        one.text: [each.text for each in comments if each.parent_id == one.comment_id]
        for one in comments
        if one.parent_id is None
    }


def test_a_comment_with_a_word_gets_one_reply_also_if_its_event_comes_twice(
    instagram_sandbox: SandboxHandle, run_dag: RunDag
) -> None:
    payloads = said(instagram_sandbox, "LINK please! And the price?", "The linked one", "{{ 7 * 7 }} price")
    name = "gallery/keyword_reply.py"
    for heard in (payloads, payloads[:1]):
        dag = dags_of(adapted(name), name)["keyword_reply"]
        hear(dag, "find", *heard)
        assert run_dag(dag).state == "success"
    assert replies(instagram_sandbox) == {
        "LINK please! And the price?": ["Here it is: https://example.com/offer"],
        "The linked one": [],
        "{{ 7 * 7 }} price": ["20 euros, until Friday."],
    }


def test_a_draft_is_written_after_a_yes_and_not_after_a_no(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, mocker: MockerFixture
) -> None:
    """The comments are shown as code. A person's answer is passed to the operator as Airflow does."""
    from airflow.providers.standard.operators.hitl import HITLOperator

    payloads = said(instagram_sandbox, "Lovely", "[click](https://evil.example)\n{{ 7 * 7 }}")
    asked: dict[int, str] = {}  # by map index: Airflow promises no order in which mapped tasks run

    def answer(task: Any, context: Any) -> Any:
        asked[context["ti"].map_index] = task.body
        option = "No reply" if "evil" in task.body else "Send it"
        by = {"id": "1", "name": "anna"}
        given = {"chosen_options": [option], "params_input": {}, "responded_by_user": by}
        return task.execute_complete(context, given | {"responded_at": datetime.now(timezone.utc)})

    mocker.patch.object(HITLOperator, "execute", answer)
    name = "gallery/draft_reply.py"
    dag = dags_of(adapted(name), name)["draft_reply"]
    hear(dag, "draft", *payloads)
    states = run_dag(dag).states()
    refused = next(index for index, body in asked.items() if "evil" in body)
    assert [states[f"answer.reply[{index}]"] for index in (1 - refused, refused)] == ["success", "skipped"]
    assert replies(instagram_sandbox) == {"Lovely": ["Thank you, @ana!"], payloads[1]["text"]: []}
    assert asked[refused] == "    [click](https://evil.example)\n    {{ 7 * 7 }}\n    \n    Reply: Thank you, @ana!"


@pytest.mark.parametrize(
    ("option", "state", "captions"), [("Approve", "success", ["{{ 7 * 7 }}\n*Grüße*"]), ("Reject", "skipped", [])]
)
def test_a_reel_is_published_after_a_yes_and_not_after_a_no(
    instagram_sandbox: SandboxHandle,
    run_dag: RunDag,
    portrait_video: Path,
    monkeypatch: pytest.MonkeyPatch,
    mocker: MockerFixture,
    option: str,
    state: str,
    captions: list[str],
) -> None:
    """What a person typed is shown as code. The answer is passed to the operator as Airflow does."""
    from airflow.providers.standard.operators.hitl import HITLOperator

    asked: list[str] = []

    def answer(task: Any, context: Any) -> Any:
        asked.append(task.body)
        by = {"id": "1", "name": "anna"}
        given = {"chosen_options": [option], "params_input": {}, "responded_by_user": by}
        return task.execute_complete(context, given | {"responded_at": datetime.now(timezone.utc)})

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", str(portrait_video.parent))
    mocker.patch.object(HITLOperator, "execute", answer)
    dag = dags_of(adapted(name := "gallery/approve_reel.py"), name)["approve_reel"]
    states = run_dag(dag, video=str(portrait_video), caption="{{ 7 * 7 }}\n*Grüße*").states()
    assert states == {"transcode": "success", "approve": "success", "create": state, "publish": state}
    assert asked == [f"    {portrait_video}\n\n    {{{{ 7 * 7 }}}}\n    *Grüße*"]
    assert [post.caption for post in instagram_sandbox.posts] == captions
    assert instagram_sandbox.calls("create") == len(captions)


def test_a_post_is_deleted_by_its_key_after_a_yes_in_a_dag_that_the_page_finds(
    instagram_sandbox: SandboxHandle,
    run_dag: RunDag,
    portrait_video: Path,
    monkeypatch: pytest.MonkeyPatch,
    mocker: MockerFixture,
) -> None:
    from airflow.sdk import DAG

    connect_page(monkeypatch, instagram_sandbox)
    with DAG("publish_two", schedule=None) as publish:
        for key in ("regretted", "stays"):
            create = CreateContainerOperator(
                task_id=f"create_{key}", video=str(portrait_video), post_key=key, caption=key, wait_for_completion=True
            )
            PublishOperator(task_id=f"publish_{key}", container_id=create.output)
    assert run_dag(publish).state == "success"

    asked = []

    def answer(context: Any, subject: str, question: str, *_: Any, **kept: Any) -> Any:
        asked.append(f"{subject} {question}")
        by = {"chosen_options": ["Approve"], "params_input": {}, "responded_by_user": {"id": "1", "name": "anna"}}
        return context["task"].answered(context, by, **kept)

    mocker.patch("airflow_provider_instagram.operators.delete.ask", answer)
    mocker.patch("airflow_provider_instagram.operators.delete.verdict_of", lambda _, __, event: Verdict.read(event))
    name = "gallery/delete_posts.py"
    dag = dags_of(adapted(name), name)[f"{DELETES}instagram_default"]
    assert run_dag(dag, post_key="regretted").state == "success"
    assert ["Delete regretted from instagram_default?" in one for one in asked] == [True]
    assert [post.caption for post in instagram_sandbox.posts] == ["stays"]


def test_each_account_has_a_dag_of_its_own_that_deletes_posts(tmp_path: Path) -> None:
    from airflow.dag_processing.dagbag import DagBag

    (tmp_path / "deletes.py").write_text(adapted("gallery/delete_posts.py", ACCOUNTS=["studio", "shop"]))
    dags: dict[str, Any] = {**DagBag(str(tmp_path), load_op_links=False).dags}
    assert {dag_id: dag.get_task("delete").instagram_conn_id for dag_id, dag in dags.items()} == {
        f"{DELETES}studio": "studio",
        f"{DELETES}shop": "shop",
    }
