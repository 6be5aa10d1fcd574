"""``airflow instagram connect``, ``accounts``, ``refresh`` and ``doctor``, as a shell gives them."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle

CONN_ID = "from_the_shell"
COMMANDS = "airflow_provider_instagram.cli.accounts"


@pytest.fixture(autouse=True)
def _clean(no_stored_tokens: None, instagram_sandbox: SandboxHandle) -> Iterator[None]:
    from airflow.models import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    yield
    with create_session() as session:
        session.execute(delete(Connection).where(Connection.conn_id == CONN_ID))


@pytest.fixture
def person(mocker: MockerFixture, instagram_sandbox: SandboxHandle) -> Any:
    """Somebody at the shell, who opens the printed address in a browser and decides there."""

    def answers(decision: str, **changes: str) -> list[str]:
        def typed(prompt: str) -> str:
            if "secret" in prompt:
                return instagram_sandbox.app_secret
            (entry,) = re.findall(r"http://\S+/oauth/authorize\?\S+", "\n".join(printed))
            asked = dict(httpx.URL(entry).params)
            form = {**asked, "decision": decision, "account": instagram_sandbox.user_id}
            answer = httpx.post(f"{instagram_sandbox.url}/oauth/authorize", data=form, trust_env=False)
            return str(httpx.URL(answer.headers["location"]).copy_merge_params(changes))

        printed: list[str] = []
        mocker.patch(f"{COMMANDS}.print", lambda *words, **_: printed.extend(map(str, words)), create=True)
        mocker.patch("getpass.getpass", typed)
        return printed

    return answers


def connected(sandbox: SandboxHandle) -> tuple[str, ...]:
    return ("connect", CONN_ID, "--app-id", sandbox.app_id, "--host", sandbox.url, "--redirect-uri", "https://a/b")


def in_database() -> Any:
    from airflow.models import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        row = session.scalar(select(Connection).where(Connection.conn_id == CONN_ID))
        return None if row is None else (row.login, row.password, json.loads(row.extra))


def test_an_account_is_connected_seen_and_refreshed(shell: Any, person: Any, instagram_sandbox: SandboxHandle) -> None:
    printed = person("allow")
    shell(*connected(instagram_sandbox))
    login, password, extra = in_database()
    assert login == instagram_sandbox.user_id
    assert password.startswith("IGAA")
    assert extra["app_secret"] == instagram_sandbox.app_secret

    listed = json.loads(shell("accounts", "--output", "json"))
    (row,) = [each for each in listed if each["connection"] == CONN_ID]
    assert (row["account"], row["token"], row["posts_last_24_h"]) == ("@sandbox_studio", "59 days", "0 of 100")
    shell("refresh", CONN_ID)
    assert "less than 24 hours old" in printed[-1]
    assert instagram_sandbox.calls("refresh") == 0


OF_PAGE = "gets no data from 20[0-9-]+ on, 90 days after its person last used the app"


@pytest.mark.parametrize(
    ("meta", "more", "life", "end"),
    [
        ("unified", ("--config-id", "4711"), "does not expire", "does not expire"),
        ("facebook", (), "89 days", OF_PAGE),
    ],
)
def test_an_account_is_connected_by_facebooks_dialog(
    shell: Any,
    mocker: MockerFixture,
    capsys: pytest.CaptureFixture[str],
    instagram_sandbox: SandboxHandle,
    meta: str,
    more: tuple[str, ...],
    life: str,
    end: str,
) -> None:
    """Meta is asked which accounts the login reaches; the token does not end, but a person's access to data does."""
    instagram_sandbox.switch(login="facebook")
    instagram_sandbox.change_account(instagram_sandbox.user_id, unified_login=meta == "unified")

    def typed(prompt: str) -> str:
        if "secret" in prompt:
            return instagram_sandbox.app_secret
        (entry,) = re.findall(r"http://\S+/dialog/oauth\?\S+", capsys.readouterr().out)
        form = {**httpx.URL(entry).params, "decision": "allow", "account": instagram_sandbox.user_id}
        answer = httpx.post(entry.partition("?")[0], data=form, trust_env=False)
        return str(answer.headers["location"])

    mocker.patch("getpass.getpass", typed)
    out = shell(*connected(instagram_sandbox), "--login", meta, *more)
    assert re.search(rf"Connected @sandbox_studio as {CONN_ID!r}. The token {end}\.", out)
    login, password, extra = in_database()
    assert (login, password[:3], extra["login_type"]) == (instagram_sandbox.user_id, "EAA", meta)
    assert f"Its remaining life: {life}" in shell("refresh", CONN_ID)
    listed = json.loads(shell("accounts", "--output", "json"))
    (row,) = [each for each in listed if each["connection"] == CONN_ID]
    assert (row["account"], row["token"]) == ("@sandbox_studio", life)


def test_a_second_connection_to_an_account_is_warned_of(
    shell: Any, person: Any, instagram_sandbox: SandboxHandle
) -> None:
    """Exactly once holds per connection: two connections have two ledgers."""
    from airflow.models import Connection
    from airflow.utils.session import create_session

    printed = person("allow")
    shell(*connected(instagram_sandbox))
    assert not [line for line in printed if "Warning" in line]
    with create_session() as session:
        session.add(Connection(conn_id="older", conn_type="instagram", login=instagram_sandbox.user_id))
    try:
        printed.clear()
        shell(*connected(instagram_sandbox))
    finally:
        with create_session() as session:
            session.delete(session.query(Connection).filter(Connection.conn_id == "older").one())
    assert printed[-1].startswith("Warning: @sandbox_studio is also the account of the connection 'older'.")


def test_one_connect_heals_a_dead_account(shell: Any, person: Any, instagram_sandbox: SandboxHandle) -> None:
    """The refreshed token that was stored for the one before is void by itself."""
    person("allow")
    shell(*connected(instagram_sandbox))
    dead = in_database()[1]
    instagram_sandbox.revoke(dead)
    (row,) = [each for each in json.loads(shell("accounts", "--output", "json")) if each["connection"] == CONN_ID]
    assert f"airflow instagram connect {CONN_ID}" in row["problem"]

    person("allow")
    shell("connect", CONN_ID, "--redirect-uri", "https://a/b")
    assert in_database()[1] != dead
    (row,) = [each for each in json.loads(shell("accounts", "--output", "json")) if each["connection"] == CONN_ID]
    assert (row["account"], row["token"], row["problem"]) == ("@sandbox_studio", "59 days", "")


def test_a_connection_is_not_connected_by_what_it_does_not_say(
    shell: Any, person: Any, instagram_sandbox: SandboxHandle
) -> None:
    """It would be connected by what it says, and the option would be lost unsaid."""
    person("allow")
    shell(*connected(instagram_sandbox))
    before = in_database()
    again = ("connect", CONN_ID, "--redirect-uri", "https://a/b")
    for option, value, said in (
        ("--login", "facebook", "Change its login_type to facebook, or connect it as it is, without --login"),
        ("--login", "unified", "has the login_type instagram, not unified. Nothing was changed"),
        (
            "--host",
            "http://127.0.0.1:9",
            "Change its host to http://127.0.0.1:9, or connect it as it is, without --host",
        ),
        ("--user-id", "17841400000000009", "or connect it as it is, without --user-id"),
    ):
        with pytest.raises(SystemExit, match=re.escape(said)):
            shell(*again, option, value)
    assert in_database() == before
    person("allow")
    shell(*again, "--login", "instagram", "--host", instagram_sandbox.url, "--user-id", instagram_sandbox.user_id)
    assert in_database()[1] != before[1]


def test_a_login_is_changed_together_with_metas_host(shell: Any) -> None:
    from airflow.models import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import update

    stored = Connection(conn_id=CONN_ID, conn_type="instagram", host="graph.instagram.com", password="IGAAx")
    with create_session() as session:
        session.add(stored)
    again = ("connect", CONN_ID, "--redirect-uri", "https://a/b")
    both = "login_type to facebook and its host to https://graph.facebook.com"
    with pytest.raises(SystemExit, match=both):
        shell(*again, "--login", "facebook")
    with create_session() as session:
        session.execute(
            update(Connection).where(Connection.conn_id == CONN_ID).values(extra='{"login_type": "facebook"}')
        )
    with pytest.raises(
        SystemExit, match=re.escape("is not a host of Facebook Login. Set it to https://graph.facebook.com")
    ):
        shell(*again)


def test_a_cancelled_login_and_a_foreign_address_change_nothing(
    shell: Any, person: Any, instagram_sandbox: SandboxHandle
) -> None:
    person("cancel")
    with pytest.raises(SystemExit, match="was cancelled"):
        shell(*connected(instagram_sandbox))
    person("allow", state="of somebody else")
    with pytest.raises(SystemExit, match="not the URL that this login ended at"):
        shell(*connected(instagram_sandbox))
    assert in_database() is None


def test_a_login_that_would_come_back_by_plain_http_is_not_begun(shell: Any, person: Any) -> None:
    """Before anything is asked for: whoever is on the way could read the code."""
    with pytest.raises(SystemExit, match=r"http://a\.example/b is not https"):
        shell("connect", CONN_ID, "--app-id", "1", "--redirect-uri", "http://a.example/b")
    assert in_database() is None


def test_a_connection_that_is_not_there_is_said_so(
    shell: Any, capsys: pytest.CaptureFixture[str], instagram_sandbox: SandboxHandle
) -> None:
    with pytest.raises(SystemExit, match="nobody"):
        shell("refresh", "nobody")
    said = doctors_lines(shell, capsys, 1, "nobody")
    assert list(said)[:7] == ["connection", "token", "scopes", "account", "quota", "clock", "upload host"]
    assert "airflow instagram connect nobody" in said["connection"]
    assert said["token"].startswith("? cannot be checked")


def test_a_connection_of_the_environment_cannot_be_connected(shell: Any) -> None:
    with pytest.raises(SystemExit, match="comes from the environment"):
        shell("connect", "instagram_default", "--app-id", "1")


def test_a_dead_token_says_how_to_reconnect(shell: Any, instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.revoke(instagram_sandbox.token)
    with pytest.raises(SystemExit, match="airflow instagram connect instagram_default"):
        shell("refresh", "instagram_default")
    (row,) = json.loads(shell("accounts", "--output", "json"))
    assert "expired, revoked or malformed" in row["problem"]


def doctors_lines(
    shell: Any, capsys: pytest.CaptureFixture[str], exit_code: int, conn_id: str = "instagram_default"
) -> dict[str, str]:
    with pytest.raises(SystemExit) as ended:
        shell("doctor", conn_id)
    assert ended.value.code == exit_code
    lines = [line for line in capsys.readouterr().out.splitlines() if re.match(r"(ok|FIX|\?) ", line)]
    return {line[5:20].strip(): f"{line[:4].strip()} {line[20:]}" for line in lines}


def test_the_doctor_looks_at_everything(
    shell: Any, capsys: pytest.CaptureFixture[str], instagram_sandbox: SandboxHandle
) -> None:
    said = doctors_lines(shell, capsys, 1)
    assert list(said) == [
        *("connection", "token", "scopes", "account", "quota", "clock", "upload host"),
        *("posts", "machine", "ffmpeg", "ffprobe", "disk", "work_prefix", "public_prefix", "snapshots", "queued tasks"),
        *("fernet_key", "state store", "triggerer", "capacity"),
    ]
    assert said["account"] == f"ok @sandbox_studio, BUSINESS, {instagram_sandbox.user_id}"
    assert said["quota"].startswith("ok 0 of 100")
    assert said["machine"].startswith(f"ok {socket.gethostname()}: Airflow 3.")
    to_fix = {name for name, text in said.items() if text.startswith("FIX")}
    assert to_fix - {"capacity", "disk"} == {"triggerer"}, "none runs in this test; open files are the machine's matter"
    assert "airflow triggerer" in said["triggerer"]


def test_the_doctor_says_what_to_do(
    shell: Any,
    capsys: pytest.CaptureFixture[str],
    instagram_sandbox: SandboxHandle,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__FFMPEG", "no-such-ffmpeg")
    instagram_sandbox.switch(quota_total=0)
    said = doctors_lines(shell, capsys, 1)
    assert "Install ffmpeg" in said["ffmpeg"]
    assert said["quota"].startswith("FIX 0 of 0")
    instagram_sandbox.revoke(instagram_sandbox.token)
    assert "To reconnect the account" in doctors_lines(shell, capsys, 1)["token"]


def _dead(sandbox: SandboxHandle) -> dict[str, Any]:
    sandbox.revoke(sandbox.token)
    return {}


def _ending(sandbox: SandboxHandle) -> dict[str, Any]:
    from airflow_provider_instagram.hooks.token_store import StoredToken, TokenStore

    now = datetime.now(timezone.utc)
    seen, ends = now - timedelta(days=57), now + timedelta(days=3, minutes=5)
    scopes = ("instagram_business_basic",)
    TokenStore("instagram_default", sandbox.token).save(StoredToken(sandbox.token, seen, seen, ends, scopes))
    return {}


def _personal(sandbox: SandboxHandle) -> dict[str, Any]:
    sandbox.change_account(sandbox.user_id, account_type="PERSONAL")
    return {}


def _limit_fails(sandbox: SandboxHandle) -> dict[str, Any]:
    sandbox.fail("limit", 368, times=0)
    return {}


def _changed(**changes: Any) -> Any:
    return lambda _: changes


@pytest.mark.parametrize(
    ("what", "broken", "line", "to_do"),
    [
        ("no token", _changed(password=""), "connection", "airflow instagram connect instagram_default"),
        ("two hosts", _changed(host="http://airflow.example.com"), "connection", "Use https"),
        ("other login's", _changed(host="graph.facebook.com"), "connection", "https://graph.instagram.com"),
        ("no token at all", _changed(password="two words"), "token", "Copy the whole token again"),
        ("dead", _dead, "token", "To reconnect the account"),
        ("near its end", _ending, "token", "works for 3 more days. Turn on the DAG refresh_instagram_tokens"),
        ("a scope missing", _ending, "scopes", "missing: instagram_business_content_publish. Reconnect the account"),
        ("another's id", _changed(login="17841499999999999"), "account", "Correct the connection's user id"),
        ("personal", _personal, "account", "Switch it to a professional account"),
        ("quota cannot be read", _limit_fails, "quota", "Cannot"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 21 else "",
)
def test_each_line_of_the_doctor_says_what_to_do(
    shell: Any,
    capsys: pytest.CaptureFixture[str],
    instagram_sandbox: SandboxHandle,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    broken: Any,
    line: str,
    to_do: str,
) -> None:
    connection = {**instagram_sandbox.connection, **broken(instagram_sandbox)}
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
    said = doctors_lines(shell, capsys, 1)
    assert said[line].startswith("FIX"), what
    assert to_do in said[line]
    assert len(said) == 20, "each has a line, also what cannot be checked"


def test_a_host_that_cannot_be_reached_and_a_clock_that_is_wrong_are_said(
    shell: Any,
    capsys: pytest.CaptureFixture[str],
    instagram_sandbox: SandboxHandle,
    monkeypatch: pytest.MonkeyPatch,
    mocker: MockerFixture,
) -> None:

    class Late(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) - timedelta(minutes=5)

    mocker.patch("airflow_provider_instagram.utils.clock.datetime", Late)
    assert re.fullmatch(
        r"FIX differs from Instagram's by (29|30)[0-9] s\. Synchronize .* with NTP",
        doctors_lines(shell, capsys, 1)["clock"],
    )

    nowhere = {**instagram_sandbox.connection, "host": "http://127.0.0.1", "port": 9}
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(nowhere))
    said = doctors_lines(shell, capsys, 1)
    assert "Check the host of the connection" in said["token"]
    assert said["clock"].startswith("? cannot be compared")
    assert "Allow it in the firewall" in said["upload host"]


def test_a_state_store_that_is_not_there_is_said(
    shell: Any, capsys: pytest.CaptureFixture[str], instagram_sandbox: SandboxHandle
) -> None:
    """As before an upgrade of the database."""
    from airflow.utils.session import create_session
    from sqlalchemy import text

    def rename(old: str, new: str) -> None:
        with create_session() as session:
            session.execute(text(f"alter table {old} rename to {new}"))

    rename("asset_state_store", "not_there_yet")
    try:
        assert "Run: airflow db migrate" in doctors_lines(shell, capsys, 1)["state store"]
    finally:
        rename("not_there_yet", "asset_state_store")


def test_scopes_are_asked_for_and_listed(
    shell: Any, person: Any, instagram_sandbox: SandboxHandle, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = person("allow")
    shell(*connected(instagram_sandbox), "--scopes", "comments")
    assert "instagram_business_manage_comments" in "\n".join(printed)
    assert in_database()[2]["scopes"] == "comments"
    listed = json.loads(shell("accounts", "--output", "json"))
    (row,) = [each for each in listed if each["connection"] == CONN_ID]
    assert row["granted"] == "publishing, comments; off: insights (needs instagram_business_manage_insights)"

    printed.clear()
    shell(*connected(instagram_sandbox))
    assert "instagram_business_manage_comments" in "\n".join(printed), "the connection's own"
    said = doctors_lines(shell, capsys, 1, CONN_ID)
    assert said["scopes"].endswith("instagram_business_manage_comments; off: insights")


def test_a_scope_that_is_none_is_refused(shell: Any, person: Any, instagram_sandbox: SandboxHandle) -> None:
    person("allow")
    with pytest.raises(SystemExit, match="'coments' is not a scope of Instagram Login"):
        shell(*connected(instagram_sandbox), "--scopes", "coments")
    assert in_database() is None


@pytest.mark.parametrize(
    ("asked_for", "said"),
    [
        ("comments", "FIX missing: instagram_business_manage_comments. Reconnect the account"),
        ("", "; off: comments, insights"),
        ("coments", "'coments' is not a scope of Instagram Login."),
    ],
    ids=["asked for", "not asked for", "misspelt"],
)
def test_the_doctor_names_what_is_off_before_a_post_goes_out(
    shell: Any,
    capsys: pytest.CaptureFixture[str],
    instagram_sandbox: SandboxHandle,
    monkeypatch: pytest.MonkeyPatch,
    asked_for: str,
    said: str,
) -> None:
    from airflow_provider_instagram.hooks import InstagramHook

    connection = instagram_sandbox.connection
    connection["extra"]["scopes"] = asked_for
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
    manager = InstagramHook("instagram_default").token_manager()
    publishing = ("instagram_business_basic", "instagram_business_content_publish")
    manager.store.save(replace(manager.current_token(), scopes=publishing))
    assert said in doctors_lines(shell, capsys, 1)["scopes"]


def test_a_place_is_found_by_its_name(
    shell: Any, instagram_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    instagram_sandbox.switch(login="facebook")
    token = instagram_sandbox.add_token(instagram_sandbox.user_id, kind="page")
    by_page = {**instagram_sandbox.connection, "password": token}
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(by_page))
    said = shell("places", "Café", "Central", "--conn-id", CONN_ID, "--output", "json")
    assert json.loads(said) == [
        {"location_id": "110774245616525", "name": "Café Central", "address": "Herrengasse 14, Vienna, Austria"}
    ]
    with pytest.raises(SystemExit, match="found no Page with a location for 'Nirgendwo'"):
        shell("places", "Nirgendwo", "--conn-id", CONN_ID)
    instagram_sandbox.fail("page", 10)
    with pytest.raises(SystemExit, match="Page Public Content Access"):
        shell("places", "Café", "--conn-id", CONN_ID)
    by_instagram = {**instagram_sandbox.connection, "password": "IGAAx"}
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(by_instagram))
    with pytest.raises(SystemExit, match=r"Instagram Login has no search of places\..*Facebook Login"):
        shell("places", "Café", "--conn-id", CONN_ID)
