"""The cover frame that a person sees before approving a post."""

from __future__ import annotations

import io
import os
import tracemalloc
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from airflow_provider_instagram.calendar.file.columns import ScheduledPost
from airflow_provider_instagram.calendar.tasks.approve import question
from airflow_provider_instagram.calendar.tasks.covers import cover_file, cover_name, read_cover, write_cover
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.posts.item import Item

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_cover_is_kept_named_in_the_question_and_served_to_those_who_are_logged_in(
    airflow_db: None, snapshots: str, portrait_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.core_api.security import get_user

    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
    from airflow_provider_instagram.calendar.tasks.prepare import PreparePost
    from airflow_provider_instagram.plugin.app import app

    at = datetime(2030, 1, 1, tzinfo=timezone.utc)
    options: dict[str, Any] = {"video_cover_timestamp_ms": 1500}
    post = ScheduledPost(id="a", publish_at=at, account="b", video=str(portrait_video), **options, approval="required")
    settings = CalendarSettings.of("content", "posts.yaml")
    step = PreparePost(task_id="prepare", settings=settings)
    assert "![Cover]" not in question(post, [{}])

    step._write_cover(post, [cover_name(post.version)], str(portrait_video))

    address = f"/instagram/covers/{post.version}.jpg"
    assert f"![Cover](<{address}>)" in question(post, [{}])
    client = TestClient(app)
    path = address.removeprefix("/instagram")
    assert client.get(path).status_code == 401
    monkeypatch.setitem(app.dependency_overrides, get_user, lambda: None)
    assert client.get(path).content[:3] == b"\xff\xd8\xff"
    assert client.get("/covers/0123456789abcdef0123456789abcdef.jpg").status_code == 404
    assert client.get("/covers/0123456789abcdef0123456789abcdef-0.jpg").status_code == 422
    assert client.get("/covers/..%2Fsecret.jpg").status_code in (404, 422)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/calendar/api/posts", 401),
        ("/calendar/nowhere", 404),
        ("/connect", 401),
        ("/covers/0123456789abcdef0123456789abcdef.jpg", 404),
        ("/covers/0123456789abcdef0123456789abcdef-0.jpg", 422),
    ],
)
def test_no_error_is_kept_by_a_browser(
    airflow_db: None, snapshots: str, monkeypatch: pytest.MonkeyPatch, path: str, status: int
) -> None:
    """A cover that is not made yet would be missing until its error is forgotten."""
    from airflow.api_fastapi.core_api.security import get_user

    from airflow_provider_instagram.plugin.app import app

    if status != 401:
        monkeypatch.setitem(app.dependency_overrides, get_user, lambda: None)
    answer = TestClient(app).get(path)
    assert (answer.status_code, answer.headers.get("cache-control")) == (status, "no-store")


def test_the_cover_of_a_post_with_a_cover_url_is_named_and_not_fetched_by_the_form(
    tmp_path: Path, portrait_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wins over every frame: none is written, and one that is there from before is not shown."""
    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
    from airflow_provider_instagram.calendar.tasks.prepare import PreparePost

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path))
    address = "https://example.com/cover_(1)|a.jpg"
    options: dict[str, Any] = {"cover_url": address, "video_cover_timestamp_ms": 1500}
    at = datetime(2030, 1, 1, tzinfo=timezone.utc)
    post = ScheduledPost(id="a", publish_at=at, account="b", video=str(portrait_video), **options, approval="required")
    step = PreparePost(task_id="prepare", settings=CalendarSettings.of("content", "posts.yaml"))
    step._write_cover(post, [cover_name(post.version)], str(portrait_video))
    assert not storage.exists(cover_file(post.version))

    storage.write(cover_file(post.version), b"from before")
    asked = question(post, [{}])
    assert "| Cover | ` https://example.com/cover_(1)¦a.jpg ` |" in asked
    assert "![" not in asked


def test_each_item_of_a_carousel_has_a_cover(
    airflow_db: None, tmp_path: Path, portrait_video: Path, square_picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture is shown itself, and of a video its first frame. An item that cannot be read has none."""
    from airflow.api_fastapi.core_api.security import get_user

    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
    from airflow_provider_instagram.calendar.tasks.prepare import PreparePost
    from airflow_provider_instagram.plugin.app import app

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path))
    monkeypatch.setitem(app.dependency_overrides, get_user, lambda: None)
    made = [str(square_picture), str(tmp_path / "gone.jpg"), str(portrait_video)]
    items = tuple(Item(location=location) for location in made)
    at = datetime(2030, 1, 1, tzinfo=timezone.utc)
    post = ScheduledPost(id="a", publish_at=at, account="b", carousel=items, approval="required")
    step = PreparePost(task_id="prepare", settings=CalendarSettings.of("content", "posts.yaml"))
    for place, location in enumerate(made, 1):
        step._write_cover(post, [cover_name(post.version, place)], location)

    client = TestClient(app)
    assert client.get(f"/covers/{post.version}.jpg").content == square_picture.read_bytes()
    assert client.get(f"/covers/{post.version}-2.jpg").status_code == 404
    assert client.get(f"/covers/{post.version}-3.jpg").content[:3] == b"\xff\xd8\xff"
    shown = [line for line in question(post, [{}] * 3).splitlines() if line.startswith("![")]
    assert shown == [
        f"![Item 1](</instagram/covers/{post.version}.jpg>)",
        f"![Item 3](</instagram/covers/{post.version}-3.jpg>)",
    ]


NAME = "0123456789abcdef0123456789abcdef"


def huge(path: Path) -> None:
    """A JPEG, by its first bytes, of 2 GB, which need no place on the disk."""
    path.write_bytes(b"\xff\xd8\xff")
    os.truncate(path, 2 * 1024**3)


def bomb(path: Path) -> None:
    """A JPEG of one colour with 49 million pixels."""
    from PIL import Image

    Image.new("L", (7_000, 7_000)).save(path, "JPEG", quality=1)


OTHERS: dict[str, Callable[[Path], Any]] = {
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a folder": Path.mkdir,
    "a huge file": huge,
    "a page": lambda path: path.write_text("<script>alert(1)</script>"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "kept"))
    return tmp_path


@pytest.fixture
def little_memory() -> Any:
    tracemalloc.start()
    yield
    assert tracemalloc.get_traced_memory()[1] < 60 * 1024**2
    tracemalloc.stop()


@pytest.mark.parametrize("other", OTHERS)
def test_what_is_put_in_the_place_of_a_cover_is_neither_waited_for_nor_shown(
    other: str, folder: Path, little_memory: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.core_api.security import get_user

    from airflow_provider_instagram.plugin.app import app

    cover = Path(cover_file(NAME))
    cover.parent.mkdir(parents=True)
    OTHERS[other](cover)
    monkeypatch.setitem(app.dependency_overrides, get_user, lambda: None)
    answer = TestClient(app).get(f"/covers/{NAME}.jpg")
    assert answer.status_code == 503
    assert "alert" not in answer.text
    with pytest.raises((ValidationError, OSError)):
        read_cover(NAME)


@pytest.mark.parametrize("other", [*OTHERS, "a bomb"])
def test_a_cover_is_made_of_a_small_picture_only(other: str, folder: Path, little_memory: None) -> None:
    """The file may belong to the person who writes the calendar, and may change after the transcode."""
    (OTHERS | {"a bomb": bomb})[other](picture := folder / "picture.jpg")
    with pytest.raises((ValidationError, OSError)):
        write_cover(NAME, picture)
    assert not storage.exists(cover_file(NAME))


def test_a_picture_that_changes_while_its_cover_is_made_has_one_content(
    folder: Path, square_picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cover and its thumbnail are of the bytes that were read first."""
    from PIL import Image

    (picture := folder / "picture.jpg").write_bytes(square_picture.read_bytes())
    read = storage.read

    def swap(location: str, **more: Any) -> bytes | None:
        content = read(location, **more)
        picture.write_bytes(b"\xff\xd8\xff, but another one")
        return content

    with monkeypatch.context() as swapped:
        swapped.setattr(storage, "read", swap)
        write_cover(NAME, picture)
    assert read_cover(NAME) == square_picture.read_bytes()
    small = Image.open(io.BytesIO(read_cover(NAME, is_small=True) or b""))
    assert small.size == (320, 320)


def test_a_cover_in_object_storage_is_read_up_to_its_limit(bucket: str) -> None:
    storage.write(f"{bucket}/cover.jpg", b"12345")
    assert storage.read(f"{bucket}/cover.jpg", max_bytes=5) == b"12345"
    with pytest.raises(ValidationError, match="more than 4 bytes"):
        storage.read(f"{bucket}/cover.jpg", max_bytes=4)
    storage.write(f"{bucket}/empty", b"")
    assert storage.read(f"{bucket}/empty") == b""
    assert storage.read(f"{bucket}/nothing") is None
