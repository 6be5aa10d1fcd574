"""Meta's logins: how to get a token that lives long, and how to refresh it.

Source: Meta, Instagram API with Instagram Login, Business Login. A code is valid once, for one
hour; a short-lived token for one hour; a long-lived token for about 60 days. Meta has no separate
refresh tokens: a long-lived token that is at least 24 hours old and has not expired is exchanged
for a new one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlencode

from airflow_provider_instagram.graph import API_VERSION, origin
from airflow_provider_instagram.graph.calls import Call
from airflow_provider_instagram.graph.capabilities import PUBLISHING, MetaLogin, read_scopes
from airflow_provider_instagram.graph.models import Token

#: The scopes that Facebook Login needs beside those of publishing: to find the Page, and to publish
#: for it. Source: Meta, Instagram API with Facebook Login, Get Started, 2026-06-30; Content
#: Publishing.
PAGE_SCOPES: Final = ("pages_show_list", "pages_read_engagement")
#: The prefix of tokens of Facebook Login. Tokens of Instagram Login begin with IG.
FACEBOOK_LOGIN: Final = "EA"


@dataclass(frozen=True)
class LoginApp:
    """The Meta app that a person logs in to.

    :param redirect_uri: Where Instagram sends the person back to. Must be registered with the app.
    :param oauth_host: Replaces Meta's host of the login page, and the host of Instagram Login that
        takes the code.
    :param config_id: The configuration of the login in the app, which names the type of the token
        and its scopes. Instagram Login has none.
    :param account_id: The Instagram user id to use, if the login may reach several accounts.
    :param reauthenticates: Whether Instagram asks for the password, so that the person may log in
        as another account than the browser's. Instagram Login only. Source: Meta, Business Login,
        ``force_reauth``, 2025-06-14.
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
    reauthenticates: bool = False

    @property
    def needed_scopes(self) -> tuple[str, ...]:
        """The scopes without which nothing can be published."""
        of_page = PAGE_SCOPES if self.login is MetaLogin.FACEBOOK else ()
        return (*PUBLISHING.scopes(self.login), *of_page)

    @property
    def all_scopes(self) -> tuple[str, ...]:
        """All scopes to ask for."""
        return tuple(dict.fromkeys((*self.needed_scopes, *read_scopes(self.scopes, self.login))))

    def login_url(self, state: str, hosts: origin.TrustedHosts = origin.NO_EXTRA_HOSTS) -> str:
        """Return the address at which a person allows the app to post.

        Source: Meta, Business Login; Facebook Login for Business, 2026-05-05; Manually Build a
        Login Flow.

        :param state: A value that Meta returns unchanged, to detect forged logins.
        """
        is_dialog = self.login is not MetaLogin.INSTAGRAM
        # an unknown one is an error, also if a configuration names them
        scope = ",".join(self.all_scopes)
        query = {
            "client_id": self.app_id,
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "state": state,
        }
        if is_dialog and self.config_id:
            query |= {"config_id": self.config_id, "override_default_response_type": "true"}
        else:
            query["scope"] = scope
        if self.reauthenticates and not is_dialog:
            query["force_reauth"] = "true"
        host = origin.CONSENT
        path = "oauth/authorize"
        if is_dialog:
            host = origin.DIALOG
            path = f"{API_VERSION}/dialog/oauth"
        host = origin.login_host(self.oauth_host, hosts) or host
        return f"{host}/{path}?{urlencode(query)}"

    @property
    def credentials(self) -> dict[str, str]:
        """The parameters that identify the app, with its secret."""
        return {"client_id": self.app_id, "client_secret": self.app_secret}


def exchange_dialog_code(app: LoginApp, code: str) -> Call[Token]:
    """Exchange the code of Facebook Login or Unified Login for a token. Meta accepts the secrets in the URL only."""
    query = {**app.credentials, "redirect_uri": app.redirect_uri, "code": code.removesuffix("#_=_")}
    return _token_call("exchange the login code", "GET", f"{API_VERSION}/oauth/access_token", query)


def exchange_for_60_days(app: LoginApp, token: str) -> Call[Token]:
    """Exchange a person's token of Facebook Login for one that is valid for about 60 days.

    The tokens of Pages that are read with it do not expire. Meta accepts the secrets in the URL
    only. Source: Meta, Get Long-Lived Access Tokens.
    """
    query = {"grant_type": "fb_exchange_token", **app.credentials, "fb_exchange_token": token}
    action = "exchange the token for a long-lived one"
    return _token_call(action, "GET", f"{API_VERSION}/oauth/access_token", query, safe=True)


def exchange_code(app: LoginApp, code: str) -> Call[Token]:
    """Exchange the code from Instagram for a short-lived token.

    :param code: The code, with or without the ``#_`` that Instagram appends.
    """
    form = {**app.credentials, "grant_type": "authorization_code", "redirect_uri": app.redirect_uri}
    form["code"] = code.removesuffix("#_")
    host = app.oauth_host or origin.CODE
    return _token_call("exchange the login code", "POST", "oauth/access_token", form, host=host)


def exchange_for_long_lived(app: LoginApp, short_lived_token: str) -> Call[Token]:
    """Exchange a short-lived token for one that is valid for about 60 days. Meta accepts the secrets in the URL only.

    Meta documents no ``client_id`` for this call, but clients report that it is required.
    """
    query = {
        "grant_type": "ig_exchange_token",
        **app.credentials,
        "access_token": short_lived_token,
    }
    return _token_call(
        "exchange the token for a long-lived one", "GET", "access_token", query, safe=True
    )


def refresh(access_token: str) -> Call[Token]:
    """Extend a long-lived token by 60 days. Meta accepts the token in the URL only.

    The client never repeats this call, because Meta does not document whether the old token stays
    valid.
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
    return Call(
        action,
        method,
        path,
        params,
        Token.read,
        safe=safe,
        versioned=False,
        bearer=False,
        host=host,
    )
