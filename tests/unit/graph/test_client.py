from __future__ import annotations

import socket
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.exceptions import (
    AuthenticationError,
    InstagramError,
    NotReadyError,
    OutcomeUnknownError,
    PermissionDeniedError,
    QuotaExhaustedError,
    RateLimitError,
    TransientError,
    ValidationError,
)
from airflow_provider_instagram.graph import calls, client, oauth
from airflow_provider_instagram.graph.client import GraphClient
from airflow_provider_instagram.graph.models import Account, Container, ContainerState, Token
from airflow_provider_instagram.graph.usage import Usage

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from tests.unit.graph.conftest import Send, WebServer


USER = "17841400000000001"
CONTAINER = "17900000000000001"
READ = calls.container_status(CONTAINER)
PUBLISH = calls.publish(USER, CONTAINER)
GOOD = {"id": CONTAINER, "status_code": "FINISHED"}


def test_a_read_goes_out_with_the_token_in_the_header_only(server: WebServer, send: Send) -> None:
    server.answer(GOOD)
    assert send(READ).state is ContainerState.FINISHED
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", f"/v27.0/{CONTAINER}")
    assert request.query == {"fields": "status_code,status,video_status"}
    assert request.headers["Authorization"] == f"Bearer {server.token}"


def test_a_change_goes_out_as_a_form_with_the_token_in_the_header_only(server: WebServer, send: Send) -> None:
    server.answer({"id": CONTAINER})
    caption = "Größe & {{ ds }} 🎬\n#x"
    assert send(calls.create_container(USER, {"media_type": "REELS", "caption": caption})) == Container(CONTAINER)
    (request,) = server.requests
    assert (request.method, request.path, request.query) == ("POST", f"/v27.0/{USER}/media", {})
    assert request.form == {"media_type": "REELS", "caption": caption}
    assert request.headers["Authorization"] == f"Bearer {server.token}"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_the_api_version_is_the_callers_choice(server: WebServer, send: Send) -> None:
    server.answer(GOOD)
    send(READ, api_version="v25.0")
    assert server.requests[0].path == f"/v25.0/{CONTAINER}"


def test_a_read_is_repeated_while_what_failed_passes(server: WebServer, send: Send) -> None:
    server.refuse(2, status=500)
    server.drop()
    server.answer("<html>Bad Gateway</html>", 502)
    server.answer(GOOD)
    assert send(READ).id == CONTAINER
    assert len(server.requests) == 4
    assert len(send.pauses_s) == 3
    assert all(0 <= pause_s <= 10 for pause_s in send.pauses_s)


def test_a_read_is_given_up_after_four_times(server: WebServer, send: Send) -> None:
    server.refuse(1, times=9)
    with pytest.raises(TransientError) as raised:
        send(READ)
    assert len(server.requests) == 4
    assert not raised.value.outcome_unknown


def test_a_read_pauses_for_another_time_each_time(server: WebServer) -> None:
    pauses_s: set[float] = set()
    with GraphClient(server.token, base_url=server.url, sleep=pauses_s.add) as graph:
        for _ in range(5):
            server.refuse(1, times=4)
            with pytest.raises(TransientError):
                graph.send(READ)
    assert len(pauses_s) == 15


@pytest.mark.parametrize(
    ("code", "subcode", "error"),
    [
        (190, 0, AuthenticationError),
        (4, None, RateLimitError),
        (9007, 2207027, NotReadyError),
        (77, None, InstagramError),
    ],
)
def test_a_refusal_that_does_not_pass_by_itself_is_raised_at_once(
    server: WebServer, send: Send, code: int, subcode: int | None, error: type[InstagramError]
) -> None:
    server.refuse(code, subcode)
    with pytest.raises(error):
        send(READ)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("code", "subcode", "status", "error"),
    [
        (4, 2207051, 400, PermissionDeniedError),
        (2, None, 500, TransientError),
        (1, None, 400, TransientError),
        (-1, 2207001, 400, TransientError),
        (506, None, 400, OutcomeUnknownError),
    ],
)
def test_a_publish_that_may_be_live_is_sent_once_and_says_so(
    server: WebServer, send: Send, code: int, subcode: int | None, status: int, error: type[InstagramError]
) -> None:
    server.refuse(code, subcode, status)
    with pytest.raises(error) as raised:
        send(PUBLISH)
    assert raised.value.outcome_unknown
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("code", "subcode", "error"),
    [
        (9007, 2207027, NotReadyError),
        (9, 2207042, QuotaExhaustedError),
        (80002, None, RateLimitError),
    ],
)
def test_a_publish_that_was_refused_is_known_not_to_be_live(
    server: WebServer, send: Send, code: int, subcode: int | None, error: type[InstagramError]
) -> None:
    server.refuse(code, subcode)
    with pytest.raises(error) as raised:
        send(PUBLISH)
    assert not raised.value.outcome_unknown


def test_a_publish_whose_answer_is_lost_has_an_unknown_outcome(server: WebServer, send: Send) -> None:
    server.drop()
    with pytest.raises(TransientError, match="publish container") as raised:
        send(PUBLISH)
    assert raised.value.outcome_unknown
    assert len(server.requests) == 1


def test_a_publish_whose_answer_does_not_come_has_an_unknown_outcome(
    server: WebServer, send: Send, mocker: MockerFixture
) -> None:
    mocker.patch.object(client, "_READ_TIMEOUT_S", 0.2)
    server.stall()
    with pytest.raises(TransientError, match="Timeout") as raised:
        send(PUBLISH)
    assert raised.value.outcome_unknown


@pytest.mark.parametrize(
    "answer",
    ["", "<html>", "[]", '{"success": true}', '{"id": "12', '{"id": null}', *("[" * 100_000, '{"a":' * 100_000)],
    ids=["empty", "html", "list", "no-id", "cut-off", "null", "nested-lists", "nested-objects"],
)
def test_a_publish_answered_with_success_but_no_id_has_an_unknown_outcome(
    server: WebServer, send: Send, answer: str
) -> None:
    server.answer(answer)
    with pytest.raises(InstagramError) as raised:
        send(PUBLISH)
    assert raised.value.outcome_unknown


def test_a_publish_that_found_no_connection_is_known_not_to_be_live(send: Send) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound but not listening: nobody answers here
        with pytest.raises(TransientError, match="Nothing was sent") as raised:
            send(PUBLISH, base_url=f"http://127.0.0.1:{reserved.getsockname()[1]}")
    assert not raised.value.outcome_unknown


def test_an_error_inside_a_success_is_an_error(server: WebServer, send: Send) -> None:
    server.refuse(190, status=200)
    with pytest.raises(AuthenticationError):
        send(READ)


@pytest.mark.parametrize("call", [READ, PUBLISH])
def test_a_redirect_is_never_followed(server: WebServer, send: Send, call: calls.Call[object]) -> None:
    server.answer("", 307, Location=f"{server.url}/elsewhere")
    with pytest.raises(InstagramError, match="HTTP 307"):
        send(call)
    assert len(server.requests) == 1


def test_no_proxy_stands_between_this_machine_and_itself(
    server: WebServer, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token for a sandbox by plain http must not travel to a proxy in the open."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    server.answer(GOOD)
    assert send(READ).id == CONTAINER


@pytest.mark.parametrize("token", ["", " ", "IGAAx y", "IGAAx\n", "IGAAx\r\nX-Evil: 1", "tökén"])
def test_a_token_that_is_none_is_refused_without_being_shown(send: Send, token: str) -> None:
    with pytest.raises(ValidationError) as raised:
        send(READ, token=token)
    assert "IGAAx" not in str(raised.value)
    assert "tökén" not in str(raised.value)


def test_a_call_that_needs_a_token_is_not_sent_without_one(server: WebServer, send: Send) -> None:
    with pytest.raises(ValidationError, match="no access token"):
        send(READ, token=None)
    assert not server.requests


@pytest.mark.parametrize("version", ["26", "v26", "v27.0/../x", ""])
def test_an_api_version_that_is_none_is_refused(send: Send, version: str) -> None:
    with pytest.raises(ValidationError, match="version"):
        send(READ, api_version=version)


def test_a_login_needs_no_token_and_gets_none_in_a_header(server: WebServer, send: Send) -> None:
    server.answer({"access_token": "IGshort", "user_id": 17841400000000001})
    app = oauth.LoginApp("9", "shh", "https://a/b", server.url, oauth_host=server.url)
    token = send(oauth.exchange_code(app, "AQ"), token=None)
    assert token == Token("IGshort", user_id="17841400000000001")
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/oauth/access_token")
    assert request.form["client_secret"] == "shh"
    assert "Authorization" not in request.headers


def test_a_refresh_puts_the_token_where_meta_demands_it(server: WebServer, send: Send) -> None:
    server.answer({"access_token": "IGnew", "expires_in": 5183944})
    assert send(oauth.refresh(server.token)) == Token("IGnew", timedelta(seconds=5183944))
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", "/refresh_access_token")
    assert request.query == {"grant_type": "ig_refresh_token", "access_token": server.token}
    assert "Authorization" not in request.headers


def test_a_refresh_whose_answer_is_lost_is_not_repeated(server: WebServer, send: Send) -> None:
    server.drop()
    with pytest.raises(TransientError) as raised:
        send(oauth.refresh(server.token))
    assert raised.value.outcome_unknown
    assert len(server.requests) == 1


def test_calls_of_facebook_login_are_signed_with_the_app_secret(server: WebServer, send: Send) -> None:
    server.answer({"user_id": USER})
    server.answer({"id": "18"})
    account = send(calls.account(), token="EAAtoken", app_secret="secret")
    send(PUBLISH, token="EAAtoken", app_secret="secret")
    assert account == Account(USER)
    # openssl: printf EAAtoken | openssl dgst -sha256 -hmac secret
    proof = "61b5257ec5c5a53e992ae4d93afa0975e1f1be671788f65a476b0689ad5d5dd5"
    assert server.requests[0].query["appsecret_proof"] == proof
    assert server.requests[1].form["appsecret_proof"] == proof


def test_calls_of_instagram_login_are_not_signed(server: WebServer, send: Send) -> None:
    server.answer(GOOD)
    send(READ, app_secret="secret")
    assert "appsecret_proof" not in server.requests[0].query


def test_the_client_remembers_the_last_usage_it_was_told(server: WebServer) -> None:
    server.answer(GOOD, X_App_Usage='{"call_count": 80}')
    server.answer(GOOD)
    with GraphClient(server.token, base_url=server.url) as graph:
        graph.send(READ)
        graph.send(READ)
        assert graph.usage == Usage(80)


def test_a_secret_that_an_answer_echoes_in_jsons_escapes_is_not_repeated(server: WebServer, send: Send) -> None:
    spelled = "".join(f"\\u{ord(sign):04x}" for sign in "shh-shh")
    server.answer(f'{{"error": {{"message": "bad secret {spelled}", "code": 100}}}}', 400)
    with pytest.raises(InstagramError) as raised:
        send(READ, app_secret="shh-shh")
    assert "bad secret ***" in str(raised.value)


def test_a_secret_that_an_answer_echoes_is_not_repeated(server: WebServer, send: Send) -> None:
    server.refuse(190, message="Bad tok_with_no_known_form for app shh-shh", error_user_msg="tok_with_no_known_form")
    with pytest.raises(AuthenticationError) as raised:
        send(READ, token="tok_with_no_known_form", app_secret="shh-shh")
    assert "tok_with" not in repr(raised.value.as_data())
    assert "shh" not in str(raised.value)
