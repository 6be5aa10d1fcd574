"""Connect an account: read its connection, exchange the code of a login for a token, and write both."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from airflow.configuration import ensure_secrets_loaded
from airflow.models import Connection
from airflow.models.log import Log
from airflow.secrets.environment_variables import EnvironmentVariablesBackend
from airflow.secrets.metastore import MetastoreBackend
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_provider_instagram.exceptions import PermissionDeniedError, ValidationError
from airflow_provider_instagram.graph import calls, listing, oauth, origin
from airflow_provider_instagram.graph.capabilities import PUBLISHING, MetaLogin, missing
from airflow_provider_instagram.graph.client import GraphClient
from airflow_provider_instagram.hooks.instagram import InstagramHook, read_extra, trusted_hosts
from airflow_provider_instagram.hooks.logins import (
    SECRET_RECORD,
    host_of_login,
    may_send_secret,
    read_login,
    secret_record,
)
from airflow_provider_instagram.hooks.token_store import (
    StoredToken,
    TokenStore,
    configured_token_key,
    environment_connections,
    stored_connections,
)

if TYPE_CHECKING:
    from sqlalchemy import Select

    from airflow_provider_instagram.graph.models import Account, TokenInfo

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
        row = session.scalar(_stored(conn_id))
        if row is None:
            return StoredConnection(conn_id)
        if row.conn_type != InstagramHook.conn_type:
            raise ValidationError(
                f"Connection {conn_id!r} has the type {row.conn_type!r}, not {InstagramHook.conn_type!r}.",
                hint="Choose another connection id.",
            )
        extra = read_extra(row)
        login, host = _login_and_host(row, extra.get("login_type"))
        oauth_host = origin.login_host(extra.get("oauth_host"), trusted_hosts())
        return StoredConnection(
            conn_id,
            exists=True,
            app_id=extra.get("app_id", ""),
            has_secret="app_secret" in extra,
            is_secret_for_hosts=may_send_secret(extra, host, oauth_host),
            host=host,
            oauth_host=oauth_host,
            scopes=extra.get("scopes", ""),
            login=login,
            config_id=extra.get("config_id", ""),
            account_id=row.login or "",
        )


def _stored(conn_id: str) -> Select[Any]:
    """Return the statement that selects a connection in Airflow's database."""
    return select(Connection).where(Connection.conn_id == conn_id)


def _login_and_host(row: Connection, named: str | None) -> tuple[MetaLogin, str]:
    """Return the login and the Graph host of a connection. If it names no login, Meta's host or the token tells it."""
    is_facebook = (row.password or "").startswith(oauth.FACEBOOK_LOGIN)
    login = MetaLogin.FACEBOOK if is_facebook else MetaLogin.INSTAGRAM
    what = f"The host of connection {row.conn_id!r}"
    hosts = trusted_hosts()
    if named:
        login = read_login(named, f"login_type in the extra of connection {row.conn_id!r}")
    elif row.host:
        base = origin.base_url(row.host, row.port, hosts=hosts, what=what)
        login = {origin.INSTAGRAM: MetaLogin.INSTAGRAM, origin.FACEBOOK: MetaLogin.FACEBOOK}.get(
            base, login
        )
    return login, host_of_login(login, row.host, row.port, hosts, what)


def stored_secret(conn_id: str, base_url: str, oauth_host: str | None) -> str:
    """Return the app secret of a connection in the database, or an empty text if it has none."""
    with create_session() as session:
        row = session.scalar(_stored(conn_id))
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
        row = session.scalar(_stored(conn_id))
        password = row.password if row is not None else None
    stored = TokenStore(conn_id, password, configured_token_key()).load() if password else None
    return (stored.refreshed_by or "") if stored else ""


def write_login(conn_id: str, app: oauth.LoginApp, login: Login, by: str) -> None:
    """Write a login to its connection, and store the token's record."""
    require_writable(conn_id)
    with create_session() as session:
        row = session.scalar(_stored(conn_id).with_for_update())
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
        row.login = login.account.user_id
        row.password = login.token.access_token
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


#: For the pages, which import nothing of ``graph``.
LoginApp = oauth.LoginApp
#: The most accounts or Pages that an error names.
MOST_NAMED: Final = 10
_IN_PORTFOLIO: Final = (
    f" If its Page belongs to a business portfolio, add {listing.PORTFOLIOS} to the permissions"
    " beyond publishing."
)

#: What is wrong if a login gives a token of another login, and what to do.
_OTHER_TOKEN: Final = {
    MetaLogin.UNIFIED: (
        "The configuration gives a token of Facebook Login, a person's own.",
        "In your Meta app, make a configuration with the token type 'System-user access token'.",
    ),
    MetaLogin.FACEBOOK: (
        "The login gives a token of Unified Login, a system user's.",
        "Connect again by Unified Login, or make a configuration with the token type 'User access token'.",
    ),
}


@dataclass(frozen=True)
class Login:
    """A successful login.

    :param refused: The scopes that were asked for, and that are known not to be granted.
    """

    token: StoredToken
    account: Account
    refused: tuple[str, ...] = ()

    @property
    def warning(self) -> str:
        """What is off because of the scopes that were not granted, or an empty text."""
        if not self.refused:
            return ""
        return (
            f"Not granted: {', '.join(self.refused)}. What needs it is off. To grant it, connect the account again, "
            "and leave all permissions switched on."
        )


def check_config(login: MetaLogin, config_id: str) -> None:
    """Check the configuration of a login: Unified Login must have one, and Facebook Login may."""
    may_be_empty = login is MetaLogin.FACEBOOK and not config_id
    if login is MetaLogin.INSTAGRAM or config_id.isdecimal() or may_be_empty:
        return
    raise ValidationError(
        f"Enter the configuration id of {login.in_words}, which is a number.",
        hint="You find it in your Meta app, under Facebook Login for Business, Configurations. In a shell, give it "
        "with --config-id.",
    )


def complete_login(app: LoginApp, code: str, by: str) -> Login:
    """Exchange the code that Meta sent back for a token.

    :raises AuthenticationError: The code is not valid, or was used before.
    :raises PermissionDeniedError: A permission was not granted, or the account is not a
        professional account.
    """
    if app.login is MetaLogin.INSTAGRAM:
        return _instagram_login(app, code, by)
    return _dialog_login(app, code, by)


def _instagram_login(app: LoginApp, code: str, by: str) -> Login:
    with _client(app, None) as client:
        short = client.send(oauth.exchange_code(app, code))
        refused = _refused(app, short.permissions)
        answer = client.send(oauth.exchange_for_long_lived(app, short.access_token))
    now = datetime.now(timezone.utc)
    with _client(app, answer.access_token) as client:
        account = client.send(calls.account())
    if (lack := missing(app.login, account.account_type, PUBLISHING)) is not None:
        raise PermissionDeniedError(
            f"@{account.username}: {lack.message}",
            hint=f"{lack.remedy} Then connect the account again.",
        )
    return Login(StoredToken.issued(answer, now, short.permissions, by), account, refused)


def _dialog_login(app: LoginApp, code: str, by: str) -> Login:
    """Get the token of a person or of a system user, and read from Meta what it may do and which accounts it reaches.

    What is stored for Facebook Login is the token of the Page that the account is linked to.
    """
    with _client(app, None) as client:
        token = client.send(oauth.exchange_dialog_code(app, code)).access_token
    info = _info(app, token)
    if info.login is not app.login:
        message, remedy = _OTHER_TOKEN[app.login]
        raise PermissionDeniedError(message, hint=remedy)
    refused = _refused(app, info.scopes)
    if app.login is MetaLogin.FACEBOOK:
        token, account = _page(app, token, info)
        info = _info(app, token)
    else:
        reached = _chosen(app, {each: each for each in info.account_ids})
        with _client(app, token) as client:
            account = client.send(calls.account_of_id(reached))
    now = datetime.now(timezone.utc)
    stored = StoredToken(token, now, now, refreshed_by=by, tried_at=now).with_info(info)
    return Login(stored, account, refused)


def _client(app: LoginApp, token: str | None) -> GraphClient:
    """Return a client that signs calls with a token of Facebook, as an app may require."""
    return GraphClient(
        token, base_url=app.base_url, app_secret=app.app_secret, hosts=trusted_hosts()
    )


def _info(app: LoginApp, token: str) -> TokenInfo:
    with _client(app, f"{app.app_id}|{app.app_secret}") as client:
        return client.send(calls.token_info(token))


def _page(app: LoginApp, person: str, info: TokenInfo) -> tuple[str, Account]:
    """Return the token of the Page to publish for, and the account that the Page is linked to.

    :param person: The token of the person who logged in, which is short-lived. So would be a Page's
        token that is read with it. Source: Meta, Get Long-Lived Access Tokens.
    :param info: What Meta tells of that token.
    """
    with _client(app, None) as client:
        person = client.send(oauth.exchange_for_60_days(app, person)).access_token
    wanted = {app.account_id} if app.account_id else {*info.account_ids}
    names: dict[str, None] = {}
    found: dict[str, tuple[str | None, Account]] = {}
    with _client(app, person) as client:
        for pages in listing.facebook_pages(client, info):
            names |= dict.fromkeys(repr(page.name) for page in pages)
            for page in pages:
                account = page.account
                if account and (page.access_token or account.user_id not in found):
                    found[account.user_id] = (page.access_token, account)
            if found and wanted <= found.keys():
                break
    more = "" if listing.PORTFOLIOS in info.scopes else _IN_PORTFOLIO
    if not found:
        unlinked = f"the Facebook Page {_named(list(names))}, which no professional Instagram account is linked to"
        raise PermissionDeniedError(
            f"The login reaches {unlinked if names else 'no Facebook Page'}.",
            hint="Switch the account to a professional account in the Instagram app, link it in the Page's settings, "
            f"under Linked accounts, and choose that Page and the account when you connect again.{more}",
        )
    reached = {
        user_id: f"@{account.username} ({user_id})" for user_id, (_, account) in found.items()
    }
    token, account = found[_chosen(app, reached, more)]
    if not token:
        raise PermissionDeniedError(
            f"Facebook gives no token for the Page of @{account.username}.",
            hint="Ask an admin of the Page for the task to create content on it. Then connect again.",
        )
    return token, account


def _chosen(app: LoginApp, reached: Mapping[str, str], more: str = "") -> str:
    """Return the id of the account to connect: the one that was asked for, or the only one.

    :param reached: The accounts that the login reaches, by their ids, as an error names them.
    :param more: What else may help, as a sentence after a space.
    """
    chosen = [app.account_id] if app.account_id else list(reached)
    # Unified Login may reach an account that Meta does not name, which the next call shows.
    if len(chosen) != 1 or (app.login is MetaLogin.FACEBOOK and chosen[0] not in reached):
        asked = f", not the account {app.account_id}" if app.account_id else ""
        raise PermissionDeniedError(
            f"The login reaches {_named(list(reached.values())) or 'no account that Meta names'}{asked}.",
            hint=f"Connect again, and enter the Instagram user id of the account to publish on.{more}",
        )
    return chosen[0]


def _named(names: Sequence[str]) -> str:
    """Return names as a sentence has them: the first ones, and how many more there are."""
    shown = ", ".join(names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _refused(app: LoginApp, granted: Sequence[str]) -> tuple[str, ...]:
    """Return what was asked for and not granted. ``granted`` is empty if that is not known."""
    refused = [scope for scope in app.all_scopes if granted and scope not in granted]
    if lacking := [scope for scope in refused if scope in app.needed_scopes]:
        raise PermissionDeniedError(
            f"Publishing needs the permission {' and '.join(lacking)}, which was not granted.",
            hint="Connect again, and leave all permissions switched on.",
        )
    return tuple(refused)
