"""No run that a user starts for a post, and ends, makes the page Posts say that the post goes out if it does not."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from airflow_provider_instagram.calendar.tasks.answers import PostRecords
from airflow_provider_instagram.calendar.tasks.approve import question
from airflow_provider_instagram.calendar.tasks.outcome import OUTCOME
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.ledger.database import open_ledger
from airflow_provider_instagram.ledger.records import PublishedPost
from airflow_provider_instagram.plugin.board import routes
from airflow_provider_instagram.plugin.board.boards import Boards
from airflow_provider_instagram.plugin.users import sealed
from tests.integration.pages import OURS, browser_of
from tests.integration.plugin.runs import begin, push_xcom, store_calendar, write_row

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from pytest_mock import MockerFixture

DAG_ID, ACCOUNT = "users_runs", "users_studio"
API = "/instagram/calendar/api"
NOW = datetime.now(timezone.utc)
LIVE = {"prepare": "success", "approve": "success", "create": "success", "publish": "success", "comment": "success"}
READY = {"prepare": "success", "approve": "success", "create": "deferred"}


@pytest.fixture
def ada(
    airflow_pages: None, airflow_app: FastAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture
) -> Callable[[], TestClient]:
    """A browser in which a user is logged in to a whole Airflow, which has a calendar with one post."""
    from airflow_provider_instagram.calendar import content_calendar_dag

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    mocker.patch.object(routes, "boards", Boards())
    (tmp_path / "a.mp4").touch()
    due = f"{NOW + timedelta(days=2):%Y-%m-%d %H:%M} UTC"
    post = {"id": "hello", "publish_at": due, "account": ACCOUNT, "video": "a.mp4", "approval": "required"}
    file = tmp_path / "calendar.yaml"
    file.write_text(yaml.safe_dump({"posts": [post]}))
    store_calendar(content_calendar_dag(DAG_ID, file, accounts=[ACCOUNT]))
    return partial(browser_of, airflow_app, "ada", "USER")


def card(browser: TestClient) -> Any:
    routes.boards.board(DAG_ID, is_fresh=True)
    return browser.get(f"{API}/posts", params={"dag_id": DAG_ID}).json()["cards"][0]


def do(browser: TestClient, act: str) -> Any:
    token = sealed("form", {"user": "ada"})
    body = {"act": act, "dag_id": DAG_ID, "post_id": "hello", "form_token": token}
    return browser.post(f"{API}/acts", json=body, headers=OURS)


def record_yes(run_id: str, dag_id: str = DAG_ID, *, is_answered: bool = True) -> None:
    """Record a yes that was given in a run, as the task of that run does, or only the question."""
    run_after = NOW - timedelta(hours=1)
    post = begin(DAG_ID, "hello", READY, run_after=run_after)
    at = run_after.isoformat()
    asked = {"dag_id": dag_id, "run_id": run_id, "task_id": "approve", "map_index": -1, "run_after": at}
    asked |= {"run_started": at, "clear_number": 0, "max_tries": 9, "ti_id": "1", "try_number": 0, "began": at}
    answer = {"approved": True, "person": "ada", "caption": ""}
    about = {"post_id": "hello", "version": post.version, "sha256": [None], "caption": "", "number": 1, "is_open": True}
    row = {**about, "question": asked, "answer": answer if is_answered else None}
    write_row(ledger_asset(ACCOUNT).uri, f"approval:{post.key}", row)


@pytest.mark.parametrize(
    ("run_id", "dag_id", "state"),
    [("hello", DAG_ID, "ready"), ("hello", "former_name", "ready"), ("manual__1", DAG_ID, "failed")],
    ids=["of its own run", "of a renamed DAG", "of a run that a user has started and ended"],
)
def test_an_approval_that_a_users_run_has_made_void_is_missed_on_the_card(
    ada: Callable[[], TestClient], run_id: str, dag_id: str, state: str
) -> None:
    """The post does not go out. Nobody would notice before its container is made."""
    record_yes(run_id, dag_id)
    browser = ada()
    begin(DAG_ID, "hello", {"prepare": "success", "approve": "failed"}, run_id="manual__1", state="failed",
          conf={"post": "hello"})  # fmt: skip
    assert card(browser)["state"] == state
    if state == "failed":
        assert do(browser, "retry").json()["done"] == "It is tried again, from approve on."


def test_a_run_that_a_user_has_made_anew_has_no_approval_on_the_card(ada: Callable[[], TestClient]) -> None:
    """It has the id and the date of the deleted one, which was approved, and the user has marked its approve."""
    record_yes("hello")
    run_after = NOW - timedelta(hours=1)
    begin(DAG_ID, "hello", READY, run_after=run_after, started=NOW)
    assert card(ada())["state"] == "failed"


@pytest.mark.parametrize(("state", "is_shown"), [("success", False), ("skipped", False), ("up_for_retry", True)])
def test_an_answer_that_a_task_does_not_carry_out_any_more_is_not_shown_as_an_approval(
    ada: Callable[[], TestClient], state: str, is_shown: bool
) -> None:
    """A user has marked the task, and Airflow takes an answer to its question still. A retry uses it."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    record_yes("hello", is_answered=False)
    post = begin(DAG_ID, "hello", READY | {"approve": state}, run_after=NOW - timedelta(hours=1))
    ours = (TaskInstance.dag_id == DAG_ID, TaskInstance.task_id == "approve")
    bob = {"id": "bob", "name": "bob"}
    about: dict[str, Any] = {"subject": f"Publish hello on {ACCOUNT} at noon?", "body": question(post, [])}
    about |= {"options": ["Approve", "Reject"], "chosen_options": ["Approve"], "responded_by": bob, "params": {}}
    with create_session() as session:
        ti_id = session.scalars(select(TaskInstance.id).where(*ours)).one()
        session.add(HITLDetail(ti_id=ti_id, responded_at=NOW, params_input={}, **about))
    browser = ada()
    card(browser)
    history = browser.get(f"{API}/post", params={"dag_id": DAG_ID, "post_id": "hello"}).json()["history"]
    assert ("Approved by bob" in [event["what"] for event in history]) is is_shown


def test_who_skips_a_post_withdraws_the_yes_that_was_given_in_a_run_of_a_user(ada: Callable[[], TestClient]) -> None:
    """The run has ended, and publishes the post when it is cleared: it is skipped in its own run only."""
    record_yes("manual__1")
    begin(DAG_ID, "hello", READY | {"create": "failed"}, run_id="manual__1", state="failed", conf={"post": "hello"})
    browser = ada()
    assert do(browser, "skip").status_code == 200
    with open_ledger(ACCOUNT) as store:
        approval = PostRecords(store, f"{ACCOUNT}/hello").approval()
    assert approval is not None
    assert (approval.is_yes, approval.is_open) == (False, False)
    card(browser)
    assert do(browser, "unskip").status_code == 200


def test_a_users_run_that_says_it_is_outdated_hides_no_failure(ada: Callable[[], TestClient]) -> None:
    """Its task is marked as skipped, and a user has written why."""
    begin(DAG_ID, "hello", {"prepare": "failed"}, state="failed")
    begin(DAG_ID, "hello", {"prepare": "skipped"}, run_id="manual__1", state="success", conf={"post": "hello"})
    push_xcom(DAG_ID, "manual__1", "prepare", OUTCOME, {"state": "skipped", "mark": "edited", "try": 0})
    assert card(ada())["state"] == "failed"


def test_a_users_run_that_is_dated_days_ago_keeps_nobody_from_publishing_now(ada: Callable[[], TestClient]) -> None:
    """It was started to publish at once. Its tasks wait for the post's time, as after a Clear on another day."""
    conf, ago = {"post": "hello", "now": True}, NOW - timedelta(days=3)
    begin(DAG_ID, "hello", READY, run_id="manual__1", conf=conf, run_after=ago)
    assert do(ada(), "publish_now").status_code == 200


def test_what_a_user_marks_in_another_run_tells_nothing_of_a_post_that_is_live(ada: Callable[[], TestClient]) -> None:
    """Nor does Try again clear the tasks of that run."""
    post = begin(DAG_ID, "hello", LIVE, state="success")
    planned_at = post.publish_at.isoformat()
    done = PublishedPost(
        post.key, "17901", NOW.isoformat(), "17902", dag_id=DAG_ID, run_id="hello", planned_at=planned_at
    )
    write_row(ledger_asset(ACCOUNT).uri, f"done:{post.key}", asdict(done))
    begin(DAG_ID, "hello", LIVE | {"comment": "failed"}, run_id="manual__1", conf={"post": "hello"})
    assert "why" not in card(ada())


def test_an_xcom_changes_neither_the_video_on_the_page_nor_what_it_says_of_the_file(
    ada: Callable[[], TestClient], tmp_path: Path
) -> None:
    """A person looks at both before they approve."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.mp4").write_bytes(b"\0\0\0\x20ftypisom" + name.encode())
    post = begin(DAG_ID, "hello", {"prepare": "success", "approve": "awaiting_input"})
    made: dict[str, Any] = {"media": [str(tmp_path / "a.mp4")], "reports": [{"tier": "full", "sha256": "1" * 64}]}
    write_row(ledger_asset(ACCOUNT).uri, f"prepared:{post.key}/{post.version}", made)
    edited = {"media": [str(tmp_path / "b.mp4")], "reports": [{"tier": "pass"}]}
    push_xcom(DAG_ID, "hello", "prepare", "return_value", edited)
    browser, asked = ada(), {"dag_id": DAG_ID, "post_id": "hello"}
    card(browser)
    assert browser.get(f"{API}/video", params=asked).content.endswith(b"isoma")
    (report,) = browser.get(f"{API}/post", params=asked).json()["report"]
    assert report["tier"] == "full"
