"""A calendar's plan, in a folder or in object storage that all machines share."""

from __future__ import annotations

import json
import socket
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.calendar import content_calendar_dag
from airflow_provider_instagram.calendar.file.columns import Calendar
from airflow_provider_instagram.calendar.planning.begin_runs import Plan
from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
from airflow_provider_instagram.calendar.planning.stored_plan import StoredPlan, store
from airflow_provider_instagram.exceptions import TransientError
from tests.integration.calendar.runs import planned_by, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mock import MockerFixture

NOON = datetime(2098, 12, 1, 12, tzinfo=timezone.utc)
POST = "{{id: {}, publish_at: 2099-01-01 12:00 UTC, account: studio, video: https://example.com/a.mp4}}\n"


def test_a_task_on_another_machine_reads_the_last_version_that_the_planner_could_read(
    snapshots: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    calendar = tmp_path / "calendar.yaml"
    calendar.write_text("posts:\n- " + POST.format("one"))
    settings = CalendarSettings.of("content", calendar, accounts=["studio"])
    planned_by(settings, NOON)
    assert [post.id for post in settings.stored().plan.calendar.posts] == ["one"]

    calendar.write_text("posts: [")
    planned_by(settings, NOON)
    plan = settings.stored().plan
    assert ([post.id for post in plan.calendar.posts], plan.readable) == (["one"], False)
    assert [path.name for path in Path.cwd().iterdir() if path.name.startswith("s3")] == []


def test_a_bucket_that_does_not_exist_is_said_to_the_planner(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", f"{bucket}-elsewhere/kept")
    (tmp_path / "calendar.yaml").write_text("posts:\n- " + POST.format("one"))
    settings = CalendarSettings.of("content", tmp_path / "calendar.yaml", accounts=["studio"])
    with pytest.raises(TransientError, match="The folder s3://media@clips-elsewhere/kept cannot be written to"):
        planned_by(settings, NOON)


@pytest.fixture
def silent_storage(monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> Iterator[str]:
    """Object storage that accepts connections and never answers, and a time limit of one second instead of eight."""
    mocker.patch("airflow_provider_instagram.utils.time_limit.SMALL_FILE_TIMEOUT_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        extra = {"endpoint_url": f"http://127.0.0.1:{server.getsockname()[1]}", "region_name": "us-east-1"}
        connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SILENT", json.dumps(connection))
        yield "s3://silent@clips"


def test_a_plan_in_a_storage_that_does_not_answer_stays_as_it_is(
    silent_storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its plan, a calendar counts as new, and posts whose time has just passed would be left out."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", f"{silent_storage}/kept")
    calendar = tmp_path / "calendar.yaml"
    calendar.write_text("posts:\n- " + POST.format("one"))
    settings = settings_of(content_calendar_dag("content", calendar, accounts=["studio"]))
    for reads in (planned_by, CalendarSettings.stored):
        began_s = time.monotonic()
        with pytest.raises(TransientError, match="has not answered within 1 s") as failed:
            reads(settings)
        assert time.monotonic() - began_s < 30
        assert "[instagram] calendar_snapshots" in str(failed.value.hint)


def test_a_calendar_in_a_storage_that_does_not_answer_is_used_as_it_was(silent_storage: str) -> None:
    settings = CalendarSettings.of("silent", f"{silent_storage}/calendar.yaml", accounts=["studio"])
    text, plan = "posts:\n- " + POST.format("one"), Plan(Calendar(settings.location))
    at = datetime(2098, 12, 1, 12, tzinfo=timezone.utc)
    store(
        settings.plan_file, StoredPlan(location=settings.location, text=text, at=at, plan=plan, about=settings.about())
    )
    began_s = time.monotonic()
    plan = planned_by(settings, NOON).plan
    assert time.monotonic() - began_s < 30
    assert ([post.id for post in plan.calendar.posts], plan.readable) == (["one"], False)
    assert "the storage has not answered within 1 s" in plan.calendar.problems[0].message


def test_a_person_is_asked_without_a_cover_when_the_storage_does_not_answer(
    silent_storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi.testclient import TestClient

    from airflow_provider_instagram.calendar.file.columns import ScheduledPost
    from airflow_provider_instagram.calendar.tasks.approve import question
    from airflow_provider_instagram.plugin.app import app

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", f"{silent_storage}/kept")
    post = ScheduledPost(id="a", publish_at=NOON, account="b", video="a.mp4", approval="required")
    assert "![Cover]" not in question(post, [])
    monkeypatch.setitem(app.dependency_overrides, get_user, lambda: None)
    answer = TestClient(app).get(f"/covers/{post.version}.jpg")
    assert (answer.status_code, "has not answered within 1 s" in answer.text) == (503, True)
