"""Lists of objects in pages, as an answer and inside fields. Source: Meta, Graph API, Paginated results."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timezone
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode

from instagram_sandbox.http.fields import PAGING, Field, fields_of, written
from instagram_sandbox.http.pipeline import Call, graph_json
from instagram_sandbox.simulator.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.responses import Response

    from instagram_sandbox.http.fields import Node

T = TypeVar("T")

PAGE_SIZE: Final = 25
PAGE_MAX: Final = 100
_FORM_OF_CURSOR: Final = re.compile(r"AQ(\d+)\.(.+)")


def page(
    call: Call,
    items: Sequence[T],
    node: Callable[[T], Node],
    key: Callable[[T], str] = attrgetter("id"),
) -> Response:
    """Return one page of an edge.

    :param items: All that the edge has, in its order.
    :param node: Return an item as an object of the Graph API.
    :param key: Return what a cursor remembers of an item.
    """
    arguments = {name: str(call.params[name]) for name in PAGING if call.params.get(name)}
    return graph_json(
        paged(call, items, node, Field("", arguments, fields_of(call)), _own_link(call), key)
    )


def paged(
    call: Call,
    items: Sequence[T],
    node: Callable[[T], Node],
    asked: Field,
    link: Callable[[dict[str, str]], str] | None,
    key: Callable[[T], str] = attrgetter("id"),
) -> dict[str, Any]:
    """Return the page that the modifiers of a field choose, with cursors and links to the pages beside it.

    :param asked: The fields of each item, and ``limit``, ``after`` and ``before``.
    :param link: Return the link to a page by its cursor; None if no call answers this list.
    """
    keys = [key(item) for item in items]
    start, stop = _span(call, keys, asked.arguments)
    answer: dict[str, Any] = {"data": [node(item).read(asked.inner) for item in items[start:stop]]}
    if start >= stop:
        return answer
    ends = {"before": _cursor(call, keys[start]), "after": _cursor(call, keys[stop - 1])}
    answer["paging"] = {"cursors": ends}
    if link is not None and stop < len(items):
        answer["paging"]["next"] = link({"after": ends["after"]})
    if link is not None and start > 0:
        answer["paging"]["previous"] = link({"before": ends["before"]})
    return answer


def link_to(call: Call, path: str, asked: Field) -> Callable[[dict[str, str]], str]:
    """Return the links to the pages of a list inside a field, which are calls of their own.

    :param path: The path of that call, without a version.
    """
    sent = call.request.query_params.get("access_token")
    query = {"access_token": sent} if sent else {}
    query |= {"fields": written(asked.inner)} if asked.inner else {}
    query |= {
        name: value for name, value in asked.arguments.items() if name not in {"after", "before"}
    }
    return lambda cursor: f"{call.base_url}/{call.version}/{path}?{urlencode(query | cursor)}"


def _own_link(call: Call) -> Callable[[dict[str, str]], str]:
    """Return the call's URL with another cursor. Like Meta's, it repeats the query, including a token in it."""

    def link(cursor: dict[str, str]) -> str:
        url = call.request.url.remove_query_params(["after", "before"]).include_query_params(
            **cursor
        )
        return f"{call.base_url}{url.path}?{url.query}"

    return link


def _span(call: Call, keys: list[str], arguments: Mapping[str, str]) -> tuple[int, int]:
    """Return where in the list a page starts and stops."""
    size = min(_positive("limit", arguments.get("limit", str(PAGE_SIZE))), PAGE_MAX)
    after, before = (
        _place(call, name, keys, arguments.get(name, "")) for name in ("after", "before")
    )
    if after is not None and before is not None:
        raise invalid("Only one of the cursors after and before can be given")
    if before is not None:
        return max(0, before - size), before
    start = 0 if after is None else after + 1
    return start, min(start + size, len(keys))


def _cursor(call: Call, key: str) -> str:
    return urlsafe_b64encode(f"AQ{int(call.sandbox.now)}.{key}".encode()).decode().rstrip("=")


def _place(call: Call, name: str, keys: list[str], cursor: str) -> int | None:
    if not cursor:
        return None
    try:
        found = _FORM_OF_CURSOR.fullmatch(
            urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        )
    except ValueError:
        found = None
    is_over = (
        found is not None and call.sandbox.now >= int(found[1]) + call.world.switches.cursor_life_s
    )
    if found is None or is_over or found[2] not in keys:
        raise invalid(f"Invalid cursor: {name}")
    return keys.index(found[2])


def moment(params: Mapping[str, Any], name: str) -> float | None:
    """Return a parameter that is a moment, or None if it is not given.

    :raises GraphError: 100: it is neither a UNIX timestamp nor a date.
    """
    value = str(params.get(name, ""))
    if not value:
        return None
    if re.fullmatch(r"\d{1,12}(\.\d+)?", value):
        return float(value)
    try:
        found = datetime.fromisoformat(re.sub(r"(Z|\+0000)$", "+00:00", value))
    except ValueError:
        raise invalid(f"Param {name} must be a UNIX timestamp or a date") from None
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()


def _positive(name: str, value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) < 1:
        raise invalid(f"Param {name} must be a positive number")
    return int(value)
