"""Pages of every list: a client that follows the links ends, and sees each row once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox.tests.integration.conftest import Caller

if TYPE_CHECKING:
    from instagram_sandbox.testing.handle import SandboxHandle

OTHERS = ("17841400000000091", "17841400000000092")


def person(sandbox: SandboxHandle) -> Caller:
    """Return a person who manages three Pages."""
    for number, user_id in enumerate(OTHERS):
        sandbox.add_account(user_id, f"studio_{number}", managed_with=sandbox.user_id)
    return Caller(sandbox, sandbox.add_token(sandbox.user_id, kind="user"))


def rows_of(caller: Caller, path: str, **params: Any) -> list[str]:
    """Follow the links of a list to its end, and return the ids."""
    answer, found = caller.get(path, limit=1, **params).json(), []
    for _ in range(20):
        found += [row["id"] for row in answer["data"]]
        if "next" not in answer.get("paging", {}):
            return found
        answer = caller.http.get(answer["paging"]["next"]).json()
    raise AssertionError("the list does not end")


def test_each_list_ends_and_has_each_row_once(client: Caller) -> None:
    sandbox = client.sandbox
    posts = [sandbox.add_foreign_post(f"Post {number}", age_s=number) for number in range(3)]
    comments = [sandbox.add_comment(posts[0], f"Comment {number}").comment_id for number in range(3)]
    replies = [sandbox.add_comment(posts[0], "Reply", parent_id=comments[0]).comment_id for _ in "abc"]
    manager = person(sandbox)
    pages = ["101400000000001", "101400000000091", "101400000000092"]
    assert rows_of(client, "me/media") == posts
    assert sorted(rows_of(client, f"{posts[0]}/comments")) == sorted(comments)
    assert sorted(rows_of(client, f"{comments[0]}/replies")) == sorted(replies)
    assert rows_of(manager, "me/accounts") == pages
    assert rows_of(manager, "me/accounts", fields="name") == pages
    assert rows_of(manager, "me/businesses") == ["301400000000001"]
    assert rows_of(manager, "301400000000001/owned_pages") == pages
    assert len(rows_of(manager, "pages/search", q="a")) == len(set(rows_of(manager, "pages/search", q="a"))) == 4
    assert len(manager.get("me/accounts", limit=2).json()["data"]) == 2


def test_a_page_is_turned_back_and_a_list_inside_a_field_ends_as_well(client: Caller) -> None:
    manager = person(client.sandbox)
    answer = manager.get("me", fields="accounts.limit(2){id}").json()["accounts"]
    assert [row["id"] for row in answer["data"]] == ["101400000000001", "101400000000091"]
    last = manager.http.get(answer["paging"]["next"]).json()
    assert [row["id"] for row in last["data"]] == ["101400000000092"]
    assert "next" not in last["paging"]
    back = manager.http.get(last["paging"]["previous"]).json()
    assert [row["id"] for row in back["data"]] == ["101400000000001", "101400000000091"]


def test_a_cursor_is_no_id_and_ends(client: Caller) -> None:
    """Meta: do not store cursors. How long one lives is a switch."""
    ids = [client.sandbox.add_foreign_post(name) for name in ("older", "newer")]
    paging = client.get("me/media", limit=1).json()["paging"]
    assert paging["cursors"]["after"] not in ids
    assert client.get("me/media", after=ids[0]).json()["error"]["code"] == 100
    client.sandbox.advance(86_000)
    assert client.http.get(paging["next"]).status_code == 200
    client.sandbox.advance(400)
    assert client.http.get(paging["next"]).json()["error"]["message"] == "(#100) Invalid cursor: after"
    client.sandbox.switch(cursor_life_s=0)
    again = client.get("me/media", limit=1).json()["paging"]["next"]
    assert client.http.get(again).json()["error"]["code"] == 100


@pytest.mark.parametrize("wrong", [{"limit": "0"}, {"limit": "x"}, {"after": "zzz"}, {"before": "é"}])
def test_a_page_that_cannot_be_is_refused_of_every_list(client: Caller, wrong: dict[str, str]) -> None:
    manager = person(client.sandbox)
    for caller, path in ((client, "me/media"), (manager, "me/accounts"), (manager, "me/businesses")):
        assert caller.get(path, **wrong).json()["error"]["code"] == 100, path
