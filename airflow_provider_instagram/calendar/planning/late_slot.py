"""When a late post goes out: two publishers of an account that look for room at once must not find the same."""

from __future__ import annotations

import itertools
import logging
import random
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_instagram.calendar.planning.schedule import PUNCTUAL, late_time, times_of_others, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from airflow_provider_instagram.calendar.file.parser import Calendar, Post
    from airflow_provider_instagram.calendar.planning.assignments import Assignments

#: A publisher has everything prepared after this, and then keeps its time to the second.
HEAD_START = timedelta(seconds=10)
#: Who met another looks again after up to so long, and longer each time: so that they do not meet again.
APART_S = 2.0

log = logging.getLogger(__name__)


def room_for(
    post: Post,
    calendar: Calendar,
    takings: Assignments,
    *,
    clock: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> datetime:
    """Choose a time for a late post, or keep the one that it chose before.

    Each writes down its time, and then looks whether it is too close to another's. Of two, the later to write sees what
    the other has written, so at least one of them gives way; both may, and then try again.

    :param post: The post.
    :param calendar: The calendar as it is now.
    :param takings: The account's rows.
    :param clock: Tells the time.
    :param sleep: Waits for a number of seconds.
    """
    at = takings.late_time(post, edited=False)
    if at is None or at <= clock() - PUNCTUAL:
        at = _next_room(post, calendar, takings, clock())
    for tries in itertools.count(1):
        others = times_of_others(post, calendar, takings, clock())
        near = [key for key, other in others.items() if abs(at - other) < calendar.min_spacing]
        if not near:
            return at
        log.info("%s gives way to %s, and looks for a later time", post.key, near[0])
        takings.forget_late_time(post)
        sleep(random.uniform(0, APART_S * tries))  # noqa: S311 -- no secret
        at = _next_room(post, calendar, takings, clock())
    raise AssertionError("unreachable")


def _next_room(post: Post, calendar: Calendar, takings: Assignments, now: datetime) -> datetime:
    others = times_of_others(post, calendar, takings, now)
    earliest, is_blind = now + HEAD_START, calendar.post(post.id) is None
    if is_blind and (last := takings.last_blind()) is not None:
        earliest = max(earliest, last[1])
    at = late_time(earliest, others.values(), calendar.min_spacing)
    takings.record_late_time(post, at)
    if is_blind:
        takings.record_blind(post, at)
    return at
