"""The bodies that the control routes take, and how they are read and refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator
from pydantic_core import from_json
from starlette.responses import JSONResponse, Response

from instagram_sandbox.simulator.scopes import Scope  # noqa: TC001 -- pydantic reads it
from instagram_sandbox.simulator.state import (
    Account,
    AnyTokenText,
    Digits,
    Duration,
    Processing,
    Record,
    Subcode190,
    TokenKind,
    TokenText,
    UserId,
    Username,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from typing_extensions import Self

MAX_CAPTION = 10_000
MAX_PLANS = 1_000
MAX_COMMENT = 2_200
MAX_TAGS = 20


class Advance(Record):
    """How far the clock moves."""

    seconds: Duration


class Now(BaseModel):
    """The sandbox's time."""

    now: float
    time: str


class Plan(Record):
    """How the next containers are processed."""

    processing: Processing
    times: int = Field(default=1, ge=1, le=MAX_PLANS)

    @field_validator("processing")
    @classmethod
    def _is_not_empty(cls, processing: Processing) -> Processing:
        if not processing.model_fields_set:
            raise ValueError(
                'processing is empty; for normal processing, send {"outcome": "inspected"}'
            )
        return processing


class NewAccount(Account):
    """An account to create; without a token, the sandbox makes one."""

    token: TokenText | None = None


class NewToken(Record):
    """A token to issue. ``age_s`` sets how long ago it was issued, and ``ends`` whether it ends at all."""

    user_id: UserId
    token: AnyTokenText | None = None
    kind: TokenKind = "instagram"
    long_lived: bool = True
    ends: bool | None = None
    age_s: Duration = 0.0
    scopes: list[Scope] | None = None

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        prefix = "IG" if self.kind == "instagram" else "EAA"
        if self.token is not None and not self.token.startswith(prefix):
            raise ValueError(f"a token of kind {self.kind} must begin with {prefix}")
        return self


class Revocation(Record):
    """A token to revoke, and the subcode that it answers from then on; 0 means none."""

    token: AnyTokenText
    subcode: Subcode190 = 460


class ForeignPost(Record):
    """A post made in the app, not through the API."""

    user_id: UserId
    caption: str = Field(default="", max_length=MAX_CAPTION)
    age_s: Duration = 0.0
    tagged: list[Username] = Field(default_factory=list, max_length=MAX_TAGS)


class ForeignComment(Record):
    """A comment that another person wrote in the app. ``parent_id`` is the comment that it answers."""

    media_id: Digits
    text: str = Field(min_length=1, max_length=MAX_COMMENT)
    username: Username = "a_follower"
    parent_id: Digits | None = None


class Answer(Record):
    """The answer of an account that was invited to a post."""

    username: Username
    invite_status: Literal["Pending", "Accepted", "Declined"]


class JsonRoute(APIRoute):
    """A control route: it reads JSON whatever type the body claims, because curl sends a form's by default.

    What a route changed is durable before it is acknowledged.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            headers = [
                (name, value) for name, value in request.scope["headers"] if name != b"content-type"
            ]
            request.scope["headers"] = [*headers, (b"content-type", b"application/json")]
            response: Response = await handle(_JsonRequest(request.scope, request.receive))
            request.app.state.sandbox.store.commit()
            return response

        return answer


class _JsonRequest(Request):
    async def json(self) -> Any:
        """Return the body. Numbers that JSON does not have are refused."""
        try:
            found = from_json(await self.body(), allow_inf_nan=False)
            json.dumps(found, allow_nan=False)  # which 1e400 has become
        except ValueError as error:
            raise HTTPException(422, f"The body must be JSON: {error}.") from None
        return found


async def known_query(request: Request) -> None:
    """Refuse an unknown query parameter, which would otherwise be ignored."""
    known = {parameter.alias for parameter in request.scope["route"].dependant.query_params}
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        raise HTTPException(
            422,
            f"Unknown query parameter {unknown[0]!r}. Known parameters: {', '.join(sorted(known)) or 'none'}.",
        )


async def explain(_: Request, error: Exception) -> Response:
    """Answer what was wrong with a call of the control routes, without repeating its values."""
    problems = error.errors() if isinstance(error, ValidationError | RequestValidationError) else ()
    said = [
        f"{'.'.join(map(str, problem['loc'])).removeprefix('body.') or 'body'}: {problem['msg']}"
        for problem in problems
    ]
    return JSONResponse({"detail": said}, 422)
