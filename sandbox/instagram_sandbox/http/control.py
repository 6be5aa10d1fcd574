"""The control routes below ``/_sandbox``: clock, switches, accounts, faults, journal, truth."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import from_json
from starlette.responses import JSONResponse, Response

from instagram_sandbox.http.guard import only_ours
from instagram_sandbox.simulator.clock import iso_time, utc
from instagram_sandbox.simulator.faults import Fault
from instagram_sandbox.simulator.journal import Entry, Operation  # noqa: TC001 -- FastAPI reads them
from instagram_sandbox.simulator.state import (
    Account,
    AnyTokenText,
    Container,
    Duration,
    Post,
    Processing,
    Record,
    Scope,
    Subcode190,
    Switches,
    Token,
    TokenKind,
    TokenText,
    UserId,
)
from instagram_sandbox.simulator.truth import ContainerTruth, PostTruth, Truth
from instagram_sandbox.simulator.world import newest_first

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from typing_extensions import Self

    from instagram_sandbox.simulator.sandbox import Sandbox

R = TypeVar("R", bound=Record)
_OBJECT: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue], config=ConfigDict(allow_inf_nan=False))
MAX_CAPTION, MAX_PLANS = 10_000, 1_000
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


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
            raise ValueError('processing is empty; for normal processing, send {"outcome": "inspected"}')
        return processing


class NewAccount(Account):
    """An account to create; without a token, the sandbox makes one."""

    token: TokenText | None = None


class NewToken(Record):
    """A token to issue. ``age_s`` sets how long ago it was issued."""

    user_id: UserId
    token: AnyTokenText | None = None
    kind: TokenKind = "instagram"
    long_lived: bool = True
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


def sent(model: type[R]) -> Callable[[Request], Awaitable[R]]:
    """Return a reader of JSON bodies that ignores the content type, because curl sends a form's by default."""

    async def read(request: Request) -> R:
        return model.model_validate(await _json(request))

    return read


async def _changes(request: Request) -> dict[str, JsonValue]:
    return _OBJECT.validate_python(await _json(request))


async def _json(request: Request) -> Any:
    try:
        return from_json(await request.body(), allow_inf_nan=False)
    except ValueError as error:
        raise HTTPException(422, f"The body must be JSON: {error}.") from None


async def _known_query(request: Request) -> None:
    """Refuse an unknown query parameter, which would otherwise be ignored."""
    known = {parameter.alias for parameter in request.scope["route"].dependant.query_params}
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        raise HTTPException(
            422, f"Unknown query parameter {unknown[0]!r}. Known parameters: {', '.join(sorted(known)) or 'none'}."
        )


async def explain(_: Request, error: Exception) -> Response:
    """Answer what was wrong with a call of the control routes, without repeating its values."""
    problems = error.errors() if isinstance(error, ValidationError | RequestValidationError) else ()
    said = [f"{'.'.join(map(str, problem['loc'])) or 'body'}: {problem['msg']}" for problem in problems]
    return JSONResponse({"detail": said}, 422)


def router(sandbox: Sandbox) -> APIRouter:
    """Return the control routes of a sandbox."""
    guards = [Depends(only_ours(sandbox.settings.allowed_hosts)), Depends(_known_query)]
    routes = APIRouter(prefix="/_sandbox", dependencies=guards)
    _add_clock(routes, sandbox)
    _add_accounts(routes, sandbox)
    _add_tokens(routes, sandbox)
    _add_switches(routes, sandbox)
    _add_plans(routes, sandbox)
    _add_truth(routes, sandbox)
    _add_signpost(routes)
    return routes


def _add_signpost(routes: APIRouter) -> None:
    """Answer an unknown path below ``/_sandbox`` with the known routes, not with an error of Meta's API."""
    known = sorted(f"{method} {route.path}" for route in routes.routes for method in route.methods)  # type: ignore[attr-defined]

    async def nothing_here(request: Request) -> Response:
        what = f"Unknown route {request.method} {request.url.path}. Known routes: {', '.join(known)}."
        return JSONResponse({"detail": what}, 404)

    for path in ("", "/{path:path}"):
        routes.add_api_route(path, nothing_here, methods=[*METHODS], dependencies=[])


def _add_clock(routes: APIRouter, sandbox: Sandbox) -> None:
    @routes.get("/health")
    async def health() -> dict[str, bool]:
        return {"ok": True}

    @routes.get("/clock")
    async def read_clock() -> Now:
        return Now(now=sandbox.now, time=iso_time(sandbox.now))

    @routes.post("/clock")
    async def advance(how_far: Annotated[Advance, Depends(sent(Advance))]) -> Now:
        """Wait for running inspections, then move the clock forward, so that the order of events is certain."""
        await sandbox.processor.settle()
        try:
            sandbox.advance(how_far.seconds)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        return Now(now=sandbox.now, time=iso_time(sandbox.now))

    @routes.post("/settle")
    async def settle() -> Now:
        """Wait for all running inspections."""
        await sandbox.processor.settle()
        return Now(now=sandbox.now, time=iso_time(sandbox.now))

    @routes.post("/reset")
    async def reset() -> dict[str, bool]:
        await sandbox.reset()
        return {"ok": True}


def _add_accounts(routes: APIRouter, sandbox: Sandbox) -> None:
    @routes.get("/accounts")
    async def accounts() -> list[Account]:
        return list(sandbox.world.accounts.values())

    @routes.post("/accounts")
    async def add_account(new: Annotated[NewAccount, Depends(sent(NewAccount))]) -> Token:
        _check_unused(sandbox, new)
        token = sandbox.world.add_account(Account(**new.model_dump(exclude={"token"})), new.token)
        sandbox.store.commit()
        return token

    @routes.patch("/accounts/{user_id}")
    async def change_account(user_id: str, changes: Annotated[dict[str, JsonValue], Depends(_changes)]) -> Account:
        account = _account(sandbox, user_id)
        changed = _changed(account, changes)
        if changed.user_id != user_id:
            raise HTTPException(422, "The user id of an account cannot be changed.")
        if changed.username != account.username:
            _check_username(sandbox, changed.username)
        sandbox.world.change_account(changed)
        sandbox.store.commit()
        return changed


def _changed(record: R, changes: dict[str, Any]) -> R:
    return type(record).model_validate(record.model_dump() | changes)


def _account(sandbox: Sandbox, user_id: str) -> Account:
    account = sandbox.world.accounts.get(user_id)
    if account is None:
        raise HTTPException(404, f"The account {user_id} does not exist.")
    return account


def _check_username(sandbox: Sandbox, username: str) -> None:
    if username in {account.username for account in sandbox.world.accounts.values()}:
        raise HTTPException(409, "An account with this username already exists.")


def _check_unused(sandbox: Sandbox, new: NewAccount) -> None:
    if new.user_id in sandbox.world.accounts:
        raise HTTPException(409, "An account with this user id already exists.")
    _check_username(sandbox, new.username)
    _check_new_token(sandbox, new.token)


def _check_new_token(sandbox: Sandbox, token: str | None) -> None:
    if token in sandbox.world.tokens:
        raise HTTPException(409, "This token already exists.")


def _add_tokens(routes: APIRouter, sandbox: Sandbox) -> None:
    @routes.post("/tokens")
    async def add_token(new: Annotated[NewToken, Depends(sent(NewToken))]) -> Token:
        _account(sandbox, new.user_id)
        _check_new_token(sandbox, new.token)
        token = sandbox.world.add_token(
            new.user_id, token=new.token, long_lived=new.long_lived, scopes=new.scopes, kind=new.kind
        )
        token.issued_at -= new.age_s
        token.expires_at -= new.age_s
        sandbox.world.change_token(token)
        sandbox.store.commit()
        return token

    @routes.post("/tokens/revoke")
    async def revoke(which: Annotated[Revocation, Depends(sent(Revocation))]) -> Token:
        token = sandbox.world.tokens.get(which.token)
        if token is None:
            raise HTTPException(404, "This token does not exist.")
        token.revoked = which.subcode
        sandbox.world.change_token(token)
        sandbox.store.commit()
        return token


def _add_switches(routes: APIRouter, sandbox: Sandbox) -> None:
    @routes.get("/switches")
    async def read_switches() -> Switches:
        return sandbox.world.switches

    @routes.patch("/switches")
    async def set_switches(changes: Annotated[dict[str, JsonValue], Depends(_changes)]) -> Switches:
        sandbox.set_switches(_changed(sandbox.world.switches, changes))
        return sandbox.world.switches


def _add_plans(routes: APIRouter, sandbox: Sandbox) -> None:
    @routes.post("/processing")
    async def plan(new: Annotated[Plan, Depends(sent(Plan))]) -> dict[str, int]:
        """Set how the next containers are processed, instead of by the switch."""
        sandbox.world.plan([new.processing] * new.times)
        sandbox.store.commit()
        return {"planned": len(sandbox.world.planned)}

    @routes.get("/faults")
    async def faults() -> list[Fault]:
        return sandbox.faults

    @routes.post("/faults")
    async def add_fault(fault: Annotated[Fault, Depends(sent(Fault))]) -> Fault:
        if fault.account is not None:
            _account(sandbox, fault.account)
        sandbox.faults.append(fault)
        sandbox.keep_faults()
        return fault

    @routes.delete("/faults")
    async def clear_faults() -> dict[str, bool]:
        sandbox.faults.clear()
        sandbox.keep_faults()
        return {"ok": True}


def _add_truth(routes: APIRouter, sandbox: Sandbox) -> None:
    @routes.get("/journal")
    async def journal(
        operation: Operation | None = None,
        account: str | None = None,
        container_id: str | None = None,
        after: int = 0,
    ) -> list[Entry]:
        return sandbox.journal.find(operation, account, container_id, after)

    @routes.get("/posts")
    async def posts(request: Request, user_id: str | None = None, caption: str | None = None) -> list[PostTruth]:
        found = newest_first(sandbox.world.posts.values())
        return [
            _truth_of(sandbox, post, request)
            for post in found
            if (user_id is None or post.user_id == user_id) and (caption is None or post.caption == caption)
        ]

    @routes.post("/posts")
    async def add_post(new: Annotated[ForeignPost, Depends(sent(ForeignPost))], request: Request) -> PostTruth:
        _account(sandbox, new.user_id)
        post = sandbox.world.add_foreign_post(new.user_id, new.caption, sandbox.now - new.age_s)
        sandbox.store.commit()
        return _truth_of(sandbox, post, request)

    @routes.get("/containers")
    async def containers(user_id: str | None = None) -> list[ContainerTruth]:
        found = sorted(sandbox.world.containers.values(), key=lambda container: container.created_at)
        return [_container_truth(sandbox, c) for c in found if user_id is None or c.user_id == user_id]

    @routes.get("/truth")
    async def truth() -> Truth:
        made = [post for post in sandbox.world.posts.values() if post.container_id is not None]
        return Truth(
            per_container=dict.fromkeys(sandbox.world.containers, 0) | Counter(str(post.container_id) for post in made),
            per_caption=dict(Counter(post.caption for post in made)),
        )


def _truth_of(sandbox: Sandbox, post: Post, request: Request) -> PostTruth:
    return PostTruth(
        media_id=post.id,
        user_id=post.user_id,
        container_id=post.container_id,
        caption=post.caption,
        permalink=str(request.base_url).rstrip("/") + post.path,
        published_at=utc(post.published_at),
        visible=post.visible_at <= sandbox.now,
        share_to_feed=post.share_to_feed,
    )


def _container_truth(sandbox: Sandbox, container: Container) -> ContainerTruth:
    failure = sandbox.world.failure(container)
    return ContainerTruth(
        container_id=container.id,
        user_id=container.user_id,
        status_code=sandbox.world.status_code(container),
        subcode=failure.subcode if failure else None,
        reason=failure.reason if failure else "",
        caption=container.caption,
        created_at=utc(container.created_at),
        bytes_received=sandbox.processor.held_bytes(container.id),
        post_ids=container.post_ids,
    )
