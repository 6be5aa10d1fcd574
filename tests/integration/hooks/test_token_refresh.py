"""A token over days and months: the real hook and store, HTTP to the sandbox, and one clock that both share."""

from __future__ import annotations

import json
import threading
import traceback
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import AuthenticationError, InstagramError, TransientError
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.hooks import InstagramHook
from instagram_sandbox.http.server import running
from instagram_sandbox.simulator.clock import Clock
from instagram_sandbox.testing.handle import SandboxHandle

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("no_stored_tokens")

DAY = timedelta(days=1)


@dataclass
class Time:
    """The one clock of a simulation. To sleep is to move it."""

    now: datetime = datetime(2026, 1, 1, 9, 0, tzinfo=timezone.utc)
    slept_s: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def meta(time: Time) -> Iterator[SandboxHandle]:
    """A sandbox that lives by the simulation's clock. It is as strict as can be: a refresh ends the old token."""
    with running(clock=Clock(lambda: time.now.timestamp())) as url:
        handle = SandboxHandle(url)
        yield handle
        handle.close()


@pytest.fixture
def connect(meta: SandboxHandle, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Paste a token into the connection."""

    def paste(token: str) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_BRAND", json.dumps({**meta.connection, "password": token}))

    paste(meta.token)
    return paste


@pytest.fixture
def hook(connect: Any, time: Time) -> Any:
    """A new hook on the connection, as each task makes one, in a process that knows no secrets yet."""
    from airflow._shared.secrets_masker import reset_secrets_masker as reset_of_server
    from airflow.sdk._shared.secrets_masker import reset_secrets_masker as reset_of_tasks

    def make() -> InstagramHook:
        reset_of_server()
        reset_of_tasks()
        return InstagramHook("brand", clock=time, sleep=time.sleep)

    return make


def posts_today(hook: InstagramHook) -> bool:
    """Use the token, as a task that posts does."""
    with hook.get_conn() as client:
        return client.send(calls.account()).username == "sandbox_studio"


def days_left(hook: InstagramHook, time: Time) -> float:
    left = hook.token_manager().current_token().time_left(time.now)
    assert left is not None
    return left / DAY


@pytest.mark.long
def test_a_year_with_the_daily_refresh_has_no_day_without_a_token(hook: Any, time: Time, meta: SandboxHandle) -> None:
    least = 60.0
    for day in range(365):
        if day:
            time.now += DAY
        hook().refresh_token("daily")
        assert posts_today(hook()), f"day {day}"
        least = min(least, days_left(hook(), time))
    assert least >= 58
    assert meta.calls("refresh") >= 360


@pytest.mark.long
def test_a_year_without_the_daily_refresh_is_the_same_to_who_posts_every_day(hook: Any, time: Time) -> None:
    """The DAG was never turned on: the token is refreshed on use, when less than a third of its life is left."""
    refreshed_on = []
    for day in range(365):
        before = hook().token_manager().current_token().access_token
        assert posts_today(hook()), f"day {day}"
        if hook().token_manager().current_token().access_token != before:
            refreshed_on.append(day)
        time.now += DAY
    gaps = [later - earlier for earlier, later in pairwise(refreshed_on)]
    assert refreshed_on[0] == 1, "nobody knows how old a pasted token is: it is refreshed as soon as it may be"
    assert set(gaps) <= {40, 41}, "40 days are two thirds of 60"


@pytest.mark.long
def test_twenty_days_without_the_refresh_endpoint_cost_no_day(hook: Any, time: Time, meta: SandboxHandle) -> None:
    failures = 0
    for day in range(365):
        if day:
            time.now += DAY
        if day == 200:
            meta.fail("refresh", 2, times=0)
        if day == 220:
            meta._control("DELETE", "faults")
        try:
            hook().refresh_token("daily")
        except TransientError:
            failures += 1
        assert posts_today(hook()), f"day {day}"
        assert days_left(hook(), time) > 39
    assert failures == 20


def by_login(meta: SandboxHandle, monkeypatch: pytest.MonkeyPatch, login: str, kind: str, *, ends: bool) -> str:
    """Enter a token of Facebook or Unified Login in the connection."""
    meta.switch(login="facebook")
    token = meta.add_token(meta.user_id, kind=kind, ends=ends)
    extra = {**meta.connection["extra"], "login_type": login}
    changed = {**meta.connection, "login": meta.user_id, "password": token, "extra": json.dumps(extra)}
    monkeypatch.setenv("AIRFLOW_CONN_BRAND", json.dumps(changed))
    return token


@pytest.mark.long
@pytest.mark.parametrize(("login", "kind"), [("facebook", "page"), ("unified", "system")])
def test_a_year_with_a_token_that_does_not_end(
    hook: Any, time: Time, meta: SandboxHandle, monkeypatch: pytest.MonkeyPatch, login: str, kind: str
) -> None:
    token = by_login(meta, monkeypatch, login, kind, ends=False)
    for day in range(365):
        done = hook().refresh_token("daily")
        assert (done.refreshed, done.token.expires_at) == (False, None), f"day {day}"
        assert (done.token.expires is None) is (login == "unified")
        assert hook().access_token() == token
        time.now += DAY
    assert meta.calls("refresh") == 0


@pytest.mark.long
def test_a_year_with_a_token_of_unified_login_that_a_person_replaces_when_he_is_warned(
    hook: Any, time: Time, meta: SandboxHandle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends after 60 days and cannot be refreshed: 14 days before, the log says so, and a person connects again."""
    by_login(meta, monkeypatch, "unified", "system", ends=True)
    replaced = []
    for day in range(365):
        hook().refresh_token("daily")
        caplog.clear()
        with hook().get_conn() as client:
            assert client.send(calls.account_of_id(meta.user_id)).username == "sandbox_studio", f"day {day}"
        if "cannot be refreshed. Connect the account again" in caplog.text:
            by_login(meta, monkeypatch, "unified", "system", ends=True)
            replaced.append(day)
        time.now += DAY
    assert replaced == [46, 92, 138, 184, 230, 276, 322]
    assert meta.calls("refresh") == 0


def test_a_token_of_unified_login_that_nobody_replaces_says_where_to_connect(
    hook: Any, time: Time, meta: SandboxHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_login(meta, monkeypatch, "unified", "system", ends=True)
    assert hook().refresh_token("daily").token.expires == time.now + 60 * DAY
    time.now += 61 * DAY
    with pytest.raises(AuthenticationError, match="airflow instagram connect brand"):
        hook().refresh_token("daily")


def test_a_dag_paused_for_seventy_days_ends_in_a_clear_failure_that_one_connect_heals(
    hook: Any, time: Time, meta: SandboxHandle, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody posts either: the token dies unseen, and the first that wants it says what to do."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/")
    hook().refresh_token("daily")
    time.now += DAY
    assert hook().refresh_token("daily").refreshed
    time.now += 70 * DAY

    for attempt in (lambda: hook().refresh_token("daily"), lambda: posts_today(hook())):
        with pytest.raises(AuthenticationError) as failed:
            attempt()
        assert "https://airflow.example.com/instagram/connect?conn_id=brand" in str(failed.value)
        assert "airflow instagram connect brand" in str(failed.value)
        assert not failed.value.retryable

    connect(meta.add_token(meta.user_id))
    for day in range(70):
        assert posts_today(hook()), f"day {day} after it"
        hook().refresh_token("daily")
        time.now += DAY


def test_the_log_warns_from_two_weeks_before_the_end(
    hook: Any, time: Time, meta: SandboxHandle, caplog: pytest.LogCaptureFixture
) -> None:
    time.now += DAY
    hook().refresh_token("daily")
    meta.fail("refresh", 2, times=0)
    warned = {}
    for day in range(1, 60):
        time.now += DAY
        caplog.clear()
        hook().access_token()
        warned[day] = "expires on" in caplog.text
    assert [day for day, warns in warned.items() if warns] == list(range(46, 60))
    assert meta.token not in caplog.text


def test_a_lost_answer_to_a_refresh_is_asked_for_again(hook: Any, time: Time, meta: SandboxHandle) -> None:
    meta.switch(refresh_revokes_old=False)
    time.now += DAY
    meta.fail("refresh", drop="after")
    assert hook().refresh_token("daily").refreshed
    assert meta.calls("refresh") == 2
    assert days_left(hook(), time) > 59


def test_when_all_answers_are_lost_the_old_token_stays_in_use(hook: Any, time: Time, meta: SandboxHandle) -> None:
    meta.switch(refresh_revokes_old=False)
    time.now += DAY
    meta.fail("refresh", drop="after", times=3)
    with pytest.raises(TransientError):
        hook().refresh_token("daily")
    assert posts_today(hook())
    assert hook().refresh_token("the next try").refreshed


def test_a_stored_token_that_is_refused_falls_back_to_the_one_in_the_connection(
    hook: Any, time: Time, meta: SandboxHandle
) -> None:
    meta.switch(refresh_revokes_old=False)
    time.now += DAY
    refreshed = hook().refresh_token("daily").token.access_token
    meta.revoke(refreshed)
    time.now += 2 * DAY
    assert posts_today(hook())
    assert hook().refresh_token("daily").token.access_token not in (refreshed, meta.token)
    assert posts_today(hook())


@pytest.mark.parametrize("revokes", [True, False], ids=["a refresh ends the old token", "the old token lives on"])
def test_refreshers_at_once_end_with_a_valid_token(hook: Any, time: Time, meta: SandboxHandle, revokes: bool) -> None:
    import time as real

    meta.switch(refresh_revokes_old=revokes)
    time.now += DAY
    hook().token_manager().current_token()
    start, failed = threading.Barrier(6), []

    def refresh() -> None:
        own = InstagramHook("brand", clock=time, sleep=real.sleep)
        start.wait()
        try:
            own.refresh_token("one of six")
        except InstagramError as error:
            failed.append(error)

    threads = [threading.Thread(target=refresh) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert posts_today(hook())
    assert hook().token_manager().current_token().refreshed_by == "one of six"


def test_a_refresh_is_recorded_with_everything_that_is_known(hook: Any, time: Time) -> None:
    time.now += DAY
    asked_at = time.now
    hook().refresh_token("dag/run/task/-1")
    known = hook().token_manager().current_token()
    assert (known.issued_at, known.refreshed_by) == (asked_at, "dag/run/task/-1")
    assert known.expires == asked_at + 60 * DAY


def test_a_token_younger_than_a_day_is_left_alone_and_its_end_is_known_from_then_on(
    hook: Any, time: Time, meta: SandboxHandle
) -> None:
    assert not hook().refresh_token("daily").refreshed
    assert days_left(hook(), time) == 59
    hook().refresh_token("daily")
    assert meta.calls("refresh") == 1, "it is not asked for again before it can be old enough"


def test_nothing_is_refreshed_where_the_new_token_could_not_be_kept(
    hook: Any, time: Time, meta: SandboxHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment hides the Variable: a new token would be written where nobody reads it."""
    time.now += DAY
    monkeypatch.setenv("AIRFLOW_VAR_INSTAGRAM_LOGIN__BRAND", "something else")
    with pytest.raises(InstagramError, match="cannot be read back"):
        hook().refresh_token("daily")
    assert meta.calls("refresh") == 0
    assert posts_today(hook())


@pytest.mark.parametrize("fault", [{"drop": "before"}, {"code": 190, "subcode": 463}], ids=["no answer", "dead"])
def test_a_crash_report_of_a_failed_refresh_shows_no_token(
    hook: Any, time: Time, meta: SandboxHandle, fault: dict[str, Any]
) -> None:
    """Not even one with the local variables of every frame, as error trackers make them."""
    hook().token_manager().current_token()
    time.now += 2 * DAY
    meta.fail("refresh", times=0, **fault)
    meta.fail("account", times=0, **fault)
    with pytest.raises(InstagramError) as caught:
        hook().refresh_token("daily")
    report = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "StoredToken(" in report  # the local variables are in it
    assert meta.token not in report
    assert meta.app_secret not in report
