"""The cover frame that a person sees before approving a post."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from fastapi.testclient import TestClient

from airflow_provider_instagram.calendar.file.model import CarouselItem, Post
from airflow_provider_instagram.calendar.tasks.approve import question
from airflow_provider_instagram.calendar.tasks.covers import cover_file, cover_name
from airflow_provider_instagram.files import storage

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_cover_is_kept_named_in_the_question_and_served_to_those_who_are_logged_in(
    airflow_db: None, snapshots: str, portrait_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.core_api.security import get_user

    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
    from airflow_provider_instagram.calendar.tasks.transcode import TranscodePost
    from airflow_provider_instagram.plugin.app import app

    at = datetime(2030, 1, 1, tzinfo=timezone.utc)
    options: dict[str, Any] = {"video_cover_timestamp_ms": 1500}
    post = Post(id="a", publish_at=at, account="b", video=str(portrait_video), options=options, approval="required")
    settings = CalendarSettings.of("content", "posts.yaml")
    step = TranscodePost(task_id="transcode", post=post.model_dump(mode="json"), settings=settings)
    assert "![Cover]" not in question(post, {})

    step._write_cover(post, cover_name(post.version), str(portrait_video))

    address = f"/instagram/covers/{post.version}.jpg"
    assert f"![Cover](<{address}>)" in question(post, {})
    client = TestClient(app)
    path = address.removeprefix("/instagram")
    assert client.get(path).status_code == 401
    monkeypatch.setitem(app.dependency_overrides, get_user, lambda: None)
    assert client.get(path).content[:3] == b"\xff\xd8\xff"
    assert client.get("/covers/0123456789abcdef.jpg").status_code == 404
    assert client.get("/covers/0123456789abcdef-0.jpg").status_code == 422
    assert client.get("/covers/..%2Fsecret.jpg").status_code in (404, 422)


def test_the_cover_of_a_post_with_a_cover_url_is_named_and_not_fetched_by_the_form(
    tmp_path: Path, portrait_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wins over every frame: none is written, and one that is there from before is not shown."""
    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
    from airflow_provider_instagram.calendar.tasks.transcode import TranscodePost

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path))
    address = "https://example.com/cover_(1)|a.jpg"
    options: dict[str, Any] = {"cover_url": address, "video_cover_timestamp_ms": 1500}
    at = datetime(2030, 1, 1, tzinfo=timezone.utc)
    post = Post(id="a", publish_at=at, account="b", video=str(portrait_video), options=options, approval="required")
    step = TranscodePost(task_id="transcode", post=post, settings=CalendarSettings.of("content", "posts.yaml"))
    step._write_cover(post, cover_name(post.version), str(portrait_video))
    assert not storage.exists(cover_file(post.version))

    storage.write(cover_file(post.version), b"from before")
    asked = question(post, {})
    assert "| Cover | ` https://example.com/cover_(1)¦a.jpg ` |" in asked
    assert "![" not in asked


def test_each_item_of_a_carousel_has_a_cover(
    airflow_db: None, tmp_path: Path, portrait_video: Path, square_picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture is shown itself, and of a video its first frame. An item that cannot be read has none."""
    from airflow.api_fastapi.core_api.security import get_user

    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
    from airflow_provider_instagram.calendar.tasks.transcode import TranscodePost
    from airflow_provider_instagram.plugin.app import app

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path))
    monkeypatch.setitem(app.dependency_overrides, get_user, lambda: None)
    made = [str(square_picture), str(tmp_path / "gone.jpg"), str(portrait_video)]
    items = tuple(CarouselItem(location=location) for location in made)
    at = datetime(2030, 1, 1, tzinfo=timezone.utc)
    post = Post(id="a", publish_at=at, account="b", carousel=items, options={}, approval="required")
    step = TranscodePost(task_id="transcode", post=post, settings=CalendarSettings.of("content", "posts.yaml"))
    for place, location in enumerate(made, 1):
        step._write_cover(post, cover_name(post.version, place), location)

    client = TestClient(app)
    assert client.get(f"/covers/{post.version}.jpg").content == square_picture.read_bytes()
    assert client.get(f"/covers/{post.version}-2.jpg").status_code == 404
    assert client.get(f"/covers/{post.version}-3.jpg").content[:3] == b"\xff\xd8\xff"
    shown = [line for line in question(post, []).splitlines() if line.startswith("![")]
    assert shown == [
        f"![Item 1](</instagram/covers/{post.version}.jpg>)",
        f"![Item 3](</instagram/covers/{post.version}-3.jpg>)",
    ]
