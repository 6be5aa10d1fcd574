"""When a late post is published, and when it is too late. No Airflow, no files, no calls."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_instagram.calendar.file.times import in_words
from airflow_provider_instagram.publishing.use_case import Skipped

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.columns import Calendar, ScheduledPost
    from airflow_provider_instagram.calendar.planning.post_rows import PostRows

#: A post is late after this. A worker that starts slowly does not make a post late.
PUNCTUAL = timedelta(seconds=60)
#: The time of a post comes from Instagram, whose clock differs from ours.
CLOCKS_DIFFER = timedelta(minutes=2)
#: How long the chosen time of a late post counts. No late post chose its time longer ago.
LATE_TIMES_KEPT = timedelta(days=2)


def too_late(
    post: ScheduledPost, now: datetime, at: datetime, *, late: str, max_lateness: timedelta
) -> Skipped | None:
    """Return why a post may no longer be published.

    :param at: When it could be published.
    """
    after = now - post.publish_at
    if after <= PUNCTUAL:
        return None
    if late == "skip":
        return Skipped(
            "skipped: late", f"It is {in_words(after)} after its time, and late posts are skipped."
        )
    if at - post.publish_at <= max_lateness:
        return None
    return Skipped(
        f"skipped: {in_words(after)} late",
        f"The earliest it can be published is {in_words(at - post.publish_at)} after its time; "
        f"max_lateness is {in_words(max_lateness)}.",
    )


def other_times(
    post: ScheduledPost, calendar: Calendar, rows: PostRows, now: datetime
) -> dict[str, datetime]:
    """Return the times of the other posts of an account, to which a late post may come too close.

    :return: By post key: the times of posts to come and of posts just published, and those that
        late posts have chosen.
    """
    times = {}
    for other in calendar.posts:
        if (
            other.account != post.account
            or other.id == post.id
            or other.publish_at < now - LATE_TIMES_KEPT
        ):
            continue
        chosen = rows.late_time(other) if other.publish_at <= now else None
        if chosen or other.publish_at > now - calendar.min_spacing:
            times[other.key] = chosen or other.publish_at
    return times


def first_free_time(earliest: datetime, others: Iterable[datetime], spacing: timedelta) -> datetime:
    """Return the first time that keeps its distance to all other posts."""
    at = earliest
    for other in sorted(others):
        if abs(at - other) < spacing:
            at = other + spacing
    return at


#: A publisher needs this long to prepare, and then keeps its time to the second.
PREPARATION = timedelta(seconds=10)
#: After its first conflict, a publisher pauses at random for up to this time, and longer after each
#: further one.
MAX_PAUSE_S = 2.0

log = logging.getLogger(__name__)


def choose_late_time(
    post: ScheduledPost,
    calendar: Calendar,
    rows: PostRows,
    *,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None] = time.sleep,
) -> datetime:
    """Choose a time for a late post, or keep the one that it chose before.

    1. Record the first free time. If the process dies here, the next try keeps this time, or
       chooses again if it has passed.
    2. Read the times of the account's other posts. Of two publishers, the one that recorded its
       time later sees the other's time, so at least one of them finds the conflict.
    3. If no other post is too close, return the time.
    4. Otherwise forget the time, pause, and start again. If the process dies here, the time is free
       for others.
    """
    at = rows.late_time(post, any_version=False)
    if at is None or at <= clock() - PUNCTUAL:
        at = _record_free_time(post, calendar, rows, clock())
    tries = 0
    while True:
        others = other_times(post, calendar, rows, clock())
        near = [key for key, other in others.items() if abs(at - other) < calendar.min_spacing]
        if not near:
            return at
        tries += 1
        log.info("%s is too close to %s, so it looks for a later time.", post.key, near[0])
        rows.record_late_time(post, None)
        sleep(random.uniform(0, MAX_PAUSE_S * tries))  # noqa: S311 -- no secret
        at = _record_free_time(post, calendar, rows, clock())


def _record_free_time(
    post: ScheduledPost, calendar: Calendar, rows: PostRows, now: datetime
) -> datetime:
    others = other_times(post, calendar, rows, now)
    at = first_free_time(now + PREPARATION, others.values(), calendar.min_spacing)
    rows.record_late_time(post, at)
    return at
