"""What an account's posts reached, by the hour at which they were published: a table by which slots are ordered.

A person can check each number of it, and a slot is chosen by nothing else:

* The reach of each post at one age counts, also one of 0. A reading that is off by more than a quarter of its age
  does not, nor does a story.
* A line is the median of the newest 12 posts of an hour, of which one that is 8 weeks older weighs half.
* Nothing is said with fewer than 12 posts in all, nor of an hour with posts on fewer than 4 dates.
* One post in five is given an hour of which nothing is said yet.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from airflow.sdk import conf

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.insights.reader import MOST_DAYS, read_posts
from airflow_provider_instagram.insights.schema import READ, compared_age
from airflow_provider_instagram.insights.targets import SqlTarget
from airflow_provider_instagram.posts.kinds import PostKind

if TYPE_CHECKING:
    from airflow_provider_instagram.insights.results import Measured

HALF_LIFE: Final = timedelta(weeks=8)
FEWEST_POSTS, FEWEST_DATES = 12, 4
#: So many posts of an hour count: with more, an hour that was good would stay on top for months after it no longer is.
MOST_OF_HOUR: Final = 12
ONE_IN: Final = 5


@dataclass(frozen=True)
class Reached:
    """What a post reached at the age at which all are compared."""

    at: datetime
    reach: float


@dataclass(frozen=True)
class HourLine:
    """What is known of an hour.

    :param median: The weighted median of what its posts reached; None if nothing is said.
    """

    hour: int
    posts: int
    dates: int
    median: float | None = None


@dataclass(frozen=True)
class HourTable:
    """What posts reached in the hours of an account's slots.

    :param age: The age at which their posts are compared.
    :param hours: The hours of the slots.
    :param zone: In which hours and dates are meant.
    """

    age: str
    reached: Sequence[Reached]
    hours: Collection[int]
    zone: ZoneInfo
    now: datetime

    @cached_property
    def _by_hour(self) -> Mapping[int, Sequence[Reached]]:
        """The newest posts of each allowed hour."""
        by_hour = defaultdict[int, list[Reached]](list)
        for one in sorted(self.reached, key=lambda one: one.at, reverse=True):
            posts = by_hour[self._hour(one.at)]
            if len(posts) < MOST_OF_HOUR:
                posts.append(one)
        return {hour: by_hour[hour] for hour in sorted(self.hours)}

    @cached_property
    def _counting(self) -> Sequence[Reached]:
        """The posts of all allowed hours."""
        return [one for posts in self._by_hour.values() for one in posts]

    @cached_property
    def median(self) -> float | None:
        """The weighted median of the posts of all allowed hours; None if nothing is said."""
        return self._median(self._counting) if self._speaks else None

    @cached_property
    def lines(self) -> Mapping[int, HourLine]:
        """The lines by hour."""
        return {hour: self._line(hour, posts) for hour, posts in self._by_hour.items()}

    @property
    def _speaks(self) -> bool:
        return len(self._counting) >= FEWEST_POSTS

    def _line(self, hour: int, posts: Sequence[Reached]) -> HourLine:
        dates = self._dates(posts)
        says = self._speaks and dates >= FEWEST_DATES
        return HourLine(hour, len(posts), dates, self._median(posts) if says else None)

    def _median(self, posts: Iterable[Reached]) -> float:
        """Return the value below which half of the weight is."""
        weighted = sorted((one.reach, 0.5 ** ((self.now - one.at) / HALF_LIFE)) for one in posts)
        half, weight = sum(one for _, one in weighted) / 2, 0.0
        for reach, one in weighted:
            weight += one
            if weight >= half:
                return reach
        return weighted[-1][0]

    def _hour(self, at: datetime) -> int:
        return at.astimezone(self.zone).hour

    def _dates(self, posts: Iterable[Reached]) -> int:
        return len({one.at.astimezone(self.zone).date() for one in posts})

    def pick(self, post_id: str, free: Sequence[datetime], taken: Sequence[float]) -> tuple[datetime, str]:
        """Return one of the free times, and why.

        1. As long as nothing is said of any of their hours, take the one that was used longest ago.
        2. One post in five, by its id, tries an hour of which nothing is said. If there is none, as 1.
        3. Otherwise, take the best hour that is not below the median of all, or else one of which nothing is said, or
           else the best one.

        :param taken: When the account has its other posts, in seconds since the epoch.
        """
        first = {at.hour: at for at in reversed(free)}
        known = {hour: median for hour in first if (median := self.lines[hour].median) is not None}
        new, used = [hour for hour in first if hour not in known], self._last_used(taken)

        def longest_ago(hours: Iterable[int]) -> int:
            return min(hours, key=lambda hour: (used.get(hour, 0.0), hour))

        best = max(known, key=known.__getitem__, default=None)
        if best is None:
            hour, why = longest_ago(first), "the hours take turns"
        elif int(hashlib.sha256(post_id.encode()).hexdigest()[:8], 16) % ONE_IN == 0:
            hour, why = longest_ago(new or first), "tried on purpose, as one post in five"
        elif new and known[best] < (self.median or 0.0):
            hour, why = longest_ago(new), "no free hour is above the median, so another is tried"
        else:
            hour, why = best, "by results"
        return first[hour], f"{why}: {self._words(self.lines[hour])}"

    def _last_used(self, taken: Sequence[float]) -> dict[int, float]:
        times_s = sorted([*taken, *(one.at.timestamp() for one in self.reached)])
        return {self._hour(datetime.fromtimestamp(at_s, self.zone)): at_s for at_s in times_s}

    def _words(self, line: HourLine) -> str:
        about = f"{line.hour:02}:00 has {line.posts} posts on {line.dates} dates"
        if line.median is None:
            return f"{about}, too few to tell"
        return f"{about}, median {line.median:,.0f} beside {self.median:,.0f} of all hours"

    def text(self) -> Iterator[str]:
        """Yield the table as a person reads it."""
        yield f"hour    median  posts  dates   (reach at {self.age or 'no age'}, times in {self.zone.key})"
        rows = [(f"{line.hour:02}:00", line.median, line.posts, line.dates) for line in self.lines.values()]
        everything = ("all", self.median, len(self._counting), self._dates(self._counting))
        for name, median, posts, dates in (*rows, everything):
            yield f"{name:<5} {'too few' if median is None else f'{median:,.0f}':>8}  {posts:5}  {dates:5}"


def read_table(account: str, hours: Collection[int], zone: ZoneInfo, now: datetime) -> HourTable:
    """Read the table of an account from the database that *Results* on the Posts page reads.

    :raises ValidationError: If no such database is named, or it cannot be read.
    """
    conn_id, _, schema = conf.get("instagram", "insights_target", fallback="").strip().partition("/")
    if not conn_id:
        raise ValidationError(
            "No database is named in which insights_dag() stores what posts reached.",
            hint="Set [instagram] insights_target to its connection.",
        )
    since = now - timedelta(days=MOST_DAYS)
    posts, _ = read_posts(SqlTarget(conn_id, schema or None), [account], "reach", since, now)
    return HourTable(*_reached(posts), hours, zone, now)


def _reached(posts: Sequence[Measured]) -> tuple[str, list[Reached]]:
    """Return the age at which posts are compared, and what those reached that were read in time."""
    kept = [post for post in posts if post.kind is not PostKind.STORY]
    ages = sorted({timedelta(seconds=one.age_s) for post in kept for one in post.readings.values()})
    if not ages:
        return "", []
    age = compared_age(PostKind.REEL.value, ages)
    age_s = round(age.after.total_seconds())
    read = [(post, post.reading(age_s)) for post in kept if not post.is_late(age_s)]
    return age.name, [
        Reached(post.at, one.value) for post, one in read if one and one.status == READ and one.value is not None
    ]
