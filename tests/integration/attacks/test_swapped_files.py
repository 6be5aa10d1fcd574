"""What somebody tries who may write to a calendar's folder: another file under the name of one that was checked."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import yaml
from PIL import Image

from airflow_provider_instagram.calendar import content_calendar_dag
from airflow_provider_instagram.calendar.file.columns import ScheduledPost
from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
from airflow_provider_instagram.calendar.tasks.answers import Answer, Approval
from airflow_provider_instagram.calendar.tasks.approve import ApprovePost, question
from airflow_provider_instagram.calendar.tasks.covers import read_cover
from airflow_provider_instagram.calendar.tasks.create import CreatePost
from airflow_provider_instagram.calendar.tasks.prepare import PreparePost
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.graph.client import GraphClient
from airflow_provider_instagram.media.kind import kind_of
from airflow_provider_instagram.operators.approval import Question
from airflow_provider_instagram.publishing.create import Create
from airflow_provider_instagram.utils.local_files import file_digest
from tests.integration.calendar.runs import run_post

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.integration.attacks.https_server import HttpsServer

pytestmark = pytest.mark.long


@dataclass
class Folder:
    """A calendar's folder, a file elsewhere on the worker, and what the attacker does at a moment of a run."""

    path: Path
    private: Path
    run_dag: Any
    capsys: pytest.CaptureFixture[str]
    post_id: str = field(default_factory=lambda: f"attack-{uuid4().hex[:8]}")

    def run(self, *, dag_arguments: dict[str, Any] | None = None, **post: Any) -> Any:
        """Run a calendar of one post, which is due now."""
        at = f"{datetime.now(timezone.utc) + timedelta(seconds=5):%Y-%m-%d %H:%M:%S} UTC"
        file = self.path / "posts.yaml"
        file.write_text(
            yaml.safe_dump({"posts": [{"id": self.post_id, "publish_at": at, "caption": "Attack", **post}]})
        )
        return run_post(self.run_dag, content_calendar_dag("content", file, **(dag_arguments or {})), self.post_id)

    def link(self, name: str | Path) -> None:
        """Replace a file by a link to the private one."""
        (self.path / name).unlink()
        (self.path / name).symlink_to(self.private)

    def replace(self, name: str | Path, content: bytes) -> None:
        """Replace a file by another one."""
        (self.path / "new").write_bytes(content)
        (self.path / "new").replace(self.path / name)


@pytest.fixture
def folder(
    tmp_path: Path,
    portrait_video: Path,
    run_dag: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    bucket: str,
) -> Folder:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__PUBLIC_PREFIX", f"{bucket}/public")
    made = Folder(tmp_path / "calendar", tmp_path / "private.mp4", run_dag, capsys)
    made.path.mkdir()
    made.private.write_bytes(portrait_video.read_bytes() + b"\0" * 8)
    return made


@pytest.fixture
def after(mocker: MockerFixture) -> Callable[..., None]:
    """Do something right after a method of a task returned."""

    def add(owner: Any, name: str, act: Callable[..., None]) -> None:
        real = getattr(owner, name)

        def attacked(*arguments: Any, **more: Any) -> Any:
            result = real(*arguments, **more)
            act(*arguments)
            return result

        mocker.patch.object(owner, name, attacked)

    return add


def test_a_link_in_the_place_of_a_checked_source_is_not_opened(
    instagram_sandbox: SandboxHandle, folder: Folder, after: Any, portrait_video: Path
) -> None:
    (folder.path / "mine.mp4").write_bytes(portrait_video.read_bytes())
    after(PreparePost, "check_links", lambda *_: folder.link("mine.mp4"))
    result = folder.run(video="mine.mp4")
    assert result.states()["prepare"] == "failed"
    assert "mine.mp4 is not in an allowed folder" in folder.capsys.readouterr().out
    assert instagram_sandbox.calls("create") == 0


def test_ffmpeg_reads_the_file_that_was_checked(
    instagram_sandbox: SandboxHandle, folder: Folder, landscape_mov: Path, mocker: MockerFixture
) -> None:
    """It opens a video ten times, by name, and the name is a link to a private one all the while."""
    (folder.path / "mine.mov").write_bytes(landscape_mov.read_bytes())
    real = kind_of

    def attacked(path: Path) -> Any:
        folder.link("mine.mov")
        return real(path)

    mocker.patch("airflow_provider_instagram.media.video.kind_of", attacked)
    result = folder.run(video="mine.mov")
    (report,) = result.xcom("prepare")["reports"]
    assert (report["before"]["columns"], report["before"]["container"]) == (540, "mov")
    made = Path(result.xcom("prepare")["media"][0])
    assert made.parent == folder.path
    assert made.name.startswith("mine.reels.")
    assert result.states()["create"] == "failed"  # it finds the link
    assert instagram_sandbox.calls("create") == 0


@pytest.mark.parametrize("source", ["complies", "is transcoded"])
def test_a_link_in_the_place_of_a_result_is_not_uploaded(
    instagram_sandbox: SandboxHandle, folder: Folder, after: Any, portrait_video: Path, landscape_mov: Path, source: str
) -> None:
    """Neither as the post, nor as its cover."""
    clip = portrait_video if source == "complies" else landscape_mov
    (folder.path / f"mine{clip.suffix}").write_bytes(clip.read_bytes())
    after(CreatePost, "_sent", lambda _, source, made, *rest: folder.link(made))
    result = folder.run(video=f"mine{clip.suffix}")
    assert result.states()["create"] == "failed"
    assert "is not in an allowed folder" in folder.capsys.readouterr().out
    assert instagram_sandbox.calls("create") == 0


@pytest.fixture
def sent(mocker: MockerFixture) -> list[str]:
    """The digest of each stream of bytes that was uploaded."""
    real, digests = GraphClient.send_bytes, []

    def read(client: GraphClient, uri: str, chunks: Any, **more: Any) -> Any:
        digest = hashlib.sha256()

        def each() -> Any:
            for chunk in chunks:
                digest.update(chunk)
                yield chunk

        answer = real(client, uri, each(), **more)
        digests.append(digest.hexdigest())
        return answer

    mocker.patch.object(GraphClient, "send_bytes", read)
    return digests


@pytest.fixture
def approved(mocker: MockerFixture) -> Callable[..., None]:
    """Approve each post at once, and then do something."""

    def answer(act: Callable[[Any], None] = lambda _: None) -> None:
        def execute(task: ApprovePost, context: Any) -> Any:
            post = task.wanted_post(context)
            prepared = task.prepared(context, post)
            approval = Approval(
                question=Question.of(context),
                post_id=post.id,
                number=1,
                version=post.version,
                sha256=prepared.digests,
                caption=post.caption,
                answer=Answer(True, "anna", caption="Attack"),
            )
            task.records(context, post).record_approval(approval)
            act(prepared.media)

        mocker.patch.object(ApprovePost, "execute", execute)

    return answer


@pytest.fixture
def media(folder: Folder, portrait_video: Path, landscape_mov: Path, square_picture: Path) -> dict[str, dict[str, Any]]:
    """Posts of each kind that a local file can be, by what they show first."""
    for path in (portrait_video, landscape_mov, square_picture):
        (folder.path / f"mine{path.suffix}").write_bytes(path.read_bytes())
    Image.new("RGB", (700, 700), "navy").save(folder.path / "mine.png")
    return {
        "a video": {"video": "mine.mov"},
        "a video that complies": {"video": "mine.mp4"},
        "a picture": {"image": "mine.png"},
        "a picture that complies": {"image": "mine.jpg"},
        "a carousel": {"carousel": ["mine.png", "mine.mp4"]},
    }


KINDS = ("a video", "a video that complies", "a picture", "a picture that complies", "a carousel")


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_replaced_after_the_approval_is_not_sent(
    instagram_sandbox: SandboxHandle, folder: Folder, approved: Any, media: dict[str, Any], kind: str
) -> None:
    """By one that complies as well, under the same name."""

    def replace(made: Any) -> None:
        first = Path(made[0])
        folder.replace(first, first.read_bytes() + b"\0")

    approved(replace)
    result = folder.run(approval="required", **media[kind])
    assert result.states()["create"] == "failed"
    said = folder.capsys.readouterr().out
    assert "has changed since it was approved" in said
    assert "trigger the DAG with the id of the post" in said
    assert instagram_sandbox.calls("create") == 0


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_approved_is_published(
    instagram_sandbox: SandboxHandle, folder: Folder, approved: Any, sent: list[str], media: dict[str, Any], kind: str
) -> None:
    approved()
    result = folder.run(approval="required", **media[kind])
    assert result.state == "success"
    assert len(instagram_sandbox.posts) == 1
    prepared = result.xcom("prepare")
    reports, made = prepared["reports"], prepared["media"]
    digests = [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in made]
    assert [report["sha256"] for report in reports] == digests
    assert sent == [digest for digest, path in zip(digests, made, strict=True) if path.endswith(".mp4")]


def test_an_owner_who_writes_into_the_file_during_the_upload_changes_nothing(
    instagram_sandbox: SandboxHandle, folder: Folder, approved: Any, after: Any, sent: list[str], portrait_video: Path
) -> None:
    """In the same file, whose name and size stay the same."""
    mine = folder.path / "mine.mp4"
    mine.write_bytes(portrait_video.read_bytes())
    approved()
    after(Create, "_check_video", lambda *_: mine.write_bytes(bytes(reversed(mine.read_bytes()))))
    result = folder.run(video="mine.mp4", approval="required")
    assert result.state == "success"
    assert sent == [hashlib.sha256(portrait_video.read_bytes()).hexdigest()]
    assert hashlib.sha256(mine.read_bytes()).hexdigest() not in sent


@pytest.fixture
def media_root(bucket: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The prefix of object storage that a calendar may name."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", f"{bucket}/media")
    return f"{bucket}/media"


@pytest.mark.parametrize("upload", ["auto", "url"])
def test_an_object_that_is_replaced_after_the_approval_is_not_sent(
    instagram_sandbox: SandboxHandle,
    folder: Folder,
    approved: Any,
    media_root: str,
    portrait_video: Path,
    upload: str,
) -> None:
    """Neither as bytes, nor as a link that Instagram fetches."""
    from airflow.sdk import ObjectStoragePath

    mine = ObjectStoragePath(f"{media_root}/mine.mp4")
    mine.write_bytes(portrait_video.read_bytes())
    approved(lambda _: mine.write_bytes(folder.private.read_bytes()))
    result = folder.run(video=str(mine), upload=upload, approval="required")
    assert result.states()["create"] == "failed"
    assert "has changed since it was approved" in folder.capsys.readouterr().out
    assert instagram_sandbox.calls("create") == 0


def test_a_picture_that_was_stored_under_the_digest_of_another_one_is_replaced(
    instagram_sandbox: SandboxHandle, folder: Folder, approved: Any, media: dict[str, Any], bucket: str
) -> None:
    """As by a post without an approval, whose owner changed the picture right after its digest was computed."""
    from airflow.sdk import ObjectStoragePath

    mine = (folder.path / "mine.jpg").read_bytes()
    stored = ObjectStoragePath(f"{bucket}/public/{hashlib.sha256(mine).hexdigest()}.jpg")
    stored.write_bytes(bytes(reversed(mine)))
    approved()
    assert folder.run(approval="required", **media["a picture that complies"]).state == "success"
    assert len(instagram_sandbox.posts) == 1
    assert stored.read_bytes() == mine


def test_a_picture_is_stored_under_its_own_digest_whatever_its_owner_writes(
    instagram_sandbox: SandboxHandle,
    folder: Folder,
    media: dict[str, Any],
    bucket: str,
    monkeypatch: Any,
    mocker: MockerFixture,
) -> None:
    """Also for a post without an approval: the next post with the first content would show the second."""
    from airflow.sdk import ObjectStoragePath

    def attacked(path: Path) -> str:
        digest = file_digest(path)
        (folder.path / "mine.jpg").write_bytes(bytes(reversed(path.read_bytes())))
        return digest

    mocker.patch.object(storage, "file_digest", attacked)
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__PUBLIC_PREFIX", f"{bucket}/first")
    mine = (folder.path / "mine.jpg").read_bytes()
    assert folder.run(**media["a picture that complies"]).state == "success"
    (stored,) = ObjectStoragePath(f"{bucket}/first").iterdir()
    assert (stored.name, stored.read_bytes()) == (f"{hashlib.sha256(mine).hexdigest()}.jpg", mine)


@pytest.mark.parametrize("upload", ["auto", "url"])
def test_an_object_outside_the_allowed_prefixes_is_not_published_whatever_an_xcom_says(
    instagram_sandbox: SandboxHandle,
    folder: Folder,
    bucket: str,
    media_root: str,
    portrait_video: Path,
    upload: str,
    mocker: MockerFixture,
) -> None:
    """A user may have edited the XCom."""
    from airflow.sdk import ObjectStoragePath

    for name in ("media", "private"):
        stored = ObjectStoragePath(f"{bucket}/{name}/mine.mp4")
        stored.fs.pipe_file(stored.path, portrait_video.read_bytes(), ContentType="video/mp4")
    real = PreparePost.execute

    def edited(task: PreparePost, context: Any) -> dict[str, Any]:
        prepared = real(task, context)
        return {**prepared, "media": [one.replace("/media/", "/private/") for one in prepared["media"]]}

    mocker.patch.object(PreparePost, "execute", edited)
    assert folder.run(video=f"{media_root}/mine.mp4", upload=upload).state == "success"
    assert "/private/" not in folder.capsys.readouterr().out, "what is sent is read from the ledger"


@pytest.mark.parametrize(("upload", "is_bound"), [("file", True), ("auto", False)])
def test_a_file_on_the_web_is_bound_if_its_bytes_are_sent(
    instagram_sandbox: SandboxHandle,
    folder: Folder,
    approved: Any,
    https_server: HttpsServer,
    portrait_video: Path,
    upload: str,
    is_bound: bool,
    mocker: MockerFixture,
) -> None:
    """Otherwise Instagram fetches it, and the server decides what Instagram gets."""
    mocker.patch("airflow_provider_instagram.calendar.tasks.create.TRIES_FOR_A_PERSON", 0)
    content = [portrait_video.read_bytes()]

    def serve(server: HttpsServer, connection: Any) -> None:
        with server.tls(connection) as secured:
            secured.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content[0])}\r\n\r\n".encode() + content[0])

    https_server.behave = serve
    approved(lambda _: content.insert(0, folder.private.read_bytes()))
    once = {"default_args": {"retries": 0}}  # the sandbox does not trust the certificate of this server
    result = folder.run(dag_arguments=once, video=f"{https_server.url}/mine.mp4", upload=upload, approval="required")
    (report,) = result.xcom("prepare")["reports"]
    assert (report["tier"], "sha256" in report) == ("pass", is_bound)
    assert ("has changed since it was approved" in folder.capsys.readouterr().out) is is_bound
    assert (instagram_sandbox.calls("create") == 0) is is_bound


def test_nothing_is_sent_under_an_approval_if_the_digest_of_the_file_is_missing(
    instagram_sandbox: SandboxHandle,
    folder: Folder,
    approved: Any,
    media: dict[str, Any],
    mocker: MockerFixture,
) -> None:
    """Somebody has edited the XCom with the report of its transcode."""
    mocker.patch.object(PreparePost, "_about_result", return_value={})
    approved()
    assert folder.run(approval="required", **media["a video that complies"]).state == "failed"
    assert not instagram_sandbox.containers


def test_the_picture_in_a_question_is_of_the_file_that_is_sent(folder: Folder, square_picture: Path) -> None:
    """A dry run prepares another file under the same name, while a person reads the question. Then it is put back."""
    (folder.path / "a.jpg").write_bytes(square_picture.read_bytes())
    at = datetime.now(timezone.utc) + timedelta(days=1)
    post = ScheduledPost(id="a", publish_at=at, account="b", image=str(folder.path / "a.jpg"), approval="required")
    settings = CalendarSettings.of("content", str(folder.path / "posts.yaml"))
    data = {"tier": "pass", "kind": "image"}

    def prepare() -> dict[str, Any]:
        task, report = PreparePost(task_id="prepare", settings=settings), SimpleNamespace(as_data=lambda: data)
        return {**data, **task._about_result(post, 0, str(post.image), report)}  # type: ignore[arg-type]

    asked = question(post, [prepare()])
    Image.new("RGB", (320, 320)).save(folder.path / "a.jpg")
    prepare()
    (name,) = re.findall(r"!\[Cover\]\(</instagram/covers/(\S+)\.jpg>\)", asked)
    assert read_cover(name) == square_picture.read_bytes()
