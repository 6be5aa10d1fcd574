from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.graph import calls, oauth
from airflow_provider_instagram.graph.client import GraphClient
from airflow_provider_instagram.graph.redaction import quoted, redact, redact_http_logs

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from tests.unit.graph.conftest import WebServer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET /x?access_token=abc&fields=id", "GET /x?access_token=***&fields=id"),
        ("code=AQB-x_1#_ done", "code=*** done"),
        ("client_secret=s3 input_token=t", "client_secret=*** input_token=***"),
        ('{"access_token": "abc", "id": "1"}', '{"access_token": "***", "id": "1"}'),
        ("https://x/?next=%2Fa%3Faccess_token%3Dabc", "https://x/?next=%2Fa%3Faccess_token%3D***"),
        ("Authorization: Bearer abcdefghij0123456789", "Authorization: Bearer ***"),
        ("Authorization: OAuth abcdefghij0123456789", "Authorization: OAuth ***"),
        ("token IGAAabcdefghij0123456789ZD is bad", "token *** is bad"),
        ("token EAAabcdefghij0123456789ZD is bad", "token *** is bad"),
    ],
)
def test_secrets_of_every_form_are_taken_out(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Invalid OAuth access token - Cannot parse access token",
        "Error validating OAuth application",
        'error {"code": 190, "error_subcode": 463}',
        "IGApiException: media 17900000000000001 is not ready",
        "POST https://graph.instagram.com/v27.0/17841400000000001/media 200 OK",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_the_query_of_a_link_is_not_repeated() -> None:
    """As where Meta names the link that it could not fetch."""
    text = (
        "could not be fetched from this uri: https://media.example/a.jpg?Signature=x&Expires=1. Try again: http://x/y"
    )
    assert quoted(text) == ("could not be fetched from this uri: https://media.example/a.jpg?…. Try again: http://x/y")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A <b>bold</b> word, 3 < 4 and a<=b", "A bold word, 3 < 4 and a<=b"),
        ("<!DOCTYPE html><p>Sorry", "an HTML page"),
        ("\ufeff\n<HTML lang=de>", "an HTML page"),
        ("Sorry <script>alert(1)</script>", "an HTML page"),
        ("cut <a href='https://x/", "cut"),
        ("two\nlines\x1b[31m\0\ud800 ü", "two lines [31m ü"),
        ("https://" * 10_000, "…"),
        ("word " * 10_000, "word " * 299 + "word …"),
    ],
)
def test_what_a_server_says_is_quoted_as_one_short_line_without_html(text: str, expected: str) -> None:
    assert quoted(text) == expected


def test_the_filters_are_attached_once() -> None:
    redact_http_logs()
    before = len(logging.getLogger("httpx").filters)
    redact_http_logs()
    assert len(logging.getLogger("httpx").filters) == before


def test_no_secret_reaches_a_log_or_an_error_at_any_level(
    server: WebServer, caplog: pytest.LogCaptureFixture, mocker: MockerFixture
) -> None:
    """The real endpoints over a real socket, all loggers at DEBUG, failing and succeeding, echoing and redirecting."""
    secrets = {"MARKEDtoken", "MARKEDshort", "MARKEDsecret", "MARKEDcode"}
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "httpcore.connection", "httpcore.http11"):
        caplog.set_level(logging.DEBUG, name)
        mocker.patch.object(logging.getLogger(name), "filters", [])  # as in a new process
    app = oauth.LoginApp("9", "MARKEDsecret", "https://a/b", server.url, oauth_host=server.url)
    login, exchange = oauth.exchange_code(app, "MARKEDcode"), oauth.exchange_for_long_lived(app, "MARKEDshort")
    refresh = oauth.refresh("MARKEDtoken")
    read = calls.container_status("17900000000000001")
    logins: list[calls.Call[Any]] = [login, exchange, refresh]
    errors: list[str] = []
    with GraphClient("MARKEDtoken", base_url=server.url, app_secret="MARKEDsecret", sleep=lambda _: None) as graph:
        for call in logins:
            server.answer({"access_token": "MARKEDtoken"})
            graph.send(call)
        for call in [*logins, read]:
            echo = " ".join(f"?access_token={secret}&code={secret}" for secret in secrets)
            server.refuse(190, message=echo)
            server.answer("", 302, Location=f"{server.url}/?access_token=MARKEDtoken&code=MARKEDcode")
            for _ in range(2):
                with pytest.raises(InstagramError) as raised:
                    graph.send(call)
                errors += [repr(raised.value.as_data()), *traceback.format_exception(raised.value)]
            server.drop(times=4)
            with pytest.raises(InstagramError) as raised:
                graph.send(call)
            errors += [repr(raised.value.as_data()), *traceback.format_exception(raised.value)]
            server.plan.clear()
    assert "refresh_access_token" in caplog.text
    assert "receive_response_headers.complete" in caplog.text
    assert not [secret for secret in secrets if secret in caplog.text]
    assert not [secret for secret in secrets if secret in " ".join(errors)]
