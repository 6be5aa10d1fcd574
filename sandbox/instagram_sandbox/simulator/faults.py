"""Planned faults: which call they hit, whether before or after its effect, and what the client sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field, JsonValue, model_validator
from starlette.responses import HTMLResponse, JSONResponse, Response

from instagram_sandbox.simulator.error_texts import subcodes_of
from instagram_sandbox.simulator.errors import (
    ApiError,
    GraphError,
    LoginError,
    UploadError,
)
from instagram_sandbox.simulator.journal import Operation  # noqa: TC001 -- pydantic reads it
from instagram_sandbox.simulator.state import Count, Minutes, Record, UserId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Self

    from instagram_sandbox.simulator.scopes import Login

BODILESS: Final = frozenset({204, 205})
THROTTLED: Final = 80002
BAD_GATEWAY: Final = (
    "<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Sorry, something went wrong.</h1>"
    "<p>We're working on it and we'll get it fixed as soon as we can.</p></body></html>"
)
"""The page of a proxy in front of the API, as sent when Meta is down."""


class Fault(Record):
    """A planned fault.

    A fault hits the effect of a call or only its answer: ``when="before"`` prevents the effect,
    ``"after"`` lets the call take effect and replaces its answer. So ``publish`` with ``drop`` and
    ``after`` makes a post and loses its answer.

    :param operation: Which calls are hit, by their name in the journal; ``*`` for all.
    :param nth: The first call that is hit, counted from the moment the fault is planned.
    :param times: How many calls in a row are hit; 0 for all that follow.
    :param when: Before or after the call takes effect.
    :param drop: Close the connection instead of answering.
    :param delay_s: Wait this long (real time) before the call, or before its answer.
    :param code: Answer with this code of the Graph API. Uploads and the exchange of a login code
        answer it in the shape of their own host.
    :param subcode: The subcode for ``code``. A code that always has the same one needs none.
    :param regain_minutes: With ``code``: the minutes in the usage header, as at the real limit;
        default for 80002: 1.
    :param status: Answer with this HTTP status and ``body``. Redirects are not allowed, because
        Meta sends none.
    :param body: The JSON body for ``status``.
    :param html: Answer with the HTML page of a 502.
    :param cut_after_bytes: For an upload: take this many bytes, then close the connection.
    :param account: Hit only calls by this account.
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
        ways = [
            self.drop,
            self.code is not None,
            self.status is not None,
            self.html,
            self.cut_after_bytes is not None,
        ]
        if sum(ways) > 1 or not (any(ways) or self.delay_s):
            raise ValueError(
                "give exactly one of drop, code, status, html and cut_after_bytes, or only delay_s"
            )
        if self.cut_after_bytes is not None and (
            self.operation != "upload" or self.when == "after"
        ):
            raise ValueError('cut_after_bytes needs the operation upload and when="before"')
        if self.code is None and (self.subcode is not None or self.regain_minutes is not None):
            raise ValueError("subcode and regain_minutes need a code")
        if self.operation == "webhook":
            raise ValueError("a webhook is sent by the sandbox, so that no fault can hit it")
        if self.code == 0:
            raise ValueError("0 is not an error code")
        if self.code is not None and self.subcode is None and (known := subcodes_of(self.code)):
            if len(known) > 1:
                raise ValueError(
                    f"{self.code} needs one of the subcodes {', '.join(map(str, known))}"
                )
            self.subcode = known[0]
        if self.status is not None and 300 <= self.status < 400:
            raise ValueError("redirects are not supported, because Meta's hosts send none")
        if self.body is not None and (self.status is None or self.status in BODILESS):
            raise ValueError("body needs a status that can have a body")
        return self

    @property
    def ends_the_call(self) -> bool:
        """Whether the client gets something other than the real answer; otherwise it only waits."""
        return self.drop or self.replaces_answer or self.cut_after_bytes is not None

    def is_for(self, operation: str, account: str | None) -> bool:
        """Return whether a call like this one counts for this fault."""
        return self.operation in {operation, "*"} and self.account in {None, account}

    @property
    def is_due(self) -> bool:
        """Whether the fault hits the next of its calls."""
        at = self.seen + 1
        return at >= self.nth and (not self.times or at < self.nth + self.times)

    @property
    def header_minutes(self) -> int | None:
        """The minutes to wait in the usage header; None leaves the header unchanged."""
        return 1 if self.code == THROTTLED and self.regain_minutes is None else self.regain_minutes

    @property
    def replaces_answer(self) -> bool:
        """Whether the client gets an answer that the fault makes."""
        return self.code is not None or self.status is not None or self.html

    def answer(self, operation: str, host: Login) -> Response:
        """Return the answer that the client gets instead of the real one.

        :param operation: The operation, because the hosts differ in the shape of their errors.
        :param host: The login whose host is asked.
        """
        if self.html:
            return HTMLResponse(BAD_GATEWAY, 502)
        if self.code is not None:
            return _in_shape(
                operation, GraphError(self.code, self.subcode).by_host(host)
            ).response()
        if self.status in BODILESS:
            return Response(status_code=self.status)
        return JSONResponse(self.body or {}, self.status or 500)

    def describe(self) -> str:
        """Return the fault's name in the journal."""
        if self.drop or self.cut_after_bytes is not None:
            what = "drop" if self.drop else f"cut after {self.cut_after_bytes} bytes"
        elif self.replaces_answer:
            what = (
                "html"
                if self.html
                else f"{self.code or self.status}/{self.subcode or ''}".rstrip("/")
            )
        else:
            what = f"delay {self.delay_s:g} s"
        return f"{what} {self.when}"


def taken(faults: Iterable[Fault], operation: str, account: str | None) -> list[Fault]:
    """Count a call, and return the faults that hit it.

    If two faults that end a call are due, the one planned first hits and the other waits for the
    next call. An ``after`` fault also waits if a ``before`` fault prevents the effect.
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
    """Return an error in the shape of the operation's host."""
    if operation == "upload":
        not_allowed = error.code in {3, 10, 102, 190} or 200 <= error.code < 300
        kind = "NotAuthorizedError" if not_allowed else "ProcessingFailedError"
        return UploadError(kind, str(error), retriable=bool(error.body["is_transient"]))
    if operation == "exchange_code":
        return LoginError(str(error))
    return error
