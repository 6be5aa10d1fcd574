"""The sandbox's own doors, below ``/_sandbox``: clock, switches, accounts, faults, journal, truth."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from airflow_provider_instagram.sandbox.clock import iso_time, utc
from airflow_provider_instagram.sandbox.faults import Fault  # noqa: TC001 -- FastAPI reads it
from airflow_provider_instagram.sandbox.journal import Entry  # noqa: TC001 -- FastAPI reads it
from airflow_provider_instagram.sandbox.state import Account, Container, Post, Processing, Switches, Token
from airflow_provider_instagram.sandbox.truth import ContainerTruth, PostTruth, Truth
from airflow_provider_instagram.sandbox.world import newest_first

if TYPE_CHECKING:
    from airflow_provider_instagram.sandbox.sandbox import Sandbox


LONGEST_ADVANCE_S = 10 * 366 * 86400.0


class Advance(BaseModel):
    """How far the clock moves."""

    model_config = ConfigDict(extra="forbid")
    seconds: float = Field(ge=0, le=LONGEST_ADVANCE_S, allow_inf_nan=False)


class Now(BaseModel):
    """The sandbox's time."""

    now: float
    time: str


class Plan(BaseModel):
    """How the next containers are processed."""

    model_config = ConfigDict(extra="forbid")
    processing: Processing
    times: int = Field(default=1, ge=1)


class NewAccount(Account):
    """An account to open; without a token, one is made."""

    token: str | None = None


class NewToken(BaseModel):
    """A token to issue. Its age makes it look issued earlier."""

    model_config = ConfigDict(extra="forbid")
    user_id: str
    token: str | None = None
    long_lived: bool = True
    age_s: float = Field(default=0, ge=0)
    scopes: list[str] | None = None


class Revocation(BaseModel):
    """Which token dies, and the subcode it answers from then on; 0 stands for none."""

    model_config = ConfigDict(extra="forbid")
    token: str
    subcode: int = 460


class ForeignPost(BaseModel):
    """A post that was made in the app, not through the API."""

    model_config = ConfigDict(extra="forbid")
    user_id: str
    caption: str = ""
    age_s: float = Field(default=0, ge=0)


def router(sandbox: Sandbox) -> APIRouter:
    """Return the control routes of a sandbox."""
    routes = APIRouter(prefix="/_sandbox")
    _add_clock(routes, sandbox)
    _add_accounts(routes, sandbox)
    _add_tokens(routes, sandbox)
    _add_switches(routes, sandbox)
    _add_plans(routes, sandbox)
    _add_truth(routes, sandbox)
    return routes


def _add_clock(routes: APIRouter, sandbox: Sandbox) -> None:
    @routes.get("/health")
    async def health() -> dict[str, bool]:
        return {"ok": True}

    @routes.get("/clock")
    async def read_clock() -> Now:
        return Now(now=sandbox.now, time=iso_time(sandbox.now))

    @routes.post("/clock")
    async def advance(how_far: Advance) -> Now:
        """Move the clock on, once the work on media that has begun is done, so that a test sees one order of things."""
        await sandbox.processor.settle()
        sandbox.advance(how_far.seconds)
        return Now(now=sandbox.now, time=iso_time(sandbox.now))

    @routes.post("/settle")
    async def settle() -> Now:
        """Wait until the work on media that has begun is done."""
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
    async def add_account(new: NewAccount) -> Token:
        _check_unused(sandbox, new)
        token = sandbox.world.add_account(Account(**new.model_dump(exclude={"token"})), new.token)
        sandbox.store.commit()
        return token

    @routes.patch("/accounts/{user_id}")
    async def change_account(user_id: str, changes: dict[str, Any]) -> Account:
        account = sandbox.world.accounts.get(user_id)
        if account is None:
            raise HTTPException(404, "There is no such account.")
        try:
            changed = Account.model_validate(account.model_dump() | changes | {"user_id": user_id})
        except ValidationError as error:
            raise HTTPException(422, error.errors(include_url=False, include_context=False)) from None
        sandbox.world.change_account(changed)
        sandbox.store.commit()
        return changed


def _check_unused(sandbox: Sandbox, new: NewAccount) -> None:
    accounts = sandbox.world.accounts.values()
    if new.user_id in sandbox.world.accounts or new.username in {account.username for account in accounts}:
        raise HTTPException(409, "There is an account of that user id or username already.")
    _check_new_token(sandbox, new.token)


def _check_new_token(sandbox: Sandbox, token: str | None) -> None:
    if token in sandbox.world.tokens:
        raise HTTPException(409, "That token is in use already.")


def _add_tokens(routes: APIRouter, sandbox: Sandbox) -> None:
    @routes.post("/tokens")
    async def add_token(new: NewToken) -> Token:
        if new.user_id not in sandbox.world.accounts:
            raise HTTPException(404, "There is no such account.")
        _check_new_token(sandbox, new.token)
        token = sandbox.world.add_token(new.user_id, token=new.token, long_lived=new.long_lived, scopes=new.scopes)
        token.issued_at -= new.age_s
        token.expires_at -= new.age_s
        sandbox.world.change_token(token)
        sandbox.store.commit()
        return token

    @routes.post("/tokens/revoke")
    async def revoke(which: Revocation) -> Token:
        token = sandbox.world.tokens.get(which.token)
        if token is None:
            raise HTTPException(404, "There is no such token.")
        token.revoked = which.subcode
        sandbox.world.change_token(token)
        sandbox.store.commit()
        return token


def _add_switches(routes: APIRouter, sandbox: Sandbox) -> None:
    @routes.get("/switches")
    async def read_switches() -> Switches:
        return sandbox.world.switches

    @routes.patch("/switches")
    async def set_switches(changes: dict[str, Any]) -> Switches:
        try:
            sandbox.set_switches(changes)
        except ValidationError as error:
            raise HTTPException(422, error.errors(include_url=False, include_context=False)) from None
        return sandbox.world.switches


def _add_plans(routes: APIRouter, sandbox: Sandbox) -> None:
    @routes.post("/processing")
    async def plan(new: Plan) -> dict[str, int]:
        """Say how the next containers are processed, in place of the switch."""
        sandbox.world.plan([new.processing] * new.times)
        sandbox.store.commit()
        return {"planned": len(sandbox.world.planned)}

    @routes.get("/faults")
    async def faults() -> list[Fault]:
        return sandbox.faults

    @routes.post("/faults")
    async def add_fault(fault: Fault) -> Fault:
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
        operation: str | None = None, account: str | None = None, container_id: str | None = None, after: int = 0
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
    async def add_post(new: ForeignPost, request: Request) -> PostTruth:
        if new.user_id not in sandbox.world.accounts:
            raise HTTPException(404, "There is no such account.")
        post = sandbox.world.add_foreign_post(new.user_id, new.caption, sandbox.now - new.age_s)
        sandbox.store.commit()
        return _truth_of(sandbox, post, request)

    @routes.get("/containers")
    async def containers(user_id: str | None = None) -> list[ContainerTruth]:
        found = sandbox.world.containers.values()
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
    return ContainerTruth(
        container_id=container.id,
        user_id=container.user_id,
        status_code=sandbox.world.status_code(container),
        subcode=sandbox.world.failure(container),
        reason=container.facts.reason if container.facts else "",
        caption=container.caption,
        created_at=utc(container.created_at),
        bytes_received=sandbox.processor.held_bytes(container.id),
        post_ids=container.post_ids,
    )
