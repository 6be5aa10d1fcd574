"""What the Posts page says of the account of a post: what it cannot do, and which DAG deletes its posts."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.operators import DeleteOperator
from airflow_provider_instagram.plugin.board import routes
from airflow_provider_instagram.plugin.users import DELETES
from tests.integration.conftest import store_dag
from tests.integration.plugin.runs import write_row
from tests.integration.plugin.test_board import ACCOUNT, DAG_ID, calendar, cards, detail, user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINK = "https://www.instagram.com/reel/hello/"
LATER = "2040-01-01T12:00:00+00:00"  # after the time of the post in the calendar
__all__ = ["calendar", "user"]


@pytest.fixture
def published(calendar: Path) -> Iterator[None]:
    """The post *hello* is live, and a DAG deletes posts of its account."""
    with DAG(f"{DELETES}{ACCOUNT}", schedule=None) as dag:
        DeleteOperator(task_id="delete", post_key="{{ params.post_key }}", instagram_conn_id=ACCOUNT)
    store_dag(dag)
    record_post()
    yield
    set_stale(is_stale=True)
    forget_post()


def set_stale(*, is_stale: bool) -> None:
    """Record whether the file of the DAG is gone."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session() as session:
        session.execute(update(DagModel).where(DagModel.dag_id == f"{DELETES}{ACCOUNT}").values(is_stale=is_stale))


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
    row |= {"permalink": LINK, "dag_id": DAG_ID, "origin": "calendar.yaml", "ig_user_id": "17841"} | more
    forget_post()
    write_row(ledger_asset(ACCOUNT).uri, f"done:{ACCOUNT}/hello", row)
    routes.boards.board(DAG_ID, is_fresh=True)


@pytest.mark.usefixtures("published")
def test_a_live_post_links_to_the_dag_that_deletes_posts_of_its_account_and_shows_its_key(
    user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, expected = user("ada", "USER"), {"link": f"/dags/{DELETES}{ACCOUNT}", "key": f"{ACCOUNT}/hello"}
    assert (detail(ada, "hello")["deletion"], detail(ada, "hello")["acts"]) == (expected, [])
    assert (detail(ada, "evil")["deletion"], detail(ada, "typo")["deletion"]) == (None, None), "they are not live"
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/team")
    assert detail(ada, "hello")["deletion"]["link"] == f"/team/dags/{DELETES}{ACCOUNT}"
    record_post(media_id=None)
    assert detail(ada, "hello")["deletion"] is None, "its key does not say which post it is"


@pytest.mark.usefixtures("published")
def test_only_who_may_start_runs_of_that_dag_sees_the_link(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.api_fastapi.app import get_auth_manager

    ada = user("ada", "USER")
    assert detail(user("vic", "VIEWER"), "hello")["deletion"] is None
    with monkeypatch.context() as patch:
        patch.setattr(get_auth_manager(), "is_authorized_dag", lambda **asked: asked["details"].id == DAG_ID)
        assert detail(ada, "hello")["deletion"] is None
    set_stale(is_stale=True)
    assert detail(user("boss", "ADMIN"), "hello")["deletion"] is None, "there is no such DAG"


@pytest.mark.usefixtures("published")
def test_a_deleted_post_says_when_and_who_agreed(user: Any) -> None:
    ada = user("ada", "USER")
    record_post(deleted_at="2040-01-02T08:30:00+00:00", deleted_by="bob")
    gone, shown = cards(ada)["hello"], detail(ada, "hello")
    assert (gone["state"], gone["why"]) == ("skipped", "deleted from Instagram on 2040-01-02 08:30 UTC by bob")
    assert (shown["acts"], shown["link"], shown["deletion"]) == ([], None, None), "its link leads nowhere"
    assert "Deleted from Instagram, by bob" in [event["what"] for event in shown["history"]]


@pytest.mark.usefixtures("published")
def test_a_control_that_the_account_cannot_use_says_why_and_meta_is_not_asked(
    user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No server answers at the connection's address."""
    connection = {"conn_type": "instagram", "login": "17841", "password": "IGAAtoken", "host": "http://127.0.0.1:9"}
    monkeypatch.setenv(f"AIRFLOW_CONN_{ACCOUNT.upper()}", json.dumps(connection))
    ada = user("ada", "USER")
    assert detail(ada, "evil")["cannot"] == {}
    now = datetime.now(timezone.utc)
    write_row(
        ledger_asset(ACCOUNT).uri, "refused", {"publishing": {"reason": "Error 10: no right", "at": now.isoformat()}}
    )
    why = f"Instagram refused publishing to this account on {now:%Y-%m-%d %H:%M} UTC: Error 10: no right"
    assert detail(ada, "evil")["cannot"] == {"publish_now": why}
    assert detail(user("vic", "VIEWER"), "evil")["cannot"] == {}
    monkeypatch.setenv("AIRFLOW__CORE__MULTI_TEAM", "True")
    assert detail(ada, "evil")["cannot"] == {}, "nobody knows whose a connection of the environment is"
