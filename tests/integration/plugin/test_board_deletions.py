"""Deletion on the page Posts: who may ask for it, who answers, and what the page says of it."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar import post_deletion_dag
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.plugin.board import routes
from tests.integration.conftest import store_dag
from tests.integration.pages import HOME
from tests.integration.plugin.runs import push_xcom, write_row
from tests.integration.plugin.test_board import ACCOUNT, DAG_ID, audit, calendar, cards, detail, do, user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DELETES = "delete_posts"
RUN_ID = f"delete~{ACCOUNT}~hello~1"
BODY = "Link: https://www.instagram.com/reel/live/"  # as Instagram shows it, whatever the ledger says
LINK = "https://www.instagram.com/reel/hello/"
LATER = "2040-01-01T12:00:00+00:00"  # after the time of the post in the calendar
__all__ = ["calendar", "user"]


@pytest.fixture
def published(calendar: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The post *hello* is live, and the deployment allows to delete posts on the page."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__DELETION_DAG", DELETES)
    store_dag(post_deletion_dag(DELETES, accounts=["another", ACCOUNT]))
    forget_runs()
    record_post()
    yield
    forget_post()


def forget_runs() -> None:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        for model in (TaskInstance, DagRun):
            session.execute(delete(model).where(model.dag_id == DELETES))


def forget_post() -> None:
    """Delete the rows of the account in the state store."""
    from airflow.models.asset import AssetModel
    from airflow.models.asset_state_store import AssetStateStoreModel as Row
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    with create_session() as session:
        asset_id = session.scalar(select(AssetModel.id).where(AssetModel.uri == ledger_asset(ACCOUNT).uri))
        session.execute(delete(Row).where(Row.asset_id == asset_id))


def record_post(**more: Any) -> None:
    row = {"post_key": f"{ACCOUNT}/hello", "container_id": "1", "published_at": LATER, "media_id": "17900"}
    row |= {"permalink": LINK, "dag_id": DAG_ID, "calendar": "calendar.yaml", "ig_user_id": "17841"} | more
    forget_post()
    write_row(ledger_asset(ACCOUNT).uri, f"done:{ACCOUNT}/hello", row)


def set_task(state: str, *, asks: bool = False, outcome: dict[str, Any] | None = None) -> None:
    """Set the state of the task of the deletion, as a worker would."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        ours = (TaskInstance.run_id == RUN_ID, TaskInstance.task_id == ACCOUNT)
        task = session.scalars(select(TaskInstance).where(*ours)).one()
        task.state = state
        if asks:
            question = {"subject": "Delete it?", "body": BODY, "options": ["Approve", "Reject"], "params": {}}
            session.add(HITLDetail(ti_id=task.id, **question))
    if outcome is not None:
        push_xcom(DELETES, RUN_ID, ACCOUNT, "outcome", outcome)
    routes.boards.board(DAG_ID, is_fresh=True)


def conf_of_runs() -> dict[str, Any]:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = session.execute(select(DagRun.run_id, DagRun.conf).where(DagRun.dag_id == DELETES))
        return {row.run_id: row.conf for row in rows}


def answer_of_airflow() -> tuple[Any, Any]:
    from airflow.models.hitl import HITLDetail
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        detail = session.scalars(select(HITLDetail).order_by(HITLDetail.created_at.desc())).first()
        return (detail.chosen_options, (detail.responded_by or {}).get("name")) if detail else (None, None)


@pytest.mark.usefixtures("published")
def test_a_post_is_deleted_by_a_run_that_asks_and_the_yes_is_airflows_own_answer(user: Any) -> None:
    ada, before = user("ada", "USER"), len(audit())
    assert detail(ada, "hello")["acts"] == ["delete"]
    assert do(ada, "ada", "delete").status_code == 200
    assert conf_of_runs() == {RUN_ID: {"account": ACCOUNT, "post_key": f"{ACCOUNT}/hello"}}
    assert (cards(ada)["hello"]["state"], cards(ada)["hello"]["why"]) == ("published", "its deletion is in progress")
    assert do(ada, "ada", "delete").status_code == 409

    set_task("awaiting_input", asks=True)
    shown = detail(ada, "hello")
    assert (shown["acts"], shown["link"]) == (["confirm_deletion", "keep"], LINK)
    assert shown["deletion"]["text"] == f"Delete it?\n\n{BODY}"
    asked = shown["deletion"]["digest"]
    assert cards(ada)["hello"]["why"] == "a person is asked whether to delete it"
    assert do(ada, "ada", "confirm_deletion", deletion=RUN_ID).status_code == 409
    assert do(ada, "ada", "confirm_deletion").status_code == 409, "what the page showed was not sent"
    assert answer_of_airflow() == (None, None)
    assert do(ada, "ada", "confirm_deletion", deletion=asked).status_code == 200
    assert answer_of_airflow() == (["Approve"], "ada")
    assert do(ada, "ada", "keep", deletion=asked).status_code == 409, "the first answer counts"

    set_task("success")
    record_post(deleted_at="2040-01-02T08:30:00+00:00", deleted_by="ada")
    routes.boards.board(DAG_ID, is_fresh=True)
    gone = cards(ada)["hello"]
    assert (gone["state"], gone["why"]) == ("deleted", "on 2040-01-02 08:30 UTC by ada")
    shown = detail(ada, "hello")
    assert (shown["acts"], shown["link"]) == ([], None), "its link leads nowhere"
    assert "Deleted from Instagram, by ada" in [event["what"] for event in shown["history"]]
    assert [name for name, who in audit()[before:] if who == "ada" and name.startswith("instagram_post_")] == [
        "instagram_post_delete",
        "instagram_post_confirm_deletion",
    ]


@pytest.mark.usefixtures("published")
def test_a_run_is_about_the_post_that_its_parameters_name_whatever_its_id_says(user: Any) -> None:
    """A user who may start runs of the deletion DAG names them as the page would, and blocks no post by that."""
    eve, ada = user("eve", "USER"), user("ada", "USER")
    other = {"account": ACCOUNT, "post_key": f"{ACCOUNT}/the-best-post-of-all"}
    start(eve, RUN_ID, other)
    set_task("awaiting_input", asks=True)
    assert detail(ada, "hello")["acts"] == ["delete"]
    assert "why" not in cards(ada)["hello"]
    assert do(ada, "ada", "confirm_deletion", deletion=RUN_ID).status_code == 409
    assert answer_of_airflow() == (None, None)

    start(eve, f"delete~{ACCOUNT}~hello~{'9' * 200}", {**other, "more": 1})
    assert do(ada, "ada", "delete").status_code == 200
    second = f"delete~{ACCOUNT}~hello~2"
    assert conf_of_runs()[second] == {"account": ACCOUNT, "post_key": f"{ACCOUNT}/hello"}
    assert cards(ada)["hello"]["why"] == "its deletion is in progress"


def start(browser: Any, run_id: str, conf: dict[str, Any]) -> None:
    """Start a run of the deletion DAG by Airflow's own API."""
    body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
    assert browser.post(f"/api/v2/dags/{DELETES}/dagRuns", json=body).status_code == 200


@pytest.mark.usefixtures("published")
def test_a_yes_counts_only_for_the_question_that_was_shown_by_a_task_of_the_deletion_dag(user: Any) -> None:
    ada = user("ada", "USER")
    do(ada, "ada", "delete")
    set_task("awaiting_input", asks=True)
    asked = detail(ada, "hello")["deletion"]["digest"]
    change("body", "Link: https://www.instagram.com/reel/another/")
    assert do(ada, "ada", "confirm_deletion", deletion=asked).status_code == 409
    assert "reel/another" in detail(ada, "hello")["deletion"]["text"]

    asked = detail(ada, "hello")["deletion"]["digest"]
    change("operator", "ApprovalOperator")
    assert do(ada, "ada", "confirm_deletion", deletion=asked).status_code == 409
    assert "deletion" not in detail(ada, "hello")
    assert answer_of_airflow() == (None, None)


def change(name: str, value: str) -> None:
    """Change the text of the question, or the class of its task's operator."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        ours = (TaskInstance.run_id == RUN_ID, TaskInstance.task_id == ACCOUNT)
        task = session.scalars(select(TaskInstance).where(*ours)).one()
        setattr(session.get(HITLDetail, task.id) if name == "body" else task, name, value)
    routes.boards.board(DAG_ID, is_fresh=True)


@pytest.mark.usefixtures("published")
def test_a_post_that_is_kept_can_be_deleted_by_another_run(user: Any) -> None:
    ada = user("ada", "USER")
    do(ada, "ada", "delete")
    set_task("awaiting_input", asks=True)
    assert do(ada, "ada", "keep", deletion=detail(ada, "hello")["deletion"]["digest"]).status_code == 200
    assert answer_of_airflow() == (["Reject"], "ada")
    set_task("skipped")
    assert (cards(ada)["hello"]["state"], "why" in cards(ada)["hello"]) == ("published", False)
    assert do(ada, "ada", "delete").status_code == 200
    assert sorted(conf_of_runs()) == [RUN_ID, f"delete~{ACCOUNT}~hello~2"]


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize(
    ("mark", "state", "why"),
    [
        ("OutcomeUnknownError", "unknown", "It is not known whether this post is deleted."),
        ("AuthenticationError", "published", "not deleted"),
    ],
)
def test_a_deletion_that_failed_says_why_to_who_may_read_its_dag_and_can_be_tried_again(
    user: Any, mark: str, state: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.app import get_auth_manager

    ada = user("ada", "USER")
    do(ada, "ada", "delete")
    set_task("failed", outcome={"mark": mark, "reason": "Its answer was lost.", "hint": "Look.", "try": 1})
    assert (cards(ada)["hello"]["state"], cards(ada)["hello"]["why"]) == (state, why)
    shown = detail(ada, "hello")
    assert (shown["acts"], shown["why"]) == (["delete"], f"{why}: Its answer was lost." if state != "unknown" else why)
    monkeypatch.setattr(get_auth_manager(), "is_authorized_dag", lambda **asked: asked["details"].id == DAG_ID)
    shown = detail(ada, "hello")
    assert (shown["acts"], shown["why"], "Its answer was lost." in json.dumps(shown)) == ([], why, False)


@pytest.mark.usefixtures("published")
def test_who_may_not_edit_the_calendar_sees_no_control_and_another_site_starts_nothing(user: Any) -> None:
    vic, ada = user("vic", "VIEWER"), user("ada", "USER")
    assert detail(vic, "hello")["acts"] == []
    assert do(vic, "vic", "delete").status_code == 403
    assert do(ada, "ada", "delete", headers={"Origin": HOME, "Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert conf_of_runs() == {}
    do(ada, "ada", "delete")
    set_task("awaiting_input", asks=True)
    assert (detail(vic, "hello")["acts"], "deletion" in detail(vic, "hello")) == ([], False)
    asked = detail(ada, "hello")["deletion"]["digest"]
    assert do(vic, "vic", "confirm_deletion", deletion=asked).status_code == 403
    assert answer_of_airflow() == (None, None)


@pytest.mark.usefixtures("published")
def test_without_the_setting_nobody_deletes_on_the_page(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW__INSTAGRAM__DELETION_DAG")
    boss = user("boss", "ADMIN")
    assert detail(boss, "hello")["acts"] == []
    assert do(boss, "boss", "delete").status_code == 403
    assert cards(boss)["hello"]["state"] == "published"


@pytest.mark.usefixtures("published")
def test_a_control_that_the_account_cannot_use_says_why_and_meta_is_not_asked(
    user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No server answers at the connection's address."""
    connection = {"conn_type": "instagram", "login": "17841", "password": "IGAAtoken", "host": "http://127.0.0.1:9"}
    monkeypatch.setenv(f"AIRFLOW_CONN_{ACCOUNT.upper()}", json.dumps(connection))
    ada = user("ada", "USER")
    assert detail(ada, "hello")["cannot"] == {
        "delete": "Instagram Login has no deletion. Connect the account by Facebook Login or Unified Login, or do "
        "without deletion."
    }
    assert detail(ada, "evil")["cannot"] == {}
    now = datetime.now(timezone.utc)
    write_row(
        ledger_asset(ACCOUNT).uri, "refused", {"publishing": {"reason": "Error 10: no right", "at": now.isoformat()}}
    )
    why = f"Instagram refused publishing to this account on {now:%Y-%m-%d %H:%M} UTC: Error 10: no right"
    assert detail(ada, "evil")["cannot"] == {"publish_now": why}
    assert detail(user("vic", "VIEWER"), "evil")["cannot"] == {}
