"""How close together an account's posts may be, and how many its connection allows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.calendar.file.times import spoken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import timedelta

    from airflow_provider_instagram.calendar.file.model import Calendar, Post
    from airflow_provider_instagram.quota.limits import Limits


def too_close(posts: Iterable[Post], min_spacing: timedelta) -> dict[str, Problem]:
    """Find the posts that follow another of their account too closely.

    :param posts: Posts that are right in themselves.
    :param min_spacing: The smallest distance of two posts of an account.
    :return: Their faults, by the posts' ids.
    """

    def fault(post: Post, before: list[Post]) -> Problem | None:
        if not before or post.publish_at - before[-1].publish_at >= min_spacing:
            return None
        last = before[-1]
        return Problem(
            post.line,
            f"it is {spoken(post.publish_at - last.publish_at)} after post {last.id!r} (line {last.line}) of the same "
            f"account; min_spacing is {spoken(min_spacing)}.",
            f"Move it to {_shown(post, last, min_spacing)} or later.",
            post.id,
        )

    return _left_out(posts, fault)


def within_limits(calendar: Calendar, limits: Mapping[str, Limits]) -> Calendar:
    """Return a calendar without the posts that are more than an account's connection allows: they are faults.

    :param calendar: The calendar.
    :param limits: What the connections allow, by account; an account that is not there is not looked at.
    """

    def fault(post: Post, before: list[Post]) -> Problem | None:
        for quota in limits[post.account].quotas:
            if (
                len(before) >= quota.posts
                and post.publish_at - (first := before[-quota.posts]).publish_at < quota.period
            ):
                return Problem(
                    post.line,
                    f"it is post {quota.posts + 1} of {post.account} within {spoken(quota.period)}, from {first.id!r} "
                    f"(line {first.line}); posts_per_{quota.name} is {quota.posts}.",
                    f"Move it to {_shown(post, first, quota.period)} or later, or raise posts_per_{quota.name} in the "
                    "account's connection.",
                    post.id,
                )
        return None

    beyond = _left_out((post for post in calendar.posts if post.account in limits), fault)
    if not beyond:
        return calendar
    return replace(
        calendar,
        posts=tuple(post for post in calendar.posts if post.id not in beyond),
        faults=tuple(sorted((*calendar.faults, *beyond.values()), key=lambda fault: (fault.line, fault.message))),
        left_out=calendar.left_out | frozenset(beyond),
    )


def _left_out(posts: Iterable[Post], find: Callable[[Post, list[Post]], Problem | None]) -> dict[str, Problem]:
    """Go through the posts by time; a post with a fault does not count for those after it.

    :param posts: The posts.
    :param find: Returns a post's fault, told by the posts of its account that were kept before it.
    """
    faults: dict[str, Problem] = {}
    kept: dict[str, list[Post]] = defaultdict(list)
    for post in sorted(posts, key=lambda post: (post.publish_at, post.line)):
        if fault := find(post, kept[post.account]):
            faults[post.id] = fault
        else:
            kept[post.account].append(post)
    return faults


def _shown(post: Post, other: Post, after: timedelta) -> str:
    return (
        (other.publish_at + after).astimezone(post.publish_at.tzinfo).strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00")
    )
