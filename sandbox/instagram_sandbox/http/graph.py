"""The Graph API (``/v27.0/…``): which call goes to which handler."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from instagram_sandbox.http import batch, pipeline
from instagram_sandbox.http.body import names, parameters
from instagram_sandbox.http.endpoints import (
    APP,
    ENDPOINTS,
    NODES,
    NOT_SERVED,
    OF_HOST,
    OF_TOKEN,
    OURS,
    Endpoint,
    endpoint_of,
    missing,
)
from instagram_sandbox.http.fields import fields_of
from instagram_sandbox.http.pipeline import Call, Handler, graph_json
from instagram_sandbox.simulator.addresses import GRAPH_HOSTS, login_of_host, metas_host
from instagram_sandbox.simulator.errors import ApiError, GraphError, invalid
from instagram_sandbox.simulator.versions import check_version

if TYPE_CHECKING:
    from starlette.requests import Request

    from instagram_sandbox.simulator.journal import Operation
    from instagram_sandbox.simulator.sandbox import Sandbox

MAX_IDS: Final = 50


async def endpoint(sandbox: Sandbox, request: Request, path: str) -> Response:
    """Answer a call of the Graph API."""
    if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
        return _preflight(request)
    version, parts = _split(path)
    operation, handler = _route(sandbox, await _method(request), version, parts, request)

    async def versioned(call: Call) -> Response:
        call.served_by("The Graph API is at graph.instagram.com or graph.facebook.com", GRAPH_HOSTS)
        if "method" in call.params:
            call.retired("method override")
        if "date_format" in call.params:
            call.retired("date_format")
        if version is not None:
            call.version = check_version(call.world, version)
            if call.version != version:
                call.warn(
                    f"The version {version} is gone. Meta carries the call out as {call.version}."
                )
        return await handler(call)

    return await pipeline.run(sandbox, request, operation, versioned)


def _preflight(request: Request) -> Response:
    """Return what a browser asks before a call from another site, which the Graph API allows."""
    asked = request.headers.get("access-control-request-headers", "*")
    allowed = {"Origin": "*", "Methods": "GET, POST, DELETE", "Headers": asked}
    return Response(
        headers={f"Access-Control-Allow-{name}": value for name, value in allowed.items()}
    )


async def _method(request: Request) -> str:
    """Return the HTTP method, or the one that the parameter ``method`` names. Source: Meta, Graph API, Overview."""
    named = request.query_params.get("method", "")
    if not named and request.method == "POST":
        try:
            named = str((await parameters(request)).get("method", ""))
        except (ApiError, ValueError, RecursionError, ClientDisconnect):
            # the pipeline answers what is wrong with the body, or notes that the caller left
            return request.method
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
    node = "app" if parts[0] == sandbox.settings.app_id else parts[0]
    edge = "/".join(parts[1:])
    found = endpoint_of(sandbox.world, method, node, edge)
    if found is not None and found.kind is APP:
        named = login_of_host(metas_host(request.headers))
        login = sandbox.world.switches.login
        if named is not None and not found.tokens & OF_HOST[named]:
            found = None
        elif found.tokens == OURS and (
            login == "facebook" or (version is not None and login == "instagram")
        ):
            found = None  # these have no version, which --strict takes literally
    if found is None:
        return "unknown", _unknown(method, parts)
    return found.operation, _handler(found, node)


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


def _handler(found: Endpoint[Any], node: str) -> Handler:
    async def handler(call: Call) -> Response:
        endpoint = found
        if endpoint.kind is APP:
            token = call.world.tokens.get(call.token_text() or "")
            if token is not None and token.kind not in endpoint.tokens:
                raise GraphError(190)
            return await endpoint.handler(call, call.sandbox.settings)
        call.enter()
        if (node, endpoint.method, endpoint.edge) == ("me", "GET", ""):
            endpoint = next(
                one for one in ENDPOINTS if one.kind is OF_TOKEN[call.token.kind] and not one.edge
            )
        thing = call.find(endpoint.kind.find, node) if call.token.kind in endpoint.tokens else None
        call.count()
        if call.token.kind not in endpoint.tokens or (thing is None and node == "me"):
            raise _not_for_this_login(call, endpoint, node)
        if thing is None:
            raise missing(node, endpoint.method)
        if endpoint.permission is not None:
            call.require(endpoint.permission)
        return await endpoint.handler(call, thing)

    return handler


def _not_for_this_login(call: Call, endpoint: Endpoint[Any], node: str) -> GraphError:
    if endpoint.method != "GET" or not endpoint.edge or not endpoint.kind.name:
        return missing(node, endpoint.method)
    owner = OF_TOKEN[call.token.kind] if node == "me" else endpoint.kind
    what = f"Tried accessing nonexisting field ({endpoint.edge}) on node type ({owner.type})"
    return invalid(what)


def _unknown(method: str, parts: list[str]) -> Handler:
    """Return the answer to an object or an edge that does not exist, or that does not take the method."""

    async def unknown(call: Call) -> Response:
        what = NOT_SERVED.get(parts[-1]) if parts else None
        said = (
            f"The sandbox does not serve {what}. Its README says what else it does not serve."
            if what
            else ""
        )
        if said:
            call.warn(said)
        call.enter()
        call.count()
        if parts and (method != "GET" or len(parts) == 1):
            error = missing(parts[0], method)
        else:
            error = GraphError(
                2500, None, f"Unknown path components: /{'/'.join(parts[1:] or parts)}"
            )
        error.body["message"] += f". {said}" if said else ""
        raise error

    return unknown


async def _many(call: Call) -> Response:
    ids = names(call.params["ids"])
    call.enter()
    call.count(weight=max(1, len(ids)))
    call.retired("multi-id requests")
    if not ids or len(ids) > MAX_IDS:
        raise invalid(f"ids must be 1 to {MAX_IDS} ids")
    return graph_json({node: _row(call, node) for node in dict.fromkeys(ids)})


def _row(call: Call, node: str) -> dict[str, Any]:
    for kind in NODES:
        thing = call.find(kind.find, node)
        if thing is not None and kind.show is not None:
            return kind.show(call, thing).read(fields_of(call))
    raise missing(node, "GET")
