"""Airflow takes a task for failed that goes on before it has heard that the deferring process has ended."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_instagram.exceptions import QuotaExhaustedError
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.publishing.publish import Publish
from airflow_provider_instagram.triggers import ContainerStatusTrigger
from airflow_provider_instagram.utils.deferral import is_deferrable, shortest_deferral, timeouts_checked_every


def _due_in(seconds: float) -> datetime:
    return datetime.now(timezone.utc) + timedelta(seconds=seconds)


def _publish() -> Publish:
    """Return the use case as a task makes it, with Airflow's settings."""
    nobody: Any = None
    waits = {"shortest_wait": shortest_deferral(), "resumes_late_by": timeouts_checked_every()}
    return Publish(nobody, Ledger({}, "b"), nobody, "a", "179", **waits)  # type: ignore[arg-type]


@pytest.mark.parametrize("chosen", [None, "", True, "yes", False, "no"])
@pytest.mark.parametrize("configured", [None, "True", "False"])
def test_the_deployment_decides_whether_a_task_is_deferred_where_its_author_did_not(
    monkeypatch: pytest.MonkeyPatch, chosen: object, configured: str | None
) -> None:
    if configured is None:
        monkeypatch.delenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", raising=False)
    else:
        monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", configured)
    of_deployment = {None: True, "True": True, "False": False}[configured]
    expected = {None: of_deployment, "": of_deployment, True: True, "yes": True, False: False, "no": False}
    assert is_deferrable(chosen) is expected[chosen]  # type: ignore[index]


@pytest.mark.parametrize(("due_in_s", "wakes_in_s"), [(-5, None), (15, None), (33, None), (37, 17)])
def test_a_publisher_defers_until_twenty_seconds_before_its_time_if_that_is_ten_seconds_away(
    monkeypatch: pytest.MonkeyPatch, due_in_s: float, wakes_in_s: float | None
) -> None:
    monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "5")
    due = _due_in(due_in_s)
    wait = _publish().wait_for_time("179", due, is_resumed=False)
    assert (wait and wait.moment) == (None if wakes_in_s is None else due - timedelta(seconds=due_in_s - wakes_in_s))


@pytest.mark.parametrize(("interval_s", "resumes_ahead_s"), [(15, 25), (5, 15), (60, 25)])
def test_the_scheduler_ends_the_wait_of_a_publisher_in_time_and_not_long_before(
    monkeypatch: pytest.MonkeyPatch, interval_s: int, resumes_ahead_s: int
) -> None:
    """Ten seconds before its time at the latest. If it resumed a minute before, it would take the slot of another."""
    monkeypatch.setenv("AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL", str(interval_s))
    due = _due_in(600)
    wait = _publish().wait_for_time("179", due, is_resumed=False)
    assert wait is not None
    assert due - wait.timeout_at == timedelta(seconds=resumes_ahead_s)


def test_room_that_is_there_in_a_second_is_waited_for_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "5")
    soon = _due_in(1)
    publish, error = _publish(), QuotaExhaustedError("The hour is full", retry_after=timedelta(seconds=1))
    wait = publish.wait_for_quota(error, publish.quota_frees_at(error))
    assert soon + timedelta(seconds=8) < wait.moment < soon + timedelta(seconds=20)


def test_a_trigger_that_knows_at_once_says_so_when_airflow_can_hear_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is missing: there is nothing to wait for."""
    monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "1")
    since = time.time()
    trigger = ContainerStatusTrigger("no_such_connection", "179", 5, since + 60, since)

    async def fire() -> dict[str, object]:
        async for event in trigger.run():
            return event.payload  # type: ignore[no-any-return]
        raise AssertionError("it ended without an event")

    error = asyncio.run(fire())["error"]
    assert 2 <= time.time() - since < 10
    assert "no_such_connection" in str(error)
