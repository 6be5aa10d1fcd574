"""``airflow instagram connect``, ``accounts`` and ``refresh``: tokens from a shell, where no browser is.

They go to Airflow's database, as Airflow's own commands do.
"""

from __future__ import annotations

import getpass
import secrets
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from airflow.cli.simple_table import AirflowConsole
from airflow.sdk.exceptions import AirflowException

from airflow_provider_instagram.connection_store import (
    connection_ids,
    read_as_server,
    stored_secret,
    writable,
    write_login,
)
from airflow_provider_instagram.exceptions import InstagramError, ValidationError
from airflow_provider_instagram.hooks.instagram import InstagramHook, connect_page
from airflow_provider_instagram.login import LoginApp, check_redirect_uri, complete_login

if TYPE_CHECKING:
    import argparse

    from airflow_provider_instagram.connection_store import Known


def connect(args: argparse.Namespace) -> None:
    """Connect an account: print the address of the login, and take the address that it ended at."""
    try:
        known = writable(args.conn_id)
        app = _app(args, known)
        state = secrets.token_urlsafe(24)
        print("Open this address, allow access, and copy the address that you are sent to:")  # noqa: T201
        print(f"\n{app.address(state)}\n")  # noqa: T201
        code = _code(getpass.getpass("The address you were sent to (not shown): "), state)
        login = complete_login(app, code, f"{getpass.getuser()} in a shell")
        write_login(args.conn_id, app, login, getpass.getuser())
    except InstagramError as error:
        raise SystemExit(str(error)) from None
    print(f"@{login.account.username} is connected as {args.conn_id!r}, until {login.token.expires_at}.")  # noqa: T201
    print("Turn on the DAG refresh_instagram_tokens, and it stays so.")  # noqa: T201


def _app(args: argparse.Namespace, known: Known) -> LoginApp:
    redirect_uri = check_redirect_uri(args.redirect_uri or _redirect_uri())
    app_id = args.app_id or known.app_id or input("Instagram app id: ").strip()
    base_url, oauth_host = known.hosts_with(args.host)
    secret = _secret(known.conn_id, base_url, oauth_host)
    if not app_id.isdecimal() or not secret:
        raise SystemExit("The app id, a number, and the app secret are both needed.")
    return LoginApp(app_id, secret, redirect_uri, base_url, oauth_host)


def _secret(conn_id: str, base_url: str, oauth_host: str | None) -> str:
    """Return the stored app secret, or ask for it where none is stored for these hosts."""
    try:
        stored = stored_secret(conn_id, base_url, oauth_host)
    except ValidationError as error:
        stored = ""
        print(error)  # noqa: T201
    return stored or getpass.getpass("Instagram app secret (not shown): ").strip()


def _redirect_uri() -> str:
    if (page := connect_page()) is None:
        raise SystemExit("Say --redirect-uri, an address that your Meta app knows, or set [api] base_url.")
    return f"{page}callback"


def _code(address: str, state: str) -> str:
    """Take the login code out of the address that a person pasted."""
    said = parse_qs(urlsplit(address.strip()).query)
    if "error" in said:
        raise SystemExit("The login was cancelled. Nothing was changed.")
    if said.get("state") != [state] or "code" not in said:
        raise SystemExit("This is not the address that this login ended at. Nothing was changed.")
    return said["code"][0]


def accounts(args: argparse.Namespace) -> None:
    """List the accounts, with what is left of their tokens' lives and of today's quota."""
    from airflow_provider_instagram.overview import account_lines

    read_as_server()
    rows = [
        {
            "connection": line.conn_id,
            "account": f"@{line.account.username}" if line.account else "",
            "token": line.life if not line.problem else "",
            "posts, last 24 h": f"{line.limit.quota_usage} of {line.limit.quota_total}" if line.limit else "",
            "last post": (line.last_post.permalink or "") if line.last_post else "",
            "problem": line.problem,
        }
        for line in account_lines(connection_ids())
    ]
    if not rows:
        raise SystemExit("There is no Instagram connection. Make one: airflow instagram connect instagram_default")
    AirflowConsole().print_as(data=rows, output=args.output)


def refresh(args: argparse.Namespace) -> None:
    """Refresh the token of an account."""
    read_as_server()
    try:
        done = InstagramHook(args.conn_id).refresh_token(f"{getpass.getuser()} in a shell")
    except (InstagramError, AirflowException) as error:
        raise SystemExit(str(error)) from None
    if done.refreshed:
        said = "was refreshed"
    else:
        said = (
            "is younger than 24 hours: it was left alone"
            if done.token.expires_at
            else "does not end: it was left alone"
        )
    until = f"; it is good until {done.token.expires_at}" if done.token.expires_at else ""
    print(f"The token of {args.conn_id!r} {said}{until}.")  # noqa: T201
