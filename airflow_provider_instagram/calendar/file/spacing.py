"""How close together an account's posts may be, and how many its connection allows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.calendar.file.times import as_written, in_words, moment, zone_of
from airflow_provider_instagram.quota.reservations import post_quotas

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import Calendar, ScheduledPost
    from airflow_provider_instagram.hooks.instagram import Limits


@dataclass(frozen=True)
class _Limit:
    """How many posts an account may have within a period.

    :param name: The setting of the limit.
    :param value: Its value, as a message shows it.
    :param or_else: What a user may do instead of moving a post.
    """

    name: str
    value: str
    posts: int
    period: timedelta
    or_else: str = ""

    def problem(self, post: ScheduledPost, before: list[ScheduledPost]) -> Problem | None:
        """Return the problem of a post, given the earlier posts of its account."""
        if len(before) < self.posts:
            return None
        first = before[-self.posts]
        after = post.publish_at - first.publish_at
        if after >= self.period:
            return None
        earliest = moment(first.publish_at + self.period, zone_of(post.publish_at))
        return Problem(
            post.line,
            f"it is {in_words(after)} after post {first.id!r} (line {first.line}) of the same account; "
            f"{self.name} is {self.value}.",
            f"Move it to {as_written(earliest)} or later{self.or_else}.",
            post.id,
            "publish_at",
        )


def too_close(posts: Iterable[ScheduledPost], min_spacing: timedelta) -> dict[str, Problem]:
    """Return the posts that follow another post of their account too closely."""
    limit = _Limit("min_spacing", in_words(min_spacing), 1, min_spacing)
    return _problems_by_id(posts, lambda _: [limit])


def within_limits(calendar: Calendar, limits: Mapping[str, Limits]) -> Calendar:
    """Return a calendar without the posts that exceed the limits of their account's connection. They are problems.

    :param limits: What the connections allow, by account. The posts of other accounts are not
        checked.
    """
    by_account = dict[str, list[_Limit]]()
    for account, allowed in limits.items():
        by_account[account] = []
        for quota in post_quotas(allowed.posts_per_hour, allowed.posts_per_day):
            name = f"posts_per_{quota.name}"
            or_else = f", or raise {name} in the account's connection"
            limit = _Limit(name, str(quota.posts), quota.posts, quota.period, or_else)
            by_account[account].append(limit)
    problems = _problems_by_id(calendar.posts, lambda account: by_account.get(account, []))
    return calendar.without(problems)


def _problems_by_id(
    posts: Iterable[ScheduledPost], limits_of: Callable[[str], list[_Limit]]
) -> dict[str, Problem]:
    """Return the problems of posts, by post id. A post with a problem does not count for the posts after it."""
    problems: dict[str, Problem] = {}
    kept: dict[str, list[ScheduledPost]] = defaultdict(list)
    for post in sorted(posts, key=lambda post: (post.publish_at, post.line)):
        before = kept[post.account]
        found = [limit.problem(post, before) for limit in limits_of(post.account)]
        broken = [problem for problem in found if problem is not None]
        if broken:
            problems[post.id] = broken[0]
        else:
            before.append(post)
    return problems
