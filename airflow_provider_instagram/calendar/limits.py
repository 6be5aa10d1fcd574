"""How close together an account's posts may be."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_instagram.calendar.faults import Fault
from airflow_provider_instagram.calendar.times import spoken

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_instagram.calendar.model import Post

MOST_PER_DAY = 25
MOST_PER_HOUR = 10
WINDOWS = (
    (MOST_PER_HOUR, timedelta(hours=1), "an hour"),
    (MOST_PER_DAY, timedelta(days=1), "24 hours"),
)


def beyond_limits(posts: Iterable[Post], min_spacing: timedelta) -> dict[str, Fault]:
    """Find the posts that an account has no room for: of posts too close together, the later ones.

    :param posts: Posts that are right in themselves.
    :param min_spacing: The smallest distance of two posts of an account.
    :return: Their faults, by the posts' ids.
    """
    faults: dict[str, Fault] = {}
    kept: dict[str, list[Post]] = defaultdict(list)
    for post in sorted(posts, key=lambda post: (post.publish_at, post.line)):
        if fault := _beyond(post, kept[post.account], min_spacing):
            faults[post.id] = fault
        else:
            kept[post.account].append(post)
    return faults


def _beyond(post: Post, before: list[Post], min_spacing: timedelta) -> Fault | None:
    if before and post.publish_at - before[-1].publish_at < min_spacing:
        last = before[-1]
        return Fault(
            post.line,
            f"it is {spoken(post.publish_at - last.publish_at)} after post {last.id!r} (line {last.line}) of the same "
            f"account; min_spacing is {spoken(min_spacing)}.",
            f"Move it to {_shown(post, last, min_spacing)} or later.",
            post.id,
        )
    for most, window, name in WINDOWS:
        if len(before) >= most and post.publish_at - (first := before[-most]).publish_at < window:
            return Fault(
                post.line,
                f"it is post {most + 1} of {post.account} within {name}, from {first.id!r} (line {first.line}): "
                f"at most {most} are allowed.",
                f"Move it to {_shown(post, first, window)} or later.",
                post.id,
            )
    return None


def _shown(post: Post, other: Post, after: timedelta) -> str:
    return (
        (other.publish_at + after).astimezone(post.publish_at.tzinfo).strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00")
    )
