"""Disturbances on purpose: which call, before or after it took effect, and what the caller sees of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field, JsonValue, model_validator
from starlette.responses import JSONResponse, Response

from airflow_provider_instagram.sandbox.errors import (
    ApiError,
    BadGatewayError,
    GraphError,
    LoginError,
    UploadError,
)
from airflow_provider_instagram.sandbox.journal import Operation  # noqa: TC001 -- pydantic reads it
from airflow_provider_instagram.sandbox.state import Count, Minutes, Record, UserId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Self

BODILESS: Final = frozenset({204, 205})
THROTTLED: Final = 80002


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
    :param regain_minutes: With a code: what the usage header says, as with the true limit; 1 when 80002 is planned
        without it.
    :param status: Answer with this HTTP status and ``body``; no redirect, as Meta sends none.
    :param body: The JSON body for it.
    :param html: Answer with the HTML page of a 502.
    :param cut_after_bytes: Of an upload: take so many bytes, then close the connection.
    :param account: Only calls by this account.
    """

    operation: Literal[Operation, "*"]
    nth: Count = Field(default=1, ge=1)
    times: Count = 1
    when: Literal["before", "after"] = "before"
    drop: bool = False
    delay_s: float = Field(default=0.0, ge=0, le=600)
    code: int | None = Field(default=None, ge=-2, le=99_999)
    subcode: int | None = Field(default=None, ge=0, le=99_999_999)
    regain_minutes: Minutes | None = None
    status: int | None = Field(default=None, ge=200, le=599)
    body: dict[str, JsonValue] | None = None
    html: bool = False
    cut_after_bytes: Count | None = None
    account: UserId | None = None
    seen: int = 0
    hits: int = 0

    @model_validator(mode="after")
    def _one_disturbance(self) -> Self:
        ways = [self.drop, self.code is not None, self.status is not None, self.html, self.cut_after_bytes is not None]
        if sum(ways) > 1 or not (any(ways) or self.delay_s):
            raise ValueError("a fault is one of drop, code, status, html, cut_after_bytes, or a delay_s")
        if self.cut_after_bytes is not None and (self.operation != "upload" or self.when == "after"):
            raise ValueError("cut_after_bytes belongs to the operation upload, and comes before its effect")
        if self.code is None and (self.subcode is not None or self.regain_minutes is not None):
            raise ValueError("subcode and regain_minutes belong to a code")
        if self.code == 0:
            raise ValueError("0 is no error code")
        if self.status is not None and 300 <= self.status < 400:
            raise ValueError("a redirect would need a place to go to, and Meta's hosts send none")
        if self.body is not None and (self.status is None or self.status in BODILESS):
            raise ValueError("a body needs a status that has one")
        return self

    @property
    def ends_the_call(self) -> bool:
        """Whether the caller gets something else than the true answer; else it only waits."""
        return self.drop or self.replaces_answer or self.cut_after_bytes is not None

    def is_for(self, operation: str, account: str | None) -> bool:
        """Return whether calls like this one count for this fault."""
        return self.operation in {operation, "*"} and self.account in {None, account}

    @property
    def is_due(self) -> bool:
        """Whether the next of its calls is one that it hits."""
        at = self.seen + 1
        return at >= self.nth and (not self.times or at < self.nth + self.times)

    @property
    def header_minutes(self) -> int | None:
        """What the usage header says of the wait; None leaves it as it is."""
        return 1 if self.code == THROTTLED and self.regain_minutes is None else self.regain_minutes

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
        if self.status in BODILESS:
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


def taken(faults: Iterable[Fault], operation: str, account: str | None) -> list[Fault]:
    """Count a call, and return the faults that hit it.

    A fault that would not be seen beside another does not hit, and waits for the next call: of those that end a call
    the one planned first does so, and what comes after the effect has no place where the effect was kept away.
    """
    concerned = [fault for fault in faults if fault.is_for(operation, account)]
    end = next((fault for fault in concerned if fault.is_due and fault.ends_the_call), None)
    kept_away = end is not None and end.when == "before"
    hits = []
    for fault in concerned:
        due = fault.is_due
        hidden = fault.ends_the_call or (kept_away and fault.when == "after")
        if due and hidden and fault is not end:
            continue
        fault.seen += 1
        if due:
            fault.hits += 1
            hits.append(fault)
    return sorted(hits, key=lambda fault: fault is end)


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
