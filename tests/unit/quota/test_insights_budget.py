"""The calls that insights may use: few in any hour, none while Instagram is busy with the account."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import JsonValue, TypeAdapter

from airflow_provider_instagram.graph.usage import Usage
from airflow_provider_instagram.quota.call_budget import InsightsBudget

#: What Airflow stores as a row: a tuple is refused.
STORED: TypeAdapter[Any] = TypeAdapter(JsonValue)
START = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)


class Rows(dict[str, Any]):
    def set(self, key: str, value: Any) -> None:
        self[key] = STORED.validate_python(value)


class Desk:
    """An account's rows and a clock that a test moves."""

    def __init__(self) -> None:
        self.rows, self.now = Rows(), START

    def budget(self, calls_per_hour: float = 200) -> InsightsBudget:
        return InsightsBudget(self.rows, lambda: self.now, calls_per_hour)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_of_200_calls_insights_get_30_in_any_hour(desk: Desk) -> None:
    budget = desk.budget()
    assert budget.left() == 30
    budget.consume(30, None)
    assert budget.left() == 0
    budget.save()
    desk.now += timedelta(minutes=59)
    assert desk.budget().left() == 0
    desk.now += timedelta(minutes=2)
    assert desk.budget().left() == 30


def test_the_next_call_is_free_an_hour_after_the_oldest(desk: Desk) -> None:
    first = desk.budget()
    first.consume(10, None)
    first.save()
    desk.now += timedelta(minutes=20)
    second = desk.budget()
    assert second.available_at() <= desk.now
    second.consume(20, None)
    assert second.available_at() == START + timedelta(hours=1)


def test_two_tasks_share_the_hour(desk: Desk) -> None:
    one, other = desk.budget(), desk.budget()
    one.consume(12, None)
    other.consume(5, None)
    one.save()
    other.save()
    assert desk.budget().left() == 13


def test_insights_stop_at_half_of_instagrams_own_allowance(desk: Desk) -> None:
    budget = desk.budget()
    budget.consume(1, Usage(49))
    assert budget.left() == 29
    budget.consume(1, Usage(50))
    budget.save()
    desk.now += timedelta(minutes=29)
    assert desk.budget().left() == 0
    desk.now += timedelta(minutes=2)
    assert desk.budget().left() == 28


def test_a_throttled_account_is_left_alone_for_the_time_that_instagram_names(desk: Desk) -> None:
    budget = desk.budget()
    budget.consume(1, Usage(100, timedelta(minutes=90)))
    assert budget.available_at() == START + timedelta(minutes=90)


def test_an_account_with_few_calls_still_gets_two(desk: Desk) -> None:
    assert desk.budget(calls_per_hour=5).left() == 2


def test_nothing_is_written_if_nothing_was_sent(desk: Desk) -> None:
    desk.budget().save()
    assert desk.rows == {}
