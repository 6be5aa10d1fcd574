"""Which hours of the week suit an account. The truth is what simulated followers do, never what the estimate says."""

from __future__ import annotations

import math
import random
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_instagram.calendar.planning.best_times import BestTimes
from airflow_provider_instagram.ledger.reach import Reached
from airflow_provider_instagram.posts.kinds import PostKind

if TYPE_CHECKING:
    from collections.abc import Callable

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 1, 5, tzinfo=BERLIN)
#: All hours of a week long after the posts.
WEEK = [datetime(2026, 11, 30, tzinfo=BERLIN) + timedelta(hours=hour) for hour in range(24 * 7)]
NOISE = 0.5


def dice(seed: int | str) -> random.Random:
    return random.Random(seed)  # noqa: S311 -- simulated followers


def reached(at: datetime, logarithm: float, kind: PostKind = PostKind.REEL) -> Reached:
    return Reached(at=int(at.timestamp()), kind=kind, value=1000 * math.exp(logarithm))


def account(effect: Callable[[datetime], float], posts: int, seed: int = 1) -> BestTimes:
    """Return what is learned from posts at random hours of 300 days, each of which an effect and noise decide."""
    chance = dice(seed)
    times = [MONDAY + timedelta(days=chance.randrange(300), hours=chance.randrange(24)) for _ in range(posts)]
    return BestTimes([reached(at, effect(at) + chance.gauss(0, NOISE)) for at in times], BERLIN)


def evening(at: datetime) -> float:
    """Twice as much at 19 o'clock, and less and less around it."""
    return math.log(2) * math.exp(-(((at.hour - 19) / 3) ** 2))


def picked(times: BestTimes, posts: int = 60) -> Counter[int]:
    return Counter(times.pick(f"brand/post-{number}", WEEK)[0].hour for number in range(posts))


def test_the_best_hour_is_found_and_said_in_words() -> None:
    times = account(evening, 250)
    best, worst = (times.estimate(WEEK[hour]) for hour in (19, 6))
    assert 1.1 < best.low < best.ratio < best.high < 2.3
    assert worst.high < best.low
    assert sum(picked(times)[hour] for hour in (17, 18, 19, 20, 21)) > 50
    at, why = times.pick("brand/a", WEEK)
    assert why.startswith(f"{at:%a %H:%M}: ")
    assert " posts around this hour, 1." in why
    assert " times the median, 80 % between 1." in why


def test_an_account_without_a_best_hour_is_promised_none_and_goes_on_trying_all() -> None:
    times = account(lambda _: 0.0, 250)
    assert all(0.85 < times.estimate(at).ratio < 1.18 for at in WEEK)
    assert len(picked(times)) >= 12


def test_with_few_posts_each_hour_is_as_likely_and_the_lead_is_told() -> None:
    times = account(evening, 11)
    hours = picked(times, 200)
    assert len(hours) == 24
    assert max(hours.values()) < 30
    assert times.pick("brand/a", WEEK)[1] == "an hour to learn from: the numbers of 11 of 12 posts are known"
    assert BestTimes([], BERLIN).pick("brand/a", WEEK[5:6])[0] == WEEK[5]


def test_the_interval_of_80_percent_contains_the_truth_about_so_often() -> None:
    contained = []
    for seed in range(20):
        chance = dice(f"truth {seed}")
        peak, most = chance.randrange(24), chance.uniform(0, 0.8)

        def effect(at: datetime, peak: int = peak, most: float = most) -> float:
            return most * math.cos(math.pi * (at.hour - peak) / 12)

        times = account(effect, 120, seed)
        for hour in range(0, 24, 4):
            estimate = times.estimate(WEEK[hour])
            contained.append(estimate.low <= math.exp(effect(WEEK[hour])) <= estimate.high)
    assert 0.68 < sum(contained) / len(contained) < 0.95


@pytest.mark.parametrize("what", ["the account grows", "one kind reaches more", "a post goes viral"])
def test_no_hour_gets_the_credit_for(what: str) -> None:
    chance = dice(what)
    posts = []
    for day in range(200):
        # Mornings first, then evenings; pictures in the morning, reels in the evening.
        hour, kind = (
            (9, PostKind.PICTURE)
            if (day < 100 if what != "one kind reaches more" else day % 2)
            else (19, PostKind.REEL)
        )
        more = {"the account grows": day / 100, "one kind reaches more": 1.5 * (hour == 19)}.get(what, 0.0)
        kind = kind if what == "one kind reaches more" else PostKind.REEL
        at = MONDAY + timedelta(days=day, hours=(hour + chance.randrange(-2, 3)))
        posts.append(reached(at, more + chance.gauss(0, NOISE), kind))
    if what == "a post goes viral":
        posts.append(reached(MONDAY + timedelta(hours=3), math.log(300)))
    times = BestTimes(posts, BERLIN)
    for hour in (3, 9, 19):
        assert 0.7 < times.estimate(WEEK[hour]).ratio < 1.4, hour


def test_a_weekday_is_found() -> None:
    times = account(lambda at: 0.6 * (at.weekday() == 6), 250)
    assert times.estimate(WEEK[6 * 24 + 12]).low > 1.2
    assert sum(times.pick(f"brand/{number}", WEEK)[0].weekday() == 6 for number in range(40)) > 30


def test_hours_are_those_of_the_zone_in_summer_and_in_winter() -> None:
    chance = dice(7)
    noons = [MONDAY + timedelta(days=day, hours=hour) for day in range(300) for hour in (2, 12)]
    assert {at.utcoffset() for at in noons} == {timedelta(hours=1), timedelta(hours=2)}
    times = BestTimes([reached(at, 0.7 * (at.hour == 12) + chance.gauss(0, 0.2)) for at in noons], BERLIN)
    assert times.estimate(WEEK[12]).low > 1.2
    assert times.estimate(WEEK[12]).ratio > 1.5 * times.estimate(WEEK[2]).ratio


def test_the_same_post_gets_the_same_time_from_the_same_numbers() -> None:
    assert account(evening, 100).pick("brand/a", WEEK) == account(evening, 100).pick("brand/a", WEEK)
