"""Find and read Instagram connections on Airflow's server or in a shell, and write them after a login."""

from __future__ import annotations

import json
import logging
import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from airflow.configuration import ensure_secrets_loaded
from airflow.models import Connection
from airflow.models.log import Log
from airflow.secrets.environment_variables import EnvironmentVariablesBackend
from airflow.secrets.metastore import MetastoreBackend
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.graph import oauth, origin
from airflow_provider_instagram.graph.capabilities import MetaLogin
from airflow_provider_instagram.hooks.instagram import InstagramHook, trusted_hosts
from airflow_provider_instagram.hooks.logins import (
    SECRET_RECORD,
    may_send_secret,
    read_login,
    secret_record,
)
from airflow_provider_instagram.hooks.token_store import (
    TokenStore,
    configured_token_key,
    environment_connections,
    stored_connections,
)

if TYPE_CHECKING:
    from airflow_provider_instagram.accounts.login import Login
    from airflow_provider_instagram.graph.accounts import Account

_log = logging.getLogger(__name__)
_CONN_ID: Final = re.compile(r"[A-Za-z0-9_.\-]{1,200}")
#: Why an account must not have two connections.
ONE_CONNECTION: Final = (
    "Each connection has a ledger of its own, so a post that was published with one of them can be published again "
    "with the other. Use one connection for an account, and delete the others."
)


@dataclass(frozen=True)
class StoredConnection:
    """The parts of a stored connection that may be shown.

    :param is_secret_for_hosts: Whether the secret was entered for the hosts that the connection has
        now.
    """

    conn_id: str
    exists: bool = False
    app_id: str = ""
    has_secret: bool = False
    is_secret_for_hosts: bool = False
    host: str = ""
    oauth_host: str | None = None
    scopes: str = ""
    login: MetaLogin = MetaLogin.INSTAGRAM
    config_id: str = ""
    account_id: str = ""

    def check_asked(self, login: str, host: str, account_id: str) -> None:
        """Check that what a person asked for is what an existing connection says. An empty text asks for nothing.

        :raises ValidationError: The connection says something else, which would be used instead.
        """
        host = host.strip() and origin.base_url(
            host.strip(), hosts=trusted_hosts(), what="The host"
        )
        asked = (
            ("login_type", "--login", login.strip().lower(), self.login.value),
            ("host", "--host", host, self.host),
            ("Instagram user id", "--user-id", account_id.strip(), self.account_id),
        )
        for name, option, given, own in asked:
            if self.exists and given and own and given != own:
                its_host = ""
                if name == "login_type" and self.host in origin.HOST_OF.values():
                    its_host = f" and its host to {origin.HOST_OF[read_login(given)]}"
                raise ValidationError(
                    f"Connection {self.conn_id!r} has the {name} {own}, not {given}. Nothing was changed.",
                    hint=f"Change its {name} to {given}{its_host}, or connect it as it is, without {option}.",
                )

    def login_hosts(self, typed: str, login: MetaLogin) -> tuple[str, str | None]:
        """Return the Graph host of a login, and the host that replaces Meta's login hosts, if any.

        An existing connection has its own hosts; for a new connection, the typed host counts.

        :param typed: The host that a person typed, or an empty text.
        """
        if self.exists:
            return self.host, self.oauth_host
        base_url = origin.base_url(
            typed.strip() or origin.HOST_OF[login], hosts=trusted_hosts(), what="The host"
        )
        return base_url, base_url if typed.strip() else None


def read_as_server() -> None:
    """Allow this process to read connections from Airflow's database, as Airflow's own commands do."""
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"


def connection_ids() -> list[str]:
    """Return the ids of the Instagram connections in Airflow's database, the environment and secrets backends.

    A secrets backend cannot list its connections. Such a connection is listed once a task has used
    it and stored its token.
    """
    with create_session() as session:
        stored = list(
            session.scalars(
                select(Connection.conn_id).where(Connection.conn_type == InstagramHook.conn_type)
            )
        )
    conn_ids = {*stored, *environment_connections()}
    return sorted(
        conn_ids | set(filter(secrets_source_for_display, {*stored_connections()} - conn_ids))
    )


def duplicate_warning(conn_id: str, account: Account) -> str:
    """Return a warning if another connection in Airflow's database has the same account, or an empty text."""
    same_account = (
        Connection.conn_type == InstagramHook.conn_type,
        Connection.login == account.user_id,
    )
    with create_session() as session:
        ids = sorted(
            session.scalars(
                select(Connection.conn_id).where(*same_account, Connection.conn_id != conn_id)
            )
        )
    if not ids:
        return ""
    return f"@{account.username} is also the account of the connection {', '.join(map(repr, ids))}. {ONE_CONNECTION}"


def require_writable(conn_id: str) -> StoredConnection:
    """Check that a login can be written to a connection, and return the parts of it that may be shown."""
    if not _CONN_ID.fullmatch(conn_id):
        raise ValidationError(
            f"{conn_id[:80]!r} is not a valid connection id.",
            hint="Use up to 200 letters, digits, underscores, dots and hyphens.",
        )
    if source := secrets_source(conn_id):
        raise ValidationError(
            f"Connection {conn_id!r} comes from {source}, which Airflow cannot write to. Nothing was changed.",
            hint="Choose another connection id, or update the token there yourself.",
        )
    with create_session() as session:
        row = session.scalar(select(Connection).where(Connection.conn_id == conn_id))
        if row is None:
            return StoredConnection(conn_id)
        if row.conn_type != InstagramHook.conn_type:
            raise ValidationError(
                f"Connection {conn_id!r} has the type {row.conn_type!r}, not {InstagramHook.conn_type!r}.",
                hint="Choose another connection id.",
            )
        extra = row.extra_dejson
        login, host = _login_and_host(row, str(extra.get("login_type") or ""))
        oauth_host = origin.login_host(str(extra.get("oauth_host") or ""), trusted_hosts())
        app_id, has_secret = str(extra.get("app_id") or ""), bool(extra.get("app_secret"))
        is_secret_for_hosts = may_send_secret(extra, host, oauth_host)
        scopes = extra.get("scopes") or ""
        scopes = ", ".join(map(str, scopes)) if isinstance(scopes, list) else str(scopes)
        stored = StoredConnection(
            conn_id, True, app_id, has_secret, is_secret_for_hosts, host, oauth_host, scopes
        )
        return replace(
            stored,
            login=login,
            config_id=str(extra.get("config_id") or ""),
            account_id=row.login or "",
        )


def _login_and_host(row: Connection, named: str) -> tuple[MetaLogin, str]:
    """Return the login and the Graph host of a connection. If it names no login, Meta's host or the token tells it."""
    is_facebook = (row.password or "").startswith(oauth.FACEBOOK_LOGIN)
    login = MetaLogin.FACEBOOK if is_facebook else MetaLogin.INSTAGRAM
    if named:
        login = read_login(named, f"login_type in the extra of connection {row.conn_id!r}")
    what = f"The host of connection {row.conn_id!r}"
    host = origin.base_url(
        row.host or origin.HOST_OF[login], row.port, hosts=trusted_hosts(), what=what
    )
    if named and host in origin.HOST_OF.values() and host != origin.HOST_OF[login]:
        raise ValidationError(
            f"{what} is {host}, which is not a host of {login.in_words}.",
            hint=f"Set it to {origin.HOST_OF[login]}, or change login_type.",
        )
    if not named and host in origin.HOST_OF.values():
        login = MetaLogin.INSTAGRAM if host == origin.INSTAGRAM else MetaLogin.FACEBOOK
    return login, host


def stored_secret(conn_id: str, base_url: str, oauth_host: str | None) -> str:
    """Return the app secret of a connection in the database, or an empty text if it has none."""
    with create_session() as session:
        row = session.scalar(select(Connection).where(Connection.conn_id == conn_id))
        extra = row.extra_dejson if row is not None else {}
    if not (secret := str(extra.get("app_secret") or "")):
        return ""
    if not may_send_secret(extra, base_url, oauth_host):
        raise ValidationError(
            f"The stored app secret of connection {conn_id!r} was not entered for {oauth_host or origin.CODE} and "
            f"{base_url}, so it is not sent there.",
            hint="Enter the app secret again if you trust these hosts with it. If not, correct the connection's host "
            "and OAuth host.",
        )
    return secret


def last_refresh_by(conn_id: str) -> str:
    """Return the run or the person that last got the token of a connection from Meta, or an empty text if unknown."""
    with create_session() as session:
        row = session.scalar(select(Connection).where(Connection.conn_id == conn_id))
        password = row.password if row is not None else None
    stored = TokenStore(conn_id, password, configured_token_key()).load() if password else None
    return (stored.refreshed_by or "") if stored else ""


def write_login(conn_id: str, app: oauth.LoginApp, login: Login, by: str) -> None:
    """Write a login to its connection, and store the token's record."""
    require_writable(conn_id)
    with create_session() as session:
        row = session.scalar(
            select(Connection).where(Connection.conn_id == conn_id).with_for_update()
        )
        if row is None:
            row = Connection(conn_id=conn_id, conn_type=InstagramHook.conn_type, host=app.base_url)
            if re.fullmatch(r"https://[^:]+", app.base_url):
                row.port = 443  # the Test button of Airflow 3.3.2 needs a port
            session.add(row)
        if row.login and row.login.isdecimal() and row.login != login.account.user_id:
            raise ValidationError(
                f"You logged in as @{login.account.username} ({login.account.user_id}), but connection {conn_id!r} "
                f"belongs to the account {row.login}.",
                hint="Log in as that account, or choose another connection. With Instagram Login, you can ask to log "
                "in again, as another account than the browser's. To give the connection to the new account, "
                "empty its user id first.",
            )
        extra = {
            **row.extra_dejson,
            "app_id": app.app_id,
            "app_secret": app.app_secret,
            SECRET_RECORD: secret_record(app.app_secret, app.base_url, app.oauth_host),
        }
        if app.oauth_host:
            extra["oauth_host"] = app.oauth_host
        if app.login is not MetaLogin.INSTAGRAM:
            extra |= {"login_type": str(app.login), "config_id": app.config_id}
        if app.scopes or "scopes" in extra:
            extra["scopes"] = app.scopes
        row.login, row.password = login.account.user_id, login.token.access_token
        row.extra = json.dumps(extra)
        session.add(
            Log(event="instagram_connect", owner=by, extra=json.dumps({"connection_id": conn_id}))
        )
    TokenStore(conn_id, login.token.access_token, configured_token_key()).save(login.token)


def secrets_source(conn_id: str) -> str:
    """Return where a connection is stored outside Airflow's database, or an empty text.

    A connection of the environment or of a secrets backend hides the one of the same id in
    Airflow's database.
    """
    for backend in ensure_secrets_loaded():
        if isinstance(backend, MetastoreBackend):
            continue
        name = type(backend).__name__
        try:
            found = backend.get_connection(conn_id)
        except Exception as error:  # noqa: BLE001 -- a secrets backend may raise anything
            raise ValidationError(
                f"{name} failed to look up connection {conn_id!r} ({type(error).__name__}). Nothing was changed.",
                hint="Check [secrets] backend in Airflow's configuration, and the log of the API server.",
            ) from None
        if found is not None:
            is_environment = isinstance(backend, EnvironmentVariablesBackend)
            return "the environment" if is_environment else f"a secrets backend, {name}"
    return ""


def secrets_source_for_display(conn_id: str) -> str:
    """Return the same as :func:`secrets_source`, but log a secrets backend's failure, so that a list still shows."""
    try:
        return secrets_source(conn_id)
    except ValidationError as error:
        _log.warning("%s", error)
        return ""
