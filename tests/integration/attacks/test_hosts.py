"""An access token or an app secret reaches no host that merely stands in a connection."""

from __future__ import annotations

import hmac
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_instagram.exceptions import InstagramError, ValidationError
from airflow_provider_instagram.graph import calls, oauth
from airflow_provider_instagram.graph.capabilities import PUBLISHING
from airflow_provider_instagram.graph.client import AsyncGraphClient, GraphClient
from airflow_provider_instagram.graph.origin import TrustedHosts
from tests.integration.attacks.collector import NAME, Collector, collecting
from tests.integration.pages import OURS, decide, form_token, rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi.testclient import TestClient
    from pytest_mock import MockerFixture

    from airflow_provider_instagram.hooks import InstagramHook
    from instagram_sandbox.testing.handle import SandboxHandle

pytestmark = pytest.mark.usefixtures("airflow_pages")

TOKEN = "IGAAtheTokenOfTheBrand000000000000000"
SECRET = "0123456789abcdef0123456789abcdef"
USER = "17841400000000001"


@pytest.fixture
def browser(browser_of: Any) -> TestClient:
    made: TestClient = browser_of("eve", "OP")
    return made


@pytest.fixture
def stored(airflow_db: None) -> Callable[..., None]:
    """Write the connection ``brand`` to Airflow's database."""

    def write(host: str = "", *, extra: dict[str, Any] | None = None, password: str = TOKEN) -> None:
        from airflow.models import Connection
        from airflow.utils.session import create_session
        from sqlalchemy import delete

        with create_session() as session:
            session.execute(delete(Connection).where(Connection.conn_id == "brand"))
            row = Connection(conn_id="brand", conn_type="instagram", host=host, password=password)
            row.extra = json.dumps({"app_id": "990000000000001"} | (extra or {}))
            session.add(row)

    return write


def login_app(address: str) -> oauth.LoginApp:
    return oauth.LoginApp("9", SECRET, "https://a/b", address, oauth_host=address)


def connect(browser: TestClient, **form: str) -> Any:
    """Press Connect for the connection ``brand``, without an app secret unless one is given."""
    sent = {"conn_id": "brand", "app_id": "", "app_secret": "", "form_token": form_token(browser)} | form
    return browser.post("/instagram/connect", data=sent, headers=OURS)


def come_back(browser: TestClient, answer: httpx.Response) -> None:
    """Come back from whatever consent page the answer led to, with a code."""
    if answer.status_code == 303:
        state = httpx.URL(answer.headers["location"]).params["state"]
        browser.get("/instagram/callback", params={"code": "AQcode", "state": state})


def test_a_view_of_the_accounts_sends_no_token_to_a_host_that_stands_in_a_connection(
    browser: TestClient, stored: Any, collector: Collector
) -> None:
    stored(collector.url)
    shown = browser.get("/instagram/").text
    assert collector.received == []
    assert collector.connections == 0
    assert f"The host of connection &#39;brand&#39; is https://{NAME}" in shown
    assert "[instagram] hosts" in shown


@pytest.mark.parametrize("command", [("accounts", "--output", "json"), ("doctor", "brand"), ("refresh", "brand")])
def test_no_command_sends_a_token_to_a_host_that_stands_in_a_connection(
    shell: Any, stored: Any, collector: Collector, command: tuple[str, ...]
) -> None:
    stored(collector.url)
    said = shell(*command)
    assert collector.connections == 0
    assert NAME in said
    assert "[instagram] hosts" in said


def test_the_refresh_button_sends_no_token_to_a_host_that_stands_in_a_connection(
    browser: TestClient, stored: Any, collector: Collector
) -> None:
    stored(collector.url)
    answer = browser.post(
        "/instagram/refresh", data={"conn_id": "brand", "form_token": form_token(browser)}, headers=OURS
    )
    assert "[instagram] hosts" in answer.text
    assert collector.connections == 0


def hook_of(monkeypatch: pytest.MonkeyPatch, **connection: Any) -> InstagramHook:
    from airflow_provider_instagram.hooks import InstagramHook

    content = {"conn_type": "instagram", "password": TOKEN, "login": USER} | connection
    monkeypatch.setenv("AIRFLOW_CONN_MOVED", json.dumps(content))
    return InstagramHook("moved")


@pytest.mark.parametrize(
    "spelling",
    [
        "https://{name}:{port}",
        "{name}:{port}",
        "https://COLLECTOR.Example:{port}",
        "https://{name}.:{port}",
        "https://graph.instagram.com@{name}:{port}",
        "https://graph.instagram.com:443@{name}:{port}/",
        "https://{name}:{port}\\@graph.instagram.com",
        "https://{name}:{port}/@graph.instagram.com",
        "https://{name}:{port}#@graph.instagram.com",
        "https://{name}:{port}?.graph.instagram.com",
        "https://graph.instagram.com.{name}:{port}",
        "https://graph.instagram.com.:{port}",
        "https://graph-instagram.com:{port}",
        "https://gräph.instagram.com:{port}",
        "https://xn--grph-ooa.instagram.com:{port}",
        "https://graph。instagram.com.{name}:{port}",
        "https://\tgraph.instagram.com.{name}:{port}",
        "https://graph.instagram.com%2e{name}:{port}",
        "https://graph.instagram.com\x00.{name}:{port}",
        "https://[::ffff:7f00:1]:{port}",
        "https://[fe80::1%25lo]:{port}",
        "https://127.1:{port}",
        "https://2130706433:{port}",
        "https://127.0.0.1.:{port}",
        "https://localhost.:{port}",
        "https://localhost.{name}:{port}",
        "http://{name}:{port}",
        "http://graph.instagram.com:{port}",
        "http://127.0.0.1.{name}:{port}",
    ],
)
def test_no_spelling_makes_an_untrusted_host_look_trusted(
    monkeypatch: pytest.MonkeyPatch, collector: Collector, spelling: str
) -> None:
    host = spelling.format(name=NAME, port=collector.port)
    for connection in ({"host": host}, {"host": "", "extra": {"oauth_host": host}}):
        good, said = hook_of(monkeypatch, **connection).test_connection()
        assert not good
        assert said.startswith("ValidationError")
        assert TOKEN not in said
    assert collector.connections == 0


@pytest.mark.parametrize("entry", [NAME, "https://{name}", "{name}:{port}", "a.example, https://{name}:{port}/"])
def test_a_host_that_the_deployment_names_is_trusted(
    monkeypatch: pytest.MonkeyPatch, collector: Collector, entry: str
) -> None:
    """As a proxy before the Graph API: the token arrives there."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__HOSTS", entry.format(name=NAME, port=collector.port))
    collector.answers["me"] = {"user_id": USER, "username": "brand"}
    collector.answers["content_publishing_limit"] = {
        "data": [{"quota_usage": 0, "config": {"quota_total": 100, "quota_duration": 86400}}]
    }
    good, said = hook_of(monkeypatch, host=collector.url).test_connection()
    assert good, said
    assert f"Bearer {TOKEN}" in collector.text


@pytest.mark.parametrize("entry", ["sub.{name}", "{name}:1", "example", "http://other.example"])
def test_an_entry_trusts_no_other_host_and_no_other_port(
    monkeypatch: pytest.MonkeyPatch, collector: Collector, entry: str
) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__HOSTS", entry.format(name=NAME))
    good, said = hook_of(monkeypatch, host=collector.url).test_connection()
    assert not good
    assert "[instagram] hosts" in said
    assert collector.connections == 0


def test_plain_http_needs_an_entry_that_says_http(monkeypatch: pytest.MonkeyPatch, plain_collector: Collector) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__HOSTS", NAME)
    good, said = hook_of(monkeypatch, host=plain_collector.url).test_connection()
    assert not good
    assert "Use https" in said
    assert plain_collector.connections == 0
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__HOSTS", f"http://{NAME}:{plain_collector.port}")
    hook_of(monkeypatch, host=plain_collector.url).test_connection()
    assert f"Bearer {TOKEN}" in plain_collector.text


@pytest.mark.parametrize("entry", ["*", "*.example", "https://a.example/v27.0", "ftp://a.example", "me:pass@a.example"])
def test_an_entry_that_is_not_a_host_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, names: None, entry: str
) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__HOSTS", entry)
    good, said = hook_of(monkeypatch, host="http://127.0.0.1:9").test_connection()
    assert not good
    assert "[instagram] hosts contains" in said
    assert "pass@" not in said


def test_a_client_that_anybody_builds_sends_nothing_to_an_untrusted_host(collector: Collector) -> None:
    for kind in (GraphClient, AsyncGraphClient):
        with pytest.raises(ValidationError, match=NAME):
            kind(TOKEN, base_url=collector.url)
    with GraphClient(TOKEN) as client:
        with pytest.raises(ValidationError, match=NAME):
            client.send(oauth.exchange_code(login_app(collector.url), "AQ"))
        with pytest.raises(ValidationError, match=NAME):
            client.send_bytes(f"{collector.url}/ig-api-upload/v27.0/1", [b"1"], offset=0, total_bytes=1)
    assert collector.connections == 0


def test_a_redirect_takes_no_token_along(collector: Collector) -> None:
    with collecting(Collector("http", location=f"{collector.url}/v27.0/me")) as trusted:
        address = f"http://127.0.0.1:{trusted.port}"
        with GraphClient(TOKEN, base_url=address, app_secret=SECRET, sleep=lambda _: None) as client:
            with pytest.raises(InstagramError):
                client.send(calls.account())
            with pytest.raises(InstagramError):
                client.send(calls.publish(USER, "1"))
            with pytest.raises(InstagramError):
                client.send(oauth.exchange_code(login_app(address), "AQ"))
            with pytest.raises(InstagramError):
                client.send_bytes(f"{address}/1", [b"1"], offset=0, total_bytes=1)
        assert trusted.received
    assert collector.connections == 0


def test_a_proxy_of_the_environment_reads_no_secret_that_goes_by_plain_http(
    monkeypatch: pytest.MonkeyPatch, plain_collector: Collector
) -> None:
    """Neither the token that goes to the Graph host nor the app secret that goes to the OAuth host."""
    hosts = TrustedHosts.read("http://sandbox")
    with collecting(Collector("http")) as sandbox:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{plain_collector.port}")
        address = f"http://sandbox:{sandbox.port}"
        with GraphClient(TOKEN, base_url=address, hosts=hosts) as client, pytest.raises(InstagramError):
            client.send(calls.publish(USER, "1"))
        with GraphClient(None, hosts=hosts) as client, pytest.raises(InstagramError):
            client.send(oauth.exchange_code(login_app(address), "AQ"))
        assert TOKEN in sandbox.text
        assert SECRET in sandbox.text
    assert plain_collector.connections == 0


@pytest.mark.parametrize("where", ["host", "oauth_host", "both"])
def test_connect_sends_no_stored_secret_to_a_host_that_stands_in_the_connection(
    browser: TestClient, stored: Any, collector: Collector, where: str
) -> None:
    collector.answers = {"access_token": {"access_token": "IGAAshort", "user_id": USER}}
    extra = {"app_secret": SECRET} | ({"oauth_host": collector.url} if where != "host" else {})
    stored("" if where == "oauth_host" else collector.url, extra=extra)
    for answer in (connect(browser), connect(browser, app_secret="typed")):
        assert answer.status_code == 400
        assert "[instagram] hosts" in answer.text
        come_back(browser, answer)
    assert "[instagram] hosts" in browser.get("/instagram/connect?conn_id=brand").text
    assert collector.connections == 0


def test_a_host_that_somebody_types_must_be_trusted(browser: TestClient, shell: Any, collector: Collector) -> None:
    answer = connect(browser, conn_id="new", app_id="1", app_secret=SECRET, host=collector.url)
    assert answer.status_code == 400
    assert "[instagram] hosts" in answer.text
    come_back(browser, answer)
    said = shell("connect", "new", "--app-id", "1", "--host", collector.url, "--redirect-uri", "https://a/b")
    assert "[instagram] hosts" in said
    assert collector.connections == 0


def test_a_login_goes_through_a_host_that_the_deployment_names(
    browser: TestClient, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__HOSTS", NAME)
    collector.answers = {
        "access_token": {
            "access_token": "IGAAfromTheProxy00000000",
            "user_id": USER,
            "permissions": [*PUBLISHING.instagram],
        },
        "me": {"user_id": USER, "username": "brand", "account_type": "BUSINESS"},
    }
    begun = connect(browser, app_id="99", app_secret=SECRET, host=collector.url)
    assert begun.headers["location"].startswith(f"{collector.url}/oauth/authorize?")
    come_back(browser, begun)
    assert rows()["brand"][:2] == (USER, "IGAAfromTheProxy00000000")
    assert f"client_id=99&client_secret={SECRET}" in collector.text
    assert connect(browser).status_code == 303, "the secret was entered for this host"


def test_a_secret_that_was_typed_for_meta_is_not_reused_for_another_trusted_host(
    browser: TestClient, shell: Any, stored: Any, instagram_sandbox: SandboxHandle, mocker: MockerFixture
) -> None:
    """The sandbox stands for any host of the list, and whoever listens there must not get the app's secret."""
    stored(extra={"app_secret": SECRET, "oauth_host": instagram_sandbox.url})
    answer = connect(browser)
    assert answer.status_code == 400
    assert "Enter the app secret again" in answer.text
    come_back(browser, answer)
    form = browser.get("/instagram/connect?conn_id=brand").text
    assert "was not entered for" in form
    assert "Stored. Leave empty to keep it." not in form

    asked: list[str] = []
    mocker.patch("getpass.getpass", lambda prompt: asked.append(prompt) or "")  # type: ignore[func-returns-value]
    said = shell("connect", "brand", "--redirect-uri", "https://a/b")
    assert "Enter the app secret again" in said
    assert asked == ["App secret (input hidden): "]
    assert SECRET not in answer.text + form + said
    assert instagram_sandbox.calls("exchange_code") == 0


def test_a_secret_without_a_record_is_reused_for_meta(browser: TestClient, stored: Any) -> None:
    """It was typed into the connection's form, beside Meta's hosts."""
    stored(extra={"app_secret": SECRET})
    answer = connect(browser)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("https://www.instagram.com/oauth/authorize?")
    assert "Stored. Leave empty to keep it." in browser.get("/instagram/connect?conn_id=brand").text


def test_a_secret_is_reused_for_the_hosts_that_it_was_entered_for_and_for_no_other(
    browser: TestClient, stored: Any, instagram_sandbox: SandboxHandle
) -> None:
    sandbox = instagram_sandbox
    begun = connect(browser, app_id=sandbox.app_id, app_secret=sandbox.app_secret, host=sandbox.url)
    browser.get(decide(begun.headers["location"], sandbox))
    extra = json.loads(rows()["brand"][2])
    assert connect(browser).status_code == 303, "the same hosts: nothing to enter"

    elsewhere = sandbox.url.replace("127.0.0.1", "localhost")
    for host, changes in (
        (elsewhere, {}),
        (sandbox.url, {"oauth_host": elsewhere}),
        (sandbox.url, {"oauth_host": ""}),
        (sandbox.url, {"app_secret": "another"}),
        (sandbox.url, {"app_secret_host": ""}),
        (sandbox.url, {"app_secret_host": "0" * 64}),
        (elsewhere, {"oauth_host": elsewhere, "app_secret_host": [extra["app_secret_host"]]}),
    ):
        stored(host, extra=extra | changes)
        answer = connect(browser)
        assert answer.status_code == 400, (host, changes)
        assert "Enter the app secret again" in answer.text

    stored(elsewhere, extra=extra | {"oauth_host": elsewhere})
    again = connect(browser, app_secret=sandbox.app_secret)
    assert again.status_code == 303
    assert "is connected" in browser.get(decide(again.headers["location"], sandbox)).text
    assert connect(browser).status_code == 303, "entered for these hosts now"


@pytest.mark.parametrize("entered_for", ["meta", "host"])
def test_a_task_sends_the_apps_secret_only_to_the_hosts_that_it_was_entered_for(
    stored: Any, collector: Collector, monkeypatch: pytest.MonkeyPatch, entered_for: str
) -> None:
    """A host of the list may read tokens. Whoever turns a connection to it does not thereby give it the app."""
    from airflow_provider_instagram.hooks import InstagramHook

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__HOSTS", collector.url)
    record = f"airflow-provider-instagram/app-secret/1\n{collector.url}\n{collector.url}"
    made_for = {"app_secret_host": hmac.new(SECRET.encode(), record.encode(), "sha256").hexdigest()}
    extra = {"login_type": "facebook", "app_secret": SECRET, "oauth_host": collector.url}
    stored(collector.url, extra=extra | (made_for if entered_for == "host" else {}), password="EAAtheTokenOfThePage")
    InstagramHook("brand").token_info()
    assert "debug_token" in collector.text
    assert (SECRET in collector.text) is (entered_for == "host")
