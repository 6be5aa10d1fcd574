"""The words that a recording keeps: every field that the sandbox serves is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from starlette.requests import Request

from instagram_sandbox.http import facebook, rows
from instagram_sandbox.http.fields import MODIFIERS, Field, Node
from instagram_sandbox.http.pipeline import Call
from instagram_sandbox.recorder.words import WORDS
from instagram_sandbox.simulator import comments
from instagram_sandbox.simulator.clock import Clock
from instagram_sandbox.simulator.journal import Entry
from instagram_sandbox.simulator.sandbox import Sandbox, Settings
from instagram_sandbox.simulator.state import Child, Container

if TYPE_CHECKING:
    from pathlib import Path

    from instagram_sandbox.simulator.state import TokenKind


def call_of(sandbox: Sandbox, kind: TokenKind) -> Call:
    """Return a call by a token of a kind."""
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "server": ("127.0.0.1", 80)}
    token = sandbox.world.add_token(sandbox.settings.user_id, kind=kind)
    headers = [(b"authorization", f"Bearer {token.token}".encode())]
    request = Request(scope | {"headers": headers, "scheme": "http", "root_path": ""})
    entry = Entry(number=1, time="", at=0, real_time=0, operation="media", method="GET", path="/")
    call = Call(sandbox, request, {}, entry)
    call.token = token
    return call


def nodes(sandbox: Sandbox, kind: TokenKind) -> list[Node]:
    """Return an object of each type that a token of a kind reads."""
    call, world = call_of(sandbox, kind), sandbox.world
    account = world.accounts[sandbox.settings.user_id]
    post = world.add_foreign_post(account.user_id, "A kite")
    comment = comments.add_foreign(world, post, "Nice", "a_follower")
    comments.add_foreign(world, post, "Very nice", "a_follower", comment)
    container = Container(id="1", user_id=account.user_id, created_at=0, media_type="REELS", file_size=1)
    child = Child(
        id="2",
        media_type="IMAGE",
        shortcode="C",
        post_id=post.id,
        user_id=post.user_id,
        container_id="1",
        published_at=0,
    )
    found = [rows.account_node(call, account), rows.post_node(call, post), rows.comment_node(call, comment)]
    found += [rows.child_node(call, child), rows.container_node(call, container)]
    if kind != "instagram":
        found += [facebook.page_node(call, account), facebook.person_node(call, account)]
        found += [facebook.system_user_node(call, account)]
    return found


def names_in(value: Any) -> set[str]:
    """Return the names of all fields in an answer."""
    if isinstance(value, dict):
        return set(value).union(*(names_in(one) for one in value.values()))
    return set().union(*(names_in(one) for one in value)) if isinstance(value, list) else set()


NEEDS = {
    "insights": {"metric": "views"},
    "business_discovery": {"username": "sandbox_studio"},
}
"""Modifiers without which a field cannot be read."""
MENTIONS = {"mentioned_media", "mentioned_comment"}


@pytest.mark.parametrize("kind", ["instagram", "page", "user", "system"])
def test_every_field_that_is_served_is_a_known_word(tmp_path: Path, kind: TokenKind) -> None:
    """Otherwise ``compare`` reports a stand-in of the recording as a difference, as it did of ``owner``."""
    sandbox = Sandbox.open(Settings(tmp_path), Clock())
    for node in nodes(sandbox, kind):
        assert {*node.values, *node.unset} - WORDS == set(), node.type
        asked = tuple(Field(name, NEEDS.get(name, {})) for name in node.values if name not in MENTIONS)
        assert names_in(node.read(asked)) - WORDS == set(), node.type


def test_every_modifier_is_a_known_word() -> None:
    assert {*MODIFIERS, *(name for names in MODIFIERS.values() for name in names), "fields", "as"} - WORDS == set()
