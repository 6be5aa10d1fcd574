"""``airflow instagram connect``, ``accounts`` and ``refresh``: tokens from a shell.

Like Airflow's own commands, they use Airflow's database directly.
"""

from __future__ import annotations

import argparse
import getpass
import secrets
from datetime import datetime, timezone
from urllib.parse import parse_qs, urlsplit

from airflow.cli.simple_table import AirflowConsole
from airflow.sdk.exceptions import AirflowException

from airflow_provider_instagram.accounts.connections import (
    StoredConnection,
    connection_ids,
    duplicate_warning,
    read_as_server,
    require_writable,
    stored_secret,
    write_login,
)
from airflow_provider_instagram.accounts.login import (
    LoginApp,
    check_config,
    check_redirect_uri,
    complete_login,
)
from airflow_provider_instagram.exceptions import InstagramError, ValidationError
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.hooks.logins import read_login
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID
from airflow_provider_instagram.utils.pages import connect_page


def connect(args: argparse.Namespace) -> None:
    """Print the URL of the login page, read the URL that the login ended at, and store the token."""
    try:
        connection = require_writable(args.conn_id)
        app = _app(args, connection)
        state = secrets.token_urlsafe(24)
        print("Open this URL, allow access, and copy the URL that you are sent to:")
        print(f"\n{app.login_url(state)}\n")
        code = _code(getpass.getpass("URL you were sent to (input hidden): "), state)
        login = complete_login(app, code, f"{getpass.getuser()} in a shell")
        write_login(args.conn_id, app, login, getpass.getuser())
    except InstagramError as error:
        raise SystemExit(str(error)) from None
    ends = f"expires at {login.token.expires_at}" if login.token.expires_at else "does not expire"
    print(f"Connected @{login.account.username} as {args.conn_id!r}. The token {ends}.")
    purpose = "To keep it alive" if app.login.gives_refreshable_tokens else "To hear in time when it must be replaced"
    print(f"{purpose}, turn on the DAG refresh_instagram_tokens.")
    for warning in filter(None, (login.warning, duplicate_warning(args.conn_id, login.account))):
        print(f"Warning: {warning}")


def _app(args: argparse.Namespace, connection: StoredConnection) -> LoginApp:
    redirect_uri = check_redirect_uri(args.redirect_uri or _redirect_uri())
    app_id = args.app_id or connection.app_id or input("App id: ").strip()
    login = connection.login if connection.exists else read_login(args.login)
    config_id = args.config_id or connection.config_id
    check_config(login, config_id)
    base_url, oauth_host = connection.login_hosts(args.host, login)
    secret = _secret(connection.conn_id, base_url, oauth_host)
    if not app_id.isdecimal() or not secret:
        raise SystemExit("Enter both the app id, which is a number, and the app secret.")
    scopes = connection.scopes if args.scopes is None else args.scopes
    chosen = (login, config_id, connection.account_id or args.user_id)
    return LoginApp(app_id, secret, redirect_uri, base_url, oauth_host, scopes, *chosen)


def _secret(conn_id: str, base_url: str, oauth_host: str | None) -> str:
    try:
        stored = stored_secret(conn_id, base_url, oauth_host)
    except ValidationError as error:
        stored = ""
        print(error)
    return stored or getpass.getpass("App secret (input hidden): ").strip()


def _redirect_uri() -> str:
    if (page := connect_page()) is None:
        raise SystemExit(
            "No redirect URI is known. Give --redirect-uri, as registered in your Meta app, or set [api] base_url."
        )
    return f"{page}callback"


def _code(address: str, state: str) -> str:
    answered = parse_qs(urlsplit(address.strip()).query)
    if "error" in answered:
        raise SystemExit("The login was cancelled. Nothing was changed.")
    if answered.get("state") != [state] or "code" not in answered:
        raise SystemExit("This is not the URL that this login ended at. Nothing was changed.")
    return answered["code"][0]


def accounts(args: argparse.Namespace) -> None:
    """List the accounts, with the remaining life of their tokens and their quota."""
    from airflow_provider_instagram.accounts.overview import account_summaries

    read_as_server()
    rows = [
        {
            "connection": line.conn_id,
            "account": f"@{line.account.username}" if line.account else "",
            "token": line.lifetime if not line.problem else "",
            "granted": line.permissions if not line.problem else "",
            "posts, last 24 h": f"{line.limit.quota_usage} of {line.limit.quota_total}" if line.limit else "",
            "last post": (line.last_post.permalink or "") if line.last_post else "",
            "problem": line.problem,
        }
        for line in account_summaries(connection_ids())
    ]
    if not rows:
        raise SystemExit(f"No Instagram connection found. Create one: airflow instagram connect {DEFAULT_CONN_ID}")
    AirflowConsole().print_as(data=rows, output=args.output)


def refresh(args: argparse.Namespace) -> None:
    """Refresh the token of an account."""
    read_as_server()
    try:
        hook = InstagramHook(args.conn_id)
        done = hook.refresh_token(f"{getpass.getuser()} in a shell")
    except (InstagramError, AirflowException) as error:
        raise SystemExit(str(error)) from None
    if done.refreshed:
        what = "was refreshed"
    elif hook.token_manager().can_refresh:
        what = "was not refreshed, because it is less than 24 hours old"
    else:
        life = done.token.lifetime(datetime.now(timezone.utc))
        what = f"was not refreshed, because Meta refreshes tokens of Instagram Login only. Its remaining life: {life}"
    until = f" It expires at {done.token.expires_at}." if done.token.expires_at else ""
    print(f"The token of {args.conn_id!r} {what}.{until}")
