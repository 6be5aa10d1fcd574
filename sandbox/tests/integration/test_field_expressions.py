"""Field expressions, whose answers are written by hand from Meta's references and its page Field Expansion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from instagram_sandbox.testing.handle import sandbox_process
from sandbox.tests.integration.conftest import Caller

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY_S: Final = 86_400
PAGED: Final = ["after", "before"]
"""The cursors of a page beside which there is no other."""
FIRST, SECOND, THIRD = ({"id": f"<{name}>"} for name in ("first", "second", "third"))
NICE, WOW = {"id": "<nice>", "text": "Nice"}, {"id": "<wow>", "text": "Wow"}


class World:
    """An account with three posts, of which the newest has two comments, and one of these a reply.

    :param caller: Its caller with Instagram Login.
    :param person: The person who manages its Page.
    """

    def __init__(self, caller: Caller) -> None:
        sandbox = caller.sandbox
        ages = {"first": 3, "second": 2, "third": 1}
        ids = {sandbox.add_foreign_post(name, age_s=age * DAY_S): name for name, age in ages.items()}
        third = next(media_id for media_id, name in ids.items() if name == "third")
        for text in ("Wow", "Nice"):  # the newest comment comes first
            sandbox.advance(1)
            ids[sandbox.add_comment(third, text).comment_id] = text.lower()
        nice = next(media_id for media_id, name in ids.items() if name == "nice")
        ids[sandbox.add_comment(third, "Thanks", "mira.k", parent_id=nice).comment_id] = "thanks"
        self.caller = caller
        self.person = Caller(sandbox, sandbox.add_token(sandbox.user_id, kind="user"))
        self.ids = ids | {sandbox.user_id: "account"}

    def named(self, value: Any) -> Any:
        """Return an answer with names for ids, and of each page what it has: cursors and links."""
        if isinstance(value, dict):
            if set(value) >= {"cursors"}:
                return sorted([*value["cursors"], *(set(value) - {"cursors"})])
            return {name: self.named(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.named(one) for one in value]
        text = value.replace(self.caller.sandbox.url, "<host>") if isinstance(value, str) else value
        return f"<{self.ids[value]}>" if value in self.ids else text


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with sandbox_process(strict=False) as sandbox:
        yield World(Caller(sandbox))


def of(*rows: dict[str, Any], paging: list[str] = PAGED) -> dict[str, Any]:
    """Return a page with these rows."""
    return {"data": list(rows), "paging": paging}


def post(name: str, **more: Any) -> dict[str, Any]:
    return {"id": f"<{name}>"} | more


NEXT, PREVIOUS = [*PAGED, "next"], [*PAGED, "previous"]
ACCOUNT: Final = "{account}"
EXPRESSIONS: Final[list[tuple[str, str, dict[str, Any]]]] = [
    # fields, and those of an object inside
    (ACCOUNT, "username", {"username": "sandbox_studio"}),
    (ACCOUNT, "id,username", {"username": "sandbox_studio"}),
    (ACCOUNT, " id , username ", {"username": "sandbox_studio"}),
    (ACCOUNT, "media_count", {"media_count": 3}),
    (ACCOUNT, "biography", {}),
    ("{third}", "caption", {"caption": "third"}),
    ("{third}", "caption,owner", {"caption": "third", "owner": {"id": "<account>"}}),
    ("{third}", "owner{username}", {"owner": {"username": "sandbox_studio", "id": "<account>"}}),
    ("{third}", "owner.fields(username)", {"owner": {"username": "sandbox_studio", "id": "<account>"}}),
    ("{third}", "children", {}),
    ("{third}", "children.limit(2){id}", {}),
    ("{third}", "comments_count", {"comments_count": 3}),
    ("{nice}", "from", {"from": {"id": "17841499999999999", "username": "a_follower"}}),
    ("{nice}", "from{username}", {"from": {"username": "a_follower", "id": "17841499999999999"}}),
    ("person me", "picture{url}", {"picture": {"data": {"url": "<host>/u/sandbox_studio/picture.svg"}}}),
    ("person me", "picture.type(large){width}", {"picture": {"data": {"width": 96}}}),
    ("{nice}", "media{caption}", {"media": post("third", caption="third")}),
    ("{thanks}", "parent_id,username", {"parent_id": "<nice>", "username": "mira.k"}),
    # lists inside fields
    (ACCOUNT, "stories", {}),
    (ACCOUNT, "media", {"media": of(THIRD, SECOND, FIRST)}),
    (ACCOUNT, "media{id}", {"media": of(THIRD, SECOND, FIRST)}),
    (ACCOUNT, "media.limit(1)", {"media": of(THIRD, paging=NEXT)}),
    (ACCOUNT, "media.limit(2){id}", {"media": of(THIRD, SECOND, paging=NEXT)}),
    (ACCOUNT, "media.limit(3){id}", {"media": of(THIRD, SECOND, FIRST)}),
    (ACCOUNT, "media.limit(1){caption}", {"media": of(post("third", caption="third"), paging=NEXT)}),
    (ACCOUNT, "media.limit(1).fields(id,caption)", {"media": of(post("third", caption="third"), paging=NEXT)}),
    (ACCOUNT, "media.fields(id,caption).limit(1)", {"media": of(post("third", caption="third"), paging=NEXT)}),
    (ACCOUNT, "media.limit(1).after({cursor of third})", {"media": of(SECOND, paging=sorted([*NEXT, "previous"]))}),
    (ACCOUNT, "media.limit(2).after({cursor of second}){id}", {"media": of(FIRST, paging=PREVIOUS)}),
    (ACCOUNT, "media.after({cursor of first})", {}),
    (ACCOUNT, "media.limit(1).before({cursor of first})", {"media": of(SECOND, paging=sorted([*NEXT, "previous"]))}),
    (ACCOUNT, "media.since({day 2})", {"media": of(THIRD, SECOND)}),
    (ACCOUNT, "media.until({day 2}).limit(5)", {"media": of(FIRST)}),
    ("{third}", "comments{text}", {"comments": of(NICE, WOW)}),
    ("{third}", "comments.limit(1){text}", {"comments": of(NICE, paging=NEXT)}),
    ("{third}", "comments.limit(1).fields(text)", {"comments": of(NICE, paging=NEXT)}),
    ("{third}", "comments.fields(text).limit(1)", {"comments": of(NICE, paging=NEXT)}),
    ("{first}", "comments", {}),
    ("{nice}", "replies{text}", {"replies": of({"id": "<thanks>", "text": "Thanks"})}),
    ("{wow}", "replies{text}", {}),
    (
        ACCOUNT,
        "media.limit(1){comments.limit(1){text,replies{username}}}",
        {
            "media": of(
                post(
                    "third",
                    comments=of(NICE | {"replies": of({"id": "<thanks>", "username": "mira.k"})}, paging=NEXT),
                ),
                paging=NEXT,
            )
        },
    ),
    # another name in the answer
    (ACCOUNT, "media.limit(1).as(newest)", {"newest": of(THIRD, paging=NEXT)}),
    (ACCOUNT, "media.limit(1).as(newest),media.limit(1).after({cursor of second}).as(oldest)",
     {"newest": of(THIRD, paging=NEXT), "oldest": of(FIRST, paging=PREVIOUS)}),
    # another account
    (
        "person {account}",
        "business_discovery.username(sandbox_studio){username}",
        {"business_discovery": {"username": "sandbox_studio", "id": "<account>"}},
    ),
    (
        "person {account}",
        "business_discovery.fields(username).username(sandbox_studio)",
        {"business_discovery": {"username": "sandbox_studio", "id": "<account>"}},
    ),
    (
        "person {account}",
        "business_discovery.username(sandbox_studio){media.limit(1){caption}}",
        {"business_discovery": {"media": of(post("third", caption="third"), paging=NEXT), "id": "<account>"}},
    ),
    # people and their Pages
    ("person me", "accounts{id}", {"accounts": of({"id": "101400000000001"})}),
    ("person me", "accounts.limit(1){id}", {"accounts": of({"id": "101400000000001"})}),
    ("person me", "businesses", {"businesses": of({"id": "301400000000001", "name": "sandbox_studio"})}),
    ("person me", "businesses{id}", {"businesses": of({"id": "301400000000001"})}),
    (
        "person me",
        "accounts{instagram_business_account{username}}",
        {
            "accounts": of(
                {
                    "instagram_business_account": {"username": "sandbox_studio", "id": "<account>"},
                    "id": "101400000000001",
                }
            )
        },
    ),
]  # fmt: skip
"""The object, the expression, and the answer without the object's own id."""


@pytest.mark.parametrize(("node", "fields", "answer"), EXPRESSIONS, ids=[f"{one[0]} {one[1]}" for one in EXPRESSIONS])
def test_what_an_expression_answers(world: World, node: str, fields: str, answer: dict[str, Any]) -> None:
    real, fields = filled(world, node), filled(world, fields)
    caller = world.person if real.startswith("person ") else world.caller
    found = caller.get(real.removeprefix("person "), fields=fields)
    assert found.status_code == 200, found.text
    row = world.named(found.json())
    if node != "person me":
        assert row.pop("id") == node.removeprefix("person ").replace("{", "<").replace("}", ">")
    else:
        row.pop("id")
    assert row == answer


def filled(world: World, text: str) -> str:
    """Return a text with ids, cursors and days."""
    rows = world.caller.get("me/media", limit=1).json()
    for name in ("third", "second", "first"):
        text = text.replace(f"{{cursor of {name}}}", rows["paging"]["cursors"]["after"])
        if "next" in rows["paging"]:
            rows = world.caller.http.get(rows["paging"]["next"]).json()
    for real, name in world.ids.items():
        text = text.replace(f"{{{name}}}", real)
    return text.replace("{day 2}", str(int(world.caller.sandbox.now() - 2.5 * DAY_S)))


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ("nonsense", 100, "(#100) Tried accessing nonexisting field (nonsense) on node type (IGUser)"),
        ("media{nonsense}", 100, "(#100) Tried accessing nonexisting field (nonsense) on node type (Media)"),
        ("media.bogus(1)", 100, "(#100) Unexpected parameter bogus of the field media"),
        ("media{comments.metric(views)}", 100, "(#100) Unexpected parameter metric of the field comments"),
        ("username.limit(1)", 100, "(#100) Unexpected parameter limit of the field username"),
        ("media.after(zzz)", 100, "(#100) Invalid cursor: after"),
        ("media.limit(none)", 100, "(#100) Param limit must be a positive number"),
        ("media.limit(0)", 100, "(#100) Param limit must be a positive number"),
        ("media.since(tomorrow)", 100, "(#100) Param since must be a UNIX timestamp or a date"),
        ("media{comments{from{bogus}}}", 100, "(#100) Tried accessing nonexisting field (bogus) on node type (from)"),
        ("username{id}", 2500, "(#2500) Subfields are not supported by username"),
        ("media{id}.limit(1)", 2500, 'Syntax error "Expected end of string instead of "."." at character 9: '),
        ("id,username,id", 2500, 'Syntax error "Field id specified more than once.'),
    ],
)
def test_what_cannot_be_asked_is_refused_and_never_ignored(world: World, fields: str, code: int, message: str) -> None:
    error = world.caller.get("me", fields=fields).json()["error"]
    assert error["code"] == code
    assert error["message"].startswith(message)


def test_the_links_inside_fields_lead_to_the_other_pages(world: World) -> None:
    """A link asks for the same fields, and for as many of them, also two levels down."""
    media = world.caller.get("me", fields="media.limit(1){comments.limit(1){text}}").json()["media"]
    second = world.caller.http.get(media["data"][0]["comments"]["paging"]["next"]).json()
    assert world.named(second) == of(WOW, paging=PREVIOUS)
    third = world.caller.http.get(media["paging"]["next"]).json()
    assert world.named(third)["data"] == [post("second")], "it has no comments"
