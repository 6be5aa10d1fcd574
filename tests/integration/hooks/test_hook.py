"""A connection as an account, against the sandbox over HTTP."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

from airflow_provider_instagram.exceptions import AuthenticationError, ValidationError
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.hooks import InstagramHook

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle


@pytest.fixture
def connect(instagram_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set the connection ``instagram_default`` to the sandbox, with changes."""

    def change(**changes: Any) -> InstagramHook:
        connection = {**instagram_sandbox.connection, **changes}
        monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
        return InstagramHook()

    return change


def test_the_test_button_says_who_it_is_and_what_is_left(connect: Any, instagram_sandbox: SandboxHandle) -> None:
    good, said = connect().test_connection()
    assert good
    assert "@sandbox_studio" in said
    assert instagram_sandbox.user_id in said
    assert "0 of 100 posts used" in said


def test_the_test_button_notices_a_token_of_another_account(connect: Any) -> None:
    good, said = connect(login="17841400000000999").test_connection()
    assert not good
    assert "17841400000000999" in said
    assert "Correct 'Instagram user id'" in said


def test_the_test_button_says_that_a_token_is_dead(connect: Any) -> None:
    good, said = connect(password="IGAAnobodysToken").test_connection()
    assert not good
    assert said.startswith("AuthenticationError")
    assert "IGAAnobodysToken" not in said


FORMS = {
    "no token": ({"password": ""}, "This connection has no access token."),
    "a refused token": ({"password": "IGAAnobodysToken"}, "run: airflow instagram connect CONNECTION_ID"),
    "no host": ({"host": "not a host/ü"}, "The host of this connection"),
    "no login": ({"extra": '{"login_type": "twitter"}'}, "login_type in the extra of this connection"),
    "another login": (
        {"extra": '{"login_type": "unified"}', "password": "IGAAx"},
        "The token of this connection is of",
    ),
    "Unified Login without an id": (
        {"password": "EAAx", "login": "", "extra": '{"login_type": "unified"}'},
        "This connection has no Instagram user id",
    ),
}


@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize(("typed", "says"), FORMS.values(), ids=FORMS)
def test_the_test_button_says_this_connection(
    typed: dict[str, str],
    says: str,
    instagram_sandbox: SandboxHandle,
    monkeypatch: pytest.MonkeyPatch,
    mocker: MockerFixture,
) -> None:
    """Airflow's API server tests what a form says under a random id, which nobody has ever seen."""
    from airflow.api_fastapi.core_api.datamodels.connections import ConnectionBody
    from airflow.api_fastapi.core_api.routes.public import connections

    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Enabled")
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com")
    mocker.patch.object(connections, "get_random_string", return_value="IbDDGfVn")
    form = {"host": instagram_sandbox.url, "login": instagram_sandbox.user_id, "password": instagram_sandbox.token}
    body = ConnectionBody.model_validate({"connection_id": "mine", "conn_type": "instagram", **form, **typed})
    said = connections.test_connection(body, Mock(), Mock(is_authorized_connection=Mock(return_value=False))).message
    assert says in said
    assert "ibddgfvn" not in said.lower()
    assert "https://airflow.example.com/instagram/connect" in said or "reconnect" not in said


@pytest.mark.parametrize("context", ["client", "server"])
def test_a_test_of_a_known_connection_names_it(
    context: str, instagram_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", context)
    conn_id = "shopmain" if context == "client" else "shop_main"
    connection = {**instagram_sandbox.connection, "password": "IGAAnobodysToken"}
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
    assert f"airflow instagram connect {conn_id}" in InstagramHook(conn_id).test_connection()[1]


def test_the_user_id_is_asked_for_when_the_connection_has_none(connect: Any, instagram_sandbox: SandboxHandle) -> None:
    hook = connect(login="")
    with hook.get_conn() as client:
        assert hook.ig_user_id(client) == instagram_sandbox.user_id


def test_host_and_port_apart_make_the_same_address(connect: Any, instagram_sandbox: SandboxHandle) -> None:
    host, _, port = instagram_sandbox.url.rpartition(":")
    assert connect(host=host, port=int(port)).settings.base_url == instagram_sandbox.url


def test_nulls_and_empty_texts_in_extra_count_as_absent(connect: Any) -> None:
    settings = connect(extra={"api_version": None, "app_id": "", "app_secret": None, "oauth_host": None}).settings
    assert (settings.app_token, settings.app_secret, settings.oauth_host) == (None, None, None)
    assert settings.api_version == "v27.0"


def test_a_connection_without_a_token_says_where_it_goes(connect: Any) -> None:
    with pytest.raises(AuthenticationError, match="field 'Access token'"):
        _ = connect(password=None).settings


@pytest.mark.parametrize("extra", ["not json", "[1]"])
def test_an_extra_that_is_no_object_is_refused(connect: Any, extra: str) -> None:
    with pytest.raises(ValidationError, match="not a JSON object"):
        _ = connect(extra=extra).settings


def test_plain_http_is_for_this_machine_only(connect: Any) -> None:
    with pytest.raises(ValidationError, match="http"):
        _ = connect(host="http://graph.instagram.com").settings


def test_settings_show_no_secret(connect: Any, instagram_sandbox: SandboxHandle) -> None:
    shown = repr(connect().settings)
    assert instagram_sandbox.token not in shown
    assert instagram_sandbox.app_secret not in shown


def test_a_token_that_dies_meanwhile_is_replaced_by_the_one_in_the_connection(
    connect: Any, instagram_sandbox: SandboxHandle
) -> None:
    """Somebody pasted a new token while the task ran: the refused call goes out again with it, once."""
    fresh = instagram_sandbox.add_token(instagram_sandbox.user_id)
    with connect().get_conn() as client:
        instagram_sandbox.revoke(instagram_sandbox.token)
        connect(password=fresh)
        assert client.send(calls.account()).user_id == instagram_sandbox.user_id
    assert instagram_sandbox.calls("account") == 2


def test_a_dead_token_without_another_fails_after_one_call(connect: Any, instagram_sandbox: SandboxHandle) -> None:
    with connect().get_conn() as client:
        instagram_sandbox.revoke(instagram_sandbox.token)
        with pytest.raises(AuthenticationError):
            client.send(calls.account())
    assert instagram_sandbox.calls("account") == 1


def test_the_limits_have_the_defaults_of_the_specification(connect: Any) -> None:
    limits = connect(extra={}).settings.limits
    assert (limits.calls_per_hour, limits.posts_per_day, limits.posts_per_hour) == (200, 25, 10)


def test_the_limits_of_a_connection_win(connect: Any) -> None:
    extra = {"calls_per_hour": 4800, "posts_per_day": "100", "posts_per_hour": None}
    limits = connect(extra=extra).settings.limits
    assert (limits.calls_per_hour, limits.posts_per_day, limits.posts_per_hour) == (4800, 100, 10)


@pytest.mark.parametrize("value", [0, -5, "many", 2.5])
def test_a_limit_that_is_none_is_named(connect: Any, value: Any) -> None:
    with pytest.raises(ValidationError, match="posts_per_day"):
        _ = connect(extra={"posts_per_day": value}).settings


@pytest.mark.parametrize(
    ("host", "token", "login"),
    [
        ("graph.instagram.com", "EAApageToken0123456789abcdef", "Facebook Login"),
        ("https://graph.facebook.com", "IGAAtoken0123456789abcdefgh", "Instagram Login"),
    ],
)
def test_a_token_of_the_other_login_is_told_by_its_beginning(connect: Any, host: str, token: str, login: str) -> None:
    with pytest.raises(ValidationError, match=f"is not a host of {login}. Set it to https://graph.") as refused:
        _ = connect(host=host, password=token).settings
    assert token not in str(refused.value)


def test_the_calls_of_a_task_are_among_the_metrics(
    connect: Any, instagram_sandbox: SandboxHandle, mocker: MockerFixture
) -> None:
    from airflow.sdk.observability.stats import Stats

    counted: list[Any] = []
    mocker.patch.object(Stats, "incr", lambda name, count=1, tags=None: counted.append((name, count, tags)))
    with connect().get_conn() as client:
        client.send(calls.publishing_limit(instagram_sandbox.user_id))
        client.send(calls.account())
    assert counted == [("instagram.calls", 2, {"conn_id": "instagram_default"})]


def test_a_token_is_masked_and_no_more_than_once(airflow_db: None, connect: Any, mocker: MockerFixture) -> None:
    """Airflow masks a connection's password; each further message would cost a full triggerer a tenth of a second."""
    from airflow_provider_instagram.hooks import instagram, token_store

    masked: list[str] = []
    for module in (token_store, instagram):
        mocker.patch.object(module, "mask_secret", masked.append)
    hook = connect(password=" IGAAwithASpace ", extra={"app_secret": "of-the-app"})
    hook.settings  # noqa: B018
    assert masked == ["IGAAwithASpace", "of-the-app"]

    masked.clear()
    life = connect(extra={}).token_manager()
    life.current_token()
    assert masked == []
    tokens = token_store.TokenStore("instagram_default", "IGAAtheOld")
    for _ in range(2):
        tokens.save(token_store.StoredToken("IGAAtheNew", datetime(2026, 1, 1, tzinfo=timezone.utc)))
    assert masked == ["IGAAtheNew"]
