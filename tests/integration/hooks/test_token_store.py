"""The refreshed token: a task stores it, the hook finds it, and a reader of Variables cannot use it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import DAG
    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle

pytestmark = pytest.mark.usefixtures("no_stored_tokens")


@pytest.fixture
def refresh_dag() -> DAG:
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import RefreshTokenOperator

    with DAG("refresh", schedule=None) as dag:
        RefreshTokenOperator(task_id="refresh")
    return dag


def stored() -> str | None:
    from airflow.models import Variable

    value: str | None = Variable.get("instagram_login__instagram_default", default_var=None)
    return value


def test_a_token_is_refreshed_and_kept_encrypted(
    instagram_sandbox: SandboxHandle, run_dag: Any, refresh_dag: DAG, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = instagram_sandbox.add_token(instagram_sandbox.user_id, age_s=30 * 86400)
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps({**instagram_sandbox.connection, "password": old}))

    result = run_dag(refresh_dag)

    assert result.state == "success"
    said = result.xcom("refresh")
    assert said["refreshed"] is True
    left = datetime.fromisoformat(said["expires_at"]) - datetime.now(timezone.utc)
    assert timedelta(days=58) < left <= timedelta(days=60)
    assert instagram_sandbox.calls("refresh") == 1
    sealed = stored()
    assert sealed is not None
    assert "IGAA" not in sealed

    again = run_dag(refresh_dag)  # the new token is younger than 24 hours: Meta would refuse
    assert again.xcom("refresh")["refreshed"] is False
    assert instagram_sandbox.calls("refresh") == 1


def test_a_dead_token_fails_at_once_and_says_how_to_reconnect(
    instagram_sandbox: SandboxHandle, run_dag: Any, refresh_dag: DAG
) -> None:
    instagram_sandbox.revoke(instagram_sandbox.token)
    result = run_dag(refresh_dag)
    assert result.states() == {"refresh": "failed"}
    assert instagram_sandbox.calls("refresh") == 1
    assert instagram_sandbox.calls("account") == 1, "the old token has the last word before it is given up"


def test_who_asked_to_be_told_is_told_that_a_token_is_dead(
    instagram_sandbox: SandboxHandle, run_dag: Any, mocker: MockerFixture
) -> None:
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import RefreshTokenOperator

    mocker.patch("airflow_provider_instagram.utils.pages.connect_page", lambda conn_id: f"page of {conn_id}")
    told: list[Any] = []
    with DAG("refresh_and_tell", schedule=None) as dag:
        RefreshTokenOperator(task_id="refresh", on_token_ending=[lambda context: told.append(context)])
    instagram_sandbox.revoke(instagram_sandbox.token)

    run_dag(dag)

    (context,) = told
    said = context["instagram_token"]
    assert (said["conn_id"], said["days_left"]) == ("instagram_default", None)
    assert "expired, revoked or malformed" in said["problem"]
    assert said["connect_page"] == "page of instagram_default"
    assert context["ti"].task_id == "refresh"


@pytest.mark.parametrize(("days", "is_told"), [(5, True), (30, False)])
def test_who_asked_to_be_told_hears_of_a_refresh_that_fails_when_the_end_is_near(
    instagram_sandbox: SandboxHandle, run_dag: Any, days: int, is_told: bool
) -> None:
    from airflow.sdk import DAG

    from airflow_provider_instagram.hooks.token_store import StoredToken, TokenStore
    from airflow_provider_instagram.operators import RefreshTokenOperator

    now = datetime.now(timezone.utc)
    issued, ends = now + timedelta(days=days - 60), now + timedelta(days=days, minutes=5)
    TokenStore("instagram_default", instagram_sandbox.token).save(
        StoredToken(instagram_sandbox.token, issued, issued, ends)
    )
    told: list[Any] = []
    with DAG("refresh_in_vain", schedule=None) as dag:
        RefreshTokenOperator(task_id="refresh", retries=0, on_token_ending=[lambda context: told.append(context)])
    instagram_sandbox.fail("refresh", 1, times=0)

    assert run_dag(dag).states() == {"refresh": "failed"}
    assert [context["instagram_token"]["days_left"] for context in told] == ([float(days)] if is_told else [])


def test_the_shipped_dag_finds_the_connections_and_refreshes_each(
    instagram_sandbox: SandboxHandle, run_dag: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One dead account does not keep the other from its refresh."""
    from dags.refresh_instagram_tokens import dag

    old = instagram_sandbox.add_token(instagram_sandbox.user_id, age_s=30 * 86400)
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps({**instagram_sandbox.connection, "password": old}))
    dead = {**instagram_sandbox.connection, "password": "IGAAnobodysTokenAtAll"}
    monkeypatch.setenv("AIRFLOW_CONN_DEAD_ACCOUNT", json.dumps(dead))

    result = run_dag(dag)

    assert result.xcom("list_connections") == ["dead_account", "instagram_default"]
    assert result.states() == {"list_connections": "success", "refresh[0]": "failed", "refresh[1]": "success"}
    assert result.xcom("refresh", map_index=1)["refreshed"] is True

    chosen = run_dag(dag, connections=["instagram_default"])
    assert chosen.states() == {"list_connections": "success", "refresh[0]": "success"}


def test_a_connection_that_was_deleted_is_passed_over(
    instagram_sandbox: SandboxHandle, run_dag: Any, mocker: MockerFixture
) -> None:
    """Its token is stored still. The account that is left must not have a failed run every day for that."""
    from airflow.models import Variable
    from airflow.sdk import RetryDecision
    from airflow.utils.session import create_session

    from airflow_provider_instagram.operators.base import InstagramRetryPolicy
    from dags.refresh_instagram_tokens import dag

    mocker.patch.object(InstagramRetryPolicy, "evaluate", return_value=RetryDecision.fail("no waiting here"))
    with create_session() as session:
        session.add(Variable(key="instagram_login__deleted", val="sealed"))
    result = run_dag(dag, connections=[])
    assert result.xcom("list_connections") == ["deleted", "instagram_default"]
    assert result.states() == {"list_connections": "success", "refresh[0]": "skipped", "refresh[1]": "success"}

    asked_for = run_dag(dag, connections=["deleted"])
    assert asked_for.states() == {"list_connections": "success", "refresh[0]": "failed"}


def test_a_token_of_a_secrets_backend_is_refreshed_beside_it(
    instagram_sandbox: SandboxHandle, run_dag: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Airflow's own backend that reads a file: the file stays as it is, and later tasks use the stored token."""
    from airflow.sdk import DAG, task

    from airflow_provider_instagram.hooks import InstagramHook
    from airflow_provider_instagram.operators import RefreshTokenOperator

    old = instagram_sandbox.add_token(instagram_sandbox.user_id, age_s=30 * 86400)
    vault = tmp_path / "connections.json"
    vault.write_text(json.dumps({"vaulted": {**instagram_sandbox.connection, "password": old}}))
    before = vault.read_text()
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", "airflow.secrets.local_filesystem.LocalFilesystemBackend")
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND_KWARGS", json.dumps({"connections_file_path": str(vault)}))

    @task
    def look() -> str | None:
        hook = InstagramHook("vaulted")
        with hook.get_conn() as client:
            return hook.read_account(client).username

    with DAG("refresh_beside", schedule=None) as dag:
        RefreshTokenOperator(task_id="refresh", instagram_conn_id="vaulted", retries=0) >> look()
    result = run_dag(dag)
    assert result.xcom("refresh")["refreshed"] is True
    assert result.xcom("look") == "sandbox_studio", "the old token is dead: this is the new one"
    assert vault.read_text() == before


@pytest.mark.parametrize("row", ["with a field of another version", "unreadable"])
def test_a_stored_row_that_is_not_as_we_write_it_stops_no_task(
    instagram_sandbox: SandboxHandle, run_dag: Any, monkeypatch: pytest.MonkeyPatch, row: str
) -> None:
    """The token in the connection is dead where the row holds the one that lives: then that one is used."""
    from airflow.models import Variable
    from airflow.sdk import DAG, task

    from airflow_provider_instagram.hooks import InstagramHook
    from airflow_provider_instagram.hooks.token_store import TokenStore

    in_connection, content = instagram_sandbox.token, b"[1]"
    if row != "unreadable":
        now = datetime.now(timezone.utc).isoformat()
        content = json.dumps({"access_token": in_connection, "seen_at": now, "scopes": [], "later": 1}).encode()
        in_connection = instagram_sandbox.add_token(instagram_sandbox.user_id)
        instagram_sandbox.revoke(in_connection)
    changed = {**instagram_sandbox.connection, "password": in_connection}
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(changed))
    Variable.set(
        "instagram_login__instagram_default",
        TokenStore("instagram_default", in_connection)._fernet.encrypt(content).decode(),
    )

    @task
    def look() -> str | None:
        hook = InstagramHook()
        with hook.get_conn() as client:
            return hook.read_account(client).username

    with DAG("look", schedule=None) as dag:
        look()
    assert run_dag(dag).xcom("look") == "sandbox_studio"
