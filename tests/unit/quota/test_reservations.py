"""No more posts than the quota allows, however many attempts run at once."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone

import pytest

from airflow_provider_instagram.exceptions import QuotaExhaustedError
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import Claim, Owner, PublishedPost
from airflow_provider_instagram.quota.reservations import Attempt, Quota, QuotaReservations, post_quotas
from tests.unit.quota.test_races import Death, Life, MortalStore, Register, Turns, in_turns

DAY = Quota("day", 3, timedelta(days=1))
OWNER = Owner("calendar", "run-1", "publish", -1)
#: Hundreds of orders, of which `make test` plays two.
HUNDREDS = [*range(2), *(pytest.param(hundred, marks=pytest.mark.long) for hundred in range(2, 10))]


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


def test_a_store_that_stalls_while_an_attempt_reserves_uses_up_no_quota() -> None:
    account = Account(*post_quotas(200, 200))

    class Stalling(Store):
        def get(self, key: str, default: object = None) -> object:
            account.now += timedelta(seconds=31)
            return super().get(key, default)

    account.ledger.store = Stalling()
    account.publish("post")


def test_an_attempt_that_died_while_it_tried_is_waited_for_as_one_that_holds_the_place() -> None:
    account = Account(Quota("day", 1, timedelta(days=1)))

    def sleep(seconds: float) -> None:
        account.now += timedelta(seconds=seconds)

    account.reservations.sleep = sleep
    account.ledger.store.set("quota-taken:1", True)
    account.ledger.store.set("quota-attempt:1", vars(Attempt(1, "died", "n", account.ledger.now(), "tries")))
    with pytest.raises(QuotaExhaustedError) as refused:
        account.publish("post")
    assert timedelta(minutes=9) < (refused.value.retry_after or timedelta()) < timedelta(minutes=10)


class Race:
    """Publishers that begin at once, as they take steps in an order of a seed."""

    def __init__(self, seed: int, quota: Quota, publishers: int, *, mortal: bool = False) -> None:
        self.turns = Turns(seed)
        self.store = Register(self.turns)
        self.quota = quota
        self.ends: dict[str, str] = {}
        self.chance = random.Random(seed) if mortal else None  # noqa: S311
        in_turns(self.turns, {f"p{number}": self.run for number in range(publishers)})

    def run(self, name: str) -> None:
        life = Life(self.chance) if self.chance and self.chance.random() < 0.5 else None
        ledger = Ledger(MortalStore(self.store, life) if life else self.store, "studio", lambda: self.turns.now)
        try:
            QuotaReservations(ledger, (self.quota,), self.sleep).reserve(name, f"nonce of {name}")
            ledger.record_intent(name, "1", Claim(OWNER, f"nonce of {name}"))
            self.ends[name] = "posted"
        except QuotaExhaustedError:
            self.ends[name] = "waits"
        except Death:
            self.ends[name] = "died"

    def sleep(self, seconds: float) -> None:
        self.turns.step()
        self.turns.now += timedelta(seconds=seconds)

    def count(self, end: str) -> int:
        return list(self.ends.values()).count(end)

    def later(self, minutes: float) -> QuotaReservations:
        """Return what a task finds some time later."""
        now = self.turns.now + timedelta(minutes=minutes)
        return QuotaReservations(Ledger(Store(self.store), "studio", lambda: now), (self.quota,))


@pytest.mark.parametrize("hundred", HUNDREDS)
@pytest.mark.parametrize(("publishers", "posts"), [(3, 2), (12, 10)])
def test_those_that_begin_at_once_get_each_place_and_no_more(hundred: int, publishers: int, posts: int) -> None:
    """One post is one place: in the same period, nobody is told that there is none before all are used."""
    quota = Quota("hour", posts, timedelta(hours=1))
    for seed in range(100 * hundred, 100 * (hundred + 1)):
        race = Race(seed, quota, publishers)
        assert (race.count("posted"), race.count("waits")) == (posts, publishers - posts), f"seed {seed}"
        assert race.later(minutes=59).used(quota) == posts, f"seed {seed}"
        assert race.later(minutes=61).used(quota) == 0, f"seed {seed}"


@pytest.mark.parametrize("hundred", HUNDREDS)
def test_who_dies_at_any_step_takes_one_place_at_most_and_for_ten_minutes_at_most(hundred: int) -> None:
    quota = Quota("hour", 10, timedelta(hours=1))
    for seed in range(100 * hundred, 100 * (hundred + 1)):
        race = Race(seed, quota, 12, mortal=True)
        sent = sum(f"intent:p{number}" in race.store for number in range(12))
        assert sent <= 10, f"seed {seed}"
        assert race.count("waits") <= 2, f"seed {seed}"
        assert race.later(minutes=11).used(quota) == sent, f"seed {seed}"
        assert (race.later(minutes=11).available_at() is None) == (sent < 10), f"seed {seed}"
