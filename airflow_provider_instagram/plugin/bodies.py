"""What the Posts page sends and gets. The body of a request is read for a user who is logged in, and up to a size."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Depends, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import ClientDisconnect

from airflow_provider_instagram.plugin.users import Viewer, check_form

#: More than any edit has, which may bring back a post with a long caption.
MAX_JSON_BYTES: Final = 2_000_000
#: The most errors of a request that its answer names.
MOST_ERRORS: Final = 5

#: An object of JSON, such as an answer of the page.
Json: TypeAlias = dict[str, Any]
#: The id of a DAG, in Airflow's alphabet.
DagId = Annotated[str, Field(max_length=250, pattern=r"^[\w.-]+$")]
PostId = Annotated[str, Field(max_length=250)]


class PageRequest(BaseModel):
    """What the Posts page sends about a calendar.

    :param form_token: The secret that only our own forms contain.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    form_token: str = ""
    dag_id: DagId


async def received(
    request: Request, most_bytes: int, what: str = "request"
) -> AsyncIterator[bytes]:
    """Yield the body of a request in parts.

    :raises HTTPException: If it is too large.
    """
    too_large = HTTPException(
        413, f"The {what} has more than {most_bytes:,} bytes. Nothing was changed."
    )
    if int(request.headers.get("content-length", "0")) > most_bytes:
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


def json_body(kind: type[PageRequest]) -> Any:
    """Return the dependency of a route on its body: JSON from a form of ours, of a user who is logged in."""

    async def read(request: Request, user: Viewer) -> PageRequest:
        if not request.headers.get("content-type", "").startswith("application/json"):
            raise HTTPException(422, "The request is not JSON. Nothing was changed.")
        body = b"".join([part async for part in received(request, MAX_JSON_BYTES)])
        try:
            given = kind.model_validate_json(body)
        except ValidationError as error:
            raise HTTPException(422, f"{_in_words(error)}. Nothing was changed.") from None
        check_form(request, given.form_token, user)
        return given

    return Depends(read)


def _in_words(error: ValidationError) -> str:
    words = []
    for one in error.errors()[:MOST_ERRORS]:
        place = ".".join(map(str, one["loc"]))
        words.append(f"{place}: {one['msg']}" if place else one["msg"])
    return "; ".join(words)
