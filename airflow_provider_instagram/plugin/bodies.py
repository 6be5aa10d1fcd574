"""Read the body of a request: for a user who is logged in, and up to a size."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from math import isfinite
from typing import Any, Final

from fastapi import Depends, HTTPException, Request
from pydantic import TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect

from airflow_provider_instagram.plugin.users import Viewer  # noqa: TC001 -- FastAPI reads the annotation

#: More than any edit has, which may bring back a post with a long caption.
MAX_JSON_BYTES: Final = 2_000_000
#: What no database stores, and no answer can carry.
NO_TEXT: Final = re.compile("[\0\ud800-\udfff]")


async def received(
    request: Request, most_bytes: int, what: str = "request"
) -> AsyncIterator[bytes]:
    """Yield the body of a request in parts.

    :raises HTTPException: If it is too large.
    """
    too_large = HTTPException(
        413, f"The {what} has more than {most_bytes:,} bytes. Nothing was changed."
    )
    if (declared := request.headers.get("content-length", "0")).isdecimal() and not _fits(
        declared, most_bytes
    ):
        raise too_large
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > most_bytes:
                raise too_large
            yield part
    except ClientDisconnect:
        raise HTTPException(400, "The request was not complete. Nothing was changed.") from None


def json_body(kind: Any) -> Any:
    """Return the dependency of a route on its body, which is JSON and is read only if the user is logged in."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    async def read(request: Request, user: Viewer) -> Any:
        body = b"".join([part async for part in received(request, MAX_JSON_BYTES)])
        try:
            if not request.headers.get("content-type", "").startswith("application/json"):
                raise ValueError("the content type is not application/json")
            data = json.loads(body, parse_constant=_refuse, parse_float=_finite)
            if any(map(NO_TEXT.search, _texts(data))):
                raise ValueError("a text has NUL, or half of a pair of surrogates")
            return adapter.validate_python(data)
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5]
            )
            raise HTTPException(422, f"{wrong}. Nothing was changed.") from None
        except (ValueError, RecursionError) as error:
            raise HTTPException(
                422, f"The request is not valid JSON ({error}). Nothing was changed."
            ) from None

    return Depends(read)


def _fits(digits: str, most: int) -> bool:
    return len(digits) < 16 and int(digits) <= most


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number")


def _finite(text: str) -> float:
    return number if isfinite(number := float(text)) else _refuse(text[:20])


def _texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for name, value in data.items():
            yield name
            yield from _texts(value)
    elif isinstance(data, list):
        for value in data:
            yield from _texts(value)
