"""Which hours of the week suit an account, estimated from what its posts reached. No Airflow, no files, no calls.

The logarithm of a post's reach is the sum of what its kind, the growth of the account, its weekday and its hour
contribute, and of noise. Hours are a circle on which neighbours are alike. All effects are shrunk to the account's own
level: how strongly is weighed by the marginal likelihood of each strength, so that few posts, or hours that make no
difference, claim nothing. Source: Gelman and others, Bayesian Data Analysis, chapters 5 and 15.

Posts are compared at one age, so a young post is left out rather than counted as a weak one. A viral post counts like
a very good one. Weekdays and hours add up: an hour that is good on Sundays only is not found.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import product
from statistics import NormalDist, median
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from airflow_provider_instagram.ledger.reach import Reached

Vector = list[float]
Matrix = list[Vector]

#: With fewer posts, an estimate says more about the posts than about the hours.
FEWEST_POSTS: Final = 12
WEEKDAYS: Final = 7
HOURS: Final = 24
#: How far the likeness of two hours reaches.
ALIKE_H: Final = 3.0
#: The variance of the effects of weekdays and of hours, as a share of that of the noise.
STRENGTHS: Final = (0.003, 0.03, 0.1, 0.3, 1.0)
#: That of the effects of kinds and of growth, which are only taken out.
FREE: Final = 1.0
#: What is believed of the noise before the first post: its variance, and how many posts that belief is worth.
NOISE, NOISE_POSTS = 0.25, 4
#: A post counts as at most so many standard deviations better or worse than the median of its kind.
MOST_DEVIATIONS: Final = 3.0
_EIGHTY: Final = NormalDist().inv_cdf(0.9)


@dataclass(frozen=True)
class Estimate:
    """What is expected of an hour of the week.

    :param posts: How many posts were published in this hour or in one beside it, on any day.
    :param ratio: The expected reach, as a multiple of the account's median.
    :param low: The lower end of the interval that contains that multiple with a probability of 80 %.
    """

    posts: int
    ratio: float
    low: float
    high: float


@dataclass(frozen=True)
class _Fit:
    """The effects, given the strengths of weekdays and hours.

    :param weight: The probability of these strengths.
    :param root: The Cholesky factor of the inverse of their covariance, without the noise.
    :param noise: The variance of the noise.
    """

    weight: float
    mean: Vector
    root: Matrix
    noise: float

    def spread(self, features: Vector) -> float:
        """Return the variance of a sum of effects."""
        part = _forward(self.root, features)
        return self.noise * _dot(part, part)

    def draw(self, chance: random.Random) -> Vector:
        """Return effects that are as likely as they are believed to be."""
        deviations = _backward(self.root, [chance.gauss(0, math.sqrt(self.noise)) for _ in self.mean])
        return [mean + deviation for mean, deviation in zip(self.mean, deviations, strict=True)]


class BestTimes:
    """The hours of the week of an account."""

    def __init__(self, posts: Iterable[Reached], zone: ZoneInfo) -> None:
        self._zone = zone
        self._posts = sorted((post for post in posts if post.value > 0), key=lambda post: (post.at, post.kind))

    def pick(self, key: str, times: Sequence[datetime]) -> tuple[datetime, str]:
        """Return a time for a post, and why it was chosen.

        The choice is a draw: each time is chosen as often as it is likely to be the best one. So an hour of which
        little is known is tried now and then, and one that is known to be bad is not. The same key draws the same.
        """
        chance = random.Random(key)  # noqa: S311 -- a choice of hours, no secret
        if len(self._posts) < FEWEST_POSTS:
            why = f"an hour to learn from: the numbers of {len(self._posts)} of {FEWEST_POSTS} posts are known"
            return chance.choice(times), why
        fit = chance.choices(self._fits, [one.weight for one in self._fits])[0]
        effects = fit.draw(chance)
        best = max(times, key=lambda at: _dot(self._features_of(at), effects))
        return best, self.why(best)

    def why(self, at: datetime) -> str:
        """Return what is expected of a time, in words."""
        one = self.estimate(at)
        return (
            f"{at.astimezone(self._zone):%a %H:%M}: {one.posts} posts around this hour, {one.ratio:.1f} times the "
            f"median, 80 % between {one.low:.1f} and {one.high:.1f}"
        )

    def estimate(self, at: datetime) -> Estimate:
        """Return what is expected of a time."""
        features, hour = self._features_of(at), at.astimezone(self._zone).hour
        means = [_dot(features, fit.mean) for fit in self._fits]
        mean = sum(fit.weight * one for fit, one in zip(self._fits, means, strict=True))
        variance = sum(
            fit.weight * (fit.spread(features) + (one - mean) ** 2) for fit, one in zip(self._fits, means, strict=True)
        )
        near, width = sum(_apart(self._local(post).hour, hour) <= 1 for post in self._posts), math.sqrt(variance)
        return Estimate(near, *(math.exp(mean + side * width) for side in (0, -_EIGHTY, _EIGHTY)))

    def _local(self, post: Reached) -> datetime:
        return datetime.fromtimestamp(post.at, self._zone)

    @cached_property
    def _kinds(self) -> list[str]:
        return sorted({post.kind for post in self._posts})

    @cached_property
    def _fits(self) -> list[_Fit]:
        """The effects for each pair of strengths, weighed by how likely the pair makes what the posts reached."""
        rows, values = list(map(self._features, self._posts)), self._values()
        columns = [list(column) for column in zip(*rows, strict=True)]
        gram = [[_dot(one, other) for other in columns] for one in columns]
        projected, free = [_dot(column, values) for column in columns], len(columns) - WEEKDAYS - HOURS
        found = [
            self._fit(gram, projected, values, [FREE] * free + [weekday] * WEEKDAYS + [hour] * HOURS)
            for weekday, hour in product(STRENGTHS, STRENGTHS)
        ]
        highest = max(likelihood for likelihood, _ in found)
        weights = [math.exp(likelihood - highest) for likelihood, _ in found]
        return [replace(fit, weight=weight / sum(weights)) for weight, (_, fit) in zip(weights, found, strict=True)]

    @staticmethod
    def _fit(gram: Matrix, projected: Vector, values: Vector, strengths: Vector) -> tuple[float, _Fit]:
        """Return the logarithm of the marginal likelihood of some strengths, and the effects."""
        precision = [list(row) for row in gram]
        for i, strength in enumerate(strengths):
            precision[i][i] += 1 / strength
        root = _cholesky(precision)
        mean = _backward(root, _forward(root, projected))
        posts = len(values) + NOISE_POSTS
        rest = _dot(values, values) - _dot(projected, mean) + NOISE_POSTS * NOISE
        shrunk = sum(math.log(root[i][i]) for i in range(len(root))) + sum(map(math.log, strengths)) / 2
        return -shrunk - posts / 2 * math.log(rest), _Fit(1.0, mean, root, rest / posts)

    def _values(self) -> Vector:
        """Return the logarithm of what each post reached, beside the median of its kind."""
        by_kind = defaultdict(list)
        for post in self._posts:
            by_kind[post.kind].append(math.log(post.value))
        middle = {kind: median(values) for kind, values in by_kind.items()}
        beside = [math.log(post.value) - middle[post.kind] for post in self._posts]
        most = MOST_DEVIATIONS * max(1.4826 * median(map(abs, beside)), 0.1)
        return [max(-most, min(most, value)) for value in beside]

    def _features(self, post: Reached) -> Vector:
        first, last = self._posts[0].at, self._posts[-1].at
        growth = 2 * (post.at - first) / max(1, last - first) - 1
        kinds = [float(post.kind == kind) for kind in self._kinds]
        return [*kinds, growth, *self._beside_usual(self._local(post))]

    def _features_of(self, at: datetime) -> Vector:
        return [0.0] * (len(self._kinds) + 1) + self._beside_usual(at.astimezone(self._zone))

    def _beside_usual(self, local: datetime) -> Vector:
        return [value - usual for value, usual in zip(_hour_features(local), self._usual, strict=True)]

    @cached_property
    def _usual(self) -> Vector:
        """The features of the hours at which the account has published, on average: what the median stands for."""
        of_posts = [_hour_features(self._local(post)) for post in self._posts]
        return [sum(column) / len(of_posts) for column in zip(*of_posts, strict=True)]


def _apart(hour: int, other: int) -> int:
    return min((hour - other) % HOURS, (other - hour) % HOURS)


def _hour_features(local: datetime) -> Vector:
    """Return which weekday it is, and the hour as a sum of independent effects."""
    return [float(day == local.weekday()) for day in range(WEEKDAYS)] + _CIRCLE[local.hour]


def _dot(one: Vector, other: Vector) -> float:
    return sum(map(float.__mul__, one, other))


def _cholesky(matrix: Matrix) -> Matrix:
    """Return the lower triangle whose square is the matrix, which is symmetric and positive."""
    root: Matrix = [[0.0] * len(matrix) for _ in matrix]
    for i, row in enumerate(root):
        for j in range(i + 1):
            rest = matrix[i][j] - _dot(row[:j], root[j][:j])
            row[j] = math.sqrt(rest) if i == j else rest / root[j][j]
    return root


def _forward(root: Matrix, values: Vector) -> Vector:
    """Solve ``root @ x = values``."""
    solved: Vector = []
    for row, value in zip(root, values, strict=True):
        solved.append((value - _dot(row[: len(solved)], solved)) / row[len(solved)])
    return solved


def _backward(root: Matrix, values: Vector) -> Vector:
    """Solve ``root.T @ x = values``."""
    solved = list(values)
    for i in reversed(range(len(root))):
        solved[i] = (solved[i] - sum(root[k][i] * solved[k] for k in range(i + 1, len(root)))) / root[i][i]
    return solved


def _likeness(hour: int, other: int) -> float:
    angle = math.pi * _apart(hour, other) / HOURS
    reach = math.pi * ALIKE_H / HOURS
    return math.exp(-((math.sin(angle) / math.sin(reach)) ** 2) / 2) + (1e-6 if hour == other else 0)


_CIRCLE: Final = _cholesky([[_likeness(hour, other) for other in range(HOURS)] for hour in range(HOURS)])
