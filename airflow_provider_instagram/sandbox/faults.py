"""Disturbances on purpose: which call, before or after it took effect, and what the caller sees of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field, field_validator, model_validator
from starlette.responses import JSONResponse, Response

from airflow_provider_instagram.sandbox.errors import (
    ApiError,
    BadGatewayError,
    GraphError,
    LoginError,
    UploadError,
)
from airflow_provider_instagram.sandbox.state import Record

if TYPE_CHECKING:
    from typing_extensions import Self


OPERATIONS: Final = frozenset(
    {
        *("*", "create", "upload", "status", "publish", "media", "media_list", "limit", "account", "many", "refresh"),
        *("exchange_code", "exchange_token", "authorize", "decide", "unknown"),
    }
)


class Fault(Record):
    """One disturbance.

    The effect of a call and its answer are apart: ``when="before"`` keeps the call from taking effect, ``"after"``
    lets it, and spoils the answer only. So ``publish`` with ``drop`` and ``after`` is a post whose answer was lost.

    :param operation: Which calls, by the journal's name; ``*`` for all.
    :param nth: The first call that is hit, counted from the fault's planning.
    :param times: How many calls in a row are hit; 0 for all that follow.
    :param when: Before or after the call takes effect.
    :param drop: Close the connection instead of answering.
    :param delay_s: Wait so long (real time) before the call, or before its answer.
    :param code: Answer with this code of the Graph API; uploads and the exchange of a login code answer what it means
        in the shape of their own host.
    :param subcode: Its subcode.
    :param regain_minutes: With a code: what the usage header says, as with the true limit.
    :param status: Answer with this HTTP status and ``body``.
    :param body: The JSON body for it.
    :param html: Answer with the HTML page of a 502.
    :param cut_after_bytes: Of an upload: take so many bytes, then close the connection.
    :param account: Only calls by this account.
    """

    operation: str
    nth: int = Field(default=1, ge=1)
    times: int = Field(default=1, ge=0)
    when: Literal["before", "after"] = "before"
    drop: bool = False
    delay_s: float = Field(default=0.0, ge=0, le=600)
    code: int | None = None
    subcode: int | None = None
    regain_minutes: int | None = Field(default=None, ge=1)
    status: int | None = Field(default=None, ge=200, le=599)
    body: dict[str, Any] | None = None
    html: bool = False
    cut_after_bytes: int | None = Field(default=None, ge=0)
    account: str | None = None
    seen: int = 0
    hits: int = 0

    @field_validator("operation")
    @classmethod
    def _known(cls, operation: str) -> str:
        if operation not in OPERATIONS:
            raise ValueError(f"there is no operation {operation}; there are {', '.join(sorted(OPERATIONS))}")
        return operation

    @model_validator(mode="after")
    def _one_disturbance(self) -> Self:
        ways = [self.drop, self.code is not None, self.status is not None, self.html, self.cut_after_bytes is not None]
        if sum(ways) > 1 or not (any(ways) or self.delay_s):
            raise ValueError("a fault is one of drop, code, status, html, cut_after_bytes, or a delay_s")
        if self.cut_after_bytes is not None and self.operation != "upload":
            raise ValueError("cut_after_bytes belongs to the operation upload")
        if self.code is None and (self.subcode is not None or self.regain_minutes is not None):
            raise ValueError("subcode and regain_minutes belong to a code")
        if self.body is not None and self.status in {None, 204, 304}:
            raise ValueError("a body needs a status that has one")
        return self

    def take(self, operation: str, account: str | None) -> bool:
        """Count a call, and say whether this fault hits it."""
        if self.operation not in {operation, "*"} or self.account not in {None, account}:
            return False
        self.seen += 1
        if self.seen < self.nth or (self.times and self.seen >= self.nth + self.times):
            return False
        self.hits += 1
        return True

    @property
    def replaces_answer(self) -> bool:
        """Whether the caller gets an answer of the fault's own."""
        return self.code is not None or self.status is not None or self.html

    def answer(self, operation: str) -> Response:
        """Return the answer that the caller gets instead of the true one.

        :param operation: What was asked: hosts differ in the shape of their errors.
        """
        if self.html:
            return BadGatewayError().response()
        if self.code is not None:
            return _in_shape(operation, GraphError(self.code, self.subcode)).response()
        if self.status in {204, 304}:
            return Response(status_code=self.status)
        return JSONResponse(self.body or {}, self.status or 500)

    def describe(self) -> str:
        """Name the disturbance for the journal."""
        if self.drop or self.cut_after_bytes is not None:
            what = "drop" if self.drop else f"cut after {self.cut_after_bytes} bytes"
        elif self.replaces_answer:
            what = "html" if self.html else f"{self.code or self.status}/{self.subcode or ''}".rstrip("/")
        else:
            what = f"delay {self.delay_s:g} s"
        return f"{what} {self.when}"


def _in_shape(operation: str, error: GraphError) -> ApiError:
    """Say an error as the host of an operation does."""
    if operation == "upload":
        not_allowed = error.code in {3, 10, 102, 190} or 200 <= error.code < 300
        kind = "NotAuthorizedError" if not_allowed else "ProcessingFailedError"
        return UploadError(kind, str(error), retriable=bool(error.body["is_transient"]))
    if operation == "exchange_code":
        return LoginError(str(error))
    return error


class PlannedFaults(Record):
    """All disturbances that are planned, as they are kept."""

    planned: list[Fault]
