"""Login with Instagram: the way from an app to a long-lived token, and from that to the next.

Source: Meta, Instagram API with Instagram Login, Business Login. A code is good for one hour and one use, a short-lived
token for one hour, a long-lived one for about 60 days. There is no separate refresh token: a long-lived token that is
at least 24 hours old and not expired refreshes itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from airflow_provider_instagram.graph import origin
from airflow_provider_instagram.graph.calls import Call
from airflow_provider_instagram.graph.models import Token

if TYPE_CHECKING:
    from collections.abc import Sequence

SCOPES: Final = ("instagram_business_basic", "instagram_business_content_publish")
#: How tokens of Facebook Login begin; those of Instagram Login begin with IG.
FACEBOOK_LOGIN: Final = "EA"


def login_url(
    app_id: str,
    redirect_uri: str,
    state: str,
    *,
    scopes: Sequence[str] = SCOPES,
    oauth_host: str | None = None,
    hosts: origin.TrustedHosts = origin.NO_OTHERS,
) -> str:
    """Where a person agrees that the app may post.

    :param app_id: The Meta app's Instagram app id.
    :param redirect_uri: Where Instagram sends the person back to; must be registered with the app.
    :param state: What comes back unchanged, to tell our own logins from forged ones.
    :param scopes: What the token shall be good for.
    :param oauth_host: Base URL in place of Meta's.
    :param hosts: The hosts that are trusted, beside Meta's and this machine.
    :return: The address to open in a browser.
    """
    query = {
        "client_id": app_id,
        "redirect_uri": redirect_uri,
        "response_type": "code",
        "scope": ",".join(scopes),
        "state": state,
    }
    return f"{origin.login_host(oauth_host, hosts) or origin.CONSENT}/oauth/authorize?{urlencode(query)}"


def exchange_code(
    app_id: str, app_secret: str, redirect_uri: str, code: str, *, oauth_host: str | None = None
) -> Call[Token]:
    """Turn the code that Instagram sent back into a short-lived token.

    :param app_id: The Meta app's Instagram app id.
    :param app_secret: The app's secret.
    :param redirect_uri: The same as in the login URL, to the letter.
    :param code: The code, with or without the ``#_`` that Instagram hangs on it.
    :param oauth_host: Base URL in place of Meta's.
    """
    form = {
        "client_id": app_id,
        "client_secret": app_secret,
        "grant_type": "authorization_code",
        "redirect_uri": redirect_uri,
        "code": code.removesuffix("#_"),
    }
    return Call(
        "exchange the login code",
        "POST",
        "oauth/access_token",
        form,
        Token.read,
        safe=False,
        versioned=False,
        bearer=False,
        host=oauth_host or origin.CODE,
    )


def exchange_for_long_lived(app_id: str, app_secret: str, short_lived_token: str) -> Call[Token]:
    """Turn a short-lived token into one that is good for about 60 days. Meta takes both secrets in the URL only.

    Meta documents no ``client_id`` here, and clients report that it is asked for all the same.

    :param app_id: The Meta app's Instagram app id.
    :param app_secret: The app's secret.
    :param short_lived_token: What the code was exchanged for.
    """
    query = {
        "grant_type": "ig_exchange_token",
        "client_id": app_id,
        "client_secret": app_secret,
        "access_token": short_lived_token,
    }
    return _token_call("exchange the token for a long-lived one", "access_token", query, safe=True)


def refresh(access_token: str) -> Call[Token]:
    """Give a long-lived token 60 new days. Meta takes it in the URL only.

    Never repeated by itself: whether the old token outlives a refresh is not documented.
    """
    query = {"grant_type": "ig_refresh_token", "access_token": access_token}
    return _token_call("refresh the access token", "refresh_access_token", query, safe=False)


def _token_call(action: str, path: str, query: dict[str, str], *, safe: bool) -> Call[Token]:
    return Call(action, "GET", path, query, Token.read, safe=safe, versioned=False, bearer=False)
