"""The commands of ``airflow instagram`` about an account, its limits and its ledger.

Like Airflow's own commands, they use Airflow's database directly.
"""

from __future__ import annotations

import argparse
import getpass
import secrets
import sys
from datetime import timedelta
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

from airflow.cli.simple_table import AirflowConsole

from airflow_provider_instagram.accounts.connect import (
    StoredConnection,
    check_config,
    complete_login,
    connection_ids,
    duplicate_warning,
    require_writable,
    stored_secret,
    write_login,
)
from airflow_provider_instagram.accounts.overview import AccountSummary, account_summaries
from airflow_provider_instagram.calendar.planning import post_rows as _registered  # noqa: F401 -- kinds of rows
from airflow_provider_instagram.exceptions import (
    LedgerRowError,
    PermissionDeniedError,
    ValidationError,
)
from airflow_provider_instagram.graph import calls, oauth
from airflow_provider_instagram.graph.capabilities import MUSIC, MetaLogin
from airflow_provider_instagram.hooks.instagram import InstagramHook, trusted_hosts
from airflow_provider_instagram.hooks.logins import read_login, redirect_uri
from airflow_provider_instagram.hooks.scopes import known_scopes
from airflow_provider_instagram.ledger import database
from airflow_provider_instagram.ledger.database import open_ledger
from airflow_provider_instagram.ledger.records import Owner
from airflow_provider_instagram.utils.clock import utc_now
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID
from airflow_provider_instagram.utils.urls import web_address

#: A row of the ledger, or of a table.
Row: TypeAlias = dict[str, Any]

SHORTEST_DAYS = 30


def connect(args: argparse.Namespace) -> None:
    """Print the URL of the login page, read the URL that the login ended at, and store the token."""
    app = _app(args, require_writable(args.conn_id))
    state = secrets.token_urlsafe(24)
    print("Open this URL, allow access, and copy the URL that you are sent to:")
    print(f"\n{app.login_url(state, trusted_hosts())}\n")
    code = _code(getpass.getpass("URL you were sent to (input hidden): "), state)
    login = complete_login(app, code, f"{getpass.getuser()} in a shell")
    write_login(args.conn_id, app, login, getpass.getuser())
    print(f"Connected @{login.account.username} as {args.conn_id!r}. The token {login.token.end}.")
    purpose = "To hear in time when it must be replaced"
    if app.login.gives_refreshable_tokens:
        purpose = "To keep it alive"
    print(f"{purpose}, turn on the DAG refresh_instagram_tokens.")
    for warning in filter(None, (login.warning, duplicate_warning(args.conn_id, login.account))):
        print(f"Warning: {warning}")


def _app(args: argparse.Namespace, connection: StoredConnection) -> oauth.LoginApp:
    uri = redirect_uri(args.redirect_uri)
    connection.check_asked(args.login or "", args.host, args.user_id)
    app_id = args.app_id or connection.app_id or input("App id: ").strip()
    login = read_login(args.login or connection.login)
    config_id = args.config_id or connection.config_id
    check_config(login, config_id)
    base_url, oauth_host = connection.login_hosts(args.host, login)
    secret = _secret(connection.conn_id, base_url, oauth_host)
    if not app_id.isdecimal() or not secret:
        raise SystemExit("Enter both the app id, which is a number, and the app secret.")
    scopes = connection.scopes if args.scopes is None else args.scopes
    chosen = (login, config_id, connection.account_id or args.user_id, args.log_in_again)
    return oauth.LoginApp(app_id, secret, uri, base_url, oauth_host, scopes, *chosen)


def _secret(conn_id: str, base_url: str, oauth_host: str | None) -> str:
    try:
        stored = stored_secret(conn_id, base_url, oauth_host)
    except ValidationError as error:
        stored = ""
        print(error)
    return stored or getpass.getpass("App secret (input hidden): ").strip()


def _code(address: str, state: str) -> str:
    answered = parse_qs(urlsplit(address.strip()).query)
    if "error" in answered:
        raise SystemExit("The login was cancelled. Nothing was changed.")
    if answered.get("state") != [state] or "code" not in answered:
        raise SystemExit("This is not the URL that this login ended at. Nothing was changed.")
    return answered["code"][0]


def accounts(args: argparse.Namespace) -> None:
    """List the accounts, with the remaining life of their tokens and their quota."""
    rows = [_account_row(line) for line in account_summaries(connection_ids())]
    if not rows:
        raise SystemExit(
            f"No Instagram connection found. Create one: airflow instagram connect {DEFAULT_CONN_ID}"
        )
    AirflowConsole().print_as(data=rows, output=args.output)


def _account_row(line: AccountSummary) -> dict[str, str]:
    row = dict.fromkeys(("account", "token", "granted", "posts_last_24_h", "last_post"), "")
    if line.account and line.limit:
        row["account"] = f"@{line.account.username}"
        row["token"], row["granted"] = line.lifetime, line.permissions
        row["posts_last_24_h"] = f"{line.limit.quota_usage} of {line.limit.quota_total}"
    if line.last_post:
        row["last_post"] = line.last_post.permalink or ""
    return {"connection": line.conn_id, **row, "problem": line.problem}


def refresh(args: argparse.Namespace) -> None:
    """Refresh the token of an account."""
    hook = InstagramHook(args.conn_id)
    done = hook.refresh_token(f"{getpass.getuser()} in a shell")
    if done.refreshed:
        what = "was refreshed"
    elif hook.token_manager().can_refresh:
        what = "was not refreshed, because it is less than 24 hours old"
    else:
        life = done.token.lifetime(utc_now())
        what = f"was not refreshed, because Meta refreshes tokens of Instagram Login only. Its remaining life: {life}"
    until = f" It {done.token.end}." if done.token.expires else ""
    print(f"The token of {args.conn_id!r} {what}.{until}")


def audio(args: argparse.Namespace) -> None:
    """Print audio that a reel can have, by its id."""
    known_scopes(args.conn_id).require(MUSIC)
    hook = InstagramHook(args.conn_id)
    with hook.get_readonly_conn() as client:
        audio_type = "original_sound" if args.sounds else "music"
        found = client.send(
            calls.search_audio(hook.ig_user_id(client), audio_type, " ".join(args.query) or None)
        )
    AirflowConsole().print_as(data=[one.as_row() for one in found], output=args.output)


def places(args: argparse.Namespace) -> None:
    """Print places that a post can name, by their id."""
    hook = InstagramHook(args.conn_id)
    if (login := hook.settings.login) is MetaLogin.INSTAGRAM:
        raise PermissionDeniedError(
            f"{login.in_words} has no search of places.",
            hint="Use a connection by Facebook Login or Unified Login, or copy the number from the address of the "
            "place's page on Facebook.",
        )
    try:
        with hook.get_readonly_conn() as client:
            found = client.send(calls.search_places(" ".join(args.query)))
    except PermissionDeniedError as error:
        error.hint = (
            "Meta's search of Pages needs the feature Page Public Content Access or Page Public Metadata Access, which "
            "App Review grants to your Meta app."
        )
        raise
    if not found:
        raise SystemExit(
            f"Meta found no Page with a location for {' '.join(args.query)!r}. Try fewer words."
        )
    AirflowConsole().print_as(data=[one.as_row() for one in found], output=args.output)


def list_posts(args: argparse.Namespace) -> None:
    """List the posts of an account, and those with an unknown outcome."""
    with open_ledger(args.conn_id) as store:
        rows = store.rows()
    done = [row for key, row in rows.items() if key.startswith("done:")]
    table = [_published(row) for row in done if not isinstance(row, LedgerRowError)]
    intents = database.open_intents(rows)
    table += [
        _line(row, "open", row["at"], f"requested by {Owner(**row['claim']['owner'])}")
        for row in intents
    ]
    AirflowConsole().print_as(data=sorted(table, key=lambda row: row["at"]), output=args.output)
    beside = sys.stdout if args.output == "table" else sys.stderr
    for row in rows.values():
        if isinstance(row, LedgerRowError):
            print(row.message, file=beside)


def _published(row: Row) -> Row:
    state = "deleted" if row.get("deleted_at") else "live"
    return _line(
        row,
        state,
        row["published_at"],
        row["permalink"] or row["media_id"] or "live, media id unknown",
    )


def _line(row: Row, state: str, at: str, post: str) -> Row:
    return {
        "post_key": row["post_key"],
        "state": state,
        "at": at,
        "container": row["container_id"],
        "post": post,
    }


def show_post(args: argparse.Namespace) -> None:
    """Print all rows of a post."""
    with open_ledger(args.conn_id) as store:
        rows = database.rows_of(store, args.post_key)
    if not rows:
        raise SystemExit(f"The ledger of {args.conn_id!r} has no post {args.post_key!r}.")
    AirflowConsole().print_as_json(
        {key: str(row) if isinstance(row, LedgerRowError) else row for key, row in rows.items()}
    )


def settle_post(args: argparse.Namespace) -> None:
    """Record whether a post with an unknown outcome is live."""
    if args.live == args.not_live:
        raise SystemExit("Check the account, then give exactly one of --live and --not-live.")
    if args.permalink and web_address(args.permalink) is None:
        raise SystemExit(
            "--permalink is not a URL. Give a URL such as https://www.instagram.com/reel/…, or leave the option out."
        )
    with open_ledger(args.conn_id) as store:
        post = {"media_id": args.media_id, "permalink": args.permalink}
        database.settle(store, args.conn_id, args.post_key, live=args.live, **post)
    if args.live:
        print(
            f"Recorded {args.post_key} as live. Clear the publish task to get the post as its result."
        )
    else:
        print(
            f"Recorded {args.post_key} as not live. Clear the publish task to publish it; if the container has "
            "expired, clear the create task and downstream."
        )


def forget_post(args: argparse.Namespace) -> None:
    """Delete all rows of a post."""
    with open_ledger(args.conn_id) as store:
        keys = list(database.rows_of(store, args.post_key))
        if not keys:
            raise SystemExit(f"The ledger of {args.conn_id!r} has no post {args.post_key!r}.")
        if not args.yes:
            twice = "If its post or comment is live, the next run makes it a second time."
            _confirm(f"Forget {args.post_key}? {twice}")
        for key in keys:
            store.delete(key)
    print(f"Forgot {args.post_key} ({len(keys)} rows deleted).")


def _confirm(question: str) -> None:
    if input(f"{question} [y/N] ").strip().lower() != "y":
        raise SystemExit("Nothing was changed.")


def prune(args: argparse.Namespace) -> None:
    """Delete the old rows of all accounts that no longer keep anything from being posted twice."""
    if args.days < SHORTEST_DAYS:
        raise SystemExit(
            f"--days is {args.days}. Use at least {SHORTEST_DAYS}: Airflow may still retry newer posts."
        )
    before = utc_now() - timedelta(days=args.days)
    for conn_id in database.ledgers():
        with open_ledger(conn_id) as store:
            try:
                print(f"{conn_id}: {database.prune(store, before)} rows deleted")
            except LedgerRowError as error:
                print(f"{conn_id}: nothing deleted. {error.message}")
    print(f"Notifications of posts: {database.prune_told(before)} rows deleted")


def reseal(args: argparse.Namespace) -> None:
    """Seal the rows of all accounts and calendars with the first key of ``[core] fernet_key``."""
    if args.trust and not args.yes:
        _confirm("Seal all rows as they are? Whoever may write assets may have forged some.")
    with database.sealed_stores() as stores:
        for store in stores:
            number, left = store.reseal(trusts=args.trust)
            print(f"{store.uri}: {number} rows sealed, {len(left)} left as they are", *left)
