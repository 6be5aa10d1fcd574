"""What somebody who may edit a calendar, or start a run, tries in order to read or publish what is not theirs."""

from __future__ import annotations

import argparse
import json
import os
import threading
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from airflow_provider_instagram.calendar import content_calendar_dag
from airflow_provider_instagram.calendar.file.parser import parse_calendar
from airflow_provider_instagram.calendar.file.problems import InvalidValue
from tests.integration.calendar.runs import planned, play_run, run_planner, run_post, run_report
from tests.integration.conftest import store_dag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from instagram_sandbox.testing.handle import SandboxHandle

SECRET = "the server's own secret"


@pytest.fixture
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the server that no calendar may publish."""
    path = tmp_path_factory.mktemp("server") / "secret.txt"
    path.write_text(SECRET)
    return path


@pytest.fixture
def calendar(tmp_path: Path, portrait_video: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write a calendar of a post under attack and an innocent one, both due in two minutes."""
    folder = tmp_path / "calendar"
    folder.mkdir()
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", str(portrait_video.parent))

    def write(**attack: Any) -> Path:
        at = f"{datetime.now(timezone.utc) + timedelta(minutes=2):%Y-%m-%d %H:%M:%S} UTC"
        post = {"publish_at": at, "video": str(portrait_video)}
        posts = [{"id": "innocent", **post}, {"id": "attack", **post, **attack}]
        file = folder / "posts.yaml"
        file.write_text(yaml.safe_dump({"min_spacing": "0 s", "posts": posts}))
        return file

    return write


@pytest.fixture
def check(airflow_db: None, capsys: pytest.CaptureFixture[str]) -> Callable[[Path], list[str]]:
    """Run ``airflow instagram calendar check``; return what it says of the post under attack."""
    from airflow_provider_instagram.cli.calendar import check_calendar

    def run(file: Path) -> list[str]:
        arguments = argparse.Namespace(file=str(file), allow_past=False, min_spacing=None, skip_files=False)
        with pytest.raises(SystemExit):
            check_calendar(arguments)
        out = capsys.readouterr().out
        assert SECRET not in out
        assert "1 post for" in out.splitlines()[-1], out  # the innocent one
        return [line for line in out.splitlines() if "post 'attack'" in line]

    return run


@contextmanager
def listener() -> Iterator[tuple[str, list[str]]]:
    """Listen as a service inside of the network does; give its address, and the requests that reach it."""
    seen: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(SECRET.encode())

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()


SPELLINGS = (
    *("{path}", "file://{path}", "FILE://{path}", "local://{path}", "file://localhost{path}", "../server0/secret.txt"),
    *("simplecache::file://{path}", "filecache::file://{path}", "blockcache::file://{path}", "simplecache::{path}"),
    *("cached::file://{path}", "SimpleCache::file://{path}", "file://{path}::simplecache", "dir::file://{path}"),
    *("s3://bucket/x::file://{path}", "zip://secret.txt::file://{path}", "tar://x::simplecache::file://{path}"),
    *("data://text/plain,secret", "memory://secret.txt", "reference://x", "github://org:repo@main/secret.txt"),
    *("sftp://root@127.0.0.1/etc/passwd", "smb://127.0.0.1/share/x", "jupyter://127.0.0.1/x", "ftp://127.0.0.1/x"),
    *("s3://other_connection@bucket/secret.txt", "s3://bucket/secret.txt", "gs://bucket/secret.txt"),
    *("http://{host}/secret.txt", "HTTP://{host}/secret.txt", "hTTp://{host}/secret.txt"),
    *("simplecache::http://{host}/secret.txt", "webhdfs://{host}/secret.txt"),
)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", ["image", "an item", "a named item"])
def test_a_picture_and_each_item_of_a_carousel_is_taken_from_nowhere_else(
    calendar: Callable[..., Path],
    check: Callable[[Path], list[str]],
    secret: Path,
    portrait_video: Path,
    name: str,
    spelling: str,
) -> None:
    """Whichever place the item has. Nothing is opened, and nothing is asked."""
    with listener() as (host, seen):
        wicked, good = spelling.format(path=secret, host=host), str(portrait_video)
        items = {"an item": [good, wicked], "a named item": [{"image": wicked}, good]}
        (said,) = check(calendar(video=None, **({"image": wicked} if name == "image" else {"carousel": items[name]})))
    assert seen == []
    assert ("image: " if name == "image" else f"carousel, item {2 if name == 'an item' else 1}: ") in said
    assert "cannot be opened" not in said


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", ["video", "cover_url"])
def test_a_video_or_a_cover_is_taken_from_nowhere_else(
    calendar: Callable[..., Path], check: Callable[[Path], list[str]], secret: Path, name: str, spelling: str
) -> None:
    with listener() as (host, seen):
        (said, *_) = check(calendar(**{name: spelling.format(path=secret, host=host)}))
    assert seen == []
    assert name in said


def test_a_link_in_the_calendars_folder_leads_nowhere_else(
    calendar: Callable[..., Path], check: Callable[[Path], list[str]], secret: Path
) -> None:
    file = calendar(image="picture.jpg", video=None)
    (file.parent / "picture.jpg").symlink_to(secret)
    assert "not in an allowed folder" in check(file)[0]
    file = calendar(image="sub/secret.txt", video=None)
    (file.parent / "sub").symlink_to(secret.parent)
    assert "not in an allowed folder" in check(file)[0]


def test_a_pipe_as_a_video_is_refused_at_once(
    calendar: Callable[..., Path], check: Callable[[Path], list[str]]
) -> None:
    file = calendar(video="pipe")
    os.mkfifo(file.parent / "pipe")
    assert "there is no file" in check(file)[0]


def test_a_huge_calendar_is_not_read(
    calendar: Callable[..., Path], airflow_db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    file = calendar()
    with file.open("wb") as huge:
        huge.truncate(3_000_000_000)
    from airflow_provider_instagram.cli.calendar import check_calendar

    with pytest.raises(SystemExit) as end:
        check_calendar(argparse.Namespace(file=str(file), allow_past=False, min_spacing=None, skip_files=True))
    assert end.value.code == 2
    assert "more than 10,000,000 bytes" in capsys.readouterr().err


@pytest.mark.timeout(60)
@pytest.mark.parametrize("row", ["p{0},2030-01-01 10:00,UTC,a.mp4\n", "one,2030-01-01 10:00,UTC,a.mp4\n"])
def test_a_calendar_of_a_hundred_thousand_rows_is_refused_in_seconds(
    tmp_path: Path, airflow_db: None, capsys: pytest.CaptureFixture[str], row: str
) -> None:
    """Also when one id stands on all of them, and as YAML."""
    from airflow_provider_instagram.cli.calendar import check_calendar

    rows = [row.format(number) for number in range(100_000)]
    table, tree = tmp_path / "posts.csv", tmp_path / "posts.yaml"
    table.write_text(f"id,publish_at,timezone,video\n{''.join(rows)}")
    names = ("id", "publish_at", "timezone", "video")
    posts = [", ".join(map(": ".join, zip(names, one.strip().split(","), strict=True))) for one in rows]
    tree.write_text("posts:\n" + "".join(f"- {{{post}}}\n" for post in posts))
    for file in (table, tree):
        with pytest.raises(SystemExit) as end:
            check_calendar(argparse.Namespace(file=str(file), allow_past=True, min_spacing=None, skip_files=True))
        assert end.value.code == 2
        assert "Split the calendar." in capsys.readouterr().err


@pytest.mark.timeout(60)
@pytest.mark.parametrize("location", ["x://" + ":" * 1_000_000, "../" * 1_000_000, "s3://" + "a:" * 500_000 + "@b/c"])
def test_a_location_of_a_million_characters_is_refused_in_seconds(
    calendar: Callable[..., Path], check: Callable[[Path], list[str]], location: str
) -> None:
    """Otherwise Airflow would give up the DAG file, and the innocent post would not be published either."""
    [problem] = check(calendar(video=location))
    assert len(problem) < 1000


@pytest.mark.timeout(60)
def test_one_id_on_all_rows_is_a_problem_of_each_in_seconds(
    tmp_path: Path, airflow_db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    from airflow_provider_instagram.cli.calendar import check_calendar

    file = tmp_path / "posts.csv"
    file.write_text("id,publish_at,timezone,video\n" + "one,2030-01-01 10:00,UTC,a.mp4\n" * 10_000)
    with pytest.raises(SystemExit):
        check_calendar(argparse.Namespace(file=str(file), allow_past=True, min_spacing=None, skip_files=True))
    assert capsys.readouterr().out.count("has the same id") == 10_000


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bytes], None]:
    """A bucket that two connections and the worker itself can read; put an object into it."""
    import boto3

    extra = {"endpoint_url": s3_server, "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
    for name in ("PLANS", "OTHER"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(connection))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    client = boto3.client("s3", endpoint_url=s3_server, region_name="us-east-1")
    client.create_bucket(Bucket="content")

    def put(key: str, data: bytes) -> None:
        client.put_object(Bucket="content", Key=key, Body=data)

    return put


@pytest.mark.parametrize(
    "video",
    [
        "s3://other@content/plans/a.mp4",
        "s3://content/plans/a.mp4",
        "s3://plans@content/private/secret.txt",
        "s3://plans@content/plans/../private/secret.txt",
        "../private/secret.txt",
        "simplecache::s3://plans@content/plans/a.mp4",
        "file:///etc/hostname",
        "/etc/hostname",
    ],
)
def test_a_calendar_in_object_storage_reads_below_its_own_prefix_by_its_own_connection(
    bucket: Callable[[str, bytes], None], video: str
) -> None:
    from airflow_provider_instagram.calendar.file.parser import read_calendar

    bucket("private/secret.txt", SECRET.encode())
    bucket("plans/a.mp4", b"Hello")
    at = {"publish_at": "2030-01-01 10:00 UTC"}
    posts = [{"id": "good", **at, "video": "a.mp4"}, {"id": "bad", **at, "video": video}]
    bucket("plans/spring.yaml", yaml.safe_dump({"min_spacing": "0 s", "posts": posts}).encode())
    plan = read_calendar("s3://plans@content/plans/spring.yaml", check_files=True)
    assert [post.id for post in plan.posts] == ["good"]
    (problem,) = plan.problems
    assert (problem.post_id, "video" in problem.message) == ("bad", True)


def test_the_innocent_post_goes_on_and_the_attack_is_a_problem(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], secret: Path
) -> None:
    """Nothing of the secret reaches Instagram, and the planner reports the line and the remedy."""
    file = calendar(video=f"simplecache::file://{secret}")
    told: list[Any] = []
    dag = content_calendar_dag("content", file, dry_run=True, notify=lambda context: told.append(context["event"]))
    assert run_report(run_dag, dag).state == "success"
    result = run_post(run_dag, dag, "innocent")
    assert (result.state, result.states()["create"]) == ("success", "success")
    assert [problem.post for problem in told] == ["attack"]
    assert SECRET not in json.dumps([entry.model_dump(mode="json") for entry in instagram_sandbox.journal()])


def test_a_video_that_becomes_a_link_after_the_look_is_not_opened(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], portrait_video: Path, tmp_path: Path
) -> None:
    """The text of the calendar is as it was, so only who opens the file can see it."""
    private = tmp_path / "private.mp4"
    private.write_bytes(portrait_video.read_bytes())
    file = calendar(video="mine.mp4")
    (file.parent / "mine.mp4").write_bytes(portrait_video.read_bytes())
    dag = content_calendar_dag("content", file, default_args={"retries": 0})
    planned(dag)
    (file.parent / "mine.mp4").unlink()
    (file.parent / "mine.mp4").symlink_to(private)
    assert play_run(run_dag, dag, "attack").states()["prepare"] == "failed"
    assert instagram_sandbox.containers == []


def test_an_item_of_a_carousel_that_becomes_a_link_after_the_look_is_not_opened(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], square_picture: Path, tmp_path: Path
) -> None:
    """It is the last item, and the others are as they were."""
    private = tmp_path / "private.jpg"
    private.write_bytes(square_picture.read_bytes())
    file = calendar(video=None, carousel=["one.jpg", "two.jpg"])
    for name in ("one.jpg", "two.jpg"):
        (file.parent / name).write_bytes(square_picture.read_bytes())
    dag = content_calendar_dag("content", file, default_args={"retries": 0})
    planned(dag)
    (file.parent / "two.jpg").unlink()
    (file.parent / "two.jpg").symlink_to(private)
    assert play_run(run_dag, dag, "attack").states()["prepare"] == "failed"
    assert instagram_sandbox.containers == []


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_run_parameter_names_nothing_outside_of_the_media_roots(
    portrait_video: Path, monkeypatch: pytest.MonkeyPatch, secret: Path, spelling: str
) -> None:
    """As in the DAGs that come with the provider."""
    from airflow_provider_instagram.exceptions import ValidationError
    from airflow_provider_instagram.files.access import inside_media_roots

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", str(portrait_video.parent))
    with pytest.raises(ValidationError):
        inside_media_roots(spelling.format(path=secret, host="127.0.0.1:1"))
    assert inside_media_roots(str(portrait_video)) == str(portrait_video)


def test_a_signed_link_is_stored_nowhere(airflow_db: None, calendar: Callable[..., Path], run_dag: Any) -> None:
    """Neither in an XCom nor in a rendered field, which everybody sees who may see the DAG."""
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    signed = "https://cdn.invalid/a.mp4?X-Amz-Signature=feedc0ffee"
    file = calendar(video=signed, cover_url="https://cdn.invalid/a.jpg?sig=feedc0ffee")
    dag = content_calendar_dag("content", file, default_args={"retries": 0})
    assert run_planner(run_dag, dag).state == "success"
    assert run_post(run_dag, dag, "attack").states()["prepare"] == "failed"
    picture = "https://cdn.invalid/a.jpg?X-Amz-Signature=feedc0ffee"
    file = calendar(video=None, carousel=[picture, {"image": picture, "alt_text": "A"}])
    assert run_planner(run_dag, dag).state == "success"
    assert run_post(run_dag, dag, "attack").states()["prepare"] == "failed"
    with create_session() as session:
        stored = [str(value) for value in session.scalars(select(XComModel.value))]
        stored += [str(fields) for fields in session.scalars(select(RenderedTaskInstanceFields.rendered_fields))]
    assert [text for text in stored if "The host cdn.invalid could not be found" in text]
    assert not [text for text in stored if "feedc0ffee" in text]


@pytest.mark.parametrize(
    "wicked",
    [
        "![x](https://evil.example/pixel.png)",
        "[click](https://evil.example)",
        "<img src=https://evil.example/p.png>",
        "https://evil.example",
        "`` ![x](https://evil.example/p.png) ``",
        "```\n![x](https://evil.example/p.png)\n```",
        "~~~\n![x](https://evil.example/p.png)",
        "a\\|![x](https://evil.example/p.png)",
        "|![x](https://evil.example/p.png)|",
        "\n\n# Heading\n\n![x](https://evil.example/p.png)",
    ],
)
def test_the_approval_form_shows_what_others_wrote_as_plain_text(wicked: str) -> None:
    """Read back with a parser of Markdown: every piece of it stands in code, where nothing is loaded or clicked."""
    from markdown_it import MarkdownIt

    from airflow_provider_instagram.calendar.file.columns import ScheduledPost
    from airflow_provider_instagram.calendar.tasks.approve import question
    from airflow_provider_instagram.posts.item import Item

    at = datetime(2030, 1, 1, tzinfo=timezone.utc)
    options: dict[str, Any] = {"caption": wicked, "audio_name": wicked, "cover_url": "https://evil.example/c.jpg"}
    post = ScheduledPost(id="a", publish_at=at, account="b", video=f"/videos/{wicked}", **options, tags=(wicked,))
    item = Item(location=f"/pictures/{wicked}", alt_text=wicked, user_tags=(wicked,))
    carousel = {"carousel": (item, item), "caption": wicked, "video": None, "first_comment": wicked}
    report = {"tier": wicked, "reasons": [wicked]}
    for asked, texts in (
        (question(post, [report]), 1),
        (question(post.model_copy(update=carousel), [report, report]), 2),
    ):
        tokens = MarkdownIt("gfm-like", {"linkify": True}).parse(asked)
        inside = [child for token in tokens for child in token.children or ()]
        assert {token.type for token in inside} & {"image", "link_open", "html_inline"} == set()
        assert {token.type for token in tokens} & {"heading_open", "html_block"} == set()
        fenced = [token.content for token in tokens if token.type == "fence"]
        assert [text.strip() for text in fenced] == [wicked.strip()] * texts


def test_a_dag_that_is_parsed_asks_nobody(calendar: Callable[..., Path], airflow_db: None) -> None:
    """Not even for an https video: parsing is no reason to reach for a network."""
    with listener() as (host, seen):
        store_dag(content_calendar_dag("content", calendar(video=f"https://{host}/a.mp4")))
    assert seen == []


def test_a_link_that_is_planted_where_the_transcode_writes_is_not_taken_for_its_work(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], landscape_mov: Path, tmp_path: Path
) -> None:
    """The output's name is known before, from an earlier run; what is behind a link is not what was made."""
    private = tmp_path / "private.mp4"
    file = calendar(video="mine.mov")
    (file.parent / "mine.mov").write_bytes(landscape_mov.read_bytes())
    first = run_post(run_dag, content_calendar_dag("content", file, dry_run=True), "attack")
    made = Path(first.xcom("prepare")["media"][0])
    private.write_bytes(made.read_bytes())
    made.unlink()
    made.symlink_to(private)
    again = run_post(run_dag, content_calendar_dag("content", file, dry_run=True), "attack")
    assert again.states()["prepare"] == "success"
    assert not made.is_symlink()
    assert private.is_file()


@pytest.mark.parametrize(
    "name",
    [
        *("id", "publish_at", "timezone", "account", "video", "cover_url", "placement", "upload"),
        *("approval", "tags", "collaborators", "user_tags", "location_id", "share_to_feed"),
        *("trial_graduation", "video_cover_timestamp_ms", "image", "carousel", "alt_text", "first_comment"),
        *("audio_id", "audio_volume", "poll_attachment", "is_comment_prompt_used", "on_copyright_match"),
        *("is_paid_partnership", "branded_content_sponsor_ids", "comment_enabled"),
    ],
)
@pytest.mark.parametrize(
    "written",
    [
        "simplecache::https://b.example/v.mp4?X-Amz-Signature=feedc0ffee",
        "hhttps://b.example/v.mp4?X-Amz-Signature=feedc0ffee",
        "[v](https://b.example/v.mp4?X-Amz-Signature=feedc0ffee)",
        "https:/b.example/v.mp4?X-Amz-Signature=feedc0ffee",
        "s3://KEY:feedc0ffee@bucket/v.mp4",
        "https://me:feedc0ffee@b.example/ü.mp4",
        ["ann", "https://b.example/v.mp4?X-Amz-Signature=feedc0ffee"],
        "ann,https://b.example/v.mp4?X-Amz-Signature=feedc0ffee",
    ],
)
def test_a_problem_shows_no_signature_in_whatever_column_it_stands(
    calendar: Callable[..., Path], airflow_db: None, capsys: pytest.CaptureFixture[str], name: str, written: Any
) -> None:
    """A comma too many moves a signed link into the next column."""
    from airflow_provider_instagram.cli.calendar import check_calendar

    file = calendar(**{name: written})
    with pytest.raises(SystemExit):
        check_calendar(argparse.Namespace(file=str(file), allow_past=False, min_spacing=None, skip_files=False))
    assert "feedc0ffee" not in "".join(capsys.readouterr())
    assert "feedc0ffee" not in str(planned(content_calendar_dag("content", file)).plan.timely.problems)


SIGNED = "https://b.example/v.mp4?X-Amz-Signature=feedc0ffee"


@pytest.mark.parametrize(
    ("ending", "text"),
    {
        "a field": ("yaml", f"posts:\n- id: a\n  {SIGNED}: v.mp4\n"),
        "a field, twice": ("json", f'{{"posts": [{{"id": "a", "{SIGNED}": 1, "{SIGNED}": 2}}]}}'),
        "a default": ("yaml", f"defaults:\n  {SIGNED}: v.mp4\nposts: []\n"),
        "a setting": ("yaml", f"{SIGNED}:\nposts: []\n"),
        "a length of time": ("yaml", f"min_spacing: {SIGNED}\nposts: []\n"),
        "an account": ("yaml", f"slots:\n  {SIGNED}: [Mon 08:30]\nposts: []\n"),
    }.values(),
)
def test_a_problem_shows_no_signature_that_stands_where_a_name_or_a_setting_is(ending: str, text: str) -> None:
    """A colon after a link makes it a field."""
    problems = parse_calendar(text, f"/calendars/posts.{ending}", accounts=["studio"]).problems
    assert "b.example" in str(problems)
    assert "feedc0ffee" not in str(problems)


def test_a_sheet_without_its_first_row_shows_no_signature_of_its_links() -> None:
    with pytest.raises(InvalidValue) as raised:
        parse_calendar(f"id,{SIGNED},{SIGNED}\na,b,c\n", "/calendars/posts.csv", accounts=["studio"])
    assert "b.example" in str(raised.value)
    assert "feedc0ffee" not in str(raised.value)
