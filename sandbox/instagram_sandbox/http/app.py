"""The sandbox as one web application, which serves all of Meta's hosts on one port."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import Response

from instagram_sandbox.http import control, facebook, graph, login, pages, pipeline
from instagram_sandbox.http.body import parameters
from instagram_sandbox.http.control_bodies import explain
from instagram_sandbox.http.guard import only_ours
from instagram_sandbox.http.upload import upload
from instagram_sandbox.simulator.addresses import metas_host
from instagram_sandbox.simulator.clock import Clock
from instagram_sandbox.simulator.errors import ApiError
from instagram_sandbox.simulator.sandbox import Sandbox, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from instagram_sandbox.http.pipeline import Handler
    from instagram_sandbox.simulator.journal import Operation


def create_app(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """Build the application of a sandbox."""
    sandbox = Sandbox.open(settings, clock or Clock())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sandbox.processor.resume()
        yield
        await sandbox.close()

    app = FastAPI(lifespan=lifespan, openapi_url=None, redirect_slashes=False)
    app.state.sandbox = sandbox
    app.include_router(control.router(sandbox))
    app.add_exception_handler(ValidationError, explain)
    app.add_exception_handler(RequestValidationError, explain)
    _add_pages(app, sandbox)
    _add_files(app, sandbox)
    _add_operation(
        app, sandbox, "POST", "/ig-api-upload/{version}/{container_id}", "upload", upload
    )
    _add_login(app, sandbox)

    async def rest(request: Request, _: Exception | None = None) -> Response:
        return await graph.endpoint(sandbox, request, request.scope["path"])

    app.add_route("/{path:path}", rest, methods=[*control.METHODS])
    app.add_exception_handler(405, rest)  # a method that HTTP does not know
    return app


def _add_operation(
    app: FastAPI,
    sandbox: Sandbox,
    method: str,
    path: str,
    name: Operation,
    handler: Handler,
    check: Callable[[Request], Awaitable[None]] | None = None,
) -> None:
    async def endpoint(request: Request) -> Response:
        if check is not None:
            await check(request)
        return await pipeline.run(sandbox, request, name, handler)

    for spelling in (path, f"{path}/"):
        app.add_route(spelling, endpoint, methods=[method])


def _add_login(app: FastAPI, sandbox: Sandbox) -> None:
    """Add the dialogs and the exchanges of both logins. Facebook's paths also have a version."""
    dialogs = (
        "/oauth/authorize",
        "/dialog/oauth",
        "/{version}/dialog/oauth",
        "/{version}/oauth/authorize",
    )
    shown = only_ours(sandbox.settings.allowed_hosts, may_be_linked=True)
    decided = only_ours(sandbox.settings.allowed_hosts)
    for path in dialogs:
        _add_operation(app, sandbox, "GET", path, "authorize", login.authorize, shown)
        _add_operation(app, sandbox, "POST", path, "decide", login.decide, decided)
    for path in ("/oauth/access_token", "/{version}/oauth/access_token"):
        _add_operation(app, sandbox, "GET", path, "facebook_token", facebook.token)
    _add_operation(
        app, sandbox, "POST", "/{version}/oauth/access_token", "facebook_token", facebook.token
    )

    async def exchange(request: Request) -> Response:
        if await _is_of_facebook(sandbox, request):
            return await pipeline.run(sandbox, request, "facebook_token", facebook.token)
        return await pipeline.run(sandbox, request, "exchange_code", login.exchange_code)

    for path in ("/oauth/access_token", "/oauth/access_token/"):
        app.add_route(path, exchange, methods=["POST"])


async def _is_of_facebook(sandbox: Sandbox, request: Request) -> bool:
    if metas_host(request.headers) == "graph.facebook.com":
        return True
    try:
        return login.is_of_facebook(sandbox, await parameters(request))
    except (ApiError, ValueError, RecursionError):
        return False  # the exchange answers what is wrong with the body


def _add_pages(app: FastAPI, sandbox: Sandbox) -> None:
    check = only_ours(sandbox.settings.allowed_hosts, may_be_linked=True)

    @app.api_route("/", methods=["GET", "HEAD"], response_model=None)
    async def home(request: Request) -> Response:
        if "ids" in request.query_params:
            return await graph.endpoint(sandbox, request, "")
        await check(request)
        return pages.profile(sandbox, request, None)

    @app.get("/u/{username}/", response_model=None, dependencies=[Depends(check)])
    async def profile(request: Request, username: str) -> Response:
        return pages.profile(sandbox, request, username)

    @app.get("/u/{username}/picture.svg", response_model=None)
    async def picture(username: str) -> Response:
        return pages.picture(sandbox, username)

    @app.get("/{kind}/{shortcode}/", response_model=None)
    async def post(request: Request, kind: str, shortcode: str) -> Response:
        if kind not in {"reel", "p"}:
            return await graph.endpoint(sandbox, request, f"{kind}/{shortcode}")
        await check(request)
        return pages.post_page(sandbox, request, shortcode)

    @app.get("/stories/{username}/{number}", response_model=None, dependencies=[Depends(check)])
    async def story(request: Request, number: str) -> Response:
        return pages.post_page(sandbox, request, number)


def _add_files(app: FastAPI, sandbox: Sandbox) -> None:
    for path in pages.FILES:
        app.add_route(f"/{path}/{{name}}", _static(path))
    app.add_route("/robots.txt", _empty(404))

    app.add_route("/favicon.ico", _empty(204))

    async def media(request: Request) -> Response:
        ends = request.query_params.get("oe", "")
        if re.fullmatch(r"[0-9A-F]{1,12}", ends) and sandbox.now >= int(ends, 16):
            return Response("URL signature expired", 403)
        return pages.media_file(sandbox, request.path_params["name"])

    app.add_route("/media/{name}", media)


def _empty(status: int) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_: Request) -> Response:
        return Response(status_code=status)

    return answer


def _static(path: str) -> Callable[[Request], Awaitable[Response]]:
    async def file(request: Request) -> Response:
        return pages.static_file(path, request.path_params["name"])

    return file
