"""What each login can do: the table of the documentation, polls, and Unified Login."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from docs.tables import endpoints
from sandbox.tests.integration.conftest import Caller

if TYPE_CHECKING:
    from instagram_sandbox.testing.handle import SandboxHandle
    from sandbox.tests.integration.conftest import WebServer

POLL = {"poll_attachment": '{"option_a": "Red", "option_b": "Blue"}'}


#: What a login cannot call, by Meta's reference, with the code that answers it.
OF_FACEBOOK = ("DELETE {media}", "GET {media}/collaborators", "GET {media}/poll_attachment", "GET pages/search")
OF_PERSONS = (
    *("GET me/accounts", "GET me/businesses", "GET me/permissions", "DELETE me/permissions"),
    *("DELETE me/permissions/email", "GET {business}/owned_pages", "GET {business}/client_pages"),
)
OF_PAGES = ("GET {page}",)
REFUSED = [
    *(("instagram", call, 100) for call in (*OF_FACEBOOK, *OF_PERSONS, *OF_PAGES)),
    ("instagram", "GET debug_token", 190),
    *(("system", call, 100) for call in (*OF_PERSONS, *OF_PAGES)),
    *(
        (kind, call, 190)
        for kind in ("page", "user", "system")
        for call in ("GET access_token", "GET refresh_access_token")
    ),
    *(("page", call, 100) for call in OF_PERSONS),
]
GRANTS = {"access_token": "ig_exchange_token", "refresh_access_token": "ig_refresh_token"}


@pytest.mark.parametrize(("kind", "call", "code"), REFUSED, ids=[f"{kind}: {call}" for kind, call, _ in REFUSED])
def test_a_call_of_another_login_is_refused(documented: SandboxHandle, kind: str, call: str, code: int) -> None:
    media_id = documented.add_foreign_post("Red")
    caller = Caller(documented, documented.add_token(documented.user_id, kind=kind))
    ids = {"media": media_id, "business": "30" + documented.user_id[-13:], "page": "10" + documented.user_id[-13:]}
    method, path = call.format(**ids).split()
    query = {"access_token": caller.token, "grant_type": GRANTS.get(path, ""), "client_secret": documented.app_secret}
    answer = caller.http.request(method, f"/v27.0/{path}", params=query | {"q": "vienna"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_the_table_says_what_is_refused() -> None:
    """The rows are those of the docs; the expected cells are those of the test above."""
    cells = {call: "" for _, call, _ in REFUSED}
    for method, path, *yes in re.findall(
        r"^\| `(\w+) /(\S+)` \| `\w+` \| (\w+) \| (\w+) \| (\w+) \|", endpoints(), re.MULTILINE
    ):
        call = f"{method} {path.replace('*', 'email')}"
        if call in cells:
            cells[call] = " ".join(yes)
        elif call != "GET me":  # each login has a /me of its own
            assert yes == ["yes"] * 3, call
    assert cells == {
        **dict.fromkeys((*OF_FACEBOOK, "GET debug_token"), "no yes yes"),
        **dict.fromkeys((*OF_PERSONS, *OF_PAGES), "no yes no"),
        **dict.fromkeys(("GET access_token", "GET refresh_access_token"), "yes no no"),
    }


def test_a_call_needs_its_permission(documented: SandboxHandle) -> None:
    media_id, scopes = documented.add_foreign_post("Red"), ["instagram_basic", "pages_show_list"]
    caller = Caller(documented, documented.add_token(documented.user_id, kind="user", scopes=scopes))
    for method, path, permission in (
        ("DELETE", media_id, "instagram_manage_contents"),
        ("GET", f"{media_id}/comments", "instagram_manage_comments"),
        ("GET", f"{caller.user_id}/insights", "instagram_manage_insights"),
        ("POST", f"{caller.user_id}/media_publish", "instagram_content_publish"),
        ("GET", "me/businesses", "business_management"),
    ):
        error = caller.http.request(method, f"/v27.0/{path}").json()["error"]
        assert (error["code"], error["message"]) == (200, f"(#200) Requires {permission} permission")


def test_a_poll_is_read_with_its_shares(facebook: Caller, picture: WebServer) -> None:
    made = facebook.create(media_type="IMAGE", image_url=picture.url, caption="Which one?", **POLL).json()["id"]
    media_id = facebook.publish(made).json()["id"]
    poll = facebook.get(f"{media_id}/poll_attachment").json()
    assert (poll["option_a"], poll["option_b"], "option_c" in poll) == ("Red", "Blue", False)
    assert poll["option_a_votes_percentage"] + poll["option_b_votes_percentage"] == pytest.approx(1, abs=0.02)
    plain = facebook.create(media_type="IMAGE", image_url=picture.url).json()["id"]
    assert facebook.get(f"{facebook.publish(plain).json()['id']}/poll_attachment").json() is None


@pytest.mark.parametrize(
    "wrong",
    [
        POLL,
        {**POLL, "caption": "Which?", "is_comment_prompt_used": "true"},
        {"poll_attachment": '{"option_a": "Red"}', "caption": "Which?"},
        {"poll_attachment": '{"option_a": "Red", "option_c": "Blue"}', "caption": "Which?"},
        {"poll_attachment": "Red", "caption": "Which?"},
    ],
    ids=["no caption", "with a prompt", "one option", "a gap", "no object"],
)
def test_a_poll_that_cannot_be_is_refused(facebook: Caller, picture: WebServer, wrong: dict[str, str]) -> None:
    answer = facebook.create(media_type="IMAGE", image_url=picture.url, **wrong)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 100)


def test_a_poll_with_instagram_login_is_ignored_with_a_warning(client: Caller, picture: WebServer) -> None:
    made = client.create(media_type="IMAGE", image_url=picture.url, caption="Which?", **POLL).json()["id"]
    assert "poll_attachment" in client.sandbox.warnings[0]
    assert client.get(f"{client.publish(made).json()['id']}/poll_attachment").json()["error"]["code"] == 100


def test_unified_login_names_the_account_by_its_id_and_has_no_page(
    documented: SandboxHandle, picture: WebServer
) -> None:
    unified = Caller(documented, documented.add_token(documented.user_id, kind="system"))
    assert unified.token.startswith("EAA")
    made = unified.create(media_type="IMAGE", image_url=picture.url).json()["id"]
    media_id = unified.publish(made).json()["id"]
    assert unified.get(documented.user_id, fields="username").json()["username"] == "sandbox_studio"
    assert set(unified.get("me").json()) == {"id", "name"}
    for path in ("me/media", "me/accounts"):
        assert unified.get(path).json()["error"]["code"] == 100
    assert unified.http.delete(f"/v27.0/{media_id}").json() == {"success": True}
