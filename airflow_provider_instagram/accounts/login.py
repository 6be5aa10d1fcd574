"""Log in to an account: exchange the code that Instagram sends back for a long-lived token."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_instagram.exceptions import PermissionDeniedError, ValidationError
from airflow_provider_instagram.graph import calls, oauth, origin
from airflow_provider_instagram.graph.capabilities import PUBLISHING, MetaLogin, missing, read_scopes
from airflow_provider_instagram.graph.client import GraphClient
from airflow_provider_instagram.hooks.instagram import trusted_hosts
from airflow_provider_instagram.hooks.token_store import StoredToken
from airflow_provider_instagram.utils.addresses import is_loopback

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.accounts import Account


@dataclass(frozen=True)
class LoginApp:
    """The Meta app that a person logs in to.

    :param redirect_uri: Where Instagram sends the person back to.
    :param config_id: The configuration of Unified Login in the app.
    :param account_id: The Instagram user id to use, if a token of Unified Login may reach several.
    """

    app_id: str
    app_secret: str = field(repr=False)
    redirect_uri: str
    base_url: str
    oauth_host: str | None = None
    scopes: str = ""
    login: MetaLogin = MetaLogin.INSTAGRAM
    config_id: str = ""
    account_id: str = ""

    def login_url(self, state: str) -> str:
        """Return the URL of the login page."""
        where: dict[str, Any] = {"oauth_host": self.oauth_host, "hosts": trusted_hosts()}
        if self.login is MetaLogin.UNIFIED:
            return oauth.dialog_url(self.app_id, self.redirect_uri, state, self.config_id, **where)
        return oauth.login_url(self.app_id, self.redirect_uri, state, scopes=self.all_scopes, **where)

    @property
    def all_scopes(self) -> tuple[str, ...]:
        """All scopes to ask for."""
        return (*PUBLISHING.scopes(self.login), *read_scopes(self.scopes, self.login))

    @property
    def secret_record(self) -> str:
        """The record, stored beside the app secret, of the hosts that the secret was entered for."""
        return secret_record(self.app_secret, self.base_url, self.oauth_host)


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


def secret_record(app_secret: str, base_url: str, oauth_host: str | None) -> str:
    """Return the record of the hosts that an app secret was entered for.

    The record is an HMAC whose key is the secret. A person who may edit a connection but does not know its secret
    cannot make a record for a host of their own.
    """
    text = "\n".join(("airflow-provider-instagram/app-secret/1", oauth_host or origin.CODE, base_url))
    return hmac.new(app_secret.encode(), text.encode(), "sha256").hexdigest()


def may_reuse_secret(app_secret: str, record: str, base_url: str, oauth_host: str | None) -> bool:
    """Return whether a stored app secret may go to these hosts without being entered again.

    :param record: The record stored beside the secret. A secret that was typed into the connection form has no record,
        and may go to Meta only.
    """
    if not record:
        meta_hosts = (None, origin.CONSENT, origin.CODE, origin.DIALOG)
        return base_url in (origin.INSTAGRAM, origin.FACEBOOK) and oauth_host in meta_hosts
    return hmac.compare_digest(record.encode(), secret_record(app_secret, base_url, oauth_host).encode())


def read_login(text: str) -> MetaLogin:
    """Read a login that a person can log in by. By default, it is Instagram Login.

    :raises ValidationError: If there is no such login here. The Page token of Facebook Login is entered instead.
    """
    if text.strip() in ("", MetaLogin.INSTAGRAM, MetaLogin.UNIFIED):
        return MetaLogin(text.strip() or MetaLogin.INSTAGRAM)
    raise ValidationError(
        f"Nobody can log in here by {text[:40]!r}.",
        hint="Use instagram or unified. For Facebook Login, enter the Page token in the connection.",
    )


def check_config(login: MetaLogin, config_id: str) -> None:
    """Check that Unified Login has a configuration."""
    if login is MetaLogin.UNIFIED and not config_id.isdecimal():
        raise ValidationError(
            "Unified Login needs the id of a configuration, which is a number.",
            hint="You find it in your Meta app, under Facebook Login for Business, Configurations.",
        )


def check_redirect_uri(uri: str) -> str:
    """Return a redirect URI. It must be https, or others could read the login code in it."""
    parts = urlsplit(uri)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise ValidationError(
            f"The redirect URI {uri} is not https, so others could read the login code on its way.",
            hint="Serve Airflow over https, for example behind a proxy, and set [api] base_url.",
        )
    return uri


def complete_login(app: LoginApp, code: str, by: str) -> Login:
    """Exchange the code that Meta sent back for a token.

    :raises AuthenticationError: The code is not valid, or was used before.
    :raises PermissionDeniedError: A permission was not granted, or the account is not a professional account.
    """
    return (_unified_login if app.login is MetaLogin.UNIFIED else _instagram_login)(app, code, by)


def _instagram_login(app: LoginApp, code: str, by: str) -> Login:
    hosts = trusted_hosts()
    with GraphClient(None, base_url=app.base_url, hosts=hosts) as client:
        short = client.send(
            oauth.exchange_code(app.app_id, app.app_secret, app.redirect_uri, code, oauth_host=app.oauth_host)
        )
        refused = _refused(app, short.permissions)
        answer = client.send(oauth.exchange_for_long_lived(app.app_id, app.app_secret, short.access_token))
    now = datetime.now(timezone.utc)
    with GraphClient(answer.access_token, base_url=app.base_url, hosts=hosts) as client:
        account = client.send(calls.account(with_picture=True))
    if (lack := missing(app.login, account.account_type, None, PUBLISHING)) is not None:
        raise PermissionDeniedError(
            f"@{account.username}: {lack.message}", hint=f"{lack.remedy} Then connect the account again."
        )
    return Login(StoredToken.issued(answer, now, short.permissions, by), account, refused)


def _unified_login(app: LoginApp, code: str, by: str) -> Login:
    """Get a token of Unified Login, and read from Meta what it may do and which account it reaches."""
    hosts: dict[str, Any] = {"base_url": app.base_url, "hosts": trusted_hosts()}
    with GraphClient(None, **hosts) as client:
        call = oauth.exchange_business_code(app.app_id, app.app_secret, app.redirect_uri, code)
        token = client.send(call).access_token
    with GraphClient(f"{app.app_id}|{app.app_secret}", **hosts) as client:
        info = client.send(calls.token_info(token))
    if info.login is not MetaLogin.UNIFIED:
        raise PermissionDeniedError(
            "The configuration gives a token of Facebook Login, a person's own.",
            hint="In your Meta app, make a configuration with the token type 'System-user access token'.",
        )
    refused = _refused(app, info.scopes)
    reached = [app.account_id] if app.account_id else info.account_ids
    if len(reached) != 1:
        raise PermissionDeniedError(
            f"The login reaches {' and '.join(info.account_ids) or 'no account that Meta names'}.",
            hint="Connect again, and enter the Instagram user id of the account to publish on.",
        )
    with GraphClient(token, app_secret=app.app_secret, **hosts) as client:
        account = client.send(calls.account_of_id(reached[0]))
    now, ends = datetime.now(timezone.utc).isoformat(), info.expires_at.isoformat() if info.expires_at else None
    return Login(StoredToken(token, now, now, ends, info.scopes, by, now), account, refused)


def _refused(app: LoginApp, granted: Sequence[str]) -> tuple[str, ...]:
    """Return what was asked for and not granted. ``granted`` is empty if that is not known."""
    refused = [scope for scope in app.all_scopes if granted and scope not in granted]
    if lacking := [scope for scope in refused if scope in PUBLISHING.scopes(app.login)]:
        raise PermissionDeniedError(
            f"Publishing needs the permission {' and '.join(lacking)}, which was not granted.",
            hint="Connect again, and leave all permissions switched on.",
        )
    return tuple(refused)
