"""The sandbox as graph.facebook.com. Source: Meta, Instagram API with Facebook Login; Page; Securing API calls."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.tests.integration.conftest import Caller

if TYPE_CHECKING:
    from instagram_sandbox.testing.handle import SandboxHandle

LINKED = "instagram_business_account{id,username}"


@pytest.fixture
def page(instagram_sandbox: SandboxHandle) -> Caller:
    """A caller with the token of a Page, on Facebook's host."""
    instagram_sandbox.switch(login="facebook")
    return Caller(instagram_sandbox, instagram_sandbox.add_token(instagram_sandbox.user_id, kind="page"))


def error(answer: Any) -> tuple[int, str]:
    said = answer.json()["error"]
    return said["code"], said["message"]


def test_a_token_of_the_other_login_cannot_be_parsed(page: Caller, instagram_sandbox: SandboxHandle) -> None:
    ours = Caller(instagram_sandbox)
    assert page.token.startswith("EAA")
    assert error(ours.get("me")) == (190, "Invalid OAuth access token - Cannot parse access token")
    assert page.get("me").status_code == 200
    instagram_sandbox.switch(login="instagram")
    assert error(page.get("me")) == (190, "Invalid OAuth access token - Cannot parse access token")
    assert ours.get("me").status_code == 200


def test_the_journal_says_which_switch_refused_a_token(page: Caller, instagram_sandbox: SandboxHandle) -> None:
    refused = "Facebook Login was refused because the switch login is instagram. Remedy: set the switch to any."
    page.get("me")
    page.http.get("/v27.0/me", headers={"Host": "graph.instagram.com"})
    assert instagram_sandbox.warnings == []
    instagram_sandbox.switch(login="instagram")
    page.get("me")
    page.http.post("/ig-api-upload/v27.0/1", headers={"Authorization": f"OAuth {page.token}"})
    assert [refused in warning for warning in instagram_sandbox.warnings] == [True, True]


def test_the_token_of_a_page_shows_its_account(page: Caller, instagram_sandbox: SandboxHandle) -> None:
    shown = page.get("me", fields=LINKED).json()
    assert shown["instagram_business_account"] == {"id": instagram_sandbox.user_id, "username": "sandbox_studio"}
    assert shown["id"] != instagram_sandbox.user_id, "the id is the Page's"
    person = Caller(instagram_sandbox, instagram_sandbox.add_token(instagram_sandbox.user_id, kind="user"))
    code, message = error(person.get("me", fields=LINKED))
    assert (code, "node type (User)" in message) == (100, True)


@pytest.mark.parametrize(("kind", "node"), [("page", "Page"), ("user", "User"), ("system", "SystemUser")])
@pytest.mark.parametrize(
    "call",
    ["POST media", "POST media_publish", "GET media", "GET stories", "GET insights", "GET content_publishing_limit"],
)
def test_me_is_no_account_of_instagram(page: Caller, kind: str, node: str, call: str) -> None:
    """Source: Meta, node types: ``/me`` is a person, a Page or a system user, none of which has these edges."""
    caller = Caller(page.sandbox, page.sandbox.add_token(page.user_id, kind=kind))
    method, edge = call.split()
    data = {"image_url": "https://media.example/a.jpg"} if method == "POST" else None
    code, message = error(caller.http.request(method, f"/v27.0/me/{edge}", data=data))
    assert code == 100
    assert (f"nonexisting field ({edge}) on node type ({node})" if method == "GET" else "Unsupported post") in message


def test_the_token_of_a_page_does_not_end(page: Caller, instagram_sandbox: SandboxHandle) -> None:
    person = Caller(instagram_sandbox, instagram_sandbox.add_token(instagram_sandbox.user_id, kind="user"))
    instagram_sandbox.advance(61 * 86_400)
    assert page.get("me").status_code == 200
    assert error(person.get("me"))[0] == 190
    query = {"grant_type": "ig_refresh_token", "access_token": page.token}
    assert page.http.get("/refresh_access_token", params=query).status_code == 400
    instagram_sandbox.revoke(page.token)
    assert error(page.get("me"))[0] == 190


def test_an_app_can_ask_for_the_proof_of_its_secret(page: Caller, instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.switch(require_appsecret_proof=True)
    assert error(page.get("me")) == (100, "API calls from the server require an appsecret_proof argument")
    proof = hmac.new(instagram_sandbox.app_secret.encode(), page.token.encode(), hashlib.sha256).hexdigest()
    assert page.get("me", appsecret_proof=proof).status_code == 200
    assert error(page.get("me", appsecret_proof=proof[::-1]))[0] == 100


@pytest.mark.parametrize("new", [{"kind": "page", "token": "IGAAx1"}, {"token": "EAAx1"}, {"kind": "none"}])
def test_a_token_is_of_one_login(instagram_sandbox: SandboxHandle, new: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="refused"):
        instagram_sandbox.add_token(instagram_sandbox.user_id, **new)
