"""Handle every call of Meta's API: parameters, token, faults, journal and usage headers."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from instagram_sandbox.http.body import parameters
from instagram_sandbox.http.connections import drop_connection
from instagram_sandbox.simulator.addresses import login_of_host, metas_host
from instagram_sandbox.simulator.errors import ApiError, GraphError, HostError, invalid
from instagram_sandbox.simulator.faults import taken
from instagram_sandbox.simulator.journal import Entry, redact, without
from instagram_sandbox.simulator.versions import NEWEST

if TYPE_CHECKING:
    from collections.abc import Collection

    from instagram_sandbox.simulator.faults import Fault
    from instagram_sandbox.simulator.journal import Operation
    from instagram_sandbox.simulator.sandbox import Sandbox
    from instagram_sandbox.simulator.scopes import Login, Permission
    from instagram_sandbox.simulator.state import Account, Token
    from instagram_sandbox.simulator.world import World

T = TypeVar("T")


@dataclass(slots=True)
class Call:
    """One call of the API."""

    sandbox: Sandbox
    request: Request
    params: dict[str, Any]
    entry: Entry
    token: Token = field(init=False)  #: set by :meth:`enter`
    # the token's own until :meth:`find` finds an object of another
    account: Account = field(init=False)
    version: str = NEWEST
    cut_after_bytes: int | None = None
    regain_minutes: int | None = None

    @property
    def world(self) -> World:
        """The world that is called."""
        return self.sandbox.world

    @property
    def base_url(self) -> str:
        """The sandbox's URL as the client wrote it; its own address if the client wrote one of Meta's hosts."""
        server = self.request.scope.get("server")
        host = self.request.headers.get("host", "").partition(":")[0]
        if (
            login_of_host(host) is not None and server is not None
        ):  # a client that was led here: Meta's name leads nowhere
            host, port = server
            return f"{self.request.url.scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        return str(self.request.base_url).rstrip("/")

    @property
    def named_host(self) -> Login | None:
        """The login whose host the request names; None if it names the sandbox itself."""
        return login_of_host(metas_host(self.request.headers))

    def served_by(self, what: str, hosts: Collection[str]) -> None:
        """Refuse a call that names one of Meta's other hosts.

        :raises HostError: It does.
        """
        host = metas_host(self.request.headers)
        if host and host not in hosts:
            said = f"{what}, not {host}."
            self.warn(said)
            raise HostError(said)

    @property
    def host(self) -> Login:
        """The login whose host is asked, by its name, by the token, or by the switch."""
        token = self.world.tokens.get(self.token_text() or "")
        only = self.world.switches.login
        if only == "any":
            only = token.login if token is not None else "instagram"
        return self.named_host or only

    def warn(self, *what: str) -> None:
        """Add warnings to the journal's entry of this call."""
        self.entry.warnings.extend(what)

    def retired(self, what: str) -> None:
        """Warn of what Meta has retired for apps that were made after 2026-11-04, or refuse it.

        :raises GraphError: 12: the switch refuses it.
        """
        said = (
            f"Apps that were made after 2026-11-04 may not use {what}, on any version of the API."
        )
        if self.world.switches.retired_for_new_apps == "refuse":
            raise GraphError(12, None, f"(#12) {said}")
        self.warn(said)

    def _check_proof(self, token: str) -> None:
        """Source: Meta, Securing Graph API calls: the proof is an HMAC of the token, keyed by the app's secret."""
        proof = self.params.get("appsecret_proof")
        right = hmac.new(
            self.sandbox.settings.app_secret.encode(), token.encode(), "sha256"
        ).hexdigest()
        if proof is None and self.world.switches.require_appsecret_proof:
            raise GraphError(
                100, None, "API calls from the server require an appsecret_proof argument"
            )
        if proof is not None and not hmac.compare_digest(
            str(proof).encode("utf-8", "replace"), right.encode()
        ):
            raise GraphError(100, None, "Invalid appsecret_proof provided in the API argument")

    @property
    def secrets(self) -> list[str]:
        """The texts that the journal must not contain."""
        return [self.sandbox.settings.app_secret, *self.world.tokens]

    def token_text(self) -> str | None:
        """Return the access token, from the header (``Bearer`` or ``OAuth``) or a parameter."""
        scheme, _, token = self.request.headers.get("authorization", "").partition(" ")
        if scheme.lower() in {"bearer", "oauth"}:
            return token.strip()
        value = self.params.get("access_token")
        return value if isinstance(value, str) else None

    def authenticate(self, host: Login | None = None) -> Token:
        """Return the call's token if it is valid. If the switch ``login`` refuses it, the journal says so."""
        text = self.token_text()
        only = self.world.switches.login
        token = self.world.tokens.get(text or "")
        if token is not None and host is None and only not in {token.login, "any"}:
            self.warn(
                f"The token of {token.login.title()} Login was refused because the switch login is {only}. "
                "Remedy: set the switch to any. (--strict sets it to instagram.)"
            )
        return self.world.authenticate(text, host)

    def enter(self) -> None:
        """Authenticate the client by its token."""
        self.token = self.authenticate(self.named_host)
        self.account = self.world.accounts[self.token.user_id]
        self._check_proof(self.token.token)

    def count(self, weight: int = 1) -> None:
        """Count the call, as this many, for the account that it is about, which need not be the token's own."""
        self.entry.account = self.account.user_id
        self.entry.weight = weight
        self.world.count_call(self.account.user_id, weight)

    def find(self, find: Callable[[Call, str], T | None], node: str) -> T | None:
        """Return an object of an account that the token acts for, which then is the call's account."""
        reached = self.world.reached(self.token)
        for self.account in reached:
            if (thing := find(self, node)) is not None:
                return thing
        self.account = reached[0]
        return None

    def require(self, permission: Permission) -> None:
        """Check that the token has a permission.

        :raises GraphError: 200: it has not.
        """
        if not set(permission) & set(self.token.scopes):
            wanted = permission[0 if self.host == "instagram" else 1]
            raise GraphError(200, None, f"(#200) Requires {wanted or permission[1]} permission")


log = logging.getLogger(__name__)

#: No script of another site reads what a person sees, nor what an app's server gets for the app's
#: secret.
_UNREADABLE = frozenset({"authorize", "decide", "exchange_code", "facebook_token"})

Handler: TypeAlias = Callable[[Call], Awaitable[Response]]


class DroppedError(Exception):
    """Close the connection without an answer."""


async def run(
    sandbox: Sandbox, request: Request, operation: Operation, handler: Handler
) -> Response:
    """Run a call through the faults, its handler and the journal."""
    began = time.perf_counter()
    entry = _note(sandbox, request, operation)
    call = Call(sandbox, request, {}, entry)
    response: Response | None = None
    try:
        call.params = await parameters(request) if operation != "upload" else {}
        entry.parameters = redact(call.params, call.secrets)
        entry.account = _owner(call)
        response = await _disturbed(call, handler)
    except ApiError as error:
        entry.outcome = error.summary()
        response = (error.by_host(call.host) if isinstance(error, GraphError) else error).response()
    except ClientDisconnect:
        entry.outcome = "caller left"
    except (ValueError, RecursionError) as error:
        log.warning("%s %s could not be read: %s", request.method, request.url.path, error)
        refused = invalid("Invalid parameter").by_host(call.host)
        entry.outcome = refused.summary()
        response = refused.response()
    except DroppedError:
        entry.outcome = "dropped"
        drop_connection(request.scope)
        await asyncio.sleep(0)
    if response is not None and operation not in _UNREADABLE:
        # as the Graph API, for clients in a browser
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["facebook-api-version"] = call.version
    entry.status = response.status_code if response else None
    entry.duration_ms = round((time.perf_counter() - began) * 1000, 3)
    sandbox.journal.keep(entry)
    if response is None:
        return Response()  # nobody reads it
    _add_usage(call, response)
    return response


def _note(sandbox: Sandbox, request: Request, operation: Operation) -> Entry:
    return sandbox.journal.open(
        sandbox.now,
        operation=operation,
        method=request.method,
        path=without(request.url.path, sandbox.world.tokens),
    )


async def _disturbed(call: Call, handler: Handler) -> Response:
    entry = call.entry
    planned = call.sandbox.faults
    hits = taken(planned, entry.operation, entry.account)
    if planned:
        call.sandbox.keep_faults()  # they count every call, not only those that they hit
    entry.fault = ", ".join(fault.describe() for fault in hits) or None
    call.regain_minutes = max(
        (m for fault in hits if (m := fault.header_minutes) is not None), default=None
    )
    replaced = await _disturb(call, hits, "before")
    if replaced is not None:
        return replaced
    try:
        response = await handler(call)
    except ApiError:
        if any(fault.when == "after" for fault in hits):
            entry.fault = f"{entry.fault}, not seen: the call was refused"
        raise
    entry.outcome = "ok"
    entry.effect = True
    if hits:
        call.sandbox.store.commit()
    return await _disturb(call, hits, "after") or response


async def _disturb(
    call: Call, hits: list[Fault], when: Literal["before", "after"]
) -> Response | None:
    for fault in hits:
        if fault.when != when:
            continue
        await asyncio.sleep(fault.delay_s)
        call.cut_after_bytes = fault.cut_after_bytes
        if fault.drop:
            raise DroppedError
        if fault.replaces_answer:
            call.entry.outcome = "fault"
            return fault.answer(call.entry.operation, call.host)
    return None


def _owner(call: Call) -> str | None:
    token = call.world.tokens.get(call.token_text() or "")
    return token.user_id if token else None


def _add_usage(call: Call, response: Response) -> None:
    account = call.entry.account
    way = call.world.switches.usage_header
    if (
        account is None
        or way == "none"
        or call.entry.operation in {"upload", "exchange_code", "batch"}
    ):
        return
    percent, minutes = call.world.usage(account)
    if call.regain_minutes is not None:
        percent = max(percent, 100)
        minutes = max(minutes, call.regain_minutes)
    if way == "app":
        usage = {"call_count": percent, "total_time": percent // 4, "total_cputime": percent // 4}
        response.headers["X-App-Usage"] = json.dumps(usage)
        return
    use = {
        "type": "instagram",
        "call_count": percent,
        "total_cputime": percent // 4,
        "total_time": percent // 4,
        "estimated_time_to_regain_access": minutes,
    }
    response.headers["X-Business-Use-Case-Usage"] = json.dumps({account: [use]})


def graph_json(body: Any) -> JSONResponse:
    """Return JSON with the content type of the Graph API."""
    return JSONResponse(body, media_type="application/json; charset=UTF-8")
