"""The hunt for access tokens: everything that an Airflow at its most talkative writes or shows is searched."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet

from airflow_provider_instagram.sandbox.options import DEFAULT_APP_SECRET

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    from airflow_provider_instagram.sandbox.handle import SandboxHandle
    from demo.stack import AirflowStack
    from tests.system.conftest import Run

MARK = "Marked caption of the hunt"
#: Any access token, also a shortened one: the connection's own, and those that a refresh brings. And the app's secret.
TOKEN = re.compile(rb"IGAA[0-9A-Za-z_-]{8,}|" + DEFAULT_APP_SECRET.encode())
SECOND_USER = "17841400000000002"
#: What Airflow and our own pages answer to an administrator.
PAGES = (
    "/instagram/",
    "/instagram/connect?conn_id=second_account",
    "/api/v2/connections",
    "/api/v2/variables",
    "/api/v2/eventLogs?limit=100",
    "/api/v2/assets/events",
)


@pytest.fixture
def commands_seen(command_lines: Callable[[], Iterator[tuple[int, str]]]) -> Iterator[set[str]]:
    """The command lines of all processes that ran while the test did, sampled as fast as one thread can."""
    seen: set[str] = set()
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(0.02):
            seen.update(command for _, command in command_lines())

    sampler = threading.Thread(target=sample)
    sampler.start()
    yield seen
    ended.set()
    sampler.join()


def test_no_token_is_written_or_shown_anywhere(
    airflow: AirflowStack,
    sandbox: SandboxHandle,
    token: str,
    start: Callable[..., Run],
    new_container: Callable[..., str],
    database: sqlite3.Connection,
    commands_seen: set[str],
) -> None:
    """Each task succeeds and fails: a refused token, post and creation, a dead account, a video that is not there."""
    sandbox.add_account(SECOND_USER, "second_studio")
    second_token = sandbox.add_token(SECOND_USER, age_s=2 * 24 * 3600)
    second = {"connection_id": "second_account", "conn_type": "instagram", "login": SECOND_USER}
    host, _, port = sandbox.url.rpartition(":")
    place = {"host": host, "port": int(port)}
    airflow.call("POST", "/connections", json=second | place | {"password": second_token})
    dead_token = sandbox.add_token(SECOND_USER)
    sandbox.revoke(dead_token)
    dead = second | place | {"connection_id": "dead_account", "password": dead_token}
    airflow.call("POST", "/connections", json=dead)

    refused = start("wait_for", container_id=new_container(never=True))
    refused.wait_for_state("wait", "deferred")
    sandbox.fail("status", 190, 463)
    refused.wait("failed")
    assert "AuthenticationError" in refused.log("wait")

    sandbox.fail("publish", 368, account=sandbox.user_id)
    posting = [start("publish_reel", caption=f"{MARK}: {which}") for which in ("one", "other")]
    refreshed = start("refresh_and_post", caption=f"{MARK}: refreshed")
    refreshed.wait()
    assert sorted(run.end() for run in posting) == ["failed", "success"], "the first that asked was refused"
    assert refreshed.result("refresh")["refreshed"] is True
    sandbox.fail("create", 190, 463, account=sandbox.user_id)
    start("publish_reel", caption=f"{MARK}: not created").wait("failed")
    accounts = start("refresh_instagram_tokens", connections=["dead_account", "second_account"])
    accounts.wait("failed")
    assert accounts.states() == {"list_connections": "success", "refresh[0]": "failed", "refresh[1]": "success"}
    start("transcode_only", video="/nowhere.mov").wait("failed")

    shown = {path: airflow.page(path).encode() for path in PAGES}
    assert b"@second_studio" in shown["/instagram/"], "the provider's own page is among what is searched"
    assert _holding(TOKEN, shown) == []

    written = {str(path): path.read_bytes() for path in airflow.home.rglob("*") if path.is_file()}
    stored = dict(_rows(database))
    assert _holding(re.compile(rb"send_request_headers.started"), written), "httpcore did not log at DEBUG"
    assert _holding(re.compile(re.escape(MARK.encode())), written), "the hunt finds nothing, not even what is there"
    fields = re.compile(re.escape(f"{MARK}: refreshed".encode()))
    assert {"dag_run", "rendered_task_instance_fields"} <= {name.partition(".")[0] for name in _holding(fields, stored)}
    assert any("scheduler" in command for command in commands_seen)
    assert any("ffprobe" in command for command in commands_seen)

    assert _holding(TOKEN, written) == []
    assert _holding(TOKEN, stored) == []
    assert [command for command in commands_seen if TOKEN.search(command.encode())] == []
    _expect_sealed(database, airflow, token)


def _rows(database: sqlite3.Connection) -> Iterator[tuple[str, bytes]]:
    """Give each table's columns as ``table.column``, with all their values in one text."""
    for (table,) in database.execute("select name from sqlite_master where type = 'table'").fetchall():
        rows = database.execute(f'select * from "{table}"')  # noqa: S608 -- the database's own name
        names = [column[0] for column in rows.description]
        for name, values in zip(names, zip(*rows.fetchall(), strict=True), strict=False):
            yield f"{table}.{name}", b"\n".join(v if isinstance(v, bytes) else str(v).encode() for v in values)


def _holding(pattern: re.Pattern[bytes], places: dict[str, bytes]) -> list[str]:
    return [place for place, content in places.items() if pattern.search(content)]


def _expect_sealed(database: sqlite3.Connection, airflow: AirflowStack, token: str) -> None:
    """The connection that the runs used does hold the token, encrypted."""
    asked = "select password from connection where conn_id = 'instagram_default'"
    (sealed,) = database.execute(asked).fetchone()
    key = airflow.settings["AIRFLOW__CORE__FERNET_KEY"]
    assert Fernet(key).decrypt(sealed.encode()).decode() == token
