"""No more posts than the quota allows, however many attempts run at once."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from airflow_provider_instagram.exceptions import QuotaExhaustedError
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import Claim, Owner, PublishedPost
from airflow_provider_instagram.quota.reservations import Quota, QuotaReservations, post_quotas
from tests.unit.quota.test_races import Register, Turns, in_turns

DAY = Quota("day", 3, timedelta(days=1))
OWNER = Owner("calendar", "run-1", "publish", -1)


class Store(dict[str, object]):
    def set(self, key: str, value: object) -> None:
        self[key] = value


class Account:
    def __init__(self, *quotas: Quota) -> None:
        self.now = datetime(2026, 11, 24, 8, tzinfo=timezone.utc)
        self.ledger = Ledger(Store(), "studio", lambda: self.now)
        self.reservations = QuotaReservations(self.ledger, quotas)

    def publish(self, key: str) -> None:
        self.reservations.reserve(key, f"nonce of {key}")
        self.ledger.record_intent(key, "1", Claim(OWNER, f"nonce of {key}"))
        self.ledger.record_post(PublishedPost(key, "1", self.ledger.now(), None))


def test_the_quota_is_never_exceeded() -> None:
    account = Account(DAY)
    for number in range(3):
        account.publish(str(number))
        account.now += timedelta(hours=1)
    with pytest.raises(QuotaExhaustedError, match=r"limit of posts per day \(3\)") as refused:
        account.publish("4")
    assert refused.value.retry_after == timedelta(hours=21)
    assert account.reservations.available_at() == datetime(2026, 11, 25, 8, tzinfo=timezone.utc)
    account.now += timedelta(hours=21)
    assert account.reservations.available_at() is None
    account.publish("4")


def test_the_hour_and_the_day_are_both_kept() -> None:
    account = Account(*post_quotas(10, 25))
    published: list[datetime] = []
    for number in range(60):
        if (available_at := account.reservations.available_at()) is not None:
            account.now = available_at
        account.publish(str(number))
        published.append(account.now)
    for period, most in ((timedelta(hours=1), 10), (timedelta(days=1), 25)):
        assert max(sum(begin <= at < begin + period for at in published) for begin in published) == most


def test_an_attempt_that_sent_nothing_releases_its_reservation() -> None:
    account = Account(DAY)
    for number in range(3):
        account.reservations.reserve(str(number), f"nonce {number}")
    assert account.reservations.used(DAY) == 3
    account.reservations.release("nonce 1")
    assert account.reservations.used(DAY) == 2
    account.publish("another")


def test_an_attempt_that_died_keeps_its_reservation_for_ten_minutes() -> None:
    account = Account(Quota("day", 1, timedelta(days=1)))
    account.reservations.reserve("died", "nonce")
    with pytest.raises(QuotaExhaustedError):
        account.publish("next")
    account.now += timedelta(minutes=10)
    account.publish("next")


def test_an_attempt_with_an_open_outcome_keeps_its_reservation_for_the_period() -> None:
    account = Account(Quota("day", 1, timedelta(days=1)))
    account.reservations.reserve("open", "nonce")
    account.ledger.record_intent("open", "1", Claim(OWNER, "nonce"))
    account.now += timedelta(hours=23)
    with pytest.raises(QuotaExhaustedError):
        account.publish("next")


@pytest.mark.parametrize("hundred", range(10))
def test_three_runs_that_want_the_last_two_reservations_get_two_at_most(hundred: int) -> None:
    for seed in range(100 * hundred, 100 * (hundred + 1)):
        turns = Turns(seed)
        store = Register(turns)
        ends: dict[str, str] = {}

        def run(name: str) -> None:
            ledger = Ledger(store, "studio", lambda: turns.now)  # noqa: B023
            reservations = QuotaReservations(ledger, (Quota("day", 2, timedelta(days=1)),))
            try:
                reservations.reserve(name, f"nonce of {name}")
                ends[name] = "posted"  # noqa: B023
            except QuotaExhaustedError:
                ends[name] = "refused"  # noqa: B023

        in_turns(turns, dict.fromkeys("abc", run))
        assert list(ends.values()).count("posted") <= 2, f"seed {seed}"
