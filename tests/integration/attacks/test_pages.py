"""Nothing that Instagram answers, or that stands in a connection, becomes a script on Airflow's own origin."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.accounts.connect import LoginApp
from airflow_provider_instagram.plugin.users import PendingLogin
from tests.integration.attacks.collector import Collector, collecting
from tests.integration.pages import HOME, OURS, form_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.testclient import TestClient

    from instagram_sandbox.testing.handle import SandboxHandle

pytestmark = pytest.mark.usefixtures("airflow_pages", "instagram_sandbox")

USER = "17841400000000001"
LONGEST = {"quota_total": 100, "quota_duration": 10**15}
#: No answer adds to them.
PICTURES = ["data:", "https://*.cdninstagram.com", "https://*.fbcdn.net", "http://127.0.0.1:*", "http://localhost:*"]
STRANGE_ADDRESSES = (
    "https://x☃/",
    "https://[x/",
    "https://[::1",
    "https://a.example:port/",
    "https://a.example;script-src 'unsafe-inline'/",
    "https://a.example, https://b.example",
    "https://a.example\n; script-src *",
    "https://a.example'\"><script>alert(1)</script>",
    "https://me@a.example/",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "//a.example/x",
    f"https://{'a' * 64}.a.example/x",
    f"https://{'a.' * 150}example/x",
    "*",
    "",
)


@pytest.fixture
def browser(browser_of: Any) -> TestClient:
    made: TestClient = browser_of("ada", "OP")
    return made


@pytest.fixture
def graph() -> Iterator[Collector]:
    """A Graph API on a trusted host that answers what it likes; the connection ``odd`` leads there."""
    with collecting(Collector("http")) as made:
        made.answers = {
            "me": {"user_id": USER, "username": "odd_one"},
            "content_publishing_limit": {
                "data": [{"quota_usage": 0, "config": {"quota_total": 100, "quota_duration": 86400}}]
            },
            "media": {"data": []},
        }
        add("odd", f"http://127.0.0.1:{made.port}")
        yield made


def add(conn_id: str, host: str, **extra: str) -> None:
    from airflow.models import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add(
            Connection(
                conn_id=conn_id,
                conn_type="instagram",
                host=host,
                password="IGAAoddToken00000000000000000",
                extra=json.dumps(extra),
            )
        )


def policy_of(answer: Any) -> dict[str, list[str]]:
    """Read the policy as a browser does: of two directives of one name the first counts."""
    directives: dict[str, list[str]] = {}
    for directive in answer.headers["content-security-policy"].split(";"):
        name, *sources = directive.split()
        assert name not in directives, f"{name} stands twice"
        directives[name] = sources
    return directives


def line_of(page: str, conn_id: str) -> str:
    found = re.search(rf'<section class="card account" data-connection="{conn_id}">.*?</section>', page, re.DOTALL)
    assert found is not None, page
    return found[0]


@pytest.mark.parametrize("address", STRANGE_ADDRESSES)
def test_a_strange_picture_costs_a_picture_and_nothing_else(
    browser: TestClient, graph: Collector, address: str
) -> None:
    graph.answers["me"]["profile_picture_url"] = address
    answer = browser.get("/instagram/")
    assert answer.status_code == 200
    assert "@sandbox_studio" in answer.text
    assert "@odd_one" in line_of(answer.text, "odd")
    assert "<img" not in line_of(answer.text, "odd")
    policy = policy_of(answer)
    assert policy["script-src"] == ["'none'"]
    assert next(iter(policy)) == "script-src"
    assert policy["img-src"] == PICTURES


def test_the_address_of_a_picture_allows_no_origin(browser: TestClient, graph: Collector) -> None:
    graph.answers["me"]["profile_picture_url"] = "https://CDN.example:443/a;script-src/x.jpg?;"
    answer = browser.get("/instagram/")
    policy = policy_of(answer)
    assert policy["img-src"] == PICTURES
    assert list(policy) == [
        *("script-src", "default-src", "style-src", "img-src", "form-action", "base-uri", "frame-ancestors")
    ]


@pytest.mark.parametrize(
    "address", [*STRANGE_ADDRESSES, "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "http://a.example/p/1"]
)
def test_a_post_whose_address_a_browser_must_not_open_is_text(
    browser: TestClient, graph: Collector, address: str
) -> None:
    graph.answers["media"] = {"data": [{"id": "18", "permalink": address, "timestamp": "2026-11-01T10:00:00+0000"}]}
    line = line_of(browser.get("/instagram/").text, "odd")
    assert "01 Nov 2026" in line
    assert re.findall(r'href="([^"]*)"', line) == ["/instagram/connect?conn_id=odd"]
    graph.answers["media"]["data"][0].pop("timestamp")
    assert "none yet" not in line_of(browser.get("/instagram/").text, "odd")


def test_what_is_not_an_address_never_becomes_the_address_of_a_post(graph: Collector, shell: Any) -> None:
    """It is left out where it arrives, so it is in no XCom, event, ledger or list."""
    for address in STRANGE_ADDRESSES:
        graph.answers["media"] = {"data": [{"id": "18", "permalink": address}]}
        (line,) = [row for row in json.loads(shell("accounts", "--output", "json")) if row["connection"] == "odd"]
        assert (line["last_post"], line["problem"]) == ("", ""), address


@pytest.mark.parametrize("address", ["https://www.instagram.com/reel/abc/", "http://127.0.0.1:8077/reel/abc/"])
def test_a_post_on_the_web_and_on_this_machine_is_a_link(browser: TestClient, graph: Collector, address: str) -> None:
    graph.answers["media"] = {"data": [{"id": "18", "permalink": address}]}
    assert f'href="{address}"' in line_of(browser.get("/instagram/").text, "odd")


@pytest.mark.parametrize(
    "host",
    [
        "http://127.0.0.1:9;script-src *",
        "http://127.0.0.1:9; script-src 'unsafe-inline'",
        "https://x☃;script-src *",
        "http://127.0.0.1:9\nscript-src",
        "https://[x",
    ],
)
def test_an_oauth_host_adds_nothing_to_the_policy(browser: TestClient, host: str) -> None:
    add("odd", "", oauth_host=host)
    answer = browser.get("/instagram/connect?conn_id=odd")
    assert answer.status_code == 400
    assert policy_of(answer)["script-src"] == ["'none'"]
    assert "127.0.0.1:9" not in answer.headers["content-security-policy"]


def test_a_form_may_lead_to_the_hosts_that_are_trusted(browser: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__HOSTS", "proxy.example, http://sandbox:8077")
    sources = policy_of(browser.get("/instagram/connect"))["form-action"]
    assert {"https://proxy.example:*", "https://sandbox:8077", "http://sandbox:8077"} < set(sources)


@pytest.mark.parametrize(
    ("path", "answer", "line"),
    [
        pytest.param("me", b"[" * 100_000, "not from Instagram", id="a nest without end"),
        pytest.param(
            "content_publishing_limit",
            {"data": [{"quota_usage": 0, "config": LONGEST}]},
            "config.quota_duration: Input should be a valid timedelta",
            id="a time without end",
        ),
    ],
)
def test_an_account_that_breaks_in_whatever_way_costs_its_line(
    browser: TestClient, graph: Collector, shell: Any, path: str, answer: Any, line: str
) -> None:
    graph.answers[path] = answer
    shown = browser.get("/instagram/")
    assert shown.status_code == 200
    assert line in line_of(shown.text, "odd")
    assert "@sandbox_studio" in shown.text
    assert "sandbox_studio" in shell("accounts", "--output", "json")


def test_half_a_surrogate_pair_costs_its_line(browser: TestClient, graph: Collector, shell: Any) -> None:
    """JSON can spell it, and no page and no terminal can show it: in a name, and in an error."""
    graph.answers["me"]["username"] = "odd\ud800"
    shown = browser.get("/instagram/")
    assert shown.status_code == 200
    assert "@odd?" in line_of(shown.text, "odd")
    graph.answers["me"] = {"error": {"message": "wrong \ud800", "code": 100}}
    shown = browser.get("/instagram/")
    assert shown.status_code == 200
    assert "wrong ?" in line_of(shown.text, "odd")
    assert "sandbox_studio" in shell("accounts", "--output", "json")


@pytest.mark.parametrize("address", [*STRANGE_ADDRESSES, "http://a.example/p/1"])
def test_the_button_of_a_task_opens_no_script(address: str) -> None:
    """The address may come from the ledger, where a person may have written it."""
    from airflow_provider_instagram.operators import PublishOperator
    from airflow_provider_instagram.operators.base import InstagramPostLink

    operator = PublishOperator(task_id="publish", container_id="1")
    operator.permalink = address
    assert InstagramPostLink().get_link(operator, ti_key=Any) == ""  # type: ignore[arg-type]
    operator.permalink = "https://www.instagram.com/reel/abc/"
    assert InstagramPostLink().get_link(operator, ti_key=Any) == operator.permalink  # type: ignore[arg-type]


@pytest.mark.parametrize("address", ["javascript:alert(1)", "https://x☃/", "reel/abc"])
def test_a_person_settles_no_post_with_what_is_not_an_address(shell: Any, address: str) -> None:
    said = shell("ledger", "settle", "key", "--live", "--permalink", address)
    assert "--permalink is not a URL" in said


def test_a_page_under_another_name_of_airflow_presses_no_button(
    browser: TestClient, instagram_sandbox: SandboxHandle
) -> None:
    """Its name was made to mean this server: its origin is the address that the request names, and not Airflow's."""
    form = {"conn_id": "brand", "app_id": "1", "app_secret": "s", "form_token": form_token(browser)}
    headers = {"Host": "rebound.example:8080", "Origin": "http://rebound.example:8080", "Sec-Fetch-Site": "same-origin"}
    assert browser.post("/instagram/connect", data=form, headers=headers).status_code == 403
    assert browser.post("/instagram/connect", data=form, headers=OURS).status_code == 303


@pytest.mark.parametrize("base_url", [f"{HOME}/", "HTTP://LocalHost:8080"])
def test_the_spelling_of_airflows_own_address_does_not_matter(
    browser: TestClient, monkeypatch: pytest.MonkeyPatch, base_url: str
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    form = {"conn_id": "brand", "form_token": form_token(browser)}
    assert browser.post("/instagram/refresh", data=form, headers=OURS).status_code == 404


def test_a_login_under_way_does_not_show_its_secret() -> None:
    app = LoginApp("99", "the-app-secret", "https://airflow.example.com/callback", "https://graph.instagram.com")
    login = PendingLogin("nonce", "ada", "brand", app)
    assert "the-app-secret" not in repr(login)
