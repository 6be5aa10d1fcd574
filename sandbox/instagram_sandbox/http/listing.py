"""``GET /{ig-user-id}/media``: an account's posts, newest first, in pages."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from instagram_sandbox.http import rows
from instagram_sandbox.http.pipeline import Call, graph_json
from instagram_sandbox.simulator.errors import GraphError

if TYPE_CHECKING:
    from starlette.responses import Response

    from instagram_sandbox.simulator.state import Account, Post

PAGE_SIZE: Final = 25
PAGE_MAX: Final = 100


async def media_list(call: Call, account: Account) -> Response:
    """Return one page, with links to the next and previous ones. Source: Meta, Graph API, Paginated results."""
    fields = rows.media_fields(call)
    posts = call.world.visible_posts(account.user_id)
    since, until = _moment(call, "since"), _moment(call, "until")
    posts = [
        p for p in posts if (since is None or p.published_at >= since) and (until is None or p.published_at < until)
    ]
    start, stop = _span(call, posts)
    page = posts[start:stop]
    answer: dict[str, Any] = {"data": [rows.media_row(call, post, fields) for post in page]}
    if page:
        answer["paging"] = {"cursors": {"before": page[0].id, "after": page[-1].id}}
        if stop < len(posts):
            answer["paging"]["next"] = _link(call, after=page[-1].id)
        if start > 0:
            answer["paging"]["previous"] = _link(call, before=page[0].id)
    return graph_json(answer)


def _span(call: Call, posts: list[Post]) -> tuple[int, int]:
    """Return where in the list a page starts and stops."""
    size = min(_number(call, "limit", PAGE_SIZE), PAGE_MAX)
    after, before = _place(call, "after", posts), _place(call, "before", posts)
    if after is not None and before is not None:
        raise GraphError(100, None, "(#100) Only one of the cursors after and before can be given")
    if before is not None:
        return max(0, before - size), before
    start = 0 if after is None else after + 1
    return start, min(start + size, len(posts))


def _place(call: Call, name: str, posts: list[Post]) -> int | None:
    cursor = call.params.get(name)
    if not cursor:
        return None
    places = [place for place, post in enumerate(posts) if post.id == cursor]
    if not places:
        raise GraphError(100, None, f"(#100) Invalid cursor: {name}")
    return places[0]


def _link(call: Call, **cursor: str) -> str:
    """Return the call's URL with another cursor. Like Meta's, it repeats the query, including a token in it."""
    return str(call.request.url.remove_query_params(["after", "before"]).include_query_params(**cursor))


def _moment(call: Call, name: str) -> float | None:
    value = str(call.params.get(name, ""))
    if not value:
        return None
    if re.fullmatch(r"\d{1,12}(\.\d+)?", value):
        return float(value)
    try:
        moment = datetime.fromisoformat(re.sub(r"(Z|\+0000)$", "+00:00", value))
    except ValueError:
        raise GraphError(100, None, f"(#100) Param {name} must be a UNIX timestamp or a date") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _number(call: Call, name: str, default: int) -> int:
    value = str(call.params.get(name, default))
    if not value.isdecimal() or int(value) < 1:
        raise GraphError(100, None, f"(#100) Param {name} must be a positive number")
    return int(value)
