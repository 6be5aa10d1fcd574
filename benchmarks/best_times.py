"""Measure what choosing hours by results is worth: the regret against an oracle, beside fixed slots in the same run.

Accounts post once a day for half a year. What a post reaches is decided by its hour and by noise. A week's times are
chosen on its Monday, by what posts had reached a day after they were published. Regret is the share of the oracle's
reach that a policy misses; the oracle knows the hours.
Run ``python -m benchmarks.best_times``; exit code 1: a limit was exceeded.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import mean
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from airflow_provider_instagram.calendar.planning.best_times import BestTimes
from airflow_provider_instagram.ledger.reach import Reached
from airflow_provider_instagram.posts.kinds import PostKind
from benchmarks.program import as_program

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Policy = Callable[[Sequence[Reached], range], list[int]]

ZONE: Final = ZoneInfo("Europe/Berlin")
START: Final = datetime(2026, 1, 5, tzinfo=ZONE)
ACCOUNTS, DAYS, NOISE = 10, 182, 0.5
#: What a lead may allow.
HOURS: Final = range(8, 23)
PERIODS: Final = ((0, 14), (14, 28), (28, 56), (56, DAYS))
#: From the ninth week on, so much of the oracle's reach may be missed, as a share of what fixed slots miss.
MOST_REGRET: Final = 0.75


@dataclass(frozen=True)
class Account:
    """An account whose followers are online most at one hour.

    :param peak: That hour.
    :param strength: How much more a post reaches then, as a logarithm.
    """

    peak: int
    strength: float

    def effect(self, hour: int) -> float:
        """Return what an hour adds to the logarithm of a post's reach."""
        apart = min((hour - self.peak) % 24, (self.peak - hour) % 24)
        return self.strength * math.exp(-((apart / 3) ** 2))


def learned(posts: Sequence[Reached], days: range) -> list[int]:
    """Choose the hours of some days as a calendar with ``slots: auto`` does."""
    times = BestTimes(posts, ZONE)
    return [
        times.pick(f"brand/{day}", [START + timedelta(days=day, hours=hour) for hour in HOURS])[0].hour for day in days
    ]


def fixed(hour: int) -> Policy:
    """Choose the same hour each day."""
    return lambda _posts, days: [hour for _ in days]


def regret(account: Account, policy: Policy, seed: str) -> list[float]:
    """Return the share of the oracle's reach that a policy misses, in each period."""
    chance, posts, missed = random.Random(seed), list[Reached](), list[float]()  # noqa: S311 -- simulated followers
    best = max(map(account.effect, HOURS))
    for monday in range(0, DAYS, 7):
        days = range(monday, monday + 7)
        for day, hour in zip(days, policy(posts[:-1], days), strict=True):
            missed.append(1 - math.exp(account.effect(hour) - best))
            at = int((START + timedelta(days=day, hours=hour)).timestamp())
            value = 1000 * math.exp(account.effect(hour) + chance.gauss(0, NOISE))
            posts.append(Reached(at=at, kind=PostKind.REEL, value=value))
    return [mean(missed[begin:end]) for begin, end in PERIODS]


def main() -> int:
    """Print the regret of each policy, and return 1 if a limit was exceeded."""
    chance, exceeded = random.Random(2026), False  # noqa: S311 -- simulated followers
    weeks = " ".join(f"weeks {begin // 7 + 1} to {end // 7:<3}" for begin, end in PERIODS)
    for times in (2.0, 1.3):
        accounts = [Account(chance.choice(HOURS), math.log(times)) for _ in range(ACCOUNTS)]
        policies: dict[str, list[Policy]] = {
            "slots: auto": [learned] * ACCOUNTS,
            "fixed, any hour": [fixed(chance.choice(HOURS)) for _ in accounts],
            "fixed, 18:00": [fixed(18)] * ACCOUNTS,
        }
        print(
            f"\n{ACCOUNTS} accounts that reach {times:g} times as many at one hour\n{'missed of the oracle':22}{weeks}"
        )
        last = {}
        for name, own in policies.items():
            rows = [regret(one, own[place], f"{times} {place}") for place, one in enumerate(accounts)]
            means = [mean(column) for column in zip(*rows, strict=True)]
            print(f"{name:<22}{' '.join(f'{value:<14.1%}' for value in means)}")
            last[name] = means[-1]
        exceeded |= last["slots: auto"] > MOST_REGRET * last["fixed, any hour"]
    return int(exceeded)


if __name__ == "__main__":
    as_program(main)
