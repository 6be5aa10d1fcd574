"""Read a request's parameters as clients send them: query, form, multipart or JSON, also in PHP's notation of lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from pydantic_core import from_json
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from instagram_sandbox.simulator.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

_BRACKETS: Final = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])+)")
MAX_ITEMS: Final = 1000


async def parameters(request: Request) -> dict[str, Any]:
    """Return the parameters of a request, from its query and its body. A null in JSON means that it is not set.

    :raises GraphError: 100: the body cannot be read.
    """
    found = structured(request.query_params.multi_items())
    if request.method in {"GET", "HEAD"}:
        return found
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return found | await _json(request)
    if kind == "multipart/form-data":
        return found | await _multipart(request)
    if kind in {"application/x-www-form-urlencoded", ""}:  # curl and fetch may leave the type out
        text = (await request.body()).decode("utf-8", "replace")
        return found | structured(parse_qsl(text, keep_blank_values=True))
    # some clients name a type although they send everything in the query
    if not await request.body():
        return found
    raise invalid(f"Unsupported content type {kind}")


async def _json(request: Request) -> dict[str, Any]:
    try:
        sent = from_json(await request.body() or b"{}", allow_inf_nan=False)
    except ValueError as error:
        raise invalid(f"The request body is not valid JSON: {error}") from None
    if sent is None:  # what some clients send instead of no body
        return {}
    if not isinstance(sent, dict):
        raise invalid("The request body must be a JSON object")
    return {name: value for name, value in sent.items() if value is not None}


async def _multipart(request: Request) -> dict[str, Any]:
    await request.body()  # keeps the bytes, so that the form can be read again
    try:
        form = await request.form()
    except (HTTPException, ValueError, KeyError, AssertionError) as error:
        raise invalid(f"The multipart body cannot be read: {error}") from None
    return structured(
        (name, value) for name, value in form.multi_items() if not isinstance(value, UploadFile)
    )


def names(value: Any) -> list[str]:
    """Return the names in a parameter: a list, or a text with commas between them, each of them once."""
    given = value if isinstance(value, list) else str(value).strip("[]").split(",")
    return list(dict.fromkeys(name for one in given if (name := str(one).strip("\"' "))))


def structured(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return parameters by name, with lists and objects in PHP's notation put together.

    ``children[0]=1&children[1]=2`` and ``children[]=1&children[]=2`` are both a list of two.
    """
    found: dict[str, Any] = {}
    grouped: dict[str, dict[str, Any]] = {}
    for name, value in items:
        form = _BRACKETS.fullmatch(name)
        if form is None:
            found[name] = value
            continue
        keys = re.findall(r"\[([^\[\]]*)\]", form[2])[:4]
        _put(grouped.setdefault(form[1], {}), keys, value)
    return found | {name: _lists(group) for name, group in grouped.items()}


def _put(group: dict[str, Any], keys: list[str], value: Any) -> None:
    key = keys[0] or str(len(group))
    if len(keys) == 1:
        group[key] = value
        return
    inner = group.setdefault(key, {})
    if isinstance(inner, dict):
        _put(inner, keys[1:], value)


def _lists(group: dict[str, Any]) -> Any:
    """Return an object whose keys are numbers as a list."""
    made = {
        key: _lists(value) if isinstance(value, dict) else value for key, value in group.items()
    }
    if len(made) <= MAX_ITEMS and all(key.isdecimal() for key in made):
        return [made[key] for key in sorted(made, key=int)]
    return made
