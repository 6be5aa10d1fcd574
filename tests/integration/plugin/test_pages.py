"""The page Instagram, asked as a browser does, on Airflow's own users and database, against the sandbox's login."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_instagram.hooks import InstagramHook
from tests.integration.pages import CONN_ID, HOME, OURS, begin, decide, form_token, rows

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi.testclient import TestClient
    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle

pytestmark = pytest.mark.usefixtures("airflow_pages")


@pytest.fixture
def browser(browser_of: Any) -> TestClient:
    made: TestClient = browser_of("ada", "OP")
    return made


def test_a_login_is_written_to_a_new_connection(browser: TestClient, instagram_sandbox: SandboxHandle) -> None:
    sent = begin(browser, instagram_sandbox)
    assert sent.status_code == 303
    assert rows() == {}, "nothing is stored before the login succeeded"
    assert instagram_sandbox.app_secret not in str(sent.headers)

    done = browser.get(decide(sent.headers["location"], instagram_sandbox))

    assert "@sandbox_studio is connected" in done.text
    login, token, extra = rows()[CONN_ID]
    assert login == instagram_sandbox.user_id
    assert token.startswith("IGAA")
    assert json.loads(extra)["app_secret"] == instagram_sandbox.app_secret
    assert token not in done.text

    accounts = browser.get("/instagram/").text
    assert "59 days" in accounts
    assert "0 of 100" in accounts
    again = browser.get(f"/instagram/connect?conn_id={CONN_ID}").text
    assert "Stored. Leave empty to keep it." in again
    assert instagram_sandbox.app_secret not in accounts + again

    repeated = begin(browser, instagram_sandbox, app_secret="", app_id="", host="")
    assert "is connected" in browser.get(decide(repeated.headers["location"], instagram_sandbox)).text
    assert rows()[CONN_ID][1] != token


def test_the_cookie_is_for_this_page_and_no_script(browser: TestClient, instagram_sandbox: SandboxHandle) -> None:
    cookie = begin(browser, instagram_sandbox).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/instagram" in cookie
    assert "Max-Age=600" in cookie


def test_a_login_is_used_once(browser: TestClient, instagram_sandbox: SandboxHandle) -> None:
    back = decide(begin(browser, instagram_sandbox).headers["location"], instagram_sandbox)
    cookie = browser.cookies["instagram_login"]
    assert "is connected" in browser.get(back).text
    assert "This login is not in progress" in browser.get(back).text, "the cookie is gone"
    browser.cookies.set("instagram_login", cookie)
    assert "This login has already been used" in browser.get(back).text
    assert instagram_sandbox.calls("exchange_code") == 1


def test_a_used_code_is_refused_by_instagram(browser: TestClient, instagram_sandbox: SandboxHandle) -> None:
    first = begin(browser, instagram_sandbox).headers["location"]
    back = httpx.URL(decide(first, instagram_sandbox))
    assert "is connected" in browser.get(str(back)).text
    before = rows()
    state = httpx.URL(begin(browser, instagram_sandbox, host="").headers["location"]).params["state"]
    answer = browser.get(str(back.copy_set_param("state", state)))
    assert "The login failed" in answer.text
    assert "has been used" in answer.text
    assert rows() == before


@pytest.mark.parametrize("state", ["", "forged"])
def test_a_forged_state_is_refused(browser: TestClient, instagram_sandbox: SandboxHandle, state: str) -> None:
    back = httpx.URL(decide(begin(browser, instagram_sandbox).headers["location"], instagram_sandbox))
    answer = browser.get(str(back.copy_set_param("state", state)))
    assert answer.status_code == 403
    assert "This is not the login that you started" in answer.text
    assert instagram_sandbox.calls("exchange_code") == 0
    assert rows() == {}


def test_somebody_elses_login_is_refused(
    browser: TestClient, browser_of: Any, instagram_sandbox: SandboxHandle
) -> None:
    back = decide(begin(browser, instagram_sandbox).headers["location"], instagram_sandbox)
    other = browser_of("bob", "OP")
    other.cookies.set("instagram_login", browser.cookies["instagram_login"])
    assert other.get(back).status_code == 403
    assert rows() == {}


def test_a_wrong_app_secret_is_what_is_to_be_checked(browser: TestClient, instagram_sandbox: SandboxHandle) -> None:
    sent = begin(browser, instagram_sandbox, app_secret="mistyped").headers["location"]
    answer = browser.get(decide(sent, instagram_sandbox))
    assert "Error validating client secret" in answer.text
    assert "The app secret is wrong" in answer.text
    assert "API setup with Instagram login" in answer.text
    assert "mistyped" not in answer.text
    assert rows() == {}


def test_who_began_in_a_shell_is_told_to_go_on_there(browser: TestClient) -> None:
    """The shell's login ends at the same address, in a browser that knows nothing of it."""
    answer = browser.get("/instagram/callback?code=a&state=of-the-shell")
    assert "copy the URL of this page there" in answer.text


def test_cancel_changes_nothing(browser: TestClient, instagram_sandbox: SandboxHandle) -> None:
    answer = browser.get(decide(begin(browser, instagram_sandbox).headers["location"], instagram_sandbox, "cancel"))
    assert "The account was not connected" in answer.text
    assert rows() == {}


def test_a_missing_permission_is_named(browser: TestClient, instagram_sandbox: SandboxHandle) -> None:
    sent = begin(browser, instagram_sandbox).headers["location"]
    back = decide(sent, instagram_sandbox, chosen="1", grant_instagram_business_basic="1")
    answer = browser.get(back)
    assert "This account cannot be used yet" in answer.text
    assert "Publishing needs the permission instagram_business_content_publish" in answer.text
    assert rows() == {}


def test_a_personal_account_is_told_how_to_become_professional(
    browser: TestClient, instagram_sandbox: SandboxHandle
) -> None:
    instagram_sandbox.change_account(instagram_sandbox.user_id, account_type="PERSONAL")
    answer = browser.get(decide(begin(browser, instagram_sandbox).headers["location"], instagram_sandbox))
    assert "type is personal. A professional account is needed" in answer.text
    assert "switch to a professional account" in answer.text
    assert rows() == {}


@pytest.mark.parametrize("path", ["connect", "refresh"])
@pytest.mark.parametrize(
    "changes",
    [
        {"headers": {"Origin": "https://evil.example.com"}},
        {"headers": {"Sec-Fetch-Site": "cross-site", "Origin": HOME}},
        {"headers": {"Sec-Fetch-Site": "same-site"}},
        {"headers": {}},
        {"token": ""},
        {"token": "forged"},
    ],
    ids=["foreign origin", "cross site", "same site", "neither", "no token", "forged token"],
)
def test_a_form_that_is_not_ours_changes_nothing(
    browser: TestClient, instagram_sandbox: SandboxHandle, path: str, changes: dict[str, Any]
) -> None:
    form = {"conn_id": CONN_ID, "app_id": "1", "app_secret": "s", "form_token": form_token(browser)}
    if "token" in changes:
        form["form_token"] = changes["token"]
    answer = browser.post(f"/instagram/{path}", data=form, headers=changes.get("headers", OURS))
    assert answer.status_code == 403
    assert "Nothing was changed" in answer.text
    assert "set-cookie" not in answer.headers


def test_another_users_form_is_refused(browser: TestClient, browser_of: Any, instagram_sandbox: SandboxHandle) -> None:
    form = {"conn_id": CONN_ID, "app_id": "1", "app_secret": "s", "form_token": form_token(browser_of("bob", "OP"))}
    assert browser.post("/instagram/connect", data=form, headers=OURS).status_code == 403


@pytest.mark.parametrize("role", ["VIEWER", "USER"])
def test_who_may_not_edit_connections_sees_nothing(browser_of: Any, role: str) -> None:
    visitor = browser_of("vic", role)
    for path in ("", "connect", "callback?code=a&state=b"):
        answer = visitor.get(f"/instagram/{path}")
        assert answer.status_code == 403
        assert "You are not allowed to do this" in answer.text
        assert re.findall('<a [^>]*href="([^"]*)"', answer.text) == ["/"], (
            "the only link leads to where the user may go"
        )
    for path in ("connect", "refresh"):
        assert visitor.post(f"/instagram/{path}", headers=OURS).status_code == 403


def test_every_route_asks_for_the_user(browser: TestClient) -> None:
    """No route of ours is open: also one that somebody adds later."""
    from fastapi.testclient import TestClient

    from airflow_provider_instagram.plugin.app import app

    routes = [(method, route.path) for route in app.routes for method in route.methods]  # type: ignore[attr-defined]
    assert len(routes) >= 5
    stranger = TestClient(app, base_url=HOME)
    for method, path in routes:
        answer = stranger.request(method, path)
        assert answer.status_code == 401, (method, path)
        assert "Log in to Airflow first" in answer.text


def test_a_connection_that_is_kept_elsewhere_is_left_alone(
    browser: TestClient, instagram_sandbox: SandboxHandle
) -> None:
    """The sandbox's fixture puts instagram_default into the environment."""
    for answer in (
        browser.get("/instagram/connect?conn_id=instagram_default"),
        begin(browser, instagram_sandbox, conn_id="instagram_default"),
    ):
        assert "comes from the environment, which Airflow cannot write to" in answer.text
        assert "set-cookie" not in answer.headers


def test_a_connection_of_another_type_is_left_alone(browser: TestClient) -> None:
    from airflow.models import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add(Connection(conn_id="web", conn_type="http", password="theirs"))
    assert "has the type" in browser.get("/instagram/connect?conn_id=web").text


@pytest.mark.parametrize(
    ("base_url", "said"),
    [("", "Set [api] base_url"), ("http://airflow.example.com", "is not https")],
    ids=["not set", "plain http"],
)
def test_an_airflow_that_a_login_cannot_come_back_to_is_told_so(
    browser: TestClient, monkeypatch: pytest.MonkeyPatch, base_url: str, said: str
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    assert said in browser.get("/instagram/connect").text


def test_an_airflow_below_a_path_keeps_its_pages_and_its_cookie_there(
    browser_of: Any, instagram_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", f"{HOME}/airflow")
    browser = browser_of("ada", "OP", root_path="/airflow")
    page = browser.get("/airflow/instagram/connect").text
    assert f'value="{HOME}/airflow/instagram/callback"' in page
    assert 'action="/airflow/instagram/connect"' in page
    token = re.search(r'name="form_token" value="([^"]+)"', page)
    assert token is not None
    form = {"conn_id": CONN_ID, "app_id": instagram_sandbox.app_id, "app_secret": instagram_sandbox.app_secret}
    form |= {"host": instagram_sandbox.url, "form_token": token[1]}
    sent = browser.post("/airflow/instagram/connect", data=form, headers=OURS)
    assert "Path=/airflow/instagram" in sent.headers["set-cookie"]
    back = decide(sent.headers["location"], instagram_sandbox)
    assert back.startswith(f"{HOME}/airflow/instagram/callback?")
    assert "@sandbox_studio is connected" in browser.get(back).text


def test_the_refresh_button_refreshes(browser: TestClient, instagram_sandbox: SandboxHandle) -> None:
    old = instagram_sandbox.add_token(instagram_sandbox.user_id, age_s=30 * 86400)
    from airflow.models import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add(Connection(conn_id=CONN_ID, conn_type="instagram", host=instagram_sandbox.url, password=old))
    form = {"conn_id": CONN_ID, "form_token": form_token(browser)}
    answer = browser.post("/instagram/refresh", data=form, headers=OURS)
    assert answer.headers["location"] == "/instagram/?refreshed=yes"
    page = browser.get(answer.headers["location"]).text
    assert "another 60 days" in page
    assert "59 days" in page


def test_a_dead_account_says_so_and_the_others_are_shown(browser: TestClient, instagram_sandbox: SandboxHandle) -> None:
    from airflow.models import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add(
            Connection(conn_id="dead", conn_type="instagram", host=instagram_sandbox.url, password="IGAAdeadOne")
        )
    page = browser.get("/instagram/").text
    assert "expired, revoked or malformed" in page
    assert "@sandbox_studio" in page
    assert "IGAAdeadOne" not in page


def test_no_page_can_be_framed_or_load_from_elsewhere(browser: TestClient) -> None:
    for path in ("", "connect", "callback", "nowhere"):
        headers = browser.get(f"/instagram/{path}").headers
        assert headers["x-frame-options"] == "DENY"
        policy = headers["content-security-policy"]
        assert policy.startswith("script-src 'none'; default-src 'none'; ")
        assert "frame-ancestors 'none'" in policy
        assert headers["cache-control"] == "no-store"


def test_a_login_of_another_account_does_not_take_a_connection_over(
    browser: TestClient, instagram_sandbox: SandboxHandle
) -> None:
    """A person with several accounts easily logs in with the wrong one. Then posts would go to the wrong account."""
    assert (
        "is connected"
        in browser.get(decide(begin(browser, instagram_sandbox).headers["location"], instagram_sandbox)).text
    )
    before = rows()
    instagram_sandbox.add_account("17841400000000002", "second_studio")
    sent = begin(browser, instagram_sandbox, host="").headers["location"]
    answer = browser.get(decide(sent, instagram_sandbox, account="17841400000000002"))
    assert "You logged in as @second_studio" in answer.text
    assert "Nothing was changed" in answer.text
    assert rows() == before


def test_a_second_connection_to_an_account_is_warned_of(browser: TestClient, instagram_sandbox: SandboxHandle) -> None:
    """Exactly once holds per connection: two connections have two ledgers."""
    first = browser.get(decide(begin(browser, instagram_sandbox).headers["location"], instagram_sandbox)).text
    assert "Warning" not in first
    again = browser.get(decide(begin(browser, instagram_sandbox).headers["location"], instagram_sandbox)).text
    assert "Warning" not in again, "the same connection once more"
    sent = begin(browser, instagram_sandbox, conn_id="brand_again").headers["location"]
    second = browser.get(decide(sent, instagram_sandbox)).text
    assert "@sandbox_studio is also the account of the connection &#39;brand&#39;." in second
    assert "can be published again with the other" in second


def test_a_pasted_token_of_an_account_that_has_a_connection_is_warned_of(
    browser: TestClient, instagram_sandbox: SandboxHandle
) -> None:
    """A connection with a pasted token does not name its account, so only the list of accounts can tell."""
    from airflow.models import Connection
    from airflow.utils.session import create_session

    assert "Warning" not in browser.get("/instagram/").text
    url, token = instagram_sandbox.url, instagram_sandbox.token
    with create_session() as session:
        session.add(Connection(conn_id="pasted", conn_type="instagram", host=url, password=token))
    page = browser.get("/instagram/").text
    assert "@sandbox_studio is the account of the connections &#39;instagram_default&#39;, &#39;pasted&#39;." in page
    assert "can be published again with the other" in page


def test_a_new_account_is_not_offered_the_place_of_one_that_there_is(
    browser: TestClient, instagram_sandbox: SandboxHandle
) -> None:
    """The sandbox's fixture has made instagram_default."""
    page = browser.get("/instagram/connect").text
    assert 'name="conn_id" value=""' in page
    assert '<option value="instagram_default">' in page


def test_a_connection_of_the_environment_is_refreshed_here_but_not_reconnected(
    browser: TestClient, instagram_sandbox: SandboxHandle
) -> None:
    page = browser.get("/instagram/").text
    assert "stored in the environment; update its token there" in page
    assert ">Refresh</button>" in page
    assert "Reconnect</a>" not in page


class Vault:
    """Stands for a secrets backend that is out of order."""

    def get_connection(self, conn_id: str) -> None:
        raise ConnectionError("the vault is sealed")


def test_a_secrets_backend_that_does_not_answer_stops_a_login_and_not_the_list(
    browser: TestClient, instagram_sandbox: SandboxHandle, mocker: MockerFixture
) -> None:
    """What it may hide is not known, so nothing is written past it."""
    from airflow.configuration import ensure_secrets_loaded

    from airflow_provider_instagram.accounts import connect

    mocker.patch.object(connect, "ensure_secrets_loaded", side_effect=lambda: [Vault(), *ensure_secrets_loaded()])
    answer = begin(browser, instagram_sandbox)
    assert answer.status_code == 400
    assert "Vault failed to look up" in answer.text
    assert "sealed" not in answer.text, "what others raise may hold anything"
    assert "@sandbox_studio" in browser.get("/instagram/").text


def by_dialog(browser: TestClient, sandbox: SandboxHandle, given: dict[str, str], **boxes: str) -> Any:
    """Log in on the page by Facebook's dialog, as a person does; gives the page at the end.

    :param given: Fields of our form.
    :param boxes: Fields of Meta's form.
    """
    address = httpx.URL(begin(browser, sandbox, **given).headers["location"])
    assert address.path.endswith("/dialog/oauth")
    form = {**address.params, "decision": "allow", "account": sandbox.user_id, **boxes}
    answer = httpx.post(f"{sandbox.url}{address.path}", data=form, trust_env=False)
    return browser.get(answer.headers["location"].partition("#")[0])


def unified(browser: TestClient, sandbox: SandboxHandle, **changes: str) -> Any:
    """Log in on the page by Unified Login; gives the page at the end."""
    sandbox.change_account(sandbox.user_id, unified_login=True)
    return by_dialog(browser, sandbox, {"login": "unified", "config_id": "4711", **changes})


def test_a_person_connects_by_unified_login_and_again(browser: TestClient, instagram_sandbox: SandboxHandle) -> None:
    """The connection names its login, so that the token works, and a second login keeps it."""
    instagram_sandbox.switch(login="facebook")
    done = unified(browser, instagram_sandbox)
    assert "@sandbox_studio is connected" in done.text
    assert "does not expire" in done.text
    login, token, extra = rows()[CONN_ID]
    assert (login, token[:3]) == (instagram_sandbox.user_id, "EAA")
    assert (json.loads(extra)["login_type"], json.loads(extra)["config_id"]) == ("unified", "4711")
    assert InstagramHook(CONN_ID).test_connection()[0]
    shown = browser.get("/instagram/").text
    assert "does not expire" in shown
    assert "publishing, comments, insights, deletion" in shown
    assert "/instagram/refresh" not in shown, "Meta refreshes no token of Unified Login"

    assert 'name="config_id" value="4711"' in browser.get(f"/instagram/connect?conn_id={CONN_ID}").text
    again = unified(browser, instagram_sandbox, host="", app_secret="")
    assert "@sandbox_studio is connected" in again.text
    assert rows()[CONN_ID][1] != token


def test_a_configuration_of_a_persons_token_is_named(browser: TestClient, instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.switch(login="facebook")
    page = by_dialog(browser, instagram_sandbox, {"login": "unified", "config_id": "4711"})
    assert "a token of Facebook Login" in page.text
    assert "System-user access token" in page.text
    assert CONN_ID not in rows()


@pytest.mark.parametrize(
    ("login", "config_id", "said"),
    [
        ("unified", "", "Enter the configuration id of Unified Login"),
        ("facebook", "my configuration", "Enter the configuration id of Facebook Login"),
        ("google", "4711", "which is not a login of Meta. Use one of instagram, facebook, unified"),
    ],
)
def test_a_login_that_cannot_begin_says_why(
    browser: TestClient, instagram_sandbox: SandboxHandle, login: str, config_id: str, said: str
) -> None:
    assert said in begin(browser, instagram_sandbox, login=login, config_id=config_id).text


@pytest.mark.parametrize(
    "changes",
    [
        {"login": "unified", "config_id": ""},
        {"login": "facebook", "config_id": "vierzig"},
        {"login": "unified", "config_id": "4711", "app_id": "µ"},
        {"login": "unified", "config_id": "4711", "scopes": "größe"},
        {"login": "unified", "config_id": "4711", "conn_id": "Büro Köln"},
        {"login": "unified", "config_id": "4711", "host": "no host"},
    ],
)
def test_a_form_that_is_refused_keeps_what_was_typed(
    browser: TestClient, instagram_sandbox: SandboxHandle, changes: dict[str, str]
) -> None:
    """All but the secret, which no page shows. With the rest corrected, the login begins."""
    typed = {"account_id": "17841400000000000", "scopes": "comments", **changes}
    typed = {"conn_id": "new_brand", "app_id": instagram_sandbox.app_id, "host": instagram_sandbox.url, **typed}
    answer = begin(browser, instagram_sandbox, **typed)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    for name, text in typed.items():
        if name != "login":
            assert f'name="{name}" value="{text}"' in answer.text
    assert f'<option value="{typed["login"]}" selected>' in answer.text
    assert instagram_sandbox.app_secret not in answer.text
    assert "readonly" not in answer.text.partition("<form")[2].partition("Redirect URI")[0]
    assert rows() == {}


def test_a_connection_of_one_login_is_not_connected_by_another(
    browser: TestClient, instagram_sandbox: SandboxHandle
) -> None:
    """The form of a new connection, with the id of an old one: what it would do is said before anybody logs in."""
    browser.get(decide(begin(browser, instagram_sandbox).headers["location"], instagram_sandbox))
    for changes, said in (
        ({"login": "facebook"}, "has the login_type instagram, not facebook"),
        ({"host": "http://127.0.0.1:9"}, f"has the host {instagram_sandbox.url}, not http://127.0.0.1:9"),
        ({"account_id": "17841400000000009"}, "not 17841400000000009"),
    ):
        answer = begin(browser, instagram_sandbox, **changes)
        assert answer.status_code == 400
        assert said in answer.text
        assert "or connect it as it is" in answer.text


@pytest.fixture
def facebook(instagram_sandbox: SandboxHandle) -> SandboxHandle:
    """A strict app of Facebook Login."""
    instagram_sandbox.switch(login="facebook", require_appsecret_proof=True)
    return instagram_sandbox


@pytest.mark.parametrize(("box", "asks"), [({"reauthenticates": "yes"}, "true"), ({}, None)])
def test_a_person_may_ask_to_log_in_as_another_account(
    browser: TestClient, instagram_sandbox: SandboxHandle, box: dict[str, str], asks: str | None
) -> None:
    assert 'name="reauthenticates"' in browser.get("/instagram/connect").text
    address = begin(browser, instagram_sandbox, **box).headers["location"]
    assert httpx.URL(address).params.get("force_reauth") == asks
    assert "@sandbox_studio is connected" in browser.get(decide(address, instagram_sandbox)).text


BY_FACEBOOK = {"login": "facebook", "scopes": "comments"}


@pytest.mark.parametrize("login", ["facebook", "unified"])
def test_a_wrong_app_secret_is_no_fault_of_instagram(browser: TestClient, facebook: SandboxHandle, login: str) -> None:
    """Facebook's host answers it with code 1, which is a server's fault elsewhere."""
    facebook.change_account(facebook.user_id, unified_login=login == "unified")
    page = by_dialog(browser, facebook, {"login": login, "config_id": "4711", "app_secret": "mistyped"})
    assert "The app secret is wrong" in page.text
    assert "App settings, Basic" in page.text
    assert "later" not in page.text
    assert "mistyped" not in page.text
    assert rows() == {}


def test_a_person_connects_by_facebook_login_and_again(browser: TestClient, facebook: SandboxHandle) -> None:
    """What is stored is the Page's token, which lives on when those of the person have ended."""
    address = httpx.URL(begin(browser, facebook, **BY_FACEBOOK).headers["location"])
    assert address.params["scope"].split(",") == [
        *("instagram_basic", "instagram_content_publish", "pages_show_list", "pages_read_engagement"),
        "instagram_manage_comments",
    ]
    done = by_dialog(browser, facebook, BY_FACEBOOK)
    assert "@sandbox_studio is connected" in done.text
    assert re.search("gets no data from 20[0-9-]+ on, 90 days after its person last used the app", done.text)
    login, token, extra = rows()[CONN_ID]
    assert (login, token[:3], json.loads(extra)["login_type"]) == (facebook.user_id, "EAA", "facebook")
    assert token not in done.text + str(done.headers)
    shown = browser.get("/instagram/").text
    assert "publishing, comments" in shown
    assert "/instagram/refresh" not in shown, "a Page's token needs no refresh"

    again = by_dialog(browser, facebook, {"conn_id": CONN_ID, "host": "", "app_secret": "", "login": ""})
    assert "@sandbox_studio is connected" in again.text, "the connection knows its login"
    facebook.advance(61 * 86_400)
    assert InstagramHook(CONN_ID).test_connection()[0]


def test_a_configuration_names_what_facebook_login_asks_for(browser: TestClient, facebook: SandboxHandle) -> None:
    by_config = {**BY_FACEBOOK, "config_id": "4711"}
    address = httpx.URL(begin(browser, facebook, **by_config).headers["location"])
    assert (address.params["config_id"], "scope" in address.params) == ("4711", False)
    assert "@sandbox_studio is connected" in by_dialog(browser, facebook, by_config).text
    assert json.loads(rows()[CONN_ID][2])["config_id"] == "4711"

    facebook.change_account(facebook.user_id, unified_login=True)
    page = by_dialog(browser, facebook, {**by_config, "conn_id": "other"})
    assert "a token of Unified Login" in page.text
    assert "User access token" in page.text
    assert "other" not in rows()


@pytest.mark.parametrize("refused", ["instagram_content_publish", "pages_show_list", "pages_read_engagement"])
def test_a_permission_that_facebook_login_needs_is_named(
    browser: TestClient, facebook: SandboxHandle, refused: str
) -> None:
    asked = {"instagram_basic", "instagram_content_publish", "pages_show_list", "pages_read_engagement"}
    left = {f"grant_{scope}": "1" for scope in asked - {refused}}
    page = by_dialog(browser, facebook, BY_FACEBOOK, chosen="1", **left)
    assert f"Publishing needs the permission {refused}, which was not granted" in page.text
    assert rows() == {}


def test_a_cancelled_facebook_login_changes_nothing(browser: TestClient, facebook: SandboxHandle) -> None:
    assert "The account was not connected" in by_dialog(browser, facebook, BY_FACEBOOK, decision="cancel").text
    assert rows() == {}


def test_of_several_pages_the_person_names_the_account(browser: TestClient, facebook: SandboxHandle) -> None:
    second = "17841400000000077"
    facebook.add_account(second, "second_brand", managed_with=facebook.user_id)
    page = by_dialog(browser, facebook, BY_FACEBOOK)
    assert f"@sandbox_studio ({facebook.user_id}), @second_brand ({second})" in page.text
    assert "enter the Instagram user id" in page.text
    assert rows() == {}
    page = by_dialog(browser, facebook, {**BY_FACEBOOK, "account_id": "17841400000000099"})
    assert f"@second_brand ({second}), not the account 17841400000000099" in page.text
    assert rows() == {}
    page = by_dialog(browser, facebook, {**BY_FACEBOOK, "account_id": second})
    assert "@second_brand is connected" in page.text
    assert rows()[CONN_ID][0] == second
    assert "@second_brand" in InstagramHook(CONN_ID).test_connection()[1], "the token is that of the chosen Page"


def test_of_a_hundred_pages_ten_are_named_and_the_last_one_can_be_chosen(
    browser: TestClient, facebook: SandboxHandle
) -> None:
    """Meta lists 100 at a time. This login does not know the type of an account, so the page says none."""
    ids = [str(17841400000001000 + number) for number in range(100)]
    for number, user_id in enumerate(ids):
        facebook.add_account(user_id, f"brand_{number:02}", managed_with=facebook.user_id)
    page = by_dialog(browser, facebook, BY_FACEBOOK)
    assert f"@brand_07 ({ids[7]}), @brand_08 ({ids[8]}) and 91 more. " in page.text
    page = by_dialog(browser, facebook, {**BY_FACEBOOK, "account_id": ids[-1]})
    assert "@brand_99 is connected" in page.text
    assert f">user id {ids[-1]}<" in page.text


@pytest.mark.parametrize("portfolio", ["owned", "client"])
def test_the_page_of_a_business_portfolio_is_found(
    browser: TestClient, facebook: SandboxHandle, portfolio: str
) -> None:
    """Meta's list of the person's Pages lacks it. The token names it, without any further permission."""
    second = "17841400000000077"
    facebook.add_account(second, "green_brand", name="Grün", managed_with=facebook.user_id, portfolio=portfolio)
    page = by_dialog(browser, facebook, {**BY_FACEBOOK, "account_id": second})
    assert "@green_brand is connected" in page.text
    assert "@green_brand" in InstagramHook(CONN_ID).test_connection()[1]
    asked = {entry.path for entry in facebook.journal("page")}
    assert not any("businesses" in path for path in asked), "that needs a permission more"


def test_a_page_without_a_professional_account_is_named(browser: TestClient, facebook: SandboxHandle) -> None:
    facebook.change_account(facebook.user_id, account_type="PERSONAL")
    page = by_dialog(browser, facebook, BY_FACEBOOK)
    assert "which no professional Instagram account is linked to" in page.text
    assert "Switch the account to a professional account in the Instagram app" in page.text
    assert rows() == {}


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ([], "The login reaches no Facebook Page"),
        (
            [
                {
                    "id": "1",
                    "name": "Brand",
                    "instagram_business_account": {"id": "17841400000000000", "username": "brand"},
                }
            ],
            "Facebook gives no token for the Page of @brand",
        ),
    ],
    ids=["no page", "no task on the page"],
)
def test_a_person_who_may_not_publish_for_a_page_is_told_so(
    browser: TestClient,
    facebook: SandboxHandle,
    mocker: MockerFixture,
    listed: list[dict[str, Any]],
    said: str,
) -> None:
    """Each account of the sandbox has a Page, so Meta's list is replaced."""
    from airflow_provider_instagram.graph import listing
    from airflow_provider_instagram.graph.models import FacebookPage

    mocker.patch.object(listing, "facebook_pages", side_effect=lambda *_: iter([list(map(FacebookPage.read, listed))]))
    assert said in by_dialog(browser, facebook, BY_FACEBOOK).text
    assert rows() == {}


@pytest.mark.parametrize("login", ["instagram", "facebook", "unified"])
def test_what_each_login_stores_publishes_a_post(
    browser: TestClient, instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path, login: str
) -> None:
    """From the form to a post that can be opened; Meta's hosts take only the tokens of the login."""
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator

    instagram_sandbox.switch(login="instagram" if login == "instagram" else "facebook")
    if login == "instagram":
        done = browser.get(decide(begin(browser, instagram_sandbox).headers["location"], instagram_sandbox))
    elif login == "facebook":
        done = by_dialog(browser, instagram_sandbox, {"login": "facebook"})
    else:
        done = unified(browser, instagram_sandbox)
    assert "@sandbox_studio is connected" in done.text
    with DAG(f"after_{login}_login", schedule=None) as dag:
        create = CreateContainerOperator(
            task_id="create", video=str(portrait_video), instagram_conn_id=CONN_ID, wait_for_completion=True
        )
        PublishOperator(task_id="publish", container_id=create.output, instagram_conn_id=CONN_ID)

    result = run_dag(dag)

    assert result.states() == {"create": "success", "publish": "success"}
    (post,) = instagram_sandbox.posts
    assert result.xcom("publish")["permalink"] == post.permalink
    assert httpx.get(post.permalink, trust_env=False).is_success
