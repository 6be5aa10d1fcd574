"""How close together an account's posts may be, and how many its connection allows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.calendar.file.times import as_written, in_words, moment, zone_of
from airflow_provider_instagram.quota.reservations import post_quotas

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import Calendar, ScheduledPost
    from airflow_provider_instagram.hooks.instagram import Limits


def too_close(posts: Iterable[ScheduledPost], min_spacing: timedelta) -> dict[str, Problem]:
    """Return the posts that follow another post of their account too closely."""

    def find(post: ScheduledPost, before: list[ScheduledPost]) -> Problem | None:
        if not before or post.publish_at - before[-1].publish_at >= min_spacing:
            return None
        last = before[-1]
        return Problem(
            post.line,
            f"it is {in_words(post.publish_at - last.publish_at)} after post {last.id!r} (line {last.line}) of the "
            f"same account; min_spacing is {in_words(min_spacing)}.",
            f"Move it to {_time_after(last, min_spacing, post)} or later.",
            post.id,
            "publish_at",
        )

    return _problems_by_id(posts, find)


def within_limits(calendar: Calendar, limits: Mapping[str, Limits]) -> Calendar:
    """Return a calendar without the posts that exceed the limits of their account's connection. They are problems.

    :param limits: What the connections allow, by account. The posts of other accounts are not
        checked.
    """

    def find(post: ScheduledPost, before: list[ScheduledPost]) -> Problem | None:
        for quota in post_quotas(
            limits[post.account].posts_per_hour, limits[post.account].posts_per_day
        ):
            first = before[-quota.posts] if len(before) >= quota.posts else None
            if first is not None and post.publish_at - first.publish_at < quota.period:
                return Problem(
                    post.line,
                    f"it is post {quota.posts + 1} of {post.account} within {in_words(quota.period)}, from "
                    f"{first.id!r} (line {first.line}); posts_per_{quota.name} is {quota.posts}.",
                    f"Move it to {_time_after(first, quota.period, post)} or later, or raise posts_per_{quota.name} "
                    "in the account's connection.",
                    post.id,
                    "publish_at",
                )
        return None

    excess = _problems_by_id((post for post in calendar.posts if post.account in limits), find)
    if not excess:
        return calendar
    problems = sorted(
        (*calendar.problems, *excess.values()), key=lambda problem: (problem.line, problem.message)
    )
    return replace(
        calendar,
        posts=tuple(post for post in calendar.posts if post.id not in excess),
        problems=tuple(problems),
        left_out=calendar.left_out | frozenset(excess),
    )


def _problems_by_id(
    posts: Iterable[ScheduledPost],
    find: Callable[[ScheduledPost, list[ScheduledPost]], Problem | None],
) -> dict[str, Problem]:
    """Return the problems of posts, by post id. A post with a problem does not count for the posts after it.

    :param find: Returns a post's problem, given the earlier posts of its account that have none.
    """
    problems: dict[str, Problem] = {}
    kept: dict[str, list[ScheduledPost]] = defaultdict(list)
    for post in sorted(posts, key=lambda post: (post.publish_at, post.line)):
        if problem := find(post, kept[post.account]):
            problems[post.id] = problem
        else:
            kept[post.account].append(post)
    return problems


def _time_after(other: ScheduledPost, span: timedelta, post: ScheduledPost) -> str:
    """Return the time that is ``span`` after another post, in the time zone of this post."""
    return as_written(moment(other.publish_at + span, zone_of(post.publish_at)))
