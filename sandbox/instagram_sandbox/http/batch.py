"""Many calls in one request. Source: Meta, Graph API, Batch Requests."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from instagram_sandbox.http.pipeline import Call, graph_json
from instagram_sandbox.simulator.errors import invalid
from instagram_sandbox.simulator.values import json_value

if TYPE_CHECKING:
    from starlette.types import Message

MOST: Final = 50
Dispatch: TypeAlias = Callable[[Request, str], Awaitable[Response]]


async def run(call: Call, dispatch: Dispatch) -> Response:
    """Run the calls of a batch one after the other. Each counts as a call of its own."""
    items = _items(call.params)
    version = re.match(r"v\d+\.\d+", call.request.url.path.strip("/"))
    with_headers = str(call.params.get("include_headers", "true")).lower() not in {"false", "0"}
    bodies: dict[str, Any] = {}
    answers: list[dict[str, Any] | None] = []
    for item in items:
        path = _with_results(str(item.get("relative_url", "")).lstrip("/"), bodies)
        if version is not None and not re.match(r"v\d+\.\d+(/|$)", path):
            path = f"{version[0]}/{path}"
        response = await dispatch(_request(call, item, path, bodies), urlsplit(path).path)
        text = bytes(response.body).decode("utf-8", "replace")
        if name := item.get("name"):
            bodies[str(name)] = json.loads(text) if text.startswith(("{", "[")) else None
        is_left_out = (
            bool(item.get("name")) and item.get("omit_response_on_success", True) is not False
        )
        fine = response.status_code < 400
        answers.append(
            None
            if fine and is_left_out and _is_used(item, items)
            else _answer(response, text, with_headers)
        )
    return graph_json(answers)


def _items(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    value: list[dict[str, Any]] | None = json_value(params, "batch", list)
    if not value or not all(isinstance(item, dict) for item in value):
        raise invalid("Param batch must be an array of objects")
    if len(value) > MOST:
        raise invalid(f"Too many requests in batch message. Maximum batch size is {MOST}")
    if any(len(json.dumps(item)) > 100_000 for item in value):
        raise invalid("A request in the batch is too large")
    return value


def _is_used(item: dict[str, Any], items: list[dict[str, Any]]) -> bool:
    """Return whether another call of the batch uses the result of this one, which is then not answered."""
    reference = f"result={item['name']}:"
    return any(reference in json.dumps(other) for other in items)


def _with_results(text: str, bodies: dict[str, Any]) -> str:
    """Return a text with earlier results filled in: ``{result=first:$.id}`` and ``{result=list:$.data.*.id}``."""

    def value(found: re.Match[str]) -> str:
        values = [bodies.get(found[1])]
        for step in re.findall(r"[\w*]+", found[2]):
            values = [inner for one in values for inner in _step(one, step)]
        return ",".join(str(one) for one in values if one is not None)

    return re.sub(r"\{result=([\w-]+):\$\.([\w.*\[\]]+)\}", value, text)


def _step(value: Any, step: str) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values()) if step == "*" else [value.get(step)]
    if isinstance(value, list):
        if step == "*":
            return value
        return [value[int(step)]] if step.isdecimal() and int(step) < len(value) else []
    return []


def _request(call: Call, item: dict[str, Any], path: str, bodies: dict[str, Any]) -> Request:
    """Return one call of the batch as a request, with the token and the headers of the batch."""
    parts = urlsplit(path)
    body = _with_results(str(item.get("body", "")), bodies).encode()
    token = item.get("access_token", call.params.get("access_token"))
    query = parts.query
    if token is not None and "access_token=" not in query and b"access_token=" not in body:
        query += f"{'&' if query else ''}access_token={token}"
    headers = [(name, value) for name, value in call.request.scope["headers"] if name not in _OWN]
    if item.get("access_token") is not None:
        headers = [(name, value) for name, value in headers if name != b"authorization"]
    headers.append((b"content-type", b"application/x-www-form-urlencoded"))
    scope = dict(call.request.scope) | {
        "method": str(item.get("method", "GET")).upper(),
        "path": f"/{parts.path}",
        "raw_path": f"/{parts.path}".encode(),
        "query_string": query.encode("utf-8", "replace"),
        "headers": headers,
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(scope, receive)


_OWN: Final = frozenset({b"content-type", b"content-length", b"transfer-encoding"})


def _answer(response: Response, text: str, with_headers: bool) -> dict[str, Any]:
    if not with_headers:
        return {"code": response.status_code, "body": text}
    headers = [
        {"name": name, "value": value}
        for name, value in response.headers.items()
        if name != "content-length"
    ]
    return {"code": response.status_code, "headers": headers, "body": text}
