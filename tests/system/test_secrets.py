"""The hunt for access tokens: everything that an Airflow at its most talkative writes or shows is searched."""

from __future__ import annotations

import json
import re
import threading
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet

from demo.stack import wait_until
from instagram_sandbox.options import DEFAULT_APP_SECRET
from tests.system.conftest import TOKEN_KEY, Run

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from demo.stack import AirflowStack
    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.system.conftest import Videos

MARK = "Marked caption of the hunt"
#: Any access token, also a shortened one: the connection's own, and those that a refresh brings. And the app's secret,
#: and the key that stored tokens are sealed with beside the connection's password.
TOKEN = re.compile(rb"IGAA[0-9A-Za-z_-]{8,}|" + f"{DEFAULT_APP_SECRET}|{TOKEN_KEY}".encode())
SECOND_USER = "17841400000000002"
#: What Airflow and our own pages answer to an administrator.
PAGES = (
    "/instagram/",
    "/instagram/connect?conn_id=second_account",
    "/api/v2/connections",
    "/api/v2/variables",
    "/api/v2/eventLogs?limit=100",
    "/api/v2/assets/events",
    "/api/v2/config",
)
CALENDAR = "hunted_calendar"
CALENDAR_DAG = """
from airflow_provider_instagram.calendar import content_calendar_dag
from datetime import timedelta

minutes = timedelta(minutes=2)  # a post whose video is not there waits for it until it is too late
dag = content_calendar_dag({dag_id!r}, {calendar!r}, lead_time=minutes, max_lateness=minutes)
"""


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
    videos: Videos,
    vault: Path,
    database: sqlite3.Connection,
    commands_seen: set[str],
) -> None:
    """Each task succeeds and fails: a refused token, post and creation, a dead account, a video that is not there.

    The second account's connection is in a secrets backend, and its token is refreshed beside it, in a Variable: with
    the new one, the old being dead, a task posts and the triggerer waits.
    """
    sandbox.add_account(SECOND_USER, "second_studio")
    second_token = sandbox.add_token(SECOND_USER, age_s=2 * 24 * 3600)
    host, _, port = sandbox.url.rpartition(":")
    second = {"conn_type": "instagram", "login": SECOND_USER, "host": host, "port": int(port)}
    vault.write_text(json.dumps({"second_account": second | {"password": second_token}}))
    dead_token = sandbox.add_token(SECOND_USER)
    sandbox.revoke(dead_token)
    airflow.call("POST", "/connections", json=second | {"connection_id": "dead_account", "password": dead_token})

    refused = start("wait_for", container_id=new_container(never=True))
    refused.wait_for_state("wait", "deferred")
    sandbox.fail("status", 190, 463, account=sandbox.user_id)
    refused.wait("failed")
    assert "AuthenticationError" in refused.log("wait")

    sandbox.process_next(after_polls=3)
    refreshed = start("refresh_and_post", caption=f"{MARK}: refreshed")
    refreshed.wait_for_state("wait", "deferred")
    refreshed.wait()
    assert refreshed.result("refresh")["refreshed"] is True

    sandbox.fail("publish", 368, account=sandbox.user_id)
    posting = [start("publish_reel", caption=f"{MARK}: {which}") for which in ("one", "other")]
    assert sorted(run.end() for run in posting) == ["failed", "success"], "the first that asked was refused"
    sandbox.fail("create", 190, 463, account=sandbox.user_id)
    start("publish_reel", caption=f"{MARK}: not created").wait("failed")
    planned = _start_calendar(airflow, videos)
    accounts = start("refresh_instagram_tokens", connections=["dead_account", "second_account"])
    accounts.wait("failed")
    assert accounts.states() == {"list_connections": "success", "refresh[0]": "failed", "refresh[1]": "success"}
    start("transcode_only", video="/nowhere.mov").wait("failed")
    dead = start("refresh_dead")
    dead.wait("failed")
    assert "expired, revoked or malformed" in dead.log("refresh")
    assert "'problem':" in dead.log("refresh"), "the callback was called"
    ends = {run.run_id: run.end() for run in planned}
    assert ends == {"good": "success", "bad": "failed", "asked": "success"}, "red for the video that is not there"
    good, bad, asked = (run.states() for run in planned)
    assert (good["publish"], bad["prepare"], asked["approve"]) == ("success", "failed", "skipped")

    shown = {path: airflow.page(path).encode() for path in PAGES}
    assert b"@second_studio" in shown["/instagram/"], "the provider's own page is among what is searched"
    assert b"comes from a secrets backend" in shown["/instagram/connect?conn_id=second_account"]
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


def _start_calendar(airflow: AirflowStack, videos: Videos) -> list[Run]:
    """Start a calendar of three posts: one goes out, one has no video, one question is left without an answer.

    :return: The runs of the posts.
    """
    at = (datetime.now(timezone.utc) + timedelta(seconds=60)).strftime("%Y-%m-%d %H:%M:%S UTC")
    post = {"publish_at": at, "account": "instagram_default", "video": str(videos.reel)}
    posts = [
        {"id": "good", "caption": f"{MARK}: good", **post},
        {"id": "bad", "caption": f"{MARK}: bad", **post, "video": str(videos.reel.with_name("nowhere.mov"))},
        {"id": "asked", "caption": f"{MARK}: asked", **post, "approval": "required"},
    ]
    calendar = airflow.home / f"{CALENDAR}.yaml"
    calendar.write_text(json.dumps({"min_spacing": "0 s", "posts": posts}))
    file = airflow.home / "dags" / f"{CALENDAR}.py"
    file.write_text(CALENDAR_DAG.format(dag_id=CALENDAR, calendar=str(calendar)))
    airflow.wait_for_dag(CALENDAR)
    runs = [Run(airflow, CALENDAR, str(post["id"])) for post in posts]
    wait_until(lambda: all(airflow.has(run.path) for run in runs), "the runs of all posts have begun", 60)
    return runs


def _rows(database: sqlite3.Connection) -> Iterator[tuple[str, bytes]]:
    """Return each table's columns as ``table.column``, with all their values in one text."""
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
