from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.graph import oauth
from airflow_provider_instagram.graph.capabilities import MetaLogin
from airflow_provider_instagram.graph.oauth import LoginApp

GRAPH = "https://graph.instagram.com"
APP = LoginApp("9", "shh", "https://a/b", GRAPH)


def test_a_person_is_asked_to_log_in_again_by_instagram_login_alone() -> None:
    """To connect another account than the one that the browser is logged in to."""
    asked = {
        login: dict(parse_qsl(urlsplit(replace(APP, login=login, reauthenticates=True).login_url("s")).query))
        for login in MetaLogin
    }
    assert [query.get("force_reauth") for query in asked.values()] == ["true", None, None]
    assert "force_reauth" not in APP.login_url("s")


def test_the_login_url_carries_everything_that_meta_asks_for() -> None:
    parts = urlsplit(LoginApp("99", "shh", "https://air.example.com/back?x=1", GRAPH).login_url("st&te"))
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "www.instagram.com", "/oauth/authorize")
    assert {name: values[0] for name, values in parse_qs(parts.query).items()} == {
        "client_id": "99",
        "redirect_uri": "https://air.example.com/back?x=1",
        "response_type": "code",
        "scope": "instagram_business_basic,instagram_business_content_publish",
        "state": "st&te",
    }


def test_another_oauth_host_replaces_both_of_metas() -> None:
    app = replace(APP, oauth_host="http://127.0.0.1:1")
    assert app.login_url("s").startswith("http://127.0.0.1:1/oauth/authorize?")
    assert oauth.exchange_code(app, "c").host == "http://127.0.0.1:1"
    with pytest.raises(ValidationError):
        replace(APP, oauth_host="http://example.com").login_url("s")


def test_a_code_is_exchanged_once_by_post_without_what_instagram_hangs_on_it() -> None:
    call = oauth.exchange_code(APP, "AQBx#_")
    assert (call.method, call.host, call.path) == ("POST", "https://api.instagram.com", "oauth/access_token")
    assert (call.safe, call.versioned, call.bearer) == (False, False, False)
    assert call.params == {
        "client_id": "9",
        "client_secret": "shh",
        "grant_type": "authorization_code",
        "redirect_uri": "https://a/b",
        "code": "AQBx",
    }


def test_a_short_lived_token_is_exchanged_by_get() -> None:
    call = oauth.exchange_for_long_lived(APP, "IGshort")
    assert (call.method, call.path, call.versioned, call.bearer) == ("GET", "access_token", False, False)
    assert call.params == {
        "grant_type": "ig_exchange_token",
        "client_id": "9",
        "client_secret": "shh",
        "access_token": "IGshort",
    }


@pytest.mark.parametrize(
    ("login", "scopes"),
    [
        (MetaLogin.UNIFIED, "instagram_basic,instagram_content_publish"),
        (MetaLogin.FACEBOOK, "instagram_basic,instagram_content_publish,pages_show_list,pages_read_engagement"),
    ],
)
def test_facebooks_dialog_is_asked_for_scopes_or_for_a_configuration(login: MetaLogin, scopes: str) -> None:
    app = replace(APP, login=login)
    parts = urlsplit(app.login_url("s"))
    assert (parts.scheme, parts.netloc) == ("https", "www.facebook.com")
    assert parts.path.endswith("/dialog/oauth")
    shared = {"client_id": "9", "redirect_uri": "https://a/b", "response_type": "code", "state": "s"}
    assert dict(parse_qsl(parts.query)) == {**shared, "scope": scopes}
    parts = urlsplit(replace(app, config_id="4711").login_url("s"))
    by_config = {"config_id": "4711", "override_default_response_type": "true"}
    assert dict(parse_qsl(parts.query)) == {**shared, **by_config}


def test_instagram_login_has_no_configuration() -> None:
    asked = dict(parse_qsl(urlsplit(replace(APP, config_id="4711").login_url("s")).query))
    assert asked["scope"] == "instagram_business_basic,instagram_business_content_publish"
    assert "config_id" not in asked


def test_a_persons_token_is_exchanged_by_get() -> None:
    call = oauth.exchange_for_60_days(APP, "EAshort")
    assert (call.method, call.path[-19:], call.bearer) == ("GET", "/oauth/access_token", False)
    assert call.params == {
        "grant_type": "fb_exchange_token",
        "client_id": "9",
        "client_secret": "shh",
        "fb_exchange_token": "EAshort",
    }


def test_a_refresh_is_not_repeated_by_itself() -> None:
    call = oauth.refresh("IGlong")
    assert (call.method, call.path, call.safe) == ("GET", "refresh_access_token", False)
    assert call.params == {"grant_type": "ig_refresh_token", "access_token": "IGlong"}


def test_no_secret_shows_in_a_printed_call() -> None:
    for call in (
        oauth.refresh("IGlong"),
        oauth.exchange_for_long_lived(APP, "IGshort"),
        oauth.exchange_code(APP, "AQBx"),
        oauth.exchange_dialog_code(APP, "AQBx"),
        oauth.exchange_for_60_days(APP, "EAshort"),
    ):
        assert not {"IGlong", "IGshort", "EAshort", "shh", "AQBx"} & set(repr(call).replace("'", " ").split())
