"""Measure what ordering slots by results is worth, beside a random hour, 18:00, and an oracle that knows the hours.

Accounts publish three posts a week at one of five hours. What a post reaches is decided by its hour and by noise. The
audience is steady, or moves after 16 weeks to the hour that is farthest from its former one. Times are proposed for one
week or for four, by what posts had reached a day after they were published. What an hour misses is its share of the
reach of the oracle's hour.
Run ``python -m benchmarks.fill``; exit code 1: over some eight weeks, more was missed than by a random hour, by more
than 5 points.
"""

from __future__ import annotations

import argparse
import math
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import mean
from typing import Final
from zoneinfo import ZoneInfo

from airflow_provider_instagram.calendar.file.slots import Slot
from airflow_provider_instagram.calendar.planning.proposal import AccountSlots, Wanted, propose
from airflow_provider_instagram.insights.hours import HourTable, Reached
from benchmarks.program import as_program

ZONE: Final = ZoneInfo("Europe/Berlin")
START: Final = datetime(2026, 1, 5, tzinfo=ZONE)
WEEKS, A_WEEK, MOVES_AFTER = 48, 3, 16
HOURS: Final = (9, 12, 15, 18, 21)
DAYS: Final = (0, 2, 4)
#: How much more a post reaches at the best hour, and how far from it that fades.
TIMES, WIDTH_H = 2.0, 3.0
#: How many weeks a period has, and by how many points more may be missed than by a random hour over any of them.
PERIOD, MOST_POINTS = 8, 5.0


@dataclass(frozen=True)
class Audience:
    """When the followers of an account are online most, before and after they move."""

    first: int
    later: int

    def missed(self, hour: int, week: int) -> float:
        """Return the share of the oracle's reach that an hour misses."""
        return 1 - math.exp(self.effect(hour, week) - max(self.effect(other, week) for other in HOURS))

    def effect(self, hour: int, week: int) -> float:
        """Return what an hour adds to the logarithm of a post's reach."""
        peak = self.first if week < MOVES_AFTER else self.later
        return math.log(TIMES) * math.exp(-((_apart(hour, peak) / WIDTH_H) ** 2))


def _apart(hour: int, other: int) -> int:
    return min((hour - other) % 24, (other - hour) % 24)


def audiences(accounts: int, *, move: bool) -> list[Audience]:
    """Return the audiences of all accounts: each hour is the best one of as many."""
    peaks = [HOURS[place % len(HOURS)] for place in range(accounts)]
    return [Audience(peak, max(HOURS, key=lambda hour: _apart(hour, peak)) if move else peak) for peak in peaks]


def by_results(audience: Audience, noise: float, plan: int, seed: str) -> list[float]:
    """Return what the proposals for an account miss, by week."""
    chance, posts = random.Random(seed), list[Reached]()  # noqa: S311 -- simulated followers
    slots = tuple(Slot(day, f"{hour:02}:00", ZONE.key) for day in DAYS for hour in HOURS)
    missed: list[list[float]] = [[] for _ in range(WEEKS)]
    for first in range(0, WEEKS, plan):
        now = START + timedelta(weeks=first, hours=-3)
        table = HourTable("24h", [one for one in posts if one.at <= now - timedelta(days=1)], HOURS, ZONE, now)
        taken = [one.at.timestamp() for one in posts]
        wanted = [Wanted(f"{seed} {first} {number}", "brand") for number in range(A_WEEK * plan)]
        for one in propose(wanted, {"brand": AccountSlots(slots, taken, preference=table)}, now, ()):
            assert one.at is not None
            week, hour = (one.at - START).days // 7, one.at.hour
            missed[week].append(audience.missed(hour, week))
            posts.append(Reached(one.at, 1000 * math.exp(audience.effect(hour, week) + chance.gauss(0, noise))))
    return [mean(week) for week in missed]


def over_weeks(accounts: list[list[float]]) -> list[float]:
    """Return what is missed in each week, on average over the accounts."""
    return [mean(column) for column in zip(*accounts, strict=True)]


def worst_points(mine: list[float], other: list[float]) -> float:
    """Return by how many points more is missed over the worst weeks."""
    weeks = [slice(begin, begin + PERIOD) for begin in range(WEEKS - PERIOD + 1)]
    return max(100 * (mean(mine[one]) - mean(other[one])) for one in weeks)


def row(name: str, weeks: list[float], random_hour: list[float]) -> str:
    """Return a row of the table."""
    cells = [f"{100 * mean(weeks[begin : begin + PERIOD]):.0f} %" for begin in range(0, WEEKS, PERIOD)]
    return f"| {name} | {' | '.join(cells)} | {worst_points(weeks, random_hour):+.1f} |"


def main() -> int:
    """Print what each policy misses, and return 1 if the limit was exceeded."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--accounts", type=int, default=40)
    accounts, exceeded = options.parse_args().accounts, False
    for move in (False, True):
        followers = audiences(accounts, move=move)
        chance = over_weeks(
            [[mean(one.missed(hour, week) for hour in HOURS) for week in range(WEEKS)] for one in followers]
        )
        print(f"| audience {'that moves after 16 weeks' if move else 'that stays'} | ", end="")
        print(" | ".join(f"weeks {begin + 1} to {begin + PERIOD}" for begin in range(0, WEEKS, PERIOD)), end="")
        print(" | worst 8 weeks, points above a random hour |", f"|{'---|' * (WEEKS // PERIOD + 2)}", sep="\n")
        for noise in (0.5, 1.0):
            for plan in (1, 4):
                weeks = over_weeks(
                    [by_results(one, noise, plan, f"{place} {noise}") for place, one in enumerate(followers)]
                )
                print(row(f"by results, noise {noise}, plans of {plan} week{'s' if plan > 1 else ''}", weeks, chance))
                exceeded |= worst_points(weeks, chance) > MOST_POINTS
        print(row("a random hour", chance, chance))
        print(row("18:00", over_weeks([[one.missed(18, week) for week in range(WEEKS)] for one in followers]), chance))
        print(row("the oracle's hour", [0.0] * WEEKS, chance), end="\n\n")
    return int(exceeded)


if __name__ == "__main__":
    as_program(main)
