"""A calendar names a post as another calendar of the same account did: one post, of which it shows only whose it is."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import yaml

from airflow_provider_instagram.calendar import content_calendar_dag
from airflow_provider_instagram.calendar.planning.stored_plan import About
from airflow_provider_instagram.calendar.tasks.publish import PublishPost
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import PublishedPost
from airflow_provider_instagram.plugin.board.detail import acts_in
from airflow_provider_instagram.plugin.board.states import Facts, State, status_of
from tests.integration.calendar.runs import run_by_hand, run_post

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle

ACCOUNT = "instagram_default"
SECRET = "What the first team has published"


@pytest.fixture
def write(tmp_path: Path, portrait_video: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write a calendar of one post that is due now."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", str(portrait_video.parent))

    def written(name: str, post_id: str, caption: str) -> Path:
        at = f"{datetime.now(timezone.utc) + timedelta(seconds=2):%Y-%m-%d %H:%M:%S} UTC"
        post = {"id": post_id, "publish_at": at, "video": str(portrait_video), "first_comment": caption}
        (tmp_path / name).mkdir(exist_ok=True)
        file = tmp_path / name / "posts.yaml"
        file.write_text(yaml.safe_dump({"posts": [{**post, "caption": caption}]}))
        return file

    return written


@pytest.fixture
def post_id() -> str:
    return f"teaser-{uuid4().hex[:8]}"


def stored(*texts: str) -> list[str]:
    """Return the XComs that contain one of some texts."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = session.execute(select(XComModel.dag_id, XComModel.task_id, XComModel.value)).all()
    return [
        f"{dag_id} {task_id}" for dag_id, task_id, value in rows if any(text in json.dumps(value) for text in texts)
    ]


def test_a_post_of_another_calendar_is_never_published_twice_and_only_its_calendar_is_named(
    instagram_sandbox: SandboxHandle, run_dag: Any, write: Any, post_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = write("first", post_id, SECRET)
    assert run_post(run_dag, content_calendar_dag("first", first), post_id).state == "success"
    (live,) = instagram_sandbox.posts
    capsys.readouterr()
    result = run_post(run_dag, content_calendar_dag("second", write("second", post_id, "Ours")), post_id)
    assert result.states()["prepare"] == "skipped"
    said = capsys.readouterr().out
    assert f"the DAG first ({first}) has published the id {post_id} on {ACCOUNT}: give this post another" in said
    assert not [text for text in (SECRET, live.media_id, str(live.permalink)) if text in said]
    assert {name.split()[0] for name in stored(live.media_id, SECRET)} == {"first"}
    assert len(instagram_sandbox.posts) == 1
    moved = run_by_hand(run_dag, content_calendar_dag("renamed", first), post_id)
    assert moved.xcom("publish")["media_id"] == live.media_id, "its own, in another DAG"


def test_a_post_that_another_calendar_publishes_in_between_is_not_taken_for_ours(
    instagram_sandbox: SandboxHandle, run_dag: Any, write: Any, post_id: str, mocker: MockerFixture
) -> None:
    """Neither returned, nor commented on."""
    real, at = PublishPost.execute, datetime.now(timezone.utc).isoformat()
    theirs = PublishedPost(f"{ACCOUNT}/{post_id}", "1", at, "180777", dag_id="first", event_pending=True)

    def publish(task: PublishPost, context: Any, event: Any = None) -> Any:
        Ledger.of(context, ACCOUNT).record_post(theirs)
        return real(task, context, event)

    mocker.patch.object(PublishPost, "execute", publish)
    states = run_post(run_dag, content_calendar_dag("second", write("second", post_id, "Ours")), post_id).states()
    assert (states["create"], states["publish"], states["comment"]) == ("success", "skipped", "skipped")
    assert stored("180777") == []
    assert instagram_sandbox.posts == []


def test_the_page_says_which_calendar_has_it_and_offers_no_button() -> None:
    done = PublishedPost("a/b", "1", "2030-05-06T08:30:00+00:00", "180", permalink="https://x.example", dag_id="first")
    assert done.other_publisher("first", "second.yaml") is None
    assert PublishedPost("a/b", "1", "", origin="posts.yaml", dag_id="old").other_publisher("new", "posts.yaml") is None
    from airflow_provider_instagram.calendar.file.columns import ScheduledPost

    at = datetime(2030, 5, 6, tzinfo=timezone.utc)
    facts = Facts(
        ScheduledPost(id="b", publish_at=at, account="a"),
        published_by=done.other_publisher("second", "second.yaml"),
    )
    hour = timedelta(hours=1)
    status = status_of(facts, at, About(lead_time=hour, max_lateness=hour, prepare_ahead=hour))
    assert (status.state, status.text) == (State.SKIPPED, "the DAG first has published the id b")
    assert acts_in(status, facts) == []
