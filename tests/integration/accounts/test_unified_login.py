"""Unified Login: a system user's token on Facebook's host, which names no account, needs no Page, and may end."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.doctor.checks import account_findings
from airflow_provider_instagram.exceptions import PermissionDeniedError
from airflow_provider_instagram.graph.capabilities import DELETION, POLLS, PUBLISHING
from airflow_provider_instagram.hooks import InstagramHook
from airflow_provider_instagram.hooks.scopes import known_scopes

if TYPE_CHECKING:
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle

CONN_ID = "portfolio"
DAY = timedelta(days=1)
KINDS = {"instagram": "instagram", "facebook": "page", "unified": "system"}

pytestmark = pytest.mark.usefixtures("no_stored_tokens")


@pytest.fixture
def meta(airflow_db: None, instagram_sandbox: SandboxHandle) -> SandboxHandle:
    instagram_sandbox.switch(login="facebook", require_appsecret_proof=True)
    return instagram_sandbox


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that stores a token and its login in the connection."""

    def put(sandbox: SandboxHandle, kind: str, login: str | None = "unified", **more: Any) -> str:
        token = more.pop("token", None) or sandbox.add_token(sandbox.user_id, kind=kind, **more.pop("of_token", {}))
        given = sandbox.connection
        extra = {**given["extra"], "login_type": login} | more.pop("extra", {})
        user_id = more.pop("id", sandbox.user_id)
        connection = {**given, "login": user_id, "password": token, "extra": json.dumps(extra), **more}
        for conn_id in (CONN_ID, "instagram_default"):
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
        return str(token)

    return put


@pytest.mark.parametrize("login", KINDS)
def test_an_empty_airflow_posts_with_each_login(
    airflow_db: None, instagram_sandbox: SandboxHandle, connect: Any, run_dag: Any, portrait_video: Path, login: str
) -> None:
    """What the page "Twenty minutes to a real account" says: a connection, Test, a post."""
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator
    from airflow_provider_instagram.sensors import ContainerStatusSensor

    instagram_sandbox.switch(login="instagram" if login == "instagram" else "facebook")
    connect(instagram_sandbox, KINDS[login], login)
    good, text = InstagramHook("instagram_default").test_connection()
    assert good, text
    assert text.startswith("@sandbox_studio")
    with DAG(f"by_{login}", schedule=None) as dag:
        create = CreateContainerOperator(task_id="create", video=str(portrait_video), caption=login, retries=0)
        wait = ContainerStatusSensor(task_id="wait", container_id=create.output, poke_interval=1)
        PublishOperator(task_id="publish", container_id=wait.output, retries=0)
    result = run_dag(dag)
    assert result.state == "success", result.states()
    assert [post.caption for post in instagram_sandbox.posts] == [login]


def test_the_test_button_reads_the_account_by_its_id(meta: SandboxHandle, connect: Any) -> None:
    connect(meta, "system", of_token={"ends": False})
    good, text = InstagramHook(CONN_ID).test_connection()
    assert good, text
    assert meta.user_id in text
    assert text.endswith("the token does not expire")
    connect(meta, "system", of_token={"ends": True})
    ends = datetime.fromtimestamp(meta.now(), timezone.utc) + 60 * DAY
    _, text = InstagramHook(CONN_ID).test_connection()
    assert text.endswith(f"the token expires on {ends:%Y-%m-%d}, and cannot be refreshed")


def test_without_an_id_the_test_button_names_what_the_token_reaches(meta: SandboxHandle, connect: Any) -> None:
    connect(meta, "system")
    good, text = InstagramHook(CONN_ID).test_connection()
    assert good, text
    connect(meta, "system", id=None)
    good, text = InstagramHook(CONN_ID).test_connection()
    assert not good
    assert f"The token reaches {meta.user_id}. Enter the account's id in the field 'Instagram user id'." in text


@pytest.mark.parametrize(
    ("kind", "login", "said"),
    [
        ("page", "unified", "is of Facebook Login; the connection says Unified Login"),
        ("user", "unified", "is of Facebook Login; the connection says Unified Login"),
        ("system", "facebook", "is of Unified Login; the connection says Facebook Login"),
        ("system", None, "is of Unified Login; the connection says Facebook Login"),
        ("instagram", "unified", "is of Instagram Login; the connection says Unified Login"),
        ("instagram", "facebook", "is of Instagram Login; the connection says Facebook Login"),
        ("page", "instagram", "is of Facebook Login; the connection says Instagram Login"),
        ("page", "google", "which is not a login of Meta. Use one of instagram, facebook, unified"),
    ],
)
def test_a_token_of_another_login_is_named_as_such(
    meta: SandboxHandle, connect: Any, kind: str, login: str | None, said: str
) -> None:
    token = connect(meta, kind, login)
    good, text = InstagramHook(CONN_ID).test_connection()
    assert not good
    assert said in text
    assert token not in text
    told = "".join(finding.text for finding in account_findings(CONN_ID) if finding.good is False)
    assert said in told
    assert token not in told


def test_without_the_app_secret_a_system_user_is_told_from_a_page_all_the_same(
    meta: SandboxHandle, connect: Any
) -> None:
    """Meta may not tell a token about itself. The account is then read as the connection says."""
    meta.switch(require_appsecret_proof=False)
    connect(meta, "system", "facebook", extra={"app_id": None, "app_secret": None})
    good, text = InstagramHook(CONN_ID).test_connection()
    assert not good
    assert "Unified Login" in text


def test_the_scopes_and_the_login_are_checked_before_anything_is_sent(meta: SandboxHandle, connect: Any) -> None:
    connect(meta, "system", of_token={"scopes": ["instagram_basic", "instagram_content_publish"]})
    known_scopes(CONN_ID).require(PUBLISHING, POLLS)
    with pytest.raises(PermissionDeniedError, match="did not grant instagram_manage_contents") as refused:
        known_scopes(CONN_ID).require(DELETION)
    assert "configuration of the login in your Meta app" in str(refused.value)
    asked = meta.calls("page")
    assert known_scopes(CONN_ID).granted == frozenset({"instagram_basic", "instagram_content_publish"})
    assert meta.calls("page") == asked, "Meta is asked once a day"


def test_a_poll_by_instagram_login_is_refused_before_anything_is_sent(
    airflow_db: None, instagram_sandbox: SandboxHandle, connect: Any
) -> None:
    connect(instagram_sandbox, "instagram", "instagram")
    before = instagram_sandbox.calls()
    with pytest.raises(PermissionDeniedError, match="Instagram Login has no polls") as refused:
        known_scopes(CONN_ID).require(PUBLISHING, POLLS)
    assert "Facebook Login or Unified Login" in str(refused.value)
    assert instagram_sandbox.calls() == before


def test_who_asked_to_be_told_hears_of_a_token_that_only_a_person_can_replace(
    meta: SandboxHandle, connect: Any, run_dag: Any
) -> None:
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import RefreshTokenOperator
    from airflow_provider_instagram.operators.token import token_refresh_dag

    told: list[Any] = []
    for left, expected in ((20, 0), (13, 1)):
        connect(meta, "system", of_token={"ends": True, "age_s": (60 - left) * 86_400 - 3600})
        with DAG(f"ends_in_{left}", schedule=None) as dag:
            RefreshTokenOperator(task_id="refresh", on_token_ending=[lambda context: told.append(context)])
        assert run_dag(dag).states() == {"refresh": "success"}
        assert len(told) == expected
        alone = run_dag(token_refresh_dag(f"alone_{left}"), connections=["instagram_default"])
        assert alone.state == ("failed" if expected else "success"), "nobody else would tell"
    assert told[0]["instagram_token"]["days_left"] == 13.0
    assert "cannot be refreshed" in told[0]["instagram_token"]["problem"]


def test_what_instagram_refuses_all_the_same_is_shown_for_a_day(
    airflow_db: None, instagram_sandbox: SandboxHandle, connect: Any, run_dag: Any, portrait_video: Path
) -> None:
    """The scopes of a token that was entered are not known, so only the answer tells."""
    from airflow.sdk import DAG

    from airflow_provider_instagram.accounts.overview import account_summary, refused_to
    from airflow_provider_instagram.cli.doctor import _refused
    from airflow_provider_instagram.ledger.database import open_ledger
    from airflow_provider_instagram.ledger.insights import refusals
    from airflow_provider_instagram.operators import CreateContainerOperator

    whole = connect(instagram_sandbox, "instagram", None)
    connect(instagram_sandbox, "instagram", None, of_token={"scopes": ["instagram_business_basic"]})
    with DAG("refused_by_meta", schedule=None) as dag:
        CreateContainerOperator(task_id="create", video=str(portrait_video), trial_graduation="MANUAL", retries=0)
    assert run_dag(dag).states() == {"create": "failed"}
    assert (
        "Requires instagram_business_content_publish permission" in refused_to("instagram_default")["publishing"].reason
    )
    assert account_summary("instagram_default").permissions == "not known; off: publishing (refused by Instagram)"
    (finding,) = _refused("instagram_default")
    assert (finding.good, "publishing, at 2" in finding.text) == (False, True)
    with open_ledger("instagram_default") as store:
        assert refusals(store, datetime.now(timezone.utc) + DAY) == {}
    connect(instagram_sandbox, "instagram", None, token=whole)
    assert run_dag(dag).states() == {"create": "success"}
    assert refused_to("instagram_default") == {}, "it works now"
    with open_ledger("instagram_default") as store:
        store.set("refused", ["anything"])
    assert refused_to("instagram_default") == {}
