"""Log in to an account: exchange the code that Instagram sends back for a long-lived token."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_instagram.exceptions import PermissionDeniedError, ValidationError
from airflow_provider_instagram.graph import calls, oauth, origin
from airflow_provider_instagram.graph.capabilities import PROFESSIONAL, read_scopes
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
    """

    app_id: str
    app_secret: str = field(repr=False)
    redirect_uri: str
    base_url: str
    oauth_host: str | None = None
    scopes: str = ""

    def login_url(self, state: str) -> str:
        """Return the URL of the login page."""
        where: dict[str, Any] = {"oauth_host": self.oauth_host, "hosts": trusted_hosts()}
        return oauth.login_url(self.app_id, self.redirect_uri, state, scopes=self.all_scopes, **where)

    @property
    def all_scopes(self) -> tuple[str, ...]:
        """All scopes to ask for."""
        return (*oauth.SCOPES, *read_scopes(self.scopes))

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
        return base_url == origin.INSTAGRAM and oauth_host in (None, origin.CONSENT, origin.CODE)
    return hmac.compare_digest(record.encode(), secret_record(app_secret, base_url, oauth_host).encode())


def check_redirect_uri(uri: str) -> str:
    """Return a redirect URI after checking that a login code is safe in it.

    :raises ValidationError: The URI is not https, so others could read the code.
    """
    parts = urlsplit(uri)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise ValidationError(
            f"The redirect URI {uri} is not https, so others could read the login code on its way.",
            hint="Serve Airflow over https, for example behind a proxy, and set [api] base_url.",
        )
    return uri


def complete_login(app: LoginApp, code: str, by: str) -> Login:
    """Exchange the code that Instagram sent back for a token that lives 60 days.

    :raises AuthenticationError: The code is not valid, or was used before.
    :raises PermissionDeniedError: A permission was not granted, or the account is not a professional account.
    """
    hosts = trusted_hosts()
    with GraphClient(None, base_url=app.base_url, hosts=hosts) as client:
        short = client.send(
            oauth.exchange_code(app.app_id, app.app_secret, app.redirect_uri, code, oauth_host=app.oauth_host)
        )
        refused = [scope for scope in app.all_scopes if short.permissions and scope not in short.permissions]
        if missing := [scope for scope in refused if scope in oauth.SCOPES]:
            raise PermissionDeniedError(
                f"Publishing needs the permission {' and '.join(missing)}, which was not granted.",
                hint="Connect again, and leave all permissions switched on.",
            )
        answer = client.send(oauth.exchange_for_long_lived(app.app_id, app.app_secret, short.access_token))
    now = datetime.now(timezone.utc)
    with GraphClient(answer.access_token, base_url=app.base_url, hosts=hosts) as client:
        account = client.send(calls.account(with_picture=True))
    if account.account_type is not None and account.account_type not in PROFESSIONAL:
        raise PermissionDeniedError(
            f"@{account.username} is a {account.account_type.lower()} account. Only professional accounts can publish "
            "through the API.",
            hint="In the Instagram app, choose Settings, Account type, Switch to professional account. Then connect "
            "again.",
        )
    return Login(StoredToken.issued(answer, now, short.permissions, by), account, tuple(refused))
