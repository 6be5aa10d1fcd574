"""The pages of the menu entry Instagram: list the accounts, and connect one."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi import Path as InPath
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from airflow_provider_instagram.accounts import connect
from airflow_provider_instagram.accounts.overview import account_summaries, duplicate_warnings
from airflow_provider_instagram.calendar.tasks.covers import NAME as COVER_NAME
from airflow_provider_instagram.calendar.tasks.covers import read_cover
from airflow_provider_instagram.exceptions import (
    InstagramError,
    PermissionDeniedError,
    ValidationError,
)
from airflow_provider_instagram.hooks.instagram import InstagramHook, trusted_hosts
from airflow_provider_instagram.hooks.logins import read_login, redirect_uri
from airflow_provider_instagram.plugin import users
from airflow_provider_instagram.plugin.board import importing as importing_routes
from airflow_provider_instagram.plugin.board import results as results_routes
from airflow_provider_instagram.plugin.board import routes as board_routes
from airflow_provider_instagram.plugin.bodies import received
from airflow_provider_instagram.plugin.pages import OwnHeaders, page, problem
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID
from airflow_provider_instagram.utils.pages import pages_path
from airflow_provider_instagram.utils.urls import shown

COOKIE = "instagram_login"
MAX_FORM_BYTES = 20_000
LOG_IN = "Log in to Airflow first"

app = FastAPI(title="Instagram", docs_url=None, redoc_url=None, openapi_url=None)
app.add_middleware(OwnHeaders)
app.include_router(board_routes.router)
app.include_router(results_routes.router)
app.include_router(importing_routes.router)


@app.get("/")
def overview(user: users.Editor, refreshed: str = "") -> Response:
    """Show all accounts that the user may edit."""
    lines = account_summaries(
        conn_id for conn_id in connect.connection_ids() if user.may("PUT", conn_id)
    )
    return page(
        "overview.html",
        lines=lines,
        warnings=duplicate_warnings(lines),
        refreshed=refreshed,
        form_token=user.form_token,
    )


@app.get("/connect")
def connect_form(user: users.Editor, conn_id: str = "") -> Response:
    """Show the form that begins a login."""
    connection = connect.require_writable(conn_id) if conn_id else connect.StoredConnection("")
    user.require("PUT" if connection.exists else "POST", conn_id or None)
    return _form(user, connection)


def _form(
    user: users.PageUser,
    connection: connect.StoredConnection,
    typed: Mapping[str, str] = MappingProxyType({}),
    error: InstagramError | None = None,
) -> Response:
    """Return the form that begins a login. After an error, it contains what was typed, except for the secret."""
    mine = [each for each in connect.connection_ids() if user.may("PUT", each)]
    fields = {
        "conn_id": connection.conn_id or ("" if DEFAULT_CONN_ID in mine else DEFAULT_CONN_ID),
        "login": connection.login,
        "config_id": connection.config_id,
        "account_id": "",
        "app_id": connection.app_id,
        "scopes": connection.scopes,
        "reauthenticates": "",
        "host": "",
    }
    return page(
        "connect.html",
        status=200 if error is None else 400,
        logins=[connection.oauth_host] if connection.exists else trusted_hosts().csp_sources,
        connection=connection,
        typed=fields | {name: text for name, text in typed.items() if name in fields},
        error=error,
        mine=mine,
        redirect_uri=redirect_uri(),
        form_token=user.form_token,
    )


async def _checked_form(request: Request, user: users.Editor) -> dict[str, str]:
    body = b"".join([part async for part in received(request, MAX_FORM_BYTES)])
    form = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    users.check_form(request, form.get("form_token", ""), user)
    return form


CheckedForm = Annotated[dict[str, str], Depends(_checked_form)]


@app.post("/connect")
def start_login(form: CheckedForm, user: users.Editor) -> Response:
    """Send the user to Instagram, and keep the login in an encrypted cookie."""
    connection = connect.StoredConnection("")
    try:
        connection = connect.require_writable(form.get("conn_id", "").strip())
        user.require("PUT" if connection.exists else "POST", connection.conn_id)
        meta_app = _typed_app(form, connection)
        login = users.PendingLogin(secrets.token_urlsafe(24), user.id, connection.conn_id, meta_app)
        login_url = meta_app.login_url(users.sealed("state", login.about), trusted_hosts())
    except ValidationError as error:
        return _form(user, connection, form, error)
    answer = RedirectResponse(login_url, 303)
    answer.set_cookie(
        COOKIE,
        login.cookie,
        int(users.LOGIN_LIFE.total_seconds()),
        path=pages_path(),
        secure=meta_app.redirect_uri.startswith("https:"),
        httponly=True,
        samesite="lax",
    )
    return answer


def _typed_app(form: Mapping[str, str], connection: connect.StoredConnection) -> connect.LoginApp:
    """Return the app to log in to: what was typed, and what an existing connection says.

    :raises ValidationError: Something is missing, or not what the connection says.
    """
    host, account_id, asked = (
        form.get(name, "").strip() for name in ("host", "account_id", "login")
    )
    connection.check_asked(asked, host, account_id)
    meta = read_login(asked or connection.login)
    app_id = form.get("app_id", "").strip() or connection.app_id
    base_url, oauth_host = connection.login_hosts(host, meta)
    config_id = form.get("config_id", "").strip() or connection.config_id
    connect.check_config(meta, config_id)
    app_secret = form.get("app_secret", "").strip()
    app_secret = app_secret or connect.stored_secret(connection.conn_id, base_url, oauth_host)
    if not app_id.isdecimal() or not app_secret:
        raise ValidationError(
            "Enter both the app id, which is a number, and the app secret.",
            hint="You find both in the dashboard of your Meta app, under Instagram, API setup with Instagram login, "
            "or for the other logins under App settings, Basic.",
        )
    scopes = form.get("scopes", connection.scopes).strip()
    return connect.LoginApp(
        app_id,
        app_secret,
        redirect_uri(),
        base_url,
        oauth_host,
        scopes,
        meta,
        config_id,
        connection.account_id or account_id,
        form.get("reauthenticates") == "yes",
    )


@app.get("/callback")
def callback(request: Request, user: users.Editor) -> Response:
    """Receive the user from Instagram, and store the new token in the connection."""
    answer = _complete_login(request, user)
    answer.delete_cookie(COOKIE, path=pages_path(), httponly=True, samesite="lax")
    return answer


def _complete_login(request: Request, user: users.PageUser) -> Response:
    login = users.PendingLogin.of(request.cookies.get(COOKIE, ""))
    answered = request.query_params
    if login is None:
        return problem(
            "This login is not in progress",
            "It was started in another browser or more than ten minutes ago, or it is already finished. "
            "Nothing was changed.",
            hint="If you started it in a shell with airflow instagram connect, copy the URL of this page there.",
        )
    if login.user != user.id or users.opened("state", answered.get("state", "")) != login.about:
        return problem(
            "This is not the login that you started",
            "Instagram's answer does not belong to your login, so it was not used. Nothing was changed.",
            hint="If you followed a link to this page, somebody may have tried to connect an account of theirs.",
            status=403,
            conn_id=login.conn_id,
        )
    if "error" in answered or "code" not in answered:
        text = "You or Instagram refused access. Nothing was changed."
        return problem("The account was not connected", text, status=200, conn_id=login.conn_id)
    try:
        return _connected(login, answered["code"], user)
    except InstagramError as error:
        is_account = isinstance(error, PermissionDeniedError)
        title = "This account cannot be used yet" if is_account else "The login failed"
        text = f"{error.message} Nothing was changed."
        return problem(title, text, hint=error.hint or "", conn_id=login.conn_id)


def _connected(login: users.PendingLogin, code: str, user: users.PageUser) -> Response:
    connection = connect.require_writable(login.conn_id)
    user.require("PUT" if connection.exists else "POST", login.conn_id)
    by = f"{user.name} on the Instagram page [{login.nonce}]"
    if login.nonce in connect.last_refresh_by(login.conn_id):
        raise ValidationError("This login has already been used.", hint="Start again.")
    done = connect.complete_login(login.app, code, by)
    connect.write_login(login.conn_id, login.app, done, user.name)
    warnings = (done.warning, connect.duplicate_warning(login.conn_id, done.account))
    return page(
        "connected.html",
        conn_id=login.conn_id,
        account=done.account,
        token=done.token,
        is_refreshed=login.app.login.gives_refreshable_tokens,
        warnings=list(filter(None, warnings)),
    )


@app.post("/refresh")
def refresh(form: CheckedForm, user: users.Editor) -> Response:
    """Refresh the token of an account."""
    conn_id = form.get("conn_id", "")
    user.require("PUT", conn_id)
    if conn_id not in connect.connection_ids():
        raise HTTPException(404, f"The Instagram connection {conn_id!r} does not exist.")
    done = InstagramHook(conn_id).refresh_token(f"{user.name} on the Instagram page")
    return RedirectResponse(
        f"{pages_path()}/?refreshed={'yes' if done.refreshed else 'young'}", 303
    )


@app.get("/covers/{name}.jpg", dependencies=[Depends(get_user)])
def cover(
    name: Annotated[str, InPath(pattern=COVER_NAME)], size: Literal["small", "large"] = "large"
) -> Response:
    """Return a cover to users who are logged in and know its name, for approvals and the Posts page."""
    try:
        content = read_cover(name, is_small=size == "small")
    except Exception as error:  # each storage has errors of its own
        raise HTTPException(
            503, f"[instagram] calendar_snapshots cannot be read: {shown(str(error))}"
        ) from error
    if content is None:
        raise HTTPException(
            404, "[instagram] calendar_snapshots does not contain this cover on this machine."
        )
    # the cover of another file of the same name may take its place
    headers = {"Cache-Control": "private, max-age=60"}
    return Response(content, media_type="image/jpeg", headers=headers)


@app.exception_handler(AnyHTTPException)
async def refused(request: Request, error: AnyHTTPException) -> Response:
    """Show Airflow's refusals as pages, and to the script of the Posts page as JSON."""
    if "/calendar/api/" in request.url.path:
        detail: Any = LOG_IN if error.status_code == 401 else error.detail
        content = detail if isinstance(detail, dict) else {"detail": str(detail)}
        return JSONResponse(content, error.status_code, headers=error.headers)
    if error.status_code == 401:
        target = get_auth_manager().get_url_login(next=f"{pages_path()}/")
        return problem(LOG_IN, "Only users of Airflow can see this page.", status=401, login=target)
    title = {403: "You are not allowed to do this", 404: "Not found"}.get(
        error.status_code, "Something went wrong"
    )
    has_pages = not isinstance(error, users.NoPagesError)
    return problem(title, str(error.detail), status=error.status_code, has_pages=has_pages)


@app.exception_handler(InstagramError)
async def failed(request: Request, error: InstagramError) -> Response:
    """Show our errors as pages, and to the script of the Posts page as JSON."""
    if "/calendar/api/" in request.url.path:
        return JSONResponse({"detail": str(error)}, 400)
    return problem("Something went wrong", str(error))
