"""The Graph API (``/v27.0/…``): which call goes to which handler."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from starlette.responses import Response

from instagram_sandbox.http import (
    account_insights,
    batch,
    facebook,
    listing,
    media,
    pipeline,
    publishing,
    rows,
    webhooks,
)
from instagram_sandbox.http.body import parameters
from instagram_sandbox.http.login import exchange_token, refresh_token
from instagram_sandbox.http.pipeline import Call, Handler, graph_json
from instagram_sandbox.simulator import comments
from instagram_sandbox.simulator.errors import ApiError, GraphError
from instagram_sandbox.simulator.versions import check_version

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from instagram_sandbox.http.fields import Node
    from instagram_sandbox.simulator.journal import Operation
    from instagram_sandbox.simulator.sandbox import Sandbox
    from instagram_sandbox.simulator.state import Account, Comment, Post

OnAccount: TypeAlias = "Callable[[Call, Account], Awaitable[Response]]"
OnPost: TypeAlias = "Callable[[Call, Account, Post], Awaitable[Response]]"
OnComment: TypeAlias = "Callable[[Call, Account, Comment], Awaitable[Response]]"
MAX_IDS: Final = 50

FACEBOOK_ONLY: Final = frozenset(
    {("DELETE", "media", ""), ("GET", "media", "collaborators"), ("GET", "media", "poll_attachment")}
)
"""What Facebook Login alone can do, of the tables below: the method, the kind of object, the edge."""

OF_ACCOUNT: Final[dict[tuple[str, str], tuple[Operation, OnAccount]]] = {
    ("POST", "media"): ("create", publishing.create),
    ("POST", "media_publish"): ("publish", publishing.publish),
    ("POST", "mediapublish"): ("publish", publishing.publish),  # as Meta's SDK spells it for Instagram Login
    ("GET", "media"): ("media_list", listing.media_list),
    ("GET", "stories"): ("stories", listing.stories),
    ("GET", "tags"): ("media_list", listing.nothing),
    ("GET", "live_media"): ("media_list", listing.nothing),
    ("GET", "content_publishing_limit"): ("limit", publishing.limit),
    ("GET", "insights"): ("insights", account_insights.read_insights),
    ("POST", "subscribed_apps"): ("subscribe", webhooks.subscribe),
    ("GET", "subscribed_apps"): ("subscribe", webhooks.subscriptions),
    ("DELETE", "subscribed_apps"): ("subscribe", webhooks.unsubscribe),
}
OF_POST: Final[dict[tuple[str, str], tuple[Operation, OnPost]]] = {
    ("GET", "children"): ("children", media.children),
    ("GET", "comments"): ("comments", media.list_comments),
    ("POST", "comments"): ("comment", media.write_comment),
    ("GET", "insights"): ("insights", media.read_insights),
    ("GET", "collaborators"): ("collaborators", media.collaborators),
    ("GET", "poll_attachment"): ("media", media.poll_attachment),
    ("POST", ""): ("moderate", media.change),
    ("DELETE", ""): ("delete", media.delete),
}
OF_COMMENT: Final[dict[tuple[str, str], tuple[Operation, OnComment]]] = {
    ("GET", "replies"): ("comments", media.list_replies),
    ("POST", "replies"): ("comment", media.write_reply),
    ("POST", ""): ("moderate", media.hide),
    ("DELETE", ""): ("moderate", media.delete_comment),
}


async def endpoint(sandbox: Sandbox, request: Request, path: str) -> Response:
    """Answer a call of the Graph API.

    :param sandbox: The sandbox that is called.
    :param request: The HTTP request.
    :param path: Its path, without the leading slash.
    """
    if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
        return _preflight(request)
    version, parts = _split(path)
    operation, handler = _route(sandbox, await _method(request), version, parts, request)

    async def versioned(call: Call) -> Response:
        if version is not None:
            call.version = check_version(call.world, version)
            if call.version != version:
                call.warn(f"The version {version} is gone. Meta carries the call out as {call.version}.")
        return await handler(call)

    return await pipeline.run(sandbox, request, operation, versioned)


def _preflight(request: Request) -> Response:
    """Return what a browser asks before a call from another site, which the Graph API allows."""
    asked = request.headers.get("access-control-request-headers", "*")
    allowed = {"Origin": "*", "Methods": "GET, POST, DELETE", "Headers": asked}
    return Response(headers={f"Access-Control-Allow-{name}": value for name, value in allowed.items()})


async def _method(request: Request) -> str:
    """Return the HTTP method, or the one that the parameter ``method`` names. Source: Meta, Graph API, Overview."""
    named = request.query_params.get("method", "")
    if not named and request.method == "POST":
        try:
            named = str((await parameters(request)).get("method", ""))
        except (ApiError, ValueError, RecursionError):
            return request.method  # the pipeline answers what is wrong with the body
    if named.upper() in {"GET", "POST", "DELETE"}:
        return named.upper()
    return "GET" if request.method == "HEAD" else request.method


def _split(path: str) -> tuple[str | None, list[str]]:
    parts = [part for part in path.split("/") if part]
    if parts and re.fullmatch(r"v\d+\.\d+", parts[0]):
        return parts[0], parts[1:]
    return None, parts


def _route(
    sandbox: Sandbox, method: str, version: str | None, parts: list[str], request: Request
) -> tuple[Operation, Handler]:
    if not parts:
        return _of_root(sandbox, method, request)
    node, edge = parts[0], "/".join(parts[1:])
    if method == "GET" and not edge and node in {"access_token", "refresh_access_token"}:
        found = _of_tokens(sandbox, node, version)
        if found is not None:
            return found
    if (of_facebook := facebook.route(sandbox, method, node, edge)) is not None:
        return "page", of_facebook
    if node in sandbox.world.posts and (method, edge) in OF_POST:
        operation, on_post = OF_POST[method, edge]
        return operation, _of_post(node, on_post, (method, "media", edge) in FACEBOOK_ONLY)
    if node in sandbox.world.comments and (method, edge) in OF_COMMENT:
        operation, on_comment = OF_COMMENT[method, edge]
        return operation, _of_comment(node, on_comment)
    if (method, edge) in OF_ACCOUNT:
        operation, on_account = OF_ACCOUNT[method, edge]
        return operation, _of_account(node, on_account)
    if not edge and method == "GET":
        return _of_node(sandbox, node)
    if node.isdecimal() and ((method, edge) in OF_POST or (method, edge) in OF_COMMENT):
        return (OF_POST.get((method, edge)) or OF_COMMENT[method, edge])[0], _absent(node)
    return "unknown", _unknown(method, parts)


def _of_root(sandbox: Sandbox, method: str, request: Request) -> tuple[Operation, Handler]:
    if method == "GET" and "ids" in request.query_params:
        return "many", _many
    if method == "POST":

        async def dispatch(one: Request, path: str) -> Response:
            return await endpoint(sandbox, one, path)

        async def run(call: Call) -> Response:
            return await batch.run(call, dispatch)

        return "batch", run
    return "unknown", _unknown(method, [])


def _of_tokens(sandbox: Sandbox, node: str, version: str | None) -> tuple[Operation, Handler] | None:
    switches = sandbox.world.switches
    if switches.login == "facebook" or (version is not None and switches.login == "instagram"):
        return None  # the endpoints have no version, which --strict takes literally
    return ("exchange_token", exchange_token) if node == "access_token" else ("refresh", refresh_token)


def _of_node(sandbox: Sandbox, node: str) -> tuple[Operation, Handler]:
    world = sandbox.world
    page = world.account_of_page(node)
    if page is not None:
        return "page", facebook.page(page)
    kinds: tuple[tuple[Operation, Any], ...] = (
        *(("status", world.containers), ("media", world.posts), ("media", world.children)),
        *(("comments", world.comments), ("account", {"me", *world.accounts})),
    )
    return next((name for name, known in kinds if node in known), "unknown"), _node(node)


def _unknown(method: str, parts: list[str]) -> Handler:
    """Return the answer to an edge that does not exist, or that does not take the method."""

    async def unknown(call: Call) -> Response:
        call.enter()
        if method != "GET" and parts:
            raise _missing(parts[0], method)
        raise GraphError(2500, None, f"Unknown path components: /{'/'.join(parts[1:] or parts)}")

    return unknown


def _absent(node: str) -> Handler:
    async def absent(call: Call) -> Response:
        call.enter()
        raise _missing(node, call.request.method)

    return absent


def _of_account(node: str, handler: OnAccount) -> Handler:
    async def on_account(call: Call) -> Response:
        account, token = call.enter()
        named = {account.user_id, account.app_scoped_id} | ({"me"} if token.kind != "system" else set())
        if node not in (named | {account.page_id} if call.entry.operation == "subscribe" else named):
            raise _missing(node, call.request.method)
        return await handler(call, account)

    return on_account


def _of_post(node: str, handler: OnPost, only_facebook: bool) -> Handler:
    async def on_post(call: Call) -> Response:
        account, _ = call.enter()
        if only_facebook and call.host == "instagram":
            raise _missing(node, call.request.method)
        return await handler(call, account, _post(call, account, node))

    return on_post


def _of_comment(node: str, handler: OnComment) -> Handler:
    async def on_comment(call: Call) -> Response:
        account, _ = call.enter()
        comment = comments.comment_of(call.world, node, account.user_id)
        if comment is None:
            raise _missing(node, call.request.method)
        return await handler(call, account, comment)

    return on_comment


def _missing(node: str, method: str) -> GraphError:
    return GraphError(
        100,
        33,
        f"Unsupported {method.lower()} request. Object with ID '{node}' does not exist, cannot be loaded due to "
        "missing permissions, or does not support this operation. Please read the Graph API documentation at "
        "https://developers.facebook.com/docs/graph-api",
    )


# Nodes


def _node(node: str) -> Handler:
    async def read(call: Call) -> Response:
        account, token = call.enter()
        if (node == "me" and token.kind != "instagram") or (node == account.person_id and token.kind == "user"):
            if token.kind == "system":
                found = facebook.system_user_node(account)
            else:
                found = (
                    facebook.page_node(call, account) if token.kind == "page" else facebook.person_node(call, account)
                )
            return graph_json(found.read(rows.fields_of(call)))
        row = _read(call, account, node)
        return graph_json({"data": [row]} if node == "me" and call.world.switches.me_answer == "data" else row)

    return read


async def _many(call: Call) -> Response:
    ids = [part for part in str(call.params["ids"]).split(",") if part]
    account, _ = call.enter(weight=max(1, len(ids)))
    if not ids or len(ids) > MAX_IDS:
        raise GraphError(100, None, f"(#100) ids must be 1 to {MAX_IDS} ids")
    return graph_json({node: _read(call, account, node) for node in dict.fromkeys(ids)})


def _read(call: Call, account: Account, node: str) -> dict[str, Any]:
    return _found(call, account, node).read(rows.fields_of(call))


def _found(call: Call, account: Account, node: str) -> Node:
    world = call.world
    if node in {"me", account.user_id, account.app_scoped_id}:
        return rows.account_node(call, account, of_me=node in {"me", account.app_scoped_id})
    container = world.container(node, account.user_id)
    if container is not None:
        if call.sandbox.now < container.created_at + world.switches.fresh_id_unknown_s:
            raise _missing(node, "GET")
        call.entry.container_id = container.id
        return rows.container_node(call, container)
    child = world.children.get(node)
    if child is not None and world.post(child.post_id, account.user_id) is not None:
        return rows.child_node(call, child)
    comment = comments.comment_of(world, node, account.user_id)
    if comment is not None:
        return rows.comment_node(call, comment)
    return rows.post_node(call, _post(call, account, node))


def _post(call: Call, account: Account, node: str) -> Post:
    post = call.world.post(node, account.user_id)
    if post is None or call.sandbox.now < post.published_at + call.world.switches.fresh_id_unknown_s:
        raise _missing(node, call.request.method)
    call.entry.media_id = post.id
    return post


def served() -> list[tuple[str, str, bool, bool]]:
    """Return what the sandbox serves of the Graph API, for the documentation.

    :return: The method, the path, and whether Instagram Login and Facebook Login can call it.
    """
    rows: list[tuple[str, str, bool, bool]] = []
    for kind, table in (("account", OF_ACCOUNT), ("media", OF_POST), ("comment", OF_COMMENT)):
        rows.append(("GET", f"/{{{kind}}}", True, True))
        rows += [
            (method, f"/{{{kind}}}/{edge}".rstrip("/"), (method, kind, edge) not in FACEBOOK_ONLY, True)
            for method, edge in table
        ]
    rows.append(("GET", "/{container}", True, True))
    rows += [(method, f"/me/{edge}", False, True) for method, edge in facebook.OF_PERSON]
    rows += [(method, f"/{{business}}/{edge}", False, True) for method, edge in facebook.OF_BUSINESS]
    rows += [(method, f"/{node}/{edge}".rstrip("/"), False, True) for method, node, edge in facebook.OTHERS]
    rows += [("GET", "/access_token", True, False), ("GET", "/refresh_access_token", True, False)]
    return sorted(rows, key=lambda row: (row[1], row[0]))
