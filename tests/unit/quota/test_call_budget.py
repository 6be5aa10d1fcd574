"""What an account may be asked in an hour, whatever happens."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_instagram.graph.usage import Usage
from airflow_provider_instagram.quota.call_budget import CallBudget


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def spend(budget: CallBudget, clock: Clock, hours: float) -> list[float]:
    """Call as often as the budget allows, and return the times of the calls."""
    end, asked = clock.now + 3600 * hours, []
    while (next_call_at := budget.next_call_at()) < end:
        clock.now = max(clock.now, next_call_at)
        budget.consume()
        asked.append(clock.now)
    clock.now = end
    return asked


def most_in_an_hour(asked: list[float]) -> int:
    return max((sum(begin <= at < begin + 3600 for at in asked) for begin in asked), default=0)


@pytest.mark.parametrize("idle_hours", [0, 10])
def test_asking_leaves_a_third_of_the_calls_to_create_and_publish(clock: Clock, idle_hours: float) -> None:
    """200 an hour: at most 120 are asked for in any hour, after any rest, and 100 steadily."""
    budget = CallBudget(clock, 200)
    clock.now += 3600 * idle_hours
    asked = spend(budget, clock, 5)
    assert most_in_an_hour(asked) <= 120
    assert 500 <= len(asked) <= 520


def test_what_may_go_now_may_go_by_a_clock_that_ticks_meanwhile(clock: Clock) -> None:
    now = clock()
    clock.now += 0.001
    assert CallBudget(clock).next_call_at() <= now


def test_a_new_process_asks_three_times_at_once_not_more(clock: Clock) -> None:
    budget = CallBudget(clock, 200)
    at_once = 0
    while budget.next_call_at() <= clock.now:
        budget.consume()
        at_once += 1
    assert at_once == 3


def test_ten_last_reads_are_possible_on_credit(clock: Clock) -> None:
    budget = CallBudget(clock, 200)
    had = 0
    while budget.affords_last_read():
        budget.consume()
        had += 1
    assert had == 3 + 10
    assert budget.next_call_at() - clock.now == pytest.approx(11 * 36)


@pytest.mark.parametrize(("percent", "an_hour"), [(74, 100), (75, 100), (80, 80), (90, 40), (97, 12), (100, 10)])
def test_from_75_percent_on_the_pace_falls(clock: Clock, percent: int, an_hour: int) -> None:
    budget = CallBudget(clock, 200)
    budget.apply_usage(Usage(percent))
    spend(budget, clock, 1)  # what it has saved
    assert len(spend(budget, clock, 10)) == pytest.approx(10 * an_hour, abs=2)


def test_the_pace_rises_again_with_the_allowance(clock: Clock) -> None:
    budget = CallBudget(clock, 200)
    budget.apply_usage(Usage(99))
    budget.apply_usage(Usage(10))
    spend(budget, clock, 1)
    assert len(spend(budget, clock, 10)) == pytest.approx(1000, abs=2)


def test_nothing_is_asked_before_the_stated_time(clock: Clock) -> None:
    budget = CallBudget(clock, 200)
    budget.apply_usage(Usage(100, timedelta(minutes=17)))
    assert budget.is_stopped()
    assert not budget.affords_last_read()
    assert budget.next_call_at() == clock.now + 17 * 60


def test_after_a_stop_there_is_no_burst(clock: Clock) -> None:
    budget = CallBudget(clock, 200)
    budget.stop(timedelta(minutes=10), "too many calls")
    clock.now += 600
    asked = spend(budget, clock, 0.1)
    assert len(asked) <= 20 + 10


def test_a_stop_without_a_time_lasts_five_minutes(clock: Clock) -> None:
    budget = CallBudget(clock)
    budget.stop(None, "too many calls")
    clock.now += 299
    assert budget.is_stopped()
    clock.now += 1
    assert not budget.is_stopped()


def test_a_shorter_stop_does_not_end_a_longer_one(clock: Clock) -> None:
    budget = CallBudget(clock)
    budget.stop(timedelta(hours=1), "the account's calls are used up")
    budget.stop(timedelta(minutes=1), "too many calls")
    assert budget.stopped_until == clock.now + 3600
    assert budget.reason == "the account's calls are used up"
