"""Edges that return many objects, in pages. Source: Meta, Graph API, Paginated results."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final, TypeVar

from instagram_sandbox.http import rows
from instagram_sandbox.http.fields import edge
from instagram_sandbox.http.pipeline import Call, graph_json
from instagram_sandbox.simulator.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.responses import Response

    from instagram_sandbox.http.fields import Node
    from instagram_sandbox.simulator.state import Account, Child, Comment, Post

    T = TypeVar("T", Post, Child, Comment)

PAGE_SIZE: Final = 25
PAGE_MAX: Final = 100


async def media_list(call: Call, account: Account) -> Response:
    """Return a page of an account's posts, newest first."""
    posts = call.world.visible_posts(account.user_id)
    since, until = moment(call, "since"), moment(call, "until")
    posts = [
        p for p in posts if (since is None or p.published_at >= since) and (until is None or p.published_at < until)
    ]
    return page(call, posts, lambda post: rows.post_node(call, post))


async def stories(call: Call, account: Account) -> Response:
    """Return an account's stories of the last 24 hours, newest first."""
    found = call.world.visible_posts(account.user_id, stories=True)
    return page(call, found, lambda post: rows.post_node(call, post))


async def nothing(call: Call, account: Account) -> Response:
    """Return the empty list of an edge on which no account of this sandbox has anything, such as ``tags``."""
    none: list[Post] = []
    return page(call, none, lambda _: rows.account_node(call, account))


def page(call: Call, items: Sequence[T], node: Callable[[T], Node]) -> Response:
    """Return one page of an edge, with links to the next and previous ones."""
    fields = rows.fields_of(call)
    start, stop = _span(call, items)
    shown = items[start:stop]
    answer = edge([node(item).read(fields) for item in shown])
    if shown and stop < len(items):
        answer["paging"]["next"] = _link(call, after=shown[-1].id)
    if shown and start > 0:
        answer["paging"]["previous"] = _link(call, before=shown[0].id)
    return graph_json(answer)


def _span(call: Call, items: Sequence[T]) -> tuple[int, int]:
    """Return where in the list a page starts and stops."""
    size = min(_number(call, "limit", PAGE_SIZE), PAGE_MAX)
    after, before = _place(call, "after", items), _place(call, "before", items)
    if after is not None and before is not None:
        raise invalid("Only one of the cursors after and before can be given")
    if before is not None:
        return max(0, before - size), before
    start = 0 if after is None else after + 1
    return start, min(start + size, len(items))


def _place(call: Call, name: str, items: Sequence[T]) -> int | None:
    cursor = call.params.get(name)
    if not cursor:
        return None
    places = [place for place, item in enumerate(items) if item.id == cursor]
    if not places:
        raise invalid(f"Invalid cursor: {name}")
    return places[0]


def _link(call: Call, **cursor: str) -> str:
    """Return the call's URL with another cursor. Like Meta's, it repeats the query, including a token in it."""
    url = call.request.url.remove_query_params(["after", "before"]).include_query_params(**cursor)
    return f"{call.base_url}{url.path}?{url.query}"


def moment(call: Call, name: str) -> float | None:
    """Return a parameter that is a moment, or None if it is not given.

    :raises GraphError: 100: it is neither a UNIX timestamp nor a date.
    """
    value = str(call.params.get(name, ""))
    if not value:
        return None
    if re.fullmatch(r"\d{1,12}(\.\d+)?", value):
        return float(value)
    try:
        found = datetime.fromisoformat(re.sub(r"(Z|\+0000)$", "+00:00", value))
    except ValueError:
        raise invalid(f"Param {name} must be a UNIX timestamp or a date") from None
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()


def _number(call: Call, name: str, default: int) -> int:
    value = str(call.params.get(name, default))
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) < 1:
        raise invalid(f"Param {name} must be a positive number")
    return int(value)
