"""Facebook Login as a client meets it: dialog, code, tokens, Pages, permissions and places."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from sandbox.tests.integration.conftest import Caller

if TYPE_CHECKING:
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle
    from sandbox.tests.integration.conftest import WebServer

BACK = "https://app.example/back"
SCOPES = "instagram_basic,instagram_content_publish,pages_show_list,business_management"


@pytest.fixture
def http(documented: SandboxHandle) -> httpx.Client:
    return httpx.Client(base_url=documented.url, trust_env=False)


def log_in(http: httpx.Client, sandbox: SandboxHandle, path: str = "/v23.0/dialog/oauth", **more: str) -> str:
    """Click through the dialog and return the code."""
    asked = {"client_id": sandbox.app_id, "redirect_uri": BACK, "state": "s1", "scope": SCOPES} | more
    shown = http.get(path, params=asked)
    assert shown.status_code == 200, shown.text
    assert "instagram_content_publish" in shown.text
    back = http.post(path, data=asked | {"decision": "allow", "account": sandbox.user_id})
    url = httpx.URL(back.headers["location"])
    assert url.params["state"].removesuffix("#_") == "s1"
    return url.params["code"]


def exchange(http: httpx.Client, sandbox: SandboxHandle, **fields: str) -> Any:
    app = {"client_id": sandbox.app_id, "client_secret": sandbox.app_secret}
    return http.get("/v23.0/oauth/access_token", params=app | fields).json()


@pytest.mark.parametrize("path", ["/v23.0/dialog/oauth", "/dialog/oauth", "/oauth/authorize"])
def test_a_person_logs_in_and_a_page_posts(
    http: httpx.Client, documented: SandboxHandle, picture: WebServer, path: str
) -> None:
    """Every step of Meta's guide, from the dialog to a picture."""
    more = {"response_type": "code"} if path == "/oauth/authorize" else {}
    code = log_in(http, documented, path, **more)
    short = exchange(http, documented, code=code, redirect_uri=BACK)
    assert short["token_type"] == "bearer"
    assert short["access_token"].startswith("EAA")
    long = exchange(http, documented, grant_type="fb_exchange_token", fb_exchange_token=short["access_token"])
    assert long["expires_in"] > 59 * 86_400

    fields = "id,name,access_token,instagram_business_account{id,username},picture.type(large)"
    pages = http.get("/v23.0/me/accounts", params={"access_token": long["access_token"], "fields": fields}).json()
    (page,) = pages["data"]
    assert page["instagram_business_account"] == {"id": documented.user_id, "username": "sandbox_studio"}
    assert page["picture"]["data"]["url"].startswith(documented.url)

    asked = {"access_token": page["access_token"], "fields": "instagram_business_account"}
    read = http.get(f"/v23.0/{page['id']}", params=asked).json()
    assert read == {"instagram_business_account": {"id": documented.user_id}, "id": page["id"]}
    client = Caller(documented, page["access_token"])
    container_id = client.create(media_type="IMAGE", image_url=picture.url, caption="By a Page").json()["id"]
    client.publish(container_id)
    assert [post.caption for post in documented.posts] == ["By a Page"]


def test_the_exchange_works_without_a_version_too(http: httpx.Client, documented: SandboxHandle) -> None:
    """Both logins have this path, on two hosts; here the code tells which of them is meant."""
    fields = {
        "client_id": documented.app_id,
        "client_secret": documented.app_secret,
        "grant_type": "authorization_code",
        "redirect_uri": BACK,
        "code": log_in(http, documented),
    }
    assert http.post("/oauth/access_token", data=fields).json()["access_token"].startswith("EAA")


@pytest.mark.parametrize(
    ("sent", "code", "message"),
    [
        ({"client_secret": "guess"}, 1, "Error validating client secret."),
        ({"client_id": ""}, 101, "Missing client_id parameter."),
        (
            {"client_id": "1"},
            101,
            "Error validating application. Cannot get application info due to a system error.",
        ),
    ],
)
def test_a_wrong_app_is_refused_in_metas_words(
    http: httpx.Client, documented: SandboxHandle, sent: dict[str, str], code: int, message: str
) -> None:
    """Code 1, which is otherwise a server's fault, with HTTP 400."""
    app = {"client_id": documented.app_id, "client_secret": documented.app_secret, "code": "AQ", "redirect_uri": BACK}
    answer = http.get("/v23.0/oauth/access_token", params=app | sent)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"], error["message"]) == (
        400,
        "OAuthException",
        code,
        message,
    )


@pytest.mark.parametrize(
    "wrong",
    [{"code": "AQnone"}, {"redirect_uri": "https://other.example"}, {"client_secret": "x"}, {"client_id": "1"}],
    ids=["code", "redirect_uri", "client_secret", "client_id"],
)
def test_an_exchange_with_anything_wrong_is_refused_in_graphs_envelope(
    http: httpx.Client, documented: SandboxHandle, wrong: dict[str, str]
) -> None:
    right = {"code": log_in(http, documented), "redirect_uri": BACK}
    assert "message" in exchange(http, documented, **(right | wrong))["error"]
    assert "access_token" in exchange(http, documented, **right)
    assert exchange(http, documented, **right)["error"]["error_subcode"] == 36009


def test_a_person_without_the_list_of_pages_sees_none(documented: SandboxHandle) -> None:
    """The first trap of this login: an empty list, and no error."""
    token = documented.add_token(documented.user_id, kind="user", scopes=["instagram_basic"])
    assert Caller(documented, token).get("me/accounts").json() == {"data": []}


def test_pages_are_listed_with_the_same_token_each_time(documented: SandboxHandle) -> None:
    person = Caller(documented, documented.add_token(documented.user_id, kind="user"))
    first, second = (person.get("me/accounts").json()["data"][0]["access_token"] for _ in range(2))
    assert first == second


def test_the_token_of_a_page_ends_with_the_short_lived_token_that_read_it(documented: SandboxHandle) -> None:
    short = documented.add_token(documented.user_id, kind="user", long_lived=False)
    long = documented.add_token(documented.user_id, kind="user")
    soon, never = (
        Caller(documented, each).get("me/accounts").json()["data"][0]["access_token"] for each in (short, long)
    )
    assert Caller(documented, soon).get("me").status_code == 200
    documented.advance(2 * 3600)
    assert Caller(documented, soon).get("me").json()["error"]["code"] == 190
    documented.advance(61 * 86_400)
    assert Caller(documented, never).get("me").status_code == 200


def test_a_person_manages_several_pages_and_a_personal_account_has_none(documented: SandboxHandle) -> None:
    """A Page names professional accounts only."""
    documented.add_account("17841400000000077", "second", managed_with=documented.user_id)
    documented.add_account("17841400000000078", "private", managed_with=documented.user_id, account_type="PERSONAL")
    person = Caller(documented, documented.add_token(documented.user_id, kind="user"))
    pages = person.get("me/accounts", fields="access_token,instagram_business_account{username}").json()["data"]
    accounts = [page.get("instagram_business_account", {}).get("username") for page in pages]
    assert accounts == ["sandbox_studio", "second", None]
    me = Caller(documented, pages[1]["access_token"]).get("me", fields="instagram_business_account{username}").json()
    assert me["instagram_business_account"]["username"] == "second"


def test_a_persons_token_acts_for_each_account_whose_page_the_person_manages(
    documented: SandboxHandle, picture: WebServer
) -> None:
    """As Airbyte's connector reads: it lists the Pages, and asks for each account with the one token that it has."""
    second, stranger = "17841400000000077", "17841400000000079"
    documented.add_account(second, "second", managed_with=documented.user_id)
    documented.add_account(stranger, "stranger")
    posts = {owner: documented.add_foreign_post("Older", user_id=owner) for owner in (second, stranger)}
    asked = documented.add_comment(posts[second], "Where is it?").comment_id
    person = Caller(documented, documented.add_token(documented.user_id, kind="user"))
    first = Caller(documented, documented.add_token(documented.user_id, kind="page"))
    sent = {"image_url": picture.url, "caption": "Newer"}
    made = person.http.post(f"/v27.0/{second}/media", data=sent).json()["id"]
    published = person.http.post(f"/v27.0/{second}/media_publish", data={"creation_id": made}).json()["id"]
    assert [row["id"] for row in person.get(f"{second}/media").json()["data"]] == [published, posts[second]]
    assert person.get(f"{documented.user_id}/media").json()["data"] == []
    answer = person.http.post(f"/v27.0/{asked}/replies", data={"message": "In Vienna"}).json()["id"]
    assert person.get(answer, fields="username").json()["username"] == "second"
    pages = person.get("me/accounts", fields="instagram_business_account{media.limit(1)}").json()["data"]
    more = pages[1]["instagram_business_account"]["media"]["paging"]["next"]
    assert [row["id"] for row in person.http.get(more).json()["data"]] == [posts[second]]
    for caller, node in ((first, second), (first, published), (person, stranger), (person, posts[stranger])):
        assert caller.get(node).json()["error"]["error_subcode"] == 33


def test_a_call_counts_for_the_account_that_it_is_about(documented: SandboxHandle) -> None:
    second = "17841400000000077"
    documented.add_account(second, "second", managed_with=documented.user_id)
    person = Caller(documented, documented.add_token(documented.user_id, kind="user"))
    documented.switch(calls_per_24_h=2)
    answers = [person.get(node) for node in (second, second, second, documented.user_id, "1")]
    used = [json.loads(answer.headers["X-Business-Use-Case-Usage"]) for answer in answers]
    percents = [(account, row["call_count"]) for each in used for account, (row,) in each.items()]
    own = documented.user_id
    assert percents == [(second, 50), (second, 100), (second, 150), (own, 50), (own, 100)]
    assert [answer.json().get("error", {}).get("code") for answer in answers] == [None, None, 80002, None, 100]
    assert [entry.account for entry in documented.journal()] == [second, second, second, own, own]


def test_a_persons_token_uploads_for_another_account_of_the_person(documented: SandboxHandle, clip: Path) -> None:
    second = "17841400000000077"
    documented.add_account(second, "second", managed_with=documented.user_id)
    tokens = [documented.add_token(documented.user_id, kind=kind) for kind in ("page", "user")]
    sent = {"media_type": "REELS", "upload_type": "resumable"}
    made = Caller(documented, tokens[1]).http.post(f"/v27.0/{second}/media", data=sent).json()
    video = clip.read_bytes()
    sizes = {"offset": "0", "file_size": str(len(video))}
    answers = [
        httpx.post(made["uri"], content=video, headers=sizes | {"Authorization": f"OAuth {token}"}, trust_env=False)
        for token in tokens
    ]
    assert [answer.is_success for answer in answers] == [False, True]
    assert [entry.account for entry in documented.journal("upload")] == [documented.user_id, second]


def test_who_takes_all_permissions_back_ends_the_tokens_of_each_page(documented: SandboxHandle) -> None:
    documented.add_account("17841400000000077", "second", managed_with=documented.user_id)
    person = Caller(documented, documented.add_token(documented.user_id, kind="user"))
    pages = person.get("me/accounts", fields="access_token").json()["data"]
    assert person.http.delete("/v27.0/me/permissions").json() == {"success": True}
    for page in pages:
        assert Caller(documented, page["access_token"]).get("me").json()["error"]["error_subcode"] == 458


def test_a_page_of_a_portfolio_is_listed_by_the_portfolio_and_named_by_the_token(documented: SandboxHandle) -> None:
    """Meta's list of a person's Pages lacks those that the person reaches through a business portfolio only."""
    client = "17841400000000077"
    documented.add_account(client, "client", managed_with=documented.user_id, portfolio="client")
    documented.change_account(documented.user_id, portfolio="owned")
    token = documented.add_token(documented.user_id, kind="user")
    person = Caller(documented, token)
    assert person.get("me/accounts").json() == {"data": []}
    (portfolio,) = person.get("me/businesses").json()["data"]
    listed = {
        edge: [
            page["instagram_business_account"]["id"]
            for page in person.get(f"{portfolio['id']}/{edge}", fields="instagram_business_account").json()["data"]
        ]
        for edge in ("owned_pages", "client_pages")
    }
    assert listed == {"owned_pages": [documented.user_id], "client_pages": [client]}
    known = person.get("debug_token", input_token=token).json()["data"]["granular_scopes"]
    (named,) = [each["target_ids"] for each in known if each["scope"] == "pages_show_list"]
    pages = [person.get(each, fields="instagram_business_account").json() for each in named]
    assert [page["instagram_business_account"]["id"] for page in pages] == [documented.user_id, client]
    without = documented.add_token(documented.user_id, kind="user", scopes=["pages_show_list"])
    assert Caller(documented, without).get("me/businesses").json()["error"]["code"] == 200


def test_permissions_and_tokens_can_be_looked_at(http: httpx.Client, documented: SandboxHandle) -> None:
    token = documented.add_token(documented.user_id, kind="user", scopes=["instagram_basic", "email"])
    person = Caller(documented, token)
    granted = person.get("me/permissions").json()["data"]
    assert granted == [{"permission": name, "status": "granted"} for name in ("instagram_basic", "email")]
    app = exchange(http, documented, grant_type="client_credentials")["access_token"]
    asked = {"input_token": token, "access_token": app}
    seen = http.get("/v23.0/debug_token", params=asked).json()["data"]
    assert (seen["is_valid"], seen["scopes"]) == (True, ["instagram_basic", "email"])
    assert seen["data_access_expires_at"] == pytest.approx(documented.now() + 90 * 86_400, abs=60)
    system = documented.add_token(documented.user_id, kind="system", ends=False)
    known = http.get("/v23.0/debug_token", params=asked | {"input_token": system}).json()["data"]
    assert (known["expires_at"], known["data_access_expires_at"]) == (0, 0)
    documented.revoke(token)
    assert http.get("/v23.0/debug_token", params=asked).json()["data"]["is_valid"] is False
    assert http.get("/debug_token", params={"input_token": token, "access_token": "x"}).json()["error"]["code"] == 190


def test_a_token_of_facebook_login_gets_no_data_after_90_days_if_the_switch_says_so(documented: SandboxHandle) -> None:
    """It is valid all the same, as Meta says of it."""
    documented.switch(data_access_ends=True)
    tokens = {kind: documented.add_token(documented.user_id, kind=kind, ends=False) for kind in ("page", "system")}
    documented.advance(90 * 86_400 - 60)
    assert Caller(documented, tokens["page"]).get("me").status_code == 200
    documented.advance(120)
    assert Caller(documented, tokens["page"]).get("me").json()["error"]["code"] == 10
    assert Caller(documented, tokens["system"]).get("me").status_code == 200
    app = f"{documented.app_id}|{documented.app_secret}"
    asked = {"input_token": tokens["page"], "access_token": app}
    told = httpx.get(f"{documented.url}/debug_token", params=asked, trust_env=False).json()["data"]
    assert told["is_valid"]
    assert told["data_access_expires_at"] < documented.now()


def test_places_are_searched(facebook: Caller) -> None:
    found = facebook.get("pages/search", q="vienna", fields="id,name,location,link").json()["data"]
    assert [place["location"]["city"] for place in found] == ["Vienna"]
    assert facebook.create(upload_type="resumable", location_id=found[0]["id"]).status_code == 200
    assert facebook.get("pages/search", q="nowhere at all").json() == {"data": []}


def test_a_token_of_instagram_login_lists_no_pages(client: Caller) -> None:
    assert client.get("me/accounts").json()["error"]["code"] == 100
