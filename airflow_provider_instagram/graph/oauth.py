"""Meta's logins: how to get a token that lives long, and how to refresh it.

Source: Meta, Instagram API with Instagram Login, Business Login. A code is valid once, for one hour; a short-lived
token for one hour; a long-lived token for about 60 days. Meta has no separate refresh tokens: a long-lived token that
is at least 24 hours old and has not expired is exchanged for a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal
from urllib.parse import urlencode

from airflow_provider_instagram.graph import API_VERSION, origin
from airflow_provider_instagram.graph.accounts import Token
from airflow_provider_instagram.graph.calls import Call
from airflow_provider_instagram.graph.capabilities import PUBLISHING

#: The scopes of publishing, which every login asks for.
SCOPES: Final = PUBLISHING.instagram
#: The scopes that Facebook Login needs beside those of publishing: to find the Page, and to publish for it.
#: Source: Meta, Instagram API with Facebook Login, Get Started, 2026-06-30; Content Publishing.
PAGE_SCOPES: Final = ("pages_show_list", "pages_read_engagement")
#: The prefix of tokens of Facebook Login. Tokens of Instagram Login begin with IG.
FACEBOOK_LOGIN: Final = "EA"


def login_url(
    app_id: str,
    redirect_uri: str,
    state: str,
    *,
    scopes: Sequence[str] = SCOPES,
    oauth_host: str | None = None,
    hosts: origin.TrustedHosts = origin.NO_EXTRA_HOSTS,
) -> str:
    """Return the address at which the account's owner allows the app to post.

    :param redirect_uri: Where Instagram redirects the user. Must be registered with the app.
    :param state: A value that Instagram returns unchanged, to detect forged logins.
    """
    query = {"client_id": app_id, "redirect_uri": redirect_uri, "response_type": "code"}
    query |= {"scope": ",".join(scopes), "state": state}
    return f"{origin.login_host(oauth_host, hosts) or origin.CONSENT}/oauth/authorize?{urlencode(query)}"


def dialog_url(
    app_id: str,
    redirect_uri: str,
    state: str,
    *,
    scopes: Sequence[str] = (),
    config_id: str = "",
    oauth_host: str | None = None,
    hosts: origin.TrustedHosts = origin.NO_EXTRA_HOSTS,
) -> str:
    """Return the address at which a person gives the app a token of Facebook Login or Unified Login.

    Source: Meta, Facebook Login for Business, 2026-05-05; Manually Build a Login Flow.

    :param scopes: What to ask for, if there is no configuration.
    :param config_id: The configuration of the login in the Meta app, which names the type of the token and its scopes.
    """
    query = {"client_id": app_id, "redirect_uri": redirect_uri, "response_type": "code", "state": state}
    by_config = {"config_id": config_id, "override_default_response_type": "true"}
    query |= by_config if config_id else {"scope": ",".join(scopes)}
    return f"{origin.login_host(oauth_host, hosts) or origin.DIALOG}/{API_VERSION}/dialog/oauth?{urlencode(query)}"


def exchange_dialog_code(app_id: str, app_secret: str, redirect_uri: str, code: str) -> Call[Token]:
    """Exchange the code of :func:`dialog_url` for a token. Meta accepts the secrets in the URL only."""
    query = {"client_id": app_id, "client_secret": app_secret, "redirect_uri": redirect_uri}
    query |= {"code": code.removesuffix("#_=_")}
    return _token_call("exchange the login code", "GET", f"{API_VERSION}/oauth/access_token", query)


def exchange_for_60_days(app_id: str, app_secret: str, token: str) -> Call[Token]:
    """Exchange a person's token of Facebook Login for one that is valid for about 60 days.

    The tokens of Pages that are read with it do not expire. Meta accepts the secrets in the URL only. Source: Meta,
    Get Long-Lived Access Tokens.
    """
    query = {"grant_type": "fb_exchange_token", "client_id": app_id}
    query |= {"client_secret": app_secret, "fb_exchange_token": token}
    action = "exchange the token for a long-lived one"
    return _token_call(action, "GET", f"{API_VERSION}/oauth/access_token", query, safe=True)


def exchange_code(
    app_id: str, app_secret: str, redirect_uri: str, code: str, *, oauth_host: str | None = None
) -> Call[Token]:
    """Exchange the code from Instagram for a short-lived token.

    :param redirect_uri: Exactly the same as in the login URL.
    :param code: The code, with or without the ``#_`` that Instagram appends.
    """
    form = {"client_id": app_id, "client_secret": app_secret, "grant_type": "authorization_code"}
    form |= {"redirect_uri": redirect_uri, "code": code.removesuffix("#_")}
    return _token_call("exchange the login code", "POST", "oauth/access_token", form, host=oauth_host or origin.CODE)


def exchange_for_long_lived(app_id: str, app_secret: str, short_lived_token: str) -> Call[Token]:
    """Exchange a short-lived token for one that is valid for about 60 days. Meta accepts the secrets in the URL only.

    Meta documents no ``client_id`` for this call, but clients report that it is required.
    """
    query = {"grant_type": "ig_exchange_token", "client_id": app_id}
    query |= {"client_secret": app_secret, "access_token": short_lived_token}
    return _token_call("exchange the token for a long-lived one", "GET", "access_token", query, safe=True)


def refresh(access_token: str) -> Call[Token]:
    """Extend a long-lived token by 60 days. Meta accepts the token in the URL only.

    The client never repeats this call, because Meta does not document whether the old token stays valid.
    """
    query = {"grant_type": "ig_refresh_token", "access_token": access_token}
    return _token_call("refresh the access token", "GET", "refresh_access_token", query)


def _token_call(
    action: str,
    method: Literal["GET", "POST"],
    path: str,
    params: dict[str, str],
    *,
    safe: bool = False,
    host: str | None = None,
) -> Call[Token]:
    return Call(action, method, path, params, Token.read, safe=safe, versioned=False, bearer=False, host=host)
