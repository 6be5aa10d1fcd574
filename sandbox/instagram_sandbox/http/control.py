"""The control routes below ``/_sandbox``: clock, switches, accounts, faults, journal, truth."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, JsonValue
from starlette.responses import JSONResponse, Response

from instagram_sandbox.http.control_bodies import (
    Advance,
    Answer,
    ForeignComment,
    ForeignPost,
    JsonRoute,
    NewAccount,
    NewToken,
    Now,
    Plan,
    Revocation,
    known_query,
)
from instagram_sandbox.http.guard import only_ours
from instagram_sandbox.simulator import comments as rules
from instagram_sandbox.simulator import insights
from instagram_sandbox.simulator.clock import iso_time
from instagram_sandbox.simulator.faults import Fault  # noqa: TC001 -- FastAPI reads it
from instagram_sandbox.simulator.journal import Entry, Operation  # noqa: TC001 -- FastAPI reads them
from instagram_sandbox.simulator.state import Account, Container, Count, Post, Record, Token
from instagram_sandbox.simulator.switches import Switches  # noqa: TC001 -- FastAPI reads it
from instagram_sandbox.simulator.truth import (
    CommentTruth,
    ContainerTruth,
    MessageTruth,
    PostTruth,
    Truth,
)

if TYPE_CHECKING:
    from instagram_sandbox.simulator.sandbox import Sandbox
    from instagram_sandbox.simulator.state import Comment

R = TypeVar("R", bound=Record)
T = TypeVar("T", bound=BaseModel)
Changes: TypeAlias = dict[str, JsonValue]
MAX_METRIC: Final = 1_000_000_000_000
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE")


def router(sandbox: Sandbox) -> APIRouter:
    """Return the control routes of a sandbox."""
    guards = [Depends(only_ours(sandbox.settings.allowed_hosts)), Depends(known_query)]
    routes = APIRouter(prefix="/_sandbox", dependencies=guards, route_class=JsonRoute)
    _add_clock(routes, sandbox)
    _add_accounts(routes, sandbox)
    _add_tokens(routes, sandbox)
    _add_switches(routes, sandbox)
    _add_plans(routes, sandbox)
    _add_truth(routes, sandbox)
    _add_posts(routes, sandbox)
    _add_comments(routes, sandbox)
    _add_insights(routes, sandbox)
    described = get_openapi(
        title="instagram-sandbox: control routes", version="1", routes=routes.routes
    )

    @routes.get("/openapi.json", include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        return described

    _add_signpost(routes)
    return routes


def _add_signpost(routes: APIRouter) -> None:
    """Answer an unknown path below ``/_sandbox`` with the known routes, not with an error of Meta's API."""
    known = sorted(f"{method} {route.path}" for route in routes.routes for method in route.methods)  # type: ignore[attr-defined]

    async def nothing_here(request: Request) -> Response:
        what = (
            f"Unknown route {request.method} {request.url.path}. Known routes: {', '.join(known)}."
        )
        return JSONResponse({"detail": what}, 404)

    for path in ("", "/{path:path}"):
        routes.add_api_route(path, nothing_here, methods=[*METHODS], include_in_schema=False)


def _add_clock(routes: APIRouter, sandbox: Sandbox) -> None:
    @routes.get("/health")
    async def health() -> dict[str, bool]:
        return {"ok": True}

    @routes.get("/clock")
    async def read_clock() -> Now:
        return Now(now=sandbox.now, time=iso_time(sandbox.now))

    @routes.post("/clock")
    async def advance(how_far: Advance) -> Now:
        """Wait for what is running, then move the clock forward, so that the order of events is certain."""
        await sandbox.settle()
        try:
            sandbox.advance(how_far.seconds)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        return Now(now=sandbox.now, time=iso_time(sandbox.now))

    @routes.post("/settle")
    async def settle() -> Now:
        """Wait for all running inspections and webhooks."""
        await sandbox.settle()
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
    async def add_account(new: NewAccount) -> Token:
        _check_unused(sandbox, new)
        return sandbox.world.add_account(Account(**new.model_dump(exclude={"token"})), new.token)

    @routes.patch("/accounts/{user_id}")
    async def change_account(user_id: str, changed_to: Changes) -> Account:
        account = _account(sandbox, user_id)
        changed = _changed(account, changed_to)
        if changed.user_id != user_id:
            raise HTTPException(422, "The user id of an account cannot be changed.")
        if changed.username != account.username:
            _check_username(sandbox, changed.username)
        sandbox.world.accounts.keep(changed)
        return changed


def _changed(record: R, changed_to: dict[str, Any]) -> R:
    return type(record).model_validate(record.model_dump() | changed_to)


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
    async def add_token(new: NewToken) -> Token:
        _account(sandbox, new.user_id)
        _check_new_token(sandbox, new.token)
        token = sandbox.world.add_token(
            new.user_id,
            token=new.token,
            long_lived=new.long_lived,
            scopes=new.scopes,
            kind=new.kind,
            ends=new.ends,
        )
        token.issued_at -= new.age_s
        token.expires_at -= new.age_s
        sandbox.world.tokens.keep(token)
        return token

    @routes.post("/tokens/revoke")
    async def revoke(which: Revocation) -> Token:
        token = sandbox.world.tokens.get(which.token)
        if token is None:
            raise HTTPException(404, "This token does not exist.")
        token.revoked = which.subcode
        sandbox.world.tokens.keep(token)
        return token


def _add_switches(routes: APIRouter, sandbox: Sandbox) -> None:
    @routes.get("/switches")
    async def read_switches() -> Switches:
        return sandbox.world.switches

    @routes.patch("/switches")
    async def set_switches(changed_to: Changes) -> Switches:
        processing = changed_to.get("processing")
        if isinstance(processing, dict):
            changed_to["processing"] = sandbox.world.switches.processing.but(processing)
        sandbox.set_switches(_changed(sandbox.world.switches, changed_to))
        return sandbox.world.switches


def _add_plans(routes: APIRouter, sandbox: Sandbox) -> None:
    @routes.post("/processing")
    async def plan(new: Plan) -> dict[str, int]:
        """Set how the next containers are processed, instead of by the switch."""
        sandbox.world.plan([new.processing] * new.times)
        return {"planned": len(sandbox.world.planned)}

    @routes.get("/faults")
    async def faults() -> list[Fault]:
        return sandbox.faults

    @routes.post("/faults")
    async def add_fault(fault: Fault) -> Fault:
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
        warned: bool = False,
    ) -> list[Entry]:
        return sandbox.journal.find(operation, account, container_id, after, warned)

    @routes.get("/containers")
    async def containers(user_id: str | None = None) -> list[ContainerTruth]:
        found = sorted(
            sandbox.world.containers.values(), key=lambda container: container.created_at
        )
        return [
            _container_truth(sandbox, c) for c in found if user_id is None or c.user_id == user_id
        ]

    @routes.get("/truth")
    async def truth() -> Truth:
        made = [
            post
            for post in sandbox.world.posts.values()
            if post.container_id is not None and not post.deleted
        ]
        return Truth(
            per_container=dict.fromkeys(sandbox.world.containers, 0)
            | Counter(str(post.container_id) for post in made),
            per_caption=dict(Counter(post.caption for post in made)),
        )


def _add_posts(routes: APIRouter, sandbox: Sandbox) -> None:
    @routes.get("/posts")
    async def posts(
        request: Request, user_id: str | None = None, caption: str | None = None
    ) -> list[PostTruth]:
        found = sandbox.world.existing_posts()
        return [
            _truth_of(sandbox, post, request)
            for post in found
            if (user_id is None or post.user_id == user_id)
            and (caption is None or post.caption == caption)
        ]

    @routes.post("/posts")
    async def add_post(new: ForeignPost, request: Request) -> PostTruth:
        _account(sandbox, new.user_id)
        post = sandbox.world.add_foreign_post(
            new.user_id, new.caption, sandbox.now - new.age_s, new.tagged
        )
        return _truth_of(sandbox, post, request)


def _add_comments(routes: APIRouter, sandbox: Sandbox) -> None:
    """Add what other people say: their comments, and their answers to invitations."""

    @routes.get("/comments")
    async def comments(media_id: str | None = None) -> list[CommentTruth]:
        found = sorted(
            sandbox.world.comments.values(), key=lambda comment: (comment.created_at, comment.id)
        )
        return [_comment_truth(sandbox, c) for c in found if media_id in {None, c.media_id}]

    @routes.post("/comments")
    async def add_comment(new: ForeignComment) -> CommentTruth:
        post = _post(sandbox, new.media_id)
        parent = sandbox.world.comments.get(new.parent_id) if new.parent_id else None
        if new.parent_id and (parent is None or parent.media_id != post.id):
            raise HTTPException(404, f"The post {post.id} has no comment {new.parent_id}.")
        comment = rules.add_foreign(sandbox.world, post, new.text, new.username, parent)
        return _comment_truth(sandbox, comment)

    @routes.get("/messages")
    async def messages() -> list[MessageTruth]:
        """Return all private replies, oldest first."""
        return [
            _truth(MessageTruth, one, message_id=one.id) for one in sandbox.world.messages.values()
        ]

    @routes.post("/posts/{media_id}/collaborators")
    async def answer_invite(media_id: str, answer: Answer) -> dict[str, bool]:
        post = _post(sandbox, media_id)
        invited = next((one for one in post.collaborators if one.username == answer.username), None)
        if invited is None:
            raise HTTPException(404, f"{answer.username} was not invited to the post {media_id}.")
        invited.invite_status = answer.invite_status
        sandbox.world.posts.keep(post)
        return {"ok": True}


def _add_insights(routes: APIRouter, sandbox: Sandbox) -> None:
    @routes.get("/insights/{media_id}")
    async def read_insights(media_id: str) -> dict[str, int]:
        """Return all numbers about a post as they are now, whether or not the API shows them yet."""
        post = _post(sandbox, media_id)
        names = insights.BY_PRODUCT[post.media_product_type]
        return {name: insights.value(sandbox.world, post, name) for name in names}

    @routes.patch("/insights/{media_id}")
    async def set_insights(media_id: str, changed_to: Changes) -> dict[str, int]:
        """Fix numbers about a post, which then no longer grow."""
        post = _post(sandbox, media_id)
        fixed = {name: _count(post, name, value) for name, value in changed_to.items()}
        post.metrics = post.metrics | fixed
        sandbox.world.posts.keep(post)
        return post.metrics


def _post(sandbox: Sandbox, media_id: str) -> Post:
    post = sandbox.world.post(media_id)
    if post is None:
        raise HTTPException(404, f"The post {media_id[:40]} does not exist.")
    return post


def _count(post: Post, name: str, value: JsonValue) -> Count:
    names = insights.BY_PRODUCT[post.media_product_type]
    if name not in names:
        raise HTTPException(
            422, f"{name[:40]!r} is not a metric of this post. Its metrics: {', '.join(names)}."
        )
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_METRIC:
        raise HTTPException(422, f"{name} must be an integer from 0 to {MAX_METRIC}.")
    return value


def _truth(model: type[T], record: Record, **more: Any) -> T:
    """Return what is true of a record: its fields of the same names, and more."""
    return model.model_validate(
        {name: getattr(record, name, None) for name in model.model_fields} | more
    )


def _comment_truth(sandbox: Sandbox, comment: Comment) -> CommentTruth:
    return _truth(
        CommentTruth, comment, comment_id=comment.id, visible=comment.visible_at <= sandbox.now
    )


def _truth_of(sandbox: Sandbox, post: Post, request: Request) -> PostTruth:
    path = post.path(sandbox.world.accounts[post.user_id].username)
    link = str(request.base_url).rstrip("/") + path
    return _truth(
        PostTruth, post, media_id=post.id, permalink=link, visible=post.visible_at <= sandbox.now
    )


def _container_truth(sandbox: Sandbox, container: Container) -> ContainerTruth:
    failure = sandbox.world.failure(container)
    return _truth(
        ContainerTruth,
        container,
        container_id=container.id,
        status_code=sandbox.world.status_code(container),
        subcode=failure.subcode if failure else None,
        reason=failure.reason if failure else "",
        bytes_received=sandbox.processor.held_bytes(container.id),
    )
