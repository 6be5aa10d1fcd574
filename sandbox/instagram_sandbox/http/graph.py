"""The Graph API (``/v27.0/…``): accounts, containers and media."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from instagram_sandbox.http import pipeline, rows
from instagram_sandbox.http.listing import media_list
from instagram_sandbox.http.login import exchange_token, refresh_token
from instagram_sandbox.http.pipeline import Call, Handler, graph_json
from instagram_sandbox.simulator import parameters
from instagram_sandbox.simulator.errors import GraphError
from instagram_sandbox.simulator.versions import check_version

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from instagram_sandbox.simulator.journal import Operation
    from instagram_sandbox.simulator.sandbox import Sandbox
    from instagram_sandbox.simulator.state import Account

OnAccount: TypeAlias = "Callable[[Call, Account], Awaitable[Response]]"
MAX_IDS: Final = 50


async def endpoint(sandbox: Sandbox, request: Request, path: str) -> Response:
    """Answer a call of the Graph API.

    :param sandbox: The sandbox that is called.
    :param request: The HTTP request.
    :param path: Its path, without the leading slash.
    """
    version, parts = _split(path)
    method = "GET" if request.method == "HEAD" else request.method
    operation, handler = _route(sandbox, method, version, parts, request)

    async def versioned(call: Call) -> Response:
        if version is not None:
            check_version(call.world, version)
            call.version = version
        return await handler(call)

    return await pipeline.run(sandbox, request, operation, versioned)


def _split(path: str) -> tuple[str | None, list[str]]:
    parts = [part for part in path.split("/") if part]
    if parts and re.fullmatch(r"v\d+\.\d+", parts[0]):
        return parts[0], parts[1:]
    return None, parts


def _route(
    sandbox: Sandbox, method: str, version: str | None, parts: list[str], request: Request
) -> tuple[Operation, Handler]:
    if not parts and method == "GET" and "ids" in request.query_params:
        return "many", _many
    node, edge = (parts[0] if parts else ""), "/".join(parts[1:])
    if (
        (method, version, edge) == ("GET", None, "")
        and node in {"access_token", "refresh_access_token"}
        and sandbox.world.switches.login == "instagram"
    ):
        return ("exchange_token", exchange_token) if node == "access_token" else ("refresh", refresh_token)
    edges: dict[tuple[str, str], tuple[Operation, OnAccount]] = {
        ("POST", "media"): ("create", _create),
        ("POST", "media_publish"): ("publish", _publish),
        ("POST", "mediapublish"): ("publish", _publish),  # as Meta's SDK spells it for Instagram Login
        ("GET", "media"): ("media_list", media_list),
        ("GET", "content_publishing_limit"): ("limit", _limit),
    }
    if (method, edge) in edges and node:
        operation, on_account = edges[method, edge]
        return operation, _of_account(node, on_account)
    if method == "GET" and not edge and node:
        if node in sandbox.world.containers:
            return "status", _node(node)
        if node in sandbox.world.posts:
            return "media", _node(node)
        return ("account" if node == "me" or node in sandbox.world.accounts else "unknown"), _node(node)
    return "unknown", _unknown


async def _unknown(call: Call) -> Response:
    call.enter()
    path = call.request.url.path
    raise GraphError(2500, None, f"(#2500) Unknown path components: {path}")


def _of_account(node: str, handler: OnAccount) -> Handler:
    async def on_account(call: Call) -> Response:
        account, _ = call.enter()
        if node not in {"me", account.user_id}:
            raise _missing(node, call.request.method)
        return await handler(call, account)

    return on_account


def _missing(node: str, method: str) -> GraphError:
    return GraphError(
        100,
        33,
        f"Unsupported {method.lower()} request. Object with ID '{node}' does not exist, cannot be loaded due to "
        "missing permissions, or does not support this operation. Please read the Graph API documentation at "
        "https://developers.facebook.com/docs/graph-api",
    )


# Accounts


async def _create(call: Call, account: Account) -> Response:
    _require(call, "instagram_business_content_publish")
    media = parameters.check(call.params)
    if media.resumable and not account.resumable:
        raise GraphError(3)
    container = call.world.create(account.user_id, media)
    call.entry.container_id = container.id
    answer = {"id": container.id}
    if container.resumable:
        answer["uri"] = f"{call.base_url}/ig-api-upload/{call.version}/{container.id}"
    else:
        call.sandbox.processor.start(container)
    return graph_json(answer)


async def _publish(call: Call, account: Account) -> Response:
    _require(call, "instagram_business_content_publish")
    creation_id = str(call.params.get("creation_id", ""))
    if not creation_id.isdecimal():
        said = "must be the id of a container" if creation_id else "is required"
        raise GraphError(100, None, f"(#100) Param creation_id {said}")
    unknown = set(call.params) - parameters.GLOBAL - {"creation_id"}
    if unknown:
        raise GraphError(100, None, f"(#100) Unexpected parameter {min(unknown)}")
    call.entry.container_id = creation_id
    post = call.world.publish(account.user_id, creation_id)
    call.entry.media_id = post.id
    return graph_json({"id": post.id})


def _require(call: Call, scope: str) -> None:
    token = call.world.authenticate(call.token_text())
    if scope not in token.scopes:
        raise GraphError(200, None, f"(#200) Requires {scope} permission")


async def _limit(call: Call, account: Account) -> Response:
    fields = rows.fields_of(call, rows.LIMIT_FIELDS, "ContentPublishingLimitResponse", ("quota_usage",))
    row: dict[str, Any] = {"quota_usage": call.world.quota_usage(account.user_id)}
    row["config"] = {"quota_total": call.world.switches.quota_total, "quota_duration": 86400}
    return graph_json({"data": [{name: row[name] for name in fields if name in row}]})


# Nodes


def _node(node: str) -> Handler:
    async def read(call: Call) -> Response:
        account, token = call.enter()
        if node == "me" and token.kind != "instagram":
            return graph_json(rows.facebook_row(call, account, token))
        return graph_json(_read(call, account, node))

    return read


async def _many(call: Call) -> Response:
    ids = [part for part in str(call.params["ids"]).split(",") if part]
    account, _ = call.enter(weight=max(1, len(ids)))
    if not ids or len(ids) > MAX_IDS:
        raise GraphError(100, None, f"(#100) ids must be 1 to {MAX_IDS} ids")
    return graph_json({node: _read(call, account, node) for node in dict.fromkeys(ids)})


def _read(call: Call, account: Account, node: str) -> dict[str, Any]:
    if node in {"me", account.user_id}:
        return rows.account_row(call, account, of_me=node == "me")
    container = call.world.container(node, account.user_id)
    if container is not None:
        if call.sandbox.now < container.created_at + call.world.switches.fresh_id_unknown_s:
            raise _missing(node, "GET")
        call.entry.container_id = container.id
        return rows.container_row(call, container)
    post = call.world.posts.get(node)
    if post is None or post.user_id != account.user_id:
        raise _missing(node, "GET")
    if call.sandbox.now < post.published_at + call.world.switches.fresh_id_unknown_s:
        raise _missing(node, "GET")
    call.entry.media_id = post.id
    return rows.media_row(call, post, rows.media_fields(call))
