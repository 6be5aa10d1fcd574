"""Which run publishes which post, and when a late post is published. No Airflow, no files, no calls."""

from __future__ import annotations

import logging
import random
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from airflow_provider_instagram.calendar.file.times import in_words
from airflow_provider_instagram.publishing.use_case import Skipped

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import Calendar, ScheduledPost
    from airflow_provider_instagram.calendar.planning.assignments import Assignment, Assignments

#: A post is late after this. A worker that starts slowly does not make a post late.
PUNCTUAL = timedelta(seconds=60)
#: Runs begin at whole minutes, so up to one minute earlier than the lead time.
MINUTE_S = 60
#: The time of a post comes from Instagram, whose clock differs from ours.
CLOCKS_DIFFER = timedelta(minutes=2)
#: Posts whose preparation begins in one hour share a run, so that few runs are active while their questions are open.
HOUR_S = 3600
#: How long the chosen time of a late post counts. No late post chose its time longer ago.
LATE_TIMES_KEPT = timedelta(days=2)


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(timezone.utc)


def run_time_of(due_s: float, lead_time: timedelta, together_s: int = MINUTE_S) -> int:
    """Return when the run of a post begins: a lead time ahead, at a whole minute that posts share."""
    return int((due_s - lead_time.total_seconds()) // together_s) * together_s


def reason_to_drop(
    post: ScheduledPost, calendar: Calendar | None, assigned: Assignment | None, run: str
) -> Skipped | None:
    """Return why a run drops a post that was assigned to it.

    :param calendar: The calendar as it is now; None if it cannot be read.
    :return: The reason in a word, and in a sentence; None if the post is still wanted in this version.
    """
    now = post if calendar is None else calendar.post(post.id)
    if now is None:
        return Skipped("removed", f"{post.id} was removed from the calendar, so it is not published.")
    if now.version != post.version:
        if now.publish_at != post.publish_at:
            word = f"moved to {now.publish_at:%Y-%m-%d %H:%M}"
            why = f"{post.id} was {word}: a run of its own publishes it then, unless that time had passed."
            return Skipped(word, why)
        return Skipped("edited", f"{post.id} was edited: a run of its own publishes the new version.")
    if assigned is not None and assigned.is_skip_of(post):
        return Skipped("skipped", f"{assigned.skipped_by} decided on the page Posts that {post.id} is not published.")
    if assigned is not None and assigned.run not in ("", run):
        return Skipped("taken over", f"{post.id} was taken over by the run {assigned.run}.")
    return None


def too_late(post: ScheduledPost, now: datetime, at: datetime, *, late: str, max_lateness: timedelta) -> Skipped | None:
    """Return why a post may no longer be published.

    :param at: When it could be published.
    """
    after = now - post.publish_at
    if after <= PUNCTUAL:
        return None
    if late == "skip":
        return Skipped("skipped: late", f"It is {in_words(after)} after its time, and late posts are skipped.")
    if at - post.publish_at <= max_lateness:
        return None
    return Skipped(
        f"skipped: {in_words(after)} late",
        f"The earliest it can be published is {in_words(at - post.publish_at)} after its time; "
        f"max_lateness is {in_words(max_lateness)}.",
    )


def other_times(
    post: ScheduledPost, calendar: Calendar, assignments: Assignments, now: datetime
) -> dict[str, datetime]:
    """Return the times of the other posts of an account, to which a late post may come too close.

    :return: By post key: the times of posts to come and of posts just published, and those that late posts have chosen.
    """
    times = {}
    for other in calendar.posts:
        if other.account != post.account or other.id == post.id or other.publish_at < now - LATE_TIMES_KEPT:
            continue
        chosen = assignments.late_time(other) if other.publish_at <= now else None
        if chosen or other.publish_at > now - calendar.min_spacing:
            times[other.key] = chosen or other.publish_at
    last = assignments.last_time_without_calendar() if calendar.post(post.id) is None else None
    if last is not None and last[0] != post.key:
        times.setdefault(*last)  # the calendar cannot be read, so nothing else is known of the other posts
    return times


def first_free_time(earliest: datetime, others: Iterable[datetime], spacing: timedelta) -> datetime:
    """Return the first time that keeps its distance to all other posts."""
    at = earliest
    for other in sorted(others):
        if abs(at - other) < spacing:
            at = other + spacing
    return at


def most_in_window(times: Iterable[float], window: timedelta) -> int:
    """Return the largest number of times that fall into one window of this length."""
    ordered = sorted(times)
    return max(
        (index + 1 - bisect_right(ordered, time - window.total_seconds()) for index, time in enumerate(ordered)),
        default=0,
    )


#: A publisher needs this long to prepare, and then keeps its time to the second.
PREPARATION = timedelta(seconds=10)
#: After its first conflict, a publisher pauses at random for up to this time, and longer after each further one.
MAX_PAUSE_S = 2.0

log = logging.getLogger(__name__)


def choose_late_time(
    post: ScheduledPost,
    calendar: Calendar,
    assignments: Assignments,
    *,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None] = time.sleep,
) -> datetime:
    """Choose a time for a late post, or keep the one that it chose before.

    1. Record the first free time. If the process dies here, the next try keeps this time, or chooses again if it has
       passed.
    2. Read the times of the account's other posts. Of two publishers, the one that recorded its time later sees the
       other's time, so at least one of them finds the conflict.
    3. If no other post is too close, return the time.
    4. Otherwise forget the time, pause, and start again. If the process dies here, the time is free for others.
    """
    at = assignments.late_time(post, any_version=False)
    if at is None or at <= clock() - PUNCTUAL:
        at = _record_free_time(post, calendar, assignments, clock())
    tries = 0
    while True:
        others = other_times(post, calendar, assignments, clock())
        near = [key for key, other in others.items() if abs(at - other) < calendar.min_spacing]
        if not near:
            return at
        tries += 1
        log.info("%s is too close to %s, so it looks for a later time.", post.key, near[0])
        assignments.forget_late_time(post)
        sleep(random.uniform(0, MAX_PAUSE_S * tries))  # noqa: S311 -- no secret
        at = _record_free_time(post, calendar, assignments, clock())


def _record_free_time(post: ScheduledPost, calendar: Calendar, assignments: Assignments, now: datetime) -> datetime:
    others = other_times(post, calendar, assignments, now)
    earliest, without_calendar = now + PREPARATION, calendar.post(post.id) is None
    if without_calendar and (last := assignments.last_time_without_calendar()) is not None:
        earliest = max(earliest, last[1])
    at = first_free_time(earliest, others.values(), calendar.min_spacing)
    near = next((key.partition("/")[2] for key, other in others.items() if at == other + calendar.min_spacing), None)
    assignments.record_late_time(post, at, chosen_at=now, distance_to=near if at > earliest else None)
    if without_calendar:
        assignments.record_time_without_calendar(post, at)
    return at
