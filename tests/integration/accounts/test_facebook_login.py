"""The other login: a Page's token on a host that answers like graph.facebook.com and wants the app secret's proof."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_instagram.hooks import InstagramHook

if TYPE_CHECKING:
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle

CONN_ID = "page_of_brand"


@pytest.fixture
def facebook(airflow_db: None, instagram_sandbox: SandboxHandle) -> SandboxHandle:
    instagram_sandbox.switch(login="facebook", require_appsecret_proof=True)
    return instagram_sandbox


@pytest.fixture
def connect(facebook: SandboxHandle, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that stores the token of a Page, or another one, in the connection."""

    def put(token: str = "", **changes: Any) -> str:
        token = token or facebook.add_token(facebook.user_id, kind="page")
        connection = {**facebook.connection, "password": token, **changes}
        for conn_id in (CONN_ID, "instagram_default"):
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
        return token

    put()
    return put


def stored() -> Any:
    from airflow.models import Variable

    return Variable.get(f"instagram_login__{CONN_ID}", default_var=None)


def test_the_main_job_posts_as_a_page(
    connect: Any, facebook: SandboxHandle, run_dag: Any, portrait_video: Path
) -> None:
    """Upload, wait, publish, each call signed; without a user id in the connection, the Page tells it."""
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator
    from airflow_provider_instagram.sensors import ContainerStatusSensor

    connect(login=None)
    with DAG("as_a_page", schedule=None) as dag:
        create = CreateContainerOperator(task_id="create", video=str(portrait_video), caption="as a Page", retries=0)
        wait = ContainerStatusSensor(task_id="wait", container_id=create.output, poke_interval=1)
        PublishOperator(task_id="publish", container_id=wait.output, retries=0)
    result = run_dag(dag)
    assert result.state == "success", result.states()
    assert [post.caption for post in facebook.posts] == ["as a Page"]
    assert facebook.calls("refresh") == 0


def test_the_sponsor_of_a_paid_partnership_is_found_by_its_name(
    connect: Any, facebook: SandboxHandle, run_dag: Any, portrait_video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is sent, and shown on the post, is the id of the account. A name that nobody has sends nothing."""
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator

    brand = "17841400000000077"
    facebook.add_account(brand, "brand.one", name="Käse & Co")

    def run(sponsor: str) -> Any:
        with DAG(f"paid_by_{sponsor}", schedule=None) as dag:
            create = CreateContainerOperator(
                task_id="create",
                video=str(portrait_video),
                caption="Ad",
                is_paid_partnership=True,
                branded_content_sponsor_ids=[f"@{sponsor}"],
                wait_for_completion=True,
                retries=0,
            )
            PublishOperator(task_id="publish", container_id=create.output, retries=0)
        return run_dag(dag)

    assert run("brand.one").state == "success"
    (post,) = facebook.posts
    assert "Paid partnership with brand.one" in httpx.get(post.permalink, trust_env=False).text
    (entry,) = facebook.journal("create")
    assert json.loads(str(entry.parameters["branded_content_sponsor_ids"])) == [brand]
    created = facebook.calls("create")
    assert run("nobody").state == "failed"
    assert "Cannot find the account @nobody: No professional account has this user name" in capsys.readouterr().out
    assert facebook.calls("create") == created


def test_nothing_is_refreshed_for_a_page_in_a_year(connect: Any, facebook: SandboxHandle) -> None:
    """A Page's token does not expire. Meta is asked each time, and what it says is kept, encrypted, for a day."""
    token = connect()
    for _ in range(12):
        facebook.advance(31 * 86_400)
        hook = InstagramHook(CONN_ID)
        assert hook.access_token() == token
        done = hook.refresh_token("daily")
        assert (done.refreshed, done.token.expires_at) == (False, None)
        with hook.get_conn() as client:
            assert hook.read_account(client).username == "sandbox_studio"
    assert facebook.calls("refresh") == 0
    assert token not in stored()


def test_the_test_button_says_who_it_is_and_when_its_data_ends(connect: Any, facebook: SandboxHandle) -> None:
    """The token of a Page lives on; but Meta gives data for 90 days after the person last used the app."""
    good, text = InstagramHook(CONN_ID).test_connection()
    assert good, text
    assert text.startswith("@sandbox_studio")
    ends = datetime.fromtimestamp(facebook.now(), timezone.utc) + timedelta(days=90)
    assert f"the token gets no data from {ends:%Y-%m-%d} on, 90 days after its person last used the app" in text


@pytest.mark.usefixtures("no_stored_tokens")
@pytest.mark.parametrize(("age_days", "warns"), [(75, False), (77, True)])
def test_the_end_of_access_to_data_is_told_14_days_ahead(
    connect: Any,
    facebook: SandboxHandle,
    run_dag: Any,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    age_days: int,
    warns: bool,
) -> None:
    """As a token's own end: by the notifiers of the daily task, each use, the doctor, and the list of accounts."""
    from airflow.sdk import DAG

    from airflow_provider_instagram.accounts.overview import account_summary
    from airflow_provider_instagram.doctor.checks import account_findings
    from airflow_provider_instagram.operators import RefreshTokenOperator

    told: list[Any] = []
    connect(facebook.add_token(facebook.user_id, kind="page", age_s=age_days * 86_400))
    ends = datetime.fromtimestamp(facebook.now(), timezone.utc) + timedelta(days=90 - age_days)
    says = f"gets no data from {ends:%Y-%m-%d} on"
    with DAG(f"watched_{age_days}", schedule=None) as dag:
        alert = [lambda context: told.append(context["instagram_token"])]
        RefreshTokenOperator(task_id="refresh", instagram_conn_id=CONN_ID, retries=0, on_token_ending=alert)
    result = run_dag(dag)
    assert result.xcom("refresh")["expires_at"].startswith(f"{ends:%Y-%m-%d}")
    assert [says in one["problem"] and one["expires_at"][:10] == f"{ends:%Y-%m-%d}" for one in told] == [True] * warns
    caplog.clear()
    InstagramHook(CONN_ID).access_token()
    assert [line.levelname for line in caplog.records if says in line.getMessage()] == ["WARNING"] * warns
    (token,) = [finding for finding in account_findings(CONN_ID) if finding.what == "token"]
    assert (token.good, says in token.text) == (not warns, True)
    assert (f"connect {CONN_ID}" in token.text) is warns
    assert account_summary(CONN_ID).token_ends_soon is warns


def test_without_the_app_secret_a_strict_app_refuses(connect: Any, facebook: SandboxHandle) -> None:
    """So the proof is what let the calls of the other tests in."""
    connect(extra=json.dumps({}))
    good, text = InstagramHook(CONN_ID).test_connection()
    assert not good
    assert "appsecret_proof" in text


def test_a_persons_token_is_told_from_a_pages(connect: Any, facebook: SandboxHandle) -> None:
    """It would work, and die unseen after 60 days."""
    token = connect(facebook.add_token(facebook.user_id, kind="user"))
    good, text = InstagramHook(CONN_ID).test_connection()
    assert not good
    assert "belongs to a person, not to a Facebook Page" in text
    assert "GET /me/accounts" in text
    assert token not in text


def test_a_token_of_the_other_login_says_that_the_account_is_to_be_reconnected(
    connect: Any, facebook: SandboxHandle
) -> None:
    """The host is not Meta's, so the token's prefix proves nothing. Meta's 190 is shown, with what to do."""
    connect(facebook.token)
    good, text = InstagramHook(CONN_ID).test_connection()
    assert not good
    assert "AuthenticationError" in text
    assert f"airflow instagram connect {CONN_ID}" in text


@pytest.mark.parametrize(
    ("row", "login"),
    [
        ({"host": "https://graph.facebook.com", "password": "EAApage"}, "facebook"),
        ({"host": "https://graph.facebook.com"}, "facebook"),
        ({"host": "http://127.0.0.1:8077", "password": "EAApage"}, "facebook"),
        ({"password": "EAApage"}, "facebook"),
        ({"password": "EAAsystem", "extra": '{"login_type": "unified"}'}, "unified"),
        ({"host": "https://graph.instagram.com", "password": "EAAmistaken"}, "instagram"),
        ({}, "instagram"),
    ],
)
def test_an_account_is_reconnected_by_the_login_of_its_connection(
    airflow_db: None, row: dict[str, Any], login: str
) -> None:
    """Another login would put a token into it that its host does not know."""
    from airflow.models import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    from airflow_provider_instagram.accounts.connect import require_writable

    try:
        with create_session() as session:
            session.add(Connection(conn_id="of_a_page", conn_type="instagram", **row))
        assert require_writable("of_a_page").login == login
    finally:
        with create_session() as session:
            session.execute(delete(Connection).where(Connection.conn_id == "of_a_page"))
