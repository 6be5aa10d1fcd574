"""The login page, the code, and the tokens that come of it. Source: Meta, Instagram API with Instagram Login."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instagram_sandbox.testing.handle import SandboxHandle

DAY_S = 86_400
BACK = "http://127.0.0.1:9/connected"
SCOPE = "instagram_business_basic,instagram_business_content_publish"


class Login:
    """An app that logs people in."""

    def __init__(self, sandbox: SandboxHandle) -> None:
        self.sandbox = sandbox
        self.http = httpx.Client(base_url=sandbox.url, trust_env=False)
        self.asked = {
            "client_id": sandbox.app_id,
            "redirect_uri": BACK,
            "response_type": "code",
            "scope": SCOPE,
            "state": "abc",
        }

    def decide(self, decision: str = "allow", **boxes: str) -> dict[str, str]:
        """Press a button of the page; return what comes back to the app."""
        choice = {"account": self.sandbox.user_id, "decision": decision, **boxes}
        answer = self.http.post("/oauth/authorize", data=self.asked | choice)
        assert answer.status_code == 303
        parts = urlsplit(answer.headers["location"])
        assert (parts.fragment, answer.headers["location"].startswith(BACK + "?")) == ("_", True)
        return {name: values[0] for name, values in parse_qs(parts.query).items()}

    def exchange(self, code: str, **changes: str) -> httpx.Response:
        form = {
            "client_id": self.sandbox.app_id,
            "client_secret": self.sandbox.app_secret,
            "grant_type": "authorization_code",
            "redirect_uri": BACK,
            "code": code,
        }
        return self.http.post("/oauth/access_token", data=form | changes)

    def lengthen(self, short: str, **changes: str) -> httpx.Response:
        query = {"grant_type": "ig_exchange_token", "client_secret": self.sandbox.app_secret, "access_token": short}
        return self.http.get("/access_token", params=query | changes)

    def refresh(self, token: str) -> httpx.Response:
        query = {"grant_type": "ig_refresh_token", "access_token": token}
        return self.http.get("/refresh_access_token", params=query)

    def works(self, token: str) -> bool:
        return self.http.get("/v27.0/me", headers={"Authorization": f"Bearer {token}"}).status_code == 200


@pytest.fixture
def login(instagram_sandbox: SandboxHandle) -> Iterator[Login]:
    made = Login(instagram_sandbox)
    yield made
    made.http.close()


def test_a_permission_can_be_switched_off_on_the_page(login: Login) -> None:
    code = login.decide(chosen="1", grant_instagram_business_basic="1")["code"]
    assert login.exchange(code).json()["permissions"] == ["instagram_business_basic"]


def test_an_account_has_a_picture(login: Login, instagram_sandbox: SandboxHandle) -> None:
    bearer = {"Authorization": f"Bearer {instagram_sandbox.token}"}
    row = login.http.get("/v27.0/me", params={"fields": "profile_picture_url"}, headers=bearer).json()
    picture = login.http.get(row["profile_picture_url"])
    assert picture.headers["content-type"] == "image/svg+xml"
    assert login.http.get("/u/nobody/picture.svg").status_code == 404


def test_a_login_ends_in_a_token_that_lives_for_60_days(login: Login, instagram_sandbox: SandboxHandle) -> None:
    back = login.decide()
    assert back["state"] == "abc"
    short = login.exchange(back["code"]).json()
    assert short["user_id"] == int(instagram_sandbox.user_id)
    assert short["permissions"] == SCOPE.split(",")
    long = login.lengthen(short["access_token"]).json()
    assert set(long) == {"access_token", "token_type", "expires_in"}
    assert (long["token_type"], long["expires_in"] // DAY_S) == ("bearer", 59)
    instagram_sandbox.advance(3600)
    assert not login.works(short["access_token"])
    instagram_sandbox.advance(59 * DAY_S)
    assert login.works(long["access_token"])
    instagram_sandbox.advance(DAY_S)
    assert not login.works(long["access_token"])


def test_the_long_lived_exchange_takes_the_apps_id(login: Login) -> None:
    """Meta lists no client_id there, and clients report that it is asked for."""
    short = login.exchange(login.decide()["code"]).json()["access_token"]
    assert login.lengthen(short, client_id="17").json()["error"]["code"] == 101
    assert login.lengthen(short).status_code == 200
    assert login.lengthen(short, client_id=login.sandbox.app_id).status_code == 200


def test_a_person_may_refuse(login: Login) -> None:
    assert login.decide("cancel") == {
        "error": "access_denied",
        "error_reason": "user_denied",
        "error_description": "The user denied your request.",
        "state": "abc",
    }


def test_a_code_works_once(login: Login) -> None:
    code = login.decide()["code"]
    assert login.exchange(code).status_code == 200
    answer = login.exchange(code)
    assert (answer.status_code, answer.json()) == (
        400,
        {"error_type": "OAuthException", "code": 400, "error_message": "This authorization code has been used"},
    )


def test_a_code_works_for_an_hour(login: Login, instagram_sandbox: SandboxHandle) -> None:
    code = login.decide()["code"]
    instagram_sandbox.advance(3600)
    assert "expired" in login.exchange(code).json()["error_message"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client_id", "1"),
        ("client_secret", "guess"),
        ("grant_type", "ig_exchange_token"),
        ("redirect_uri", BACK + "/"),
        ("code", "guess"),
    ],
)
def test_a_code_is_exchanged_only_with_everything_right(name: str, value: str, login: Login) -> None:
    """The redirect_uri must be identical, not merely alike; and a failed try does not use the code up."""
    code = login.decide()["code"]
    answer = login.exchange(code, **{name: value}) if name != "code" else login.exchange(value)
    assert (answer.status_code, set(answer.json())) == (400, {"error_type", "code", "error_message"})
    assert login.exchange(code).status_code == 200


@pytest.mark.parametrize(
    ("sent", "message"),
    [({"client_id": "17"}, "Invalid platform app"), ({"client_secret": "guess"}, "Error validating client secret.")],
)
def test_a_wrong_app_is_refused_in_metas_words(sent: dict[str, str], message: str, login: Login) -> None:
    answer = login.exchange(login.decide()["code"], **sent)
    assert answer.json() == {"error_type": "OAuthException", "code": 400, "error_message": message}


def test_the_documented_shape_wraps_the_answer(login: Login, instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.switch(login_answer="data")
    [row] = login.exchange(login.decide()["code"]).json()["data"]
    assert (row["user_id"], row["permissions"]) == (instagram_sandbox.user_id, SCOPE)


def test_only_a_short_lived_token_is_lengthened(login: Login, instagram_sandbox: SandboxHandle) -> None:
    short = login.exchange(login.decide()["code"]).json()["access_token"]
    refused = login.lengthen(short, client_secret="guess").json()["error"]
    assert (refused["code"], refused["message"]) == (100, "Error validating client secret.")
    assert login.lengthen(short, grant_type="ig_refresh_token").status_code == 400
    assert login.lengthen(instagram_sandbox.token).json()["error"]["code"] == 452
    assert login.lengthen("IGAAguess").json()["error"]["code"] == 190


def test_a_token_is_refreshed_between_its_first_day_and_its_last(
    login: Login, instagram_sandbox: SandboxHandle
) -> None:
    token = instagram_sandbox.add_token(instagram_sandbox.user_id, age_s=DAY_S - 60)
    assert login.refresh(token).json()["error"]["code"] == 10
    instagram_sandbox.advance(60)
    fresh = login.refresh(token).json()
    assert fresh["expires_in"] // DAY_S == 59
    dead = instagram_sandbox.add_token(instagram_sandbox.user_id, age_s=60 * DAY_S)
    error = login.refresh(dead).json()["error"]
    assert (error["code"], error["error_subcode"]) == (190, 0)


@pytest.mark.parametrize(
    ("changes", "revokes", "same", "old_works"),
    [(True, True, False, False), (True, False, False, True), (False, True, True, True)],
)
def test_what_a_refresh_does_to_the_old_token_is_a_switch(
    changes: bool, revokes: bool, same: bool, old_works: bool, login: Login, instagram_sandbox: SandboxHandle
) -> None:
    """Undocumented: by default the string changes and the old one is dead at once."""
    instagram_sandbox.switch(refresh_changes_token=changes, refresh_revokes_old=revokes)
    old = instagram_sandbox.add_token(instagram_sandbox.user_id, age_s=2 * DAY_S)
    new = login.refresh(old).json()["access_token"]
    assert ((new == old), login.works(old), login.works(new)) == (same, old_works, True)


def test_a_short_lived_token_cannot_be_refreshed(login: Login, instagram_sandbox: SandboxHandle) -> None:
    token = instagram_sandbox.add_token(instagram_sandbox.user_id, long_lived=False)
    assert login.refresh(token).json()["error"]["code"] == 10


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client_id", "1"),
        ("redirect_uri", "javascript:alert(1)"),
        ("response_type", "token"),
        ("scope", "instagram_business_content_publish"),
        ("scope", "instagram_business_basic,everything"),
    ],
)
def test_the_page_refuses_what_meta_would_refuse(name: str, value: str, login: Login) -> None:
    """Neither the page nor its buttons send anybody to an address that the app did not ask for properly."""
    asked: dict[str, Any] = login.asked | {name: value}
    assert login.http.get("/oauth/authorize", params=asked).status_code == 400
    assert login.http.post("/oauth/authorize", data=asked | {"decision": "allow"}).status_code == 400


def test_the_page_refuses_to_be_framed(login: Login) -> None:
    headers = login.http.get("/oauth/authorize", params=login.asked).headers
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize(("button", "comes_back"), [("Allow", "code="), ("Cancel", "error=access_denied")])
def test_a_person_clicks_through_the_page(button: str, comes_back: str, login: Login) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        arrived: list[str] = []
        page.route(f"{BACK}*", lambda route: route.fulfill(body="back"))
        page.on("request", lambda request: arrived.append(request.url))
        page.goto(str(httpx.URL(login.sandbox.url + "/oauth/authorize", params=login.asked)))
        page.get_by_role("button", name=button).click()
        page.wait_for_url(f"{BACK}*")
        browser.close()
    assert comes_back in arrived[-1]
    assert "state=abc" in arrived[-1]


def test_a_foreign_page_cannot_press_allow_in_a_persons_browser(login: Login) -> None:
    """It sends the form by itself, with and without saying where it comes from."""
    fields = login.asked | {"decision": "allow", "account": login.sandbox.user_id}
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
    form = f'<form method="post" action="{login.sandbox.url}/oauth/authorize">{inputs}</form>'
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for policy in ("unsafe-url", "no-referrer"):
            page = browser.new_page()
            page.route("http://evil.example/", lambda route: route.fulfill(content_type="text/html", body=form))
            page.goto("http://evil.example/")
            page.evaluate(f"document.head.innerHTML = '<meta name=referrer content={policy}>'")
            with page.expect_response("**/oauth/authorize") as answered:
                page.evaluate("document.forms[0].submit()")
            assert answered.value.status == 403, policy
        browser.close()
    assert all(entry.operation != "decide" for entry in login.sandbox.journal())
