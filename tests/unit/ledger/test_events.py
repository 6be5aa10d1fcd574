"""The first events of an account's aliases. Airflow fails one of two tasks that emit one at the same time."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.ledger import events
from airflow_provider_instagram.ledger.assets import ledger_alias, ledger_asset, posts_alias
from airflow_provider_instagram.ledger.events import become_first_emitter, pin_ledger_asset
from airflow_provider_instagram.ledger.ledger import Ledger
from tests.integration.account import DictStore

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

ALIAS = posts_alias("studio")
LIMIT_S = 10.0


class Airflow:
    """Knows the events of an alias: those of tasks that have ended."""

    def __init__(self) -> None:
        self.emitted: list[Any] = []
        self.ledger = Ledger(DictStore(), "studio")

    def __getitem__(self, alias: Any) -> Any:
        return SimpleNamespace(limit=lambda number: self.emitted[:number])

    def context(self, map_index: int = 0) -> Any:
        ti = SimpleNamespace(dag_id="d", run_id="r", task_id="publish", map_index=map_index)
        outlet = SimpleNamespace(add=lambda asset: self.emitted.append(asset))
        return {"ti": ti, "inlet_events": self, "outlet_events": {ledger_alias("studio"): outlet}}


@pytest.fixture
def airflow(mocker: MockerFixture) -> Airflow:
    mocker.patch.object(events, "SETTLING_S", 0.2)
    return Airflow()


def test_of_many_tasks_at_once_one_emits_first_and_the_others_follow(airflow: Airflow) -> None:
    ended: list[int] = []
    first: list[int] = []

    def publish(index: int) -> None:
        if become_first_emitter(airflow.context(index), airflow.ledger, ALIAS):
            first.append(index)
        time.sleep(0.3)  # a task does not end at once
        airflow.emitted.append(index)
        ended.append(index)

    threads = [threading.Thread(target=publish, args=(index,)) for index in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert sorted(ended) == list(range(5))
    assert first == ended[:1]


def test_a_task_that_died_before_its_event_is_not_waited_for_for_ever(airflow: Airflow) -> None:
    airflow.ledger.clock = lambda: datetime.now(timezone.utc) - timedelta(minutes=1)
    become_first_emitter(airflow.context(1), airflow.ledger, ALIAS)
    airflow.ledger.clock = lambda: datetime.now(timezone.utc)
    become_first_emitter(airflow.context(2), airflow.ledger, ALIAS)
    assert [row["owner"] for row in airflow.ledger.store.values()] == ["d/r/publish/2"]  # type: ignore[attr-defined]


def test_the_next_try_of_the_task_with_the_turn_continues_at_once(airflow: Airflow, mocker: MockerFixture) -> None:
    assert become_first_emitter(airflow.context(), airflow.ledger, ALIAS)
    waits: list[float] = []
    mocker.patch.object(time, "sleep", waits.append)
    assert become_first_emitter(airflow.context(), airflow.ledger, ALIAS)
    assert waits == []


def test_the_ledger_is_tied_to_its_alias_once(airflow: Airflow) -> None:
    for index in range(3):
        pin_ledger_asset(airflow.context(index), airflow.ledger)
    assert airflow.emitted == [ledger_asset("studio")]
