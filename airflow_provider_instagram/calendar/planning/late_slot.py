"""When a late post is published: two publishers of an account that choose a time at once must not choose the same."""

from __future__ import annotations

import itertools
import logging
import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_instagram.calendar.planning.schedule import PUNCTUAL, first_free_time, other_times, utc_now

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import Calendar, ScheduledPost
    from airflow_provider_instagram.calendar.planning.assignments import Assignments

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
    clock: Callable[[], datetime] = utc_now,
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
    for tries in itertools.count(1):
        others = other_times(post, calendar, assignments, clock())
        near = [key for key, other in others.items() if abs(at - other) < calendar.min_spacing]
        if not near:
            return at
        log.info("%s is too close to %s, so it looks for a later time.", post.key, near[0])
        assignments.forget_late_time(post)
        sleep(random.uniform(0, MAX_PAUSE_S * tries))  # noqa: S311 -- no secret
        at = _record_free_time(post, calendar, assignments, clock())
    raise AssertionError("unreachable")


def _record_free_time(post: ScheduledPost, calendar: Calendar, assignments: Assignments, now: datetime) -> datetime:
    others = other_times(post, calendar, assignments, now)
    earliest, without_calendar = now + PREPARATION, calendar.post(post.id) is None
    if without_calendar and (last := assignments.last_time_without_calendar()) is not None:
        earliest = max(earliest, last[1])
    at = first_free_time(earliest, others.values(), calendar.min_spacing)
    assignments.record_late_time(post, at)
    if without_calendar:
        assignments.record_time_without_calendar(post, at)
    return at
