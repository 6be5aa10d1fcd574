"""The menu entry Instagram in a browser: an Airflow with logins and two API workers, and the sandbox's consent page."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import expect

from demo.pictures_airflow import fill_in_login
from demo.scene import airflow_settings
from demo.stack import AIRFLOW, AirflowStack, free_port, wait_until
from tests.system.conftest import vault_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from instagram_sandbox.testing.handle import SandboxHandle

PASSWORDS = {"editor": "editor-password", "other": "other-password", "viewer": "viewer-password"}
CONN_ID = "brand_account"


@pytest.fixture(scope="module")
def guarded(sandbox: SandboxHandle, vault: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    """An API server with logins and two workers; these tests need nothing else of Airflow."""
    home = tmp_path_factory.mktemp("guarded")
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps(PASSWORDS))
    port = free_port()
    url = f"http://localhost:{port}"
    settings = airflow_settings(home) | {
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "editor:op,other:op,viewer:viewer",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        **vault_settings(vault),
        "AIRFLOW_CONN_FROM_ENVIRONMENT": json.dumps({**sandbox.connection, "password": sandbox.token}),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
        "NO_PROXY": "localhost,127.0.0.1",
    }
    subprocess.run([AIRFLOW, "db", "migrate"], env=os.environ | settings, check=True, capture_output=True)
    stack = AirflowStack(url, home, settings)
    try:
        stack.start("api-server")
        wait_until(lambda: _answers(url), "the API server answers", 120)
        yield stack
    finally:
        stack.stop()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/v2/version", trust_env=False).is_success
    except httpx.HTTPError:
        return False


@pytest.fixture
def visit(browser: Browser, guarded: AirflowStack) -> Any:
    """Log a user in, in a browser of its own."""

    def logged_in(user: str) -> Page:
        context = browser.new_context(viewport={"width": 1100, "height": 860})
        page = context.new_page()
        page.goto(f"{guarded.url}/auth/login/?next=%2F")
        page.locator("[name=username]").fill(user)
        page.locator("[name=password]").fill(PASSWORDS[user])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(re.compile(rf"{guarded.url}/(?!auth)"))
        return page

    return logged_in


@pytest.fixture
def any_login(sandbox: SandboxHandle) -> Iterator[None]:
    """Accept tokens of all logins. A strict sandbox accepts those of Instagram Login only."""
    sandbox.switch(login="any")
    yield
    sandbox.switch(login="instagram")


@pytest.fixture(autouse=True)
def _clean(guarded: AirflowStack) -> None:
    _run(guarded, "delete from connection")
    _run(guarded, "delete from variable")


def _run(guarded: AirflowStack, statement: str) -> list[Any]:
    import sqlite3

    with sqlite3.connect(guarded.home / "airflow.db", timeout=30) as database:
        return database.execute(statement).fetchall()


def connections(guarded: AirflowStack) -> list[Any]:
    return _run(guarded, "select conn_id from connection")


def begin(page: Page, guarded: AirflowStack, sandbox: SandboxHandle, login: str = "instagram") -> None:
    """Fill in the form and press Connect: the consent page is what comes next."""
    page.goto(f"{guarded.url}/instagram/connect")
    page.locator("[name=login]").select_option(login)
    if login == "unified":
        page.locator("[name=config_id]").fill("4711")
    fill_in_login(page, sandbox, CONN_ID)


def test_an_account_is_connected_from_airflows_menu(visit: Any, guarded: AirflowStack, sandbox: SandboxHandle) -> None:
    """The menu, the form, Meta's page, and back: a connection that posts, and a page that says so."""
    page = visit("editor")
    page.get_by_role("button", name="Admin").click()
    with page.context.expect_page() as opened:
        page.get_by_role("menuitem", name="Instagram").click()
    page = opened.value
    expect(page.get_by_role("heading", name="No accounts yet")).not_to_be_visible()
    expect(page.get_by_text("from_environment")).to_be_visible()
    page.get_by_role("link", name="Connect an account").click()
    expect(page.get_by_label("Redirect URI")).to_have_value(f"{guarded.url}/instagram/callback")

    begin(page, guarded, sandbox)
    page.get_by_role("button", name="Allow").click()

    expect(page.get_by_role("heading", name="@sandbox_studio is connected")).to_be_visible()
    shown = page.locator("img.face")
    assert shown.evaluate("image => image.complete && image.naturalWidth > 0"), "the account's picture is shown"
    assert connections(guarded) == [(CONN_ID,)]

    page.get_by_role("link", name="See all accounts").click()
    card = page.locator(f"[data-connection={CONN_ID}]")
    expect(card).to_contain_text("@sandbox_studio")
    expect(card).to_contain_text("59 days")
    expect(card).to_contain_text("of 100")
    card.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("status")).to_contain_text("less than 24 hours old")

    card.get_by_role("link", name="Reconnect").click()
    expect(page.locator("[name=app_secret]")).to_have_value("")
    assert sandbox.app_secret not in page.content()
    page.get_by_role("button", name="Connect").click()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading", name="@sandbox_studio is connected")).to_be_visible()


@pytest.mark.usefixtures("any_login")
@pytest.mark.parametrize(
    ("login", "end", "left"),
    [("facebook", "gets no data from", "89 days"), ("unified", "does not expire", "does not expire")],
)
def test_an_account_is_connected_by_facebooks_dialog(
    visit: Any, guarded: AirflowStack, sandbox: SandboxHandle, login: str, end: str, left: str
) -> None:
    sandbox.change_account(sandbox.user_id, unified_login=login == "unified")
    try:
        page = visit("editor")
        begin(page, guarded, sandbox, login)
        assert "/dialog/oauth" in page.url
        page.get_by_role("button", name="Allow").click()
        expect(page.get_by_role("heading", name="@sandbox_studio is connected")).to_be_visible()
        expect(page.get_by_text(end)).to_be_visible()
        page.get_by_role("link", name="See all accounts").click()
        card = page.locator(f"[data-connection={CONN_ID}]")
        expect(card).to_contain_text(left)
        expect(card).to_contain_text("publishing")
        card.get_by_role("link", name="Reconnect").click()
        page.get_by_role("button", name="Connect").click()
        page.get_by_role("button", name="Allow").click()
        expect(page.get_by_role("heading", name="@sandbox_studio is connected")).to_be_visible()
    finally:
        sandbox.change_account(sandbox.user_id, unified_login=False)


def test_a_permission_that_is_switched_off_is_missed(visit: Any, guarded: AirflowStack, sandbox: SandboxHandle) -> None:
    page = visit("editor")
    begin(page, guarded, sandbox)
    page.locator("[name=grant_instagram_business_content_publish]").uncheck()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("Publishing needs the permission instagram_business_content_publish")).to_be_visible()
    assert connections(guarded) == []


def test_a_personal_account_is_refused(visit: Any, guarded: AirflowStack, sandbox: SandboxHandle) -> None:
    sandbox.change_account(sandbox.user_id, account_type="PERSONAL")
    try:
        page = visit("editor")
        begin(page, guarded, sandbox)
        page.get_by_role("button", name="Allow").click()
        expect(
            page.get_by_text("A professional account is needed for publishing. Nothing was changed.")
        ).to_be_visible()
        expect(page.get_by_text("switch to a professional account")).to_be_visible()
        assert connections(guarded) == []
    finally:
        sandbox.change_account(sandbox.user_id, account_type="BUSINESS")


def test_a_forged_state_and_a_used_login_are_refused(visit: Any, guarded: AirflowStack, sandbox: SandboxHandle) -> None:
    page = visit("editor")
    begin(page, guarded, sandbox)
    page.goto(f"{guarded.url}/instagram/callback?code=AQstolen&state=forged")
    expect(page.get_by_role("heading", name="This is not the login that you started")).to_be_visible()
    assert connections(guarded) == []

    begin(page, guarded, sandbox)
    cookie = next(each for each in page.context.cookies() if each["name"] == "instagram_login")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    with page.expect_request(lambda request: "/instagram/callback" in request.url) as returned:
        page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading", name="@sandbox_studio is connected")).to_be_visible()
    page.goto(returned.value.url)
    expect(page.get_by_role("heading", name="This login is not in progress")).to_be_visible()
    page.context.add_cookies([cookie])
    page.goto(returned.value.url)
    expect(page.get_by_text("This login has already been used")).to_be_visible()


def test_another_user_cannot_finish_somebodys_login(visit: Any, guarded: AirflowStack, sandbox: SandboxHandle) -> None:
    page, other = visit("editor"), visit("other")
    begin(page, guarded, sandbox)
    cookie = next(each for each in page.context.cookies() if each["name"] == "instagram_login")
    allowed = {**httpx.URL(page.url).params, "decision": "allow", "account": sandbox.user_id}
    answer = httpx.post(f"{sandbox.url}/oauth/authorize", data=allowed, trust_env=False)
    other.context.add_cookies([cookie])
    other.goto(answer.headers["location"])
    expect(other.get_by_role("heading", name="This is not the login that you started")).to_be_visible()
    assert connections(guarded) == []


def test_a_form_of_another_site_is_refused(visit: Any, guarded: AirflowStack, sandbox: SandboxHandle) -> None:
    """The sandbox's origin plays the foreign site. The browser sends Airflow's cookie along all the same."""
    page = visit("editor")
    page.goto(f"{guarded.url}/instagram/connect")
    stolen = page.locator("[name=form_token]").input_value()
    page.set_content("<p>elsewhere</p>")
    cookies = {each["name"]: each["value"] for each in page.context.cookies()}
    form = {"form_token": stolen, "conn_id": CONN_ID, "app_id": "1", "app_secret": "x", "host": sandbox.url}
    for path in ("connect", "refresh"):
        for headers in ({"Origin": sandbox.url}, {"Sec-Fetch-Site": "cross-site"}, {}):
            answer = httpx.post(
                f"{guarded.url}/instagram/{path}", data=form, headers=headers, cookies=cookies, trust_env=False
            )
            assert answer.status_code == 403, (path, headers)
            assert "Nothing was changed" in answer.text
        ours = {"Origin": guarded.url, "Sec-Fetch-Site": "same-origin"}
        for token in ("", "forged", sandbox.token):
            answer = httpx.post(
                f"{guarded.url}/instagram/{path}",
                data={**form, "form_token": token},
                headers=ours,
                cookies=cookies,
                trust_env=False,
            )
            assert answer.status_code == 403, (path, token)
    assert connections(guarded) == []


def test_a_viewer_sees_nothing_and_a_stranger_is_asked_to_log_in(visit: Any, guarded: AirflowStack) -> None:
    page = visit("viewer")
    for path in ("", "connect", "callback?code=a&state=b"):
        answer = page.goto(f"{guarded.url}/instagram/{path}")
        assert answer is not None
        assert answer.status == 403
        expect(page.get_by_role("heading", name="You are not allowed to do this")).to_be_visible()
        stranger = httpx.get(f"{guarded.url}/instagram/{path}", trust_env=False)
        assert stranger.status_code == 401
        assert "Log in to Airflow first" in stranger.text
        assert stranger.headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in stranger.headers["Content-Security-Policy"]
    for path in ("connect", "refresh"):
        assert httpx.post(f"{guarded.url}/instagram/{path}", trust_env=False).status_code == 401


def test_a_connection_of_the_environment_is_left_alone(visit: Any, guarded: AirflowStack) -> None:
    page = visit("editor")
    page.goto(f"{guarded.url}/instagram/connect?conn_id=from_environment")
    expect(page.get_by_text("comes from the environment, which Airflow cannot write to")).to_be_visible()
    assert connections(guarded) == []


def test_a_connection_of_a_secrets_backend_is_refreshed_and_not_written(
    visit: Any, guarded: AirflowStack, sandbox: SandboxHandle, vault: Path
) -> None:
    """Listed from its first use on; the refreshed token is a Variable, and the backend's file stays as it was."""
    old = sandbox.add_token(sandbox.user_id, age_s=30 * 24 * 3600)
    vault.write_text(json.dumps({"vaulted": {**sandbox.connection, "password": old}}))
    before = vault.read_text()
    env = os.environ | guarded.settings
    shell = subprocess.run([AIRFLOW, "instagram", "doctor", "vaulted"], env=env, check=False, capture_output=True)
    assert b"ok   account        @sandbox_studio" in shell.stdout, shell.stdout

    page = visit("editor")
    page.goto(f"{guarded.url}/instagram/")
    card = page.locator("[data-connection=vaulted]")
    expect(card).to_contain_text("stored in a secrets backend, LocalFilesystemBackend; update its token there")
    expect(card.get_by_role("link", name="Reconnect")).to_have_count(0)
    card.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("status")).to_contain_text("another 60 days")
    expect(card).to_contain_text("59 days")

    page.goto(f"{guarded.url}/instagram/connect?conn_id=vaulted")
    expect(page.get_by_text("comes from a secrets backend, LocalFilesystemBackend")).to_be_visible()
    assert connections(guarded) == []
    assert vault.read_text() == before
    vault.write_text("{}")


@pytest.mark.usefixtures("any_login")
@pytest.mark.parametrize("login", ["instagram", "facebook"])
def test_no_secret_is_in_a_log_or_in_the_clear_in_the_database(
    visit: Any, guarded: AirflowStack, sandbox: SandboxHandle, login: str
) -> None:
    page = visit("editor")
    pages: list[str] = []
    page.on("response", lambda answer: pages.append(answer.url))
    begin(page, guarded, sandbox, login)
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading", name="@sandbox_studio is connected")).to_be_visible()
    html = page.content()
    page.goto(f"{guarded.url}/instagram/")
    html += page.content()
    page.goto(f"{guarded.url}/instagram/connect?conn_id={CONN_ID}")
    html += page.content()
    secrets = re.compile(rf"(IGAA|EAA)[0-9A-Za-z_-]{{8,}}|{re.escape(sandbox.app_secret)}")
    assert not secrets.search(html)
    assert not [url for url in pages if secrets.search(url)]
    for file in Path(guarded.home).rglob("*"):
        if file.is_file():
            found = secrets.search(file.read_bytes().decode(errors="replace"))
            assert not found, f"{file}: {found}"
