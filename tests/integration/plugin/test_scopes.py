"""Scopes on the page Instagram: what is asked for, what was granted, and what is off because of it."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_instagram.accounts.overview import AccountSummary
from airflow_provider_instagram.graph.capabilities import COMMENTS, FEATURES, INSIGHTS
from airflow_provider_instagram.hooks.scopes import AccountScopes, known_scopes
from airflow_provider_instagram.insights import insights_dag
from airflow_provider_instagram.ledger.database import open_ledger
from airflow_provider_instagram.ledger.insights import record_refusal
from tests.integration.conftest import store_dag
from tests.integration.pages import CONN_ID, begin, decide, rows

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from instagram_sandbox.testing.handle import SandboxHandle

PUBLISHING = "instagram_business_basic,instagram_business_content_publish"
MANAGE_COMMENTS = "instagram_business_manage_comments"
pytestmark = pytest.mark.usefixtures("airflow_pages")


@pytest.fixture
def browser(browser_of: Any) -> TestClient:
    made: TestClient = browser_of("ada", "OP")
    return made


def asked(begun: httpx.Response) -> str:
    return str(httpx.URL(begun.headers["location"]).params["scope"])


def card(browser: TestClient) -> str:
    """Return the part of the page that shows the connection."""
    page: str = browser.get("/instagram/").text
    return page[page.index(f'data-connection="{CONN_ID}"') :].partition("</section>")[0]


def test_without_scopes_only_those_of_publishing_are_asked_for(
    browser: TestClient, instagram_sandbox: SandboxHandle
) -> None:
    begun = begin(browser, instagram_sandbox)
    assert asked(begun) == PUBLISHING
    browser.get(decide(begun.headers["location"], instagram_sandbox))
    assert known_scopes(CONN_ID).granted == frozenset(PUBLISHING.split(","))
    shown = card(browser)
    assert f"publishing; off: comments (needs {MANAGE_COMMENTS}), insights (needs " in shown
    assert "scopes" not in json.loads(rows()[CONN_ID][2])


def test_scopes_are_asked_for_granted_and_shown(browser: TestClient, instagram_sandbox: SandboxHandle) -> None:
    begun = begin(browser, instagram_sandbox, scopes="comments, insights")
    assert asked(begun) == f"{PUBLISHING},{MANAGE_COMMENTS},instagram_business_manage_insights"
    done = browser.get(decide(begun.headers["location"], instagram_sandbox))
    assert "is connected" in done.text
    assert "Warning" not in done.text
    assert ">publishing, comments, insights<" in card(browser)
    assert json.loads(rows()[CONN_ID][2])["scopes"] == "comments, insights"
    assert {feature.name for feature in known_scopes(CONN_ID).features_on} == {"publishing", "comments", "insights"}

    assert 'name="scopes" value="comments, insights"' in browser.get(f"/instagram/connect?conn_id={CONN_ID}").text
    again = begin(browser, instagram_sandbox, host="", app_secret="")
    assert MANAGE_COMMENTS in asked(again), "a form without the field asks for the connection's own"


def test_refused_insights_are_shown_also_if_the_scopes_are_not_known(
    browser: TestClient, instagram_sandbox: SandboxHandle
) -> None:
    """The token was entered in the connection, so that only an answer of Instagram tells that it lacks the scope."""
    from airflow.models import Connection
    from airflow.utils.session import create_session

    token = instagram_sandbox.token
    with create_session() as session:
        session.add(Connection(conn_id=CONN_ID, conn_type="instagram", host=instagram_sandbox.url, password=token))
    store_dag(insights_dag("insights_refused", [CONN_ID], "warehouse"))
    for refusal, shown in (
        (None, "<dd>not known</dd>"),
        ("no scope", '<dd class="bad">not known; off: insights (refused by Instagram)</dd>'),
        (None, "<dd>not known</dd>"),
    ):
        with open_ledger(CONN_ID) as store:
            record_refusal(store, refusal, datetime.now(timezone.utc), "insights")
        assert shown in card(browser)


def test_what_was_not_granted_is_named_and_off(browser: TestClient, instagram_sandbox: SandboxHandle) -> None:
    """The account is connected all the same: it can publish."""
    begun = begin(browser, instagram_sandbox, scopes="comments")
    granted = {f"grant_{scope}": "1" for scope in PUBLISHING.split(",")}
    done = browser.get(decide(begun.headers["location"], instagram_sandbox, chosen="1", **granted))
    assert "is connected" in done.text
    assert f"Not granted: {MANAGE_COMMENTS}." in done.text
    assert f"off: comments (needs {MANAGE_COMMENTS})" in card(browser)
    assert known_scopes(CONN_ID).missing(COMMENTS) == (MANAGE_COMMENTS,)


def test_scopes_in_a_connection_are_data(browser: TestClient, instagram_sandbox: SandboxHandle) -> None:
    """A user who may edit the connection writes them, and another user sees them in the form."""
    from airflow.models import Connection
    from airflow.utils.session import create_session

    extra = json.dumps({"scopes": '"><script>alert(1)</script>'})
    with create_session() as session:
        session.add(
            Connection(conn_id=CONN_ID, conn_type="instagram", host=instagram_sandbox.url, password="IG", extra=extra)
        )
    assert "<script>" not in browser.get(f"/instagram/connect?conn_id={CONN_ID}").text
    answer = begin(browser, instagram_sandbox)
    assert "is not a scope of Instagram Login" in answer.text


def test_a_login_that_does_not_report_its_scopes_is_not_known(
    browser: TestClient, instagram_sandbox: SandboxHandle
) -> None:
    from dataclasses import replace

    from airflow_provider_instagram.hooks import InstagramHook

    browser.get(decide(begin(browser, instagram_sandbox).headers["location"], instagram_sandbox))
    manager = InstagramHook(CONN_ID).token_manager()
    manager.store.save(replace(manager.current_token(), scopes=()))
    assert known_scopes(CONN_ID).granted is None
    assert known_scopes(CONN_ID).missing(INSIGHTS) == ()
    assert ">not known<" in card(browser)


def test_a_row_of_an_earlier_version_is_not_known(browser: TestClient, instagram_sandbox: SandboxHandle) -> None:
    """A stored token without any scopes in its row."""
    from airflow.models import Variable

    from airflow_provider_instagram.hooks import InstagramHook
    from airflow_provider_instagram.hooks.token_store import VARIABLE_PREFIX

    browser.get(decide(begin(browser, instagram_sandbox).headers["location"], instagram_sandbox))
    store: Any = InstagramHook(CONN_ID).token_manager().store
    token = store.load()
    row = json.dumps({"access_token": token.access_token, "seen_at": token.seen_at.isoformat()})
    Variable.set(f"{VARIABLE_PREFIX}{CONN_ID}", store._fernet.encrypt(row.encode()).decode())
    assert known_scopes(CONN_ID).granted is None
    assert ">not known<" in card(browser)


def test_what_instagram_refuses_is_off_also_if_its_scope_was_granted() -> None:
    granted = frozenset(scope for feature in FEATURES for scope in feature.instagram)
    summary = AccountSummary("shop", scopes=AccountScopes("shop", granted), refused=("insights",))
    assert summary.permissions == "publishing, comments; off: insights (refused by Instagram)"
