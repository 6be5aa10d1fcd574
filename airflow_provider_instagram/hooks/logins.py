"""Which login of Meta a connection is for, and whether its token and its host belong to it."""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.exceptions import InstagramError, ValidationError
from airflow_provider_instagram.graph import calls, oauth, origin
from airflow_provider_instagram.graph.capabilities import MetaLogin
from airflow_provider_instagram.graph.errors import Cause, cause_of
from airflow_provider_instagram.hooks.token_store import StoredToken
from airflow_provider_instagram.utils.clock import CLOCK
from airflow_provider_instagram.utils.pages import connect_page, reconnect_hint
from airflow_provider_instagram.utils.urls import safe_link

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.calls import Call
    from airflow_provider_instagram.graph.models import Account, TokenInfo

#: The field of the extra that records for which hosts the app secret was entered. Airflow masks it
#: because of its name.
SECRET_RECORD: Final = "app_secret_host"  # noqa: S105 -- a name


def without_made_up_id(text: str, conn_id: str) -> str:
    """Return a text of the Test button with "this connection" in place of an id that Airflow made up.

    Airflow tests a connection from the environment, under a random id of 8 letters and digits.
    """
    is_worker = os.environ.get("_AIRFLOW_PROCESS_CONTEXT") == "client"
    is_in_environment = f"AIRFLOW_CONN_{conn_id.upper()}" in os.environ
    is_made_up = is_in_environment and re.fullmatch(r"[A-Za-z0-9]{8}", conn_id)
    if is_worker or not is_made_up:
        return text
    for word, this in (("Connection", "This connection"), ("connection", "this connection")):
        text = text.replace(f"{word} {conn_id!r}", this)
    return text.replace(f"?conn_id={conn_id}", "").replace(conn_id, "CONNECTION_ID")


def end_of(info: TokenInfo | None) -> str:
    """Return the end of a token that cannot be refreshed, in words."""
    if info is None:
        return "the token's expiry date is unknown (Instagram does not report it)"
    token = StoredToken("", CLOCK.now()).with_info(info)
    return f"the token {token.end}{', and cannot be refreshed' if token.expires else ''}"


def login_of(conn_id: str, named: str | None, token: str) -> MetaLogin:
    """Return the login that a connection names; if it names none, the one that the token's beginning stands for."""
    is_facebook = token.startswith(oauth.FACEBOOK_LOGIN)
    if named is None:
        return MetaLogin.FACEBOOK if is_facebook else MetaLogin.INSTAGRAM
    login = read_login(named, f"login_type in the extra of connection {conn_id!r}")
    if (is_facebook and login is MetaLogin.INSTAGRAM) or (
        token.startswith("IG") and login is not MetaLogin.INSTAGRAM
    ):
        raise other_login(
            conn_id, MetaLogin.FACEBOOK if is_facebook else MetaLogin.INSTAGRAM, login
        )
    return login


def read_login(text: str, what: str = "The login") -> MetaLogin:
    """Read the name of a login.

    :param what: What the text is, as the subject of the error.
    """
    try:
        return MetaLogin(text.strip().lower())
    except ValueError:
        raise ValidationError(
            f"{what} is {text[:40]!r}, which is not a login of Meta.",
            hint=f"Use one of {', '.join(MetaLogin)}.",
        ) from None


def other_login(conn_id: str, of_token: MetaLogin, named: MetaLogin) -> ValidationError:
    """Return the error of a token that comes from another login than the connection says."""
    return ValidationError(
        f"The token of connection {conn_id!r} is of {of_token.in_words}; the connection says {named.in_words}.",
        hint="Choose the token's login in the connection, or enter a token of the login that it says.",
    )


def host_of_login(
    login: MetaLogin, host: str | None, port: int | None, hosts: origin.TrustedHosts, what: str
) -> str:
    """Return the Graph host of a connection: its own, or Meta's of its login.

    :param what: What the host is, as the subject of an error.
    :raises ValidationError: If the host is not trusted, or is Meta's of another login.
    """
    base = origin.base_url(host or origin.HOST_OF[login], port, hosts=hosts, what=what)
    if base in origin.HOST_OF.values() and base != origin.HOST_OF[login]:
        raise ValidationError(
            f"{what} is {base}, which is not a host of {login.in_words}.",
            hint=f"Set it to {origin.HOST_OF[login]}, or use a token of the other login.",
        )
    return base


def account_call(login: MetaLogin, ig_user_id: str | None) -> Call[Account] | None:
    """Return the call that reads the account, or None if a token of this login cannot name it."""
    if login is MetaLogin.INSTAGRAM:
        return calls.account()
    if login is MetaLogin.FACEBOOK:
        return calls.page_account()
    return None if ig_user_id is None else calls.account_of_id(ig_user_id)


def no_user_id(conn_id: str, info: TokenInfo | None) -> ValidationError:
    """Return the error of Unified Login without an Instagram user id."""
    reached = (
        f" The token reaches {' and '.join(info.account_ids)}." if info and info.account_ids else ""
    )
    return ValidationError(
        f"Connection {conn_id!r} has no Instagram user id, and a token of Unified Login does not name one.{reached}",
        hint="Enter the account's id in the field 'Instagram user id'.",
    )


def is_of_no_page(login: MetaLogin, error: InstagramError) -> bool:
    """Return whether a token of Facebook Login is refused because it does not belong to a Page."""
    is_field = cause_of(error) is Cause.INVALID_PARAMETER and "instagram_business_account" in str(
        error
    )
    return login is MetaLogin.FACEBOOK and is_field


def no_page(conn_id: str) -> ValidationError:
    """Return the error of a token of Facebook Login that does not belong to a Page."""
    return ValidationError(
        f"The token of connection {conn_id!r} belongs to a person, not to a Facebook Page.",
        hint="A person's token expires after 60 days and cannot be refreshed. Use it to read the Page's token, "
        "GET /me/accounts?fields=access_token,name, and enter that one in the connection, or let a login do it. "
        f"{reconnect_hint(conn_id)} If the token comes from Unified Login, choose that login in the connection.",
    )


def may_send_secret(extra: Mapping[str, Any], base_url: str, oauth_host: str | None) -> bool:
    """Return whether a stored app secret may be sent to these hosts without being entered again.

    A secret that was typed into the connection form has no record of its hosts, and may go to Meta
    only.
    """
    secret, record = (str(extra.get(name) or "") for name in ("app_secret", SECRET_RECORD))
    if not record:
        meta_hosts = (None, origin.CONSENT, origin.CODE, origin.DIALOG)
        return base_url in (origin.INSTAGRAM, origin.FACEBOOK) and oauth_host in meta_hosts
    return hmac.compare_digest(
        record.encode(), secret_record(secret, base_url, oauth_host).encode()
    )


def secret_record(app_secret: str, base_url: str, oauth_host: str | None) -> str:
    """Return the record of the hosts that a secret was entered for: an HMAC, which nobody makes without the secret."""
    text = "\n".join(
        ("airflow-provider-instagram/app-secret/1", oauth_host or origin.CODE, base_url)
    )
    return hmac.new(app_secret.encode(), text.encode(), "sha256").hexdigest()


def redirect_uri(given: str | None = None) -> str:
    """Return the URL that Meta sends a person back to after a login: the given one, or that of this Airflow's page.

    :raises ValidationError: It is not known, or is not https: others could read the login code in
        it.
    """
    uri = given or ((page := connect_page()) and f"{page}callback")
    if not uri:
        raise ValidationError(
            "Meta must send you back to Airflow, but Airflow does not know its own URL.",
            hint="Set [api] base_url, for example https://airflow.example.com. In a shell, --redirect-uri also does.",
        )
    if safe_link(uri) is None:
        raise ValidationError(
            f"The redirect URI {uri} is not https, so others could read the login code on its way.",
            hint="Serve Airflow over https, for example behind a proxy, and set [api] base_url.",
        )
    return uri
