"""Which groups are called different, on simulated accounts of which the test knows whether anything differs."""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta, timezone
from statistics import median, quantiles
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_instagram.insights.differences import Difference, Group, differences
from airflow_provider_instagram.insights.results import Measured, Reading, Results
from airflow_provider_instagram.posts.kinds import PostKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NOW = datetime(2026, 12, 1, tzinfo=timezone.utc)
CAPTIONS = ("", "a" * 60, "b" * 200, "c" * 600)
#: Tags, and the share of the posts that have each.
TAGS = {"rare": 0.12, "some": 0.2, "often": 0.3, "half": 0.5, "other": 0.15, "more": 0.25, "most": 0.8}
NOISE = pytest.mark.parametrize("noise", [pytest.param(0.5, marks=pytest.mark.long), 1.0])


def account(
    chance: random.Random, noise: float, kinds: Sequence[PostKind], captions: Sequence[str], tags: dict[str, float],
    times: Callable[[PostKind], float],
) -> Results:  # fmt: skip
    """Return the results of an account in which reach depends on nothing but the kind, and on lognormal noise."""
    posts = []
    for number, kind in enumerate(kinds):
        reach = round(1000 * times(kind) * chance.lognormvariate(0, noise))
        readings = {"24h": Reading(86_400, "read", reach), "23h": Reading(82_800, "read", reach)}
        has = tuple(tag for tag, share in tags.items() if chance.random() < share)
        at = NOW - timedelta(days=2 + number % 80)
        posts.append(Measured(f"m{number}", "brand", kind, at, chance.choice(captions), None, None, readings, has))
    return Results(posts, "reach", "24h", ZoneInfo("UTC"), NOW)


@NOISE
def test_where_nothing_differs_at_most_six_accounts_in_a_hundred_are_told_of_a_difference(noise: float) -> None:
    """Any of some fifteen groups, of kinds, tags and lengths together, counts as a difference of its account."""
    chance, wrong, looked = random.Random(2026), 0, 0  # noqa: S311
    for _ in range(250):
        kinds = chance.choices([*PostKind], k=120)
        found = account(chance, noise, kinds, CAPTIONS, TAGS, lambda _: 1).differences
        looked += len(found)
        wrong += any(one.is_clear for one in found)
    assert looked / 250 > 13
    assert wrong / 250 <= 0.06


@pytest.mark.parametrize(("noise", "posts"), [(0.5, 30), (1.0, 60)])
def test_a_doubled_reach_is_found_in_eighty_accounts_of_a_hundred(noise: float, posts: int) -> None:
    """At noise 1.0, 30 posts each are too few for any method that keeps to six wrong ones in a hundred."""
    chance, found = random.Random(42), 0  # noqa: S311
    for _ in range(250):
        kinds = [PostKind.REEL, PostKind.PICTURE] * posts
        times = {PostKind.REEL: 1, PostKind.PICTURE: 2}
        table = account(chance, noise, kinds, [""], {}, times.__getitem__).differences
        found += any(one.low > 1 and "picture" in one.group.label for one in table)
    assert found / 250 >= 0.8


@pytest.mark.parametrize(("own", "spread", "others"), [(12, 1.5, 300), (20, 1.5, 100), (30, 0.4, 30)])
def test_a_group_that_only_spreads_more_or_less_is_not_called_different(own: int, spread: float, others: int) -> None:
    chance, wrong = random.Random(7), 0  # noqa: S311
    for _ in range(600):
        numbers = [chance.lognormvariate(7, spread) for _ in range(own)]
        wrong += compared(numbers, [chance.lognormvariate(7, 0.7) for _ in range(others)]).is_clear
    assert wrong / 600 <= 0.07


def compared(numbers: Sequence[float], others: Sequence[float]) -> Difference:
    (found,) = differences([Group("a", "your posts", numbers, others)])
    assert found is not None
    return found


def test_beside_others_without_any_spread_the_interval_is_that_of_the_sign_test() -> None:
    """Textbooks give the 6th and the 15th of 20 as the ends of the 95 % interval of a median, from below 5 to 4 %."""
    found = compared(range(1, 21), [1.0] * 3000)
    assert 6 <= found.low <= 7
    assert 14 <= found.high <= 15
    assert found.ratio == 10.5


def test_of_many_posts_the_interval_is_that_of_a_bootstrap() -> None:
    chance = random.Random(5)  # noqa: S311
    own, others = ([chance.lognormvariate(7, 0.8) for _ in range(count)] for count in (151, 401))
    ratios = [median(chance.choices(own, k=151)) / median(chance.choices(others, k=401)) for _ in range(2000)]
    low, *_, high = quantiles(ratios, n=40)
    found = compared(own, others)
    assert found.low == pytest.approx(low, rel=0.03)
    assert found.high == pytest.approx(high, rel=0.03)


def group(name: str, middle: float, count: int = 25) -> Group:
    """Return a group around a median, beside others around 100."""
    chance = random.Random(name)  # noqa: S311
    others = [100 * chance.lognormvariate(0, 0.5) for _ in range(200)]
    return Group(name, "your posts", [middle * chance.lognormvariate(0, 0.5) for _ in range(count)], others)


def test_the_more_groups_are_looked_at_the_wider_is_each_interval() -> None:
    first = group("first", 140)
    alone, beside = (differences([first, *(group(str(number), 100) for number in range(more))])[0] for more in (0, 14))
    assert alone is not None
    assert beside is not None
    assert beside.low < alone.low < alone.ratio < alone.high < beside.high
    assert alone.ratio == beside.ratio


def test_after_a_group_that_differs_the_next_one_is_looked_at_as_one_of_fewer() -> None:
    """Holm's method: of two groups, the one that is not different has the interval it has alone."""
    near, far = group("near", 105), group("far", 900)
    alone, beside = differences([near])[0], differences([near, far])[0]
    assert alone == beside
    assert not alone.is_clear  # type: ignore[union-attr]


def test_two_groups_that_are_each_the_others_of_the_other_are_one_comparison() -> None:
    one = group("one", 130)
    there, back = differences([one, Group("rest", "your posts", one.others, one.numbers)])
    assert there == differences([one])[0]
    assert there is not None
    assert back is not None
    assert back.low == pytest.approx(1 / there.high)
    assert back.high == pytest.approx(1 / there.low)


@pytest.mark.parametrize(
    ("numbers", "others", "why"),
    [
        ([1] * 11, [1] * 99, "too few to tell"),
        ([1] * 99, [1] * 11, "too few others"),
        ([1] * 99, [], "too few others"),
        ([1] * 99, [0] * 50 + [7] * 49, "the median of the others is 0"),
        ([0] * 99, [0] * 99, "the median of the others is 0"),
    ],
)
def test_what_cannot_be_compared_says_why(numbers: list[float], others: list[float], why: str) -> None:
    one = Group("a", "your posts", numbers, others)
    assert (one.obstacle, differences([one])) == (why, [None])


def test_equal_posts_do_not_differ_and_zeros_leave_an_interval_without_an_upper_end() -> None:
    assert not compared([5] * 30, [5] * 30).is_clear
    none = compared([0] * 30, [5] * 30)
    assert (none.ratio, none.low, none.is_clear) == (0, 0, True)
    assert "reach 0 to 0 times" in none.sentence("reach")
    open_end = compared([9] * 30, [0] * 14 + [5] * 16)
    assert (open_end.ratio, open_end.high, open_end.is_clear) == (9 / 5, math.inf, True)


def test_a_difference_is_a_sentence_with_its_noun() -> None:
    one = Difference(Group("brand, picture", "your picture posts", [], []), 1.4, 1.1, 1.94)
    assert one.sentence("reach") == "half of your picture posts reach 1.1 to 1.9 times what half of the others do"
    assert one.sentence("saved") == "half of your picture posts get 1.1 to 1.9 times what half of the others get"
    small = Difference(one.group, 0.5, 0.254, 1.044)
    assert "reach 0.25 to 1.04 times" in small.sentence("reach")
    assert "reach 1.2 or more times" in Difference(one.group, 2, 1.2, math.inf).sentence("reach")
