"""How many times the median of other posts the median of a group is, with an interval. No Airflow, no database.

Of ``n`` posts, as many lie below the true median as heads come up in ``n`` tosses of a coin. So each gap between two
neighbouring posts has a known chance to contain the true median, as in the sign test. The interval leaves out 2.5 % of
the ratios of two such medians at each end. It is computed, not drawn, so that it needs no seed. A bootstrap is not
used: it takes no median outside the posts of a group as possible, and calls too many small groups different.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from statistics import median
from typing import Final

Numbers = tuple[float, ...]

#: A smaller group, or one beside fewer others, is not compared: its interval would have no end.
FEWEST_POSTS: Final = 12
#: How often at most, of all accounts without an effect, any group is called different.
ERROR_RATE: Final = 0.05
DIFFERENT, NO_DIFFERENCE = "different", "no clear difference"
TOO_FEW, TOO_FEW_OTHERS, OTHERS_AT_ZERO = "too few to tell", "too few others", "the median of the others is 0"
#: Ratios are looked for between these powers of two, in so many halvings: to six digits.
LARGEST_POWER, HALVINGS = 20, 24


@dataclass(frozen=True)
class Group:
    """The numbers of posts that have something in common, and those of the posts beside which they are compared.

    :param noun: What its posts are called in a sentence.
    """

    label: str
    noun: str
    numbers: Sequence[float]
    others: Sequence[float]

    @property
    def obstacle(self) -> str:
        """Why it cannot be compared; empty if it can."""
        if len(self.numbers) < FEWEST_POSTS:
            return TOO_FEW
        if len(self.others) < FEWEST_POSTS:
            return TOO_FEW_OTHERS
        return "" if median(self.others) else OTHERS_AT_ZERO

    @cached_property
    def key(self) -> tuple[Numbers, Numbers]:
        """Its numbers and the others in their order."""
        return tuple(sorted(self.numbers)), tuple(sorted(self.others))


@dataclass(frozen=True, slots=True)
class Difference:
    """How many times the median of the others the median of a group is, and the ends of the interval.

    :param high: Infinite if the others may have a median of 0.
    """

    group: Group
    ratio: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes 1."""
        return self.low > 1 or self.high < 1

    def sentence(self, metric: str) -> str:
        """Return it in words."""
        does, do = ("reach", "do") if metric == "reach" else ("get", "get")
        to = f" to {_shown(self.high)}" if math.isfinite(self.high) else " or more"
        return f"half of {self.group.noun} {does} {_shown(self.low)}{to} times what half of the others {do}"


class PossibleMedian:
    """The true median of the posts of which some are known.

    :param values: What it may be, in order: the middle of each gap between two neighbouring posts.
    :param chances: The chance of each.
    """

    def __init__(self, posts: Sequence[float]) -> None:
        ordered, count = [0.0, *sorted(posts), math.inf], len(posts)
        reach = 4 * math.sqrt(count)  # eight standard deviations: what is farther away has no chance
        gaps = range(max(0, math.floor(count / 2 - reach)), min(count, math.ceil(count / 2 + reach)) + 1)
        self.values = [(ordered[gap] + ordered[gap + 1]) / 2 if gap else 0.0 for gap in gaps]
        self.chances = [_chance_of_heads(gap, count) for gap in gaps]
        self.chance_below = [0.0, *accumulate(self.chances)]

    def chance_at_most(self, times: float, other: PossibleMedian) -> float:
        """Return the chance that it is at most so many times another one."""
        return sum(
            chance * (1 - other.chance_below[bisect_left(other.values, value / times)])
            for value, chance in zip(self.values, self.chances, strict=True)
        )

    def least_ratio(self, other: PossibleMedian, tail: float) -> float:
        """Return how many times another one it is at least, except with the chance of a tail."""
        if self.chance_at_most(2.0**-LARGEST_POWER, other) >= tail:
            return 0.0
        # 1 is tried first, so that the end of an interval is never beyond 1 by a rounding error.
        low, high = (-LARGEST_POWER, 0) if self.chance_at_most(1, other) >= tail else (0, LARGEST_POWER)
        below, above = float(low), float(high)
        for _ in range(HALVINGS):
            middle = (below + above) / 2
            if self.chance_at_most(2**middle, other) < tail:
                below = middle
            else:
                above = middle
        return float(2**above)


def differences(groups: Sequence[Group]) -> list[Difference | None]:
    """Return how each group differs from the other posts, or None if it cannot be compared.

    The intervals are as wide as Holm's method asks for. Groups of which one is the other posts of the other count once.
    """
    medians = {numbers: PossibleMedian(numbers) for one in groups if not one.obstacle for numbers in one.key}
    tails = {}
    for key in {frozenset(one.key) for one in groups if not one.obstacle}:
        one, other = medians[min(key)], medians[max(key)]
        tails[key] = min(one.chance_at_most(1, other), other.chance_at_most(1, one))
    allowed = _holm(tails)
    return [None if one.obstacle else _difference(one, medians, allowed[frozenset(one.key)]) for one in groups]


def _difference(group: Group, medians: Mapping[Numbers, PossibleMedian], tail: float) -> Difference:
    own, others = (medians[numbers] for numbers in group.key)
    most = others.least_ratio(own, tail)
    ratio = median(group.numbers) / median(group.others)
    return Difference(group, ratio, own.least_ratio(others, tail), 1 / most if most else math.inf)


def _holm(tails: dict[frozenset[Numbers], float]) -> dict[frozenset[Numbers], float]:
    """Return how much each interval leaves out at an end: more for each group that is different, until one is not."""
    allowed, tail, is_different = {}, 0.0, True
    for place, key in enumerate(sorted(tails, key=tails.__getitem__)):
        if is_different:
            tail = ERROR_RATE / 2 / (len(tails) - place)
        is_different = is_different and tails[key] < tail
        allowed[key] = tail
    return allowed


def _chance_of_heads(heads: int, tosses: int) -> float:
    logarithm = math.lgamma(tosses + 1) - math.lgamma(heads + 1) - math.lgamma(tosses - heads + 1)
    return math.exp(logarithm - tosses * math.log(2))


def _shown(ratio: float) -> str:
    return f"{ratio:,.1f}" if ratio >= 1.1 else f"{ratio:.2f}".rstrip("0").rstrip(".")
