"""Which run takes which post, and when a late one goes out. No Airflow and no file here: facts in, decisions out."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from airflow_provider_instagram.calendar.file.times import spoken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_instagram.calendar.file.parser import Calendar, Post
    from airflow_provider_instagram.calendar.planning.assignments import Assignment, Assignments

#: After this, a post is late: a worker that is slow to start is none.
PUNCTUAL = timedelta(seconds=60)
#: A publisher is at work from when it wakes up until the answer is there.
PUBLISHER_AT_WORK = timedelta(seconds=30)
#: Runs begin at whole minutes, so up to one minute more ahead.
MINUTE_S = 60
MICRO = 1_000_000
#: No late post chose its time longer ago.
REACH = timedelta(days=2)


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(timezone.utc)


def run_moment(due_s: float, lead_time: timedelta) -> int:
    """Return when the run of a post begins: a lead time ahead, at a whole minute. Posts of one minute share a run.

    :param due_s: When the post is published, in seconds since the epoch.
    :param lead_time: The lead time.
    :return: Seconds since the epoch.
    """
    return int((due_s - lead_time.total_seconds()) // MINUTE_S) * MINUTE_S


def reaching_back(moment_s: int, to_s: float) -> float:
    """Make a run's moment out of one that says how far back its posts may be: in its microseconds, a second in each.

    Its moment is all that a run is told of the timetable, and only the DAG processor knows what is late and wanted yet.
    """
    return (moment_s * MICRO + min(math.ceil(moment_s - to_s), MICRO - 1)) / MICRO


def reach(moment: datetime) -> datetime:
    """Return the earliest time of the posts in the run of a moment: usually the moment itself."""
    return moment.replace(microsecond=0) - timedelta(seconds=moment.microsecond)


def why_not(post: Post, calendar: Calendar | None, taken: Assignment | None, run: str) -> tuple[str, str] | None:
    """Return why a run drops a post that it took.

    :param post: The post as it was when the run took it.
    :param calendar: The calendar as it is now; None when it cannot be read.
    :param taken: Who has it now.
    :param run: This run.
    :return: In a word, and in a sentence; None when the post is wanted as it is.
    """
    now = post if calendar is None else calendar.post(post.id)
    if now is None:
        return "removed", f"{post.id} was removed from the calendar, so it is not published."
    if now.version != post.version:
        moved = now.publish_at != post.publish_at
        if moved:
            word = f"moved to {now.publish_at:%Y-%m-%d %H:%M}"
            return word, f"{post.id} was {word}: a run of its own publishes it then, unless that time had passed."
        return "edited", f"{post.id} was edited: a run of its own publishes the new version."
    if taken is not None and taken.run not in ("", run):
        return "taken over", f"{post.id} was taken over by the run {taken.run}."
    return None


def due(
    posts: Iterable[Post],
    account: str,
    run: str,
    slot: datetime,
    *,
    since: datetime,
    lead_time: timedelta,
    taken: Callable[[Post], Assignment | None],
    given_up: Callable[[Assignment], bool],
    by_hand: bool = False,
) -> list[Post]:
    """Choose the posts of an account that a run takes.

    These are the posts from the run's moment to a lead time later that no other run has taken as they are now: its
    own, and those that came into the calendar since the run before. What another DAG has taken, it takes over: the DAG
    may have been renamed, and then nobody else brings the post. What a run has given up is taken again at the post's
    own moment only, or when somebody starts a run: else every run of a lead time would try a broken post. Posts from
    before the moment only where the run is for them: what else was never taken was published by other hands, or is
    too late.

    :param run: This run, as ``dag_id/run_id``.
    :param slot: The run's moment.
    :param since: From when on it brings posts.
    :param taken: Tells who has taken a post.
    :param given_up: Tells whether a run ended without it.
    :param by_hand: Whether somebody started the run.
    """
    chosen = []
    for post in posts:
        begins = run_moment(post.publish_at.timestamp(), lead_time)
        if post.account != account or begins > slot.timestamp() or post.publish_at < since:
            continue
        row = taken(post)
        is_free = row is None or row.of_another_dag(run) or row.run in ("", run) or row.version != post.version
        may_again = by_hand or begins == int(slot.timestamp())
        if is_free or (may_again and row is not None and not row.settled and given_up(row)):
            chosen.append(post)
    return chosen


def too_late(post: Post, now: datetime, at: datetime, *, late: str, max_lateness: timedelta) -> tuple[str, str] | None:
    """Return why a post may no longer go out.

    :param post: The post.
    :param now: The time.
    :param at: When it could go out.
    :param late: What to do with late posts: ``publish`` or ``skip``.
    :param max_lateness: How late it may be published.
    :return: In a word, and in a sentence; None when it may.
    """
    after = now - post.publish_at
    if after <= PUNCTUAL:
        return None
    if late == "skip":
        return "skipped: late", f"It is {spoken(after)} after its time, and late posts are skipped."
    if at - post.publish_at <= max_lateness:
        return None
    return f"skipped: {spoken(after)} late", (
        f"The earliest it can go out is {spoken(at - post.publish_at)} after its time; "
        f"max_lateness is {spoken(max_lateness)}."
    )


def times_of_others(post: Post, calendar: Calendar, takings: Assignments, now: datetime) -> dict[str, datetime]:
    """Return the times of the other posts of an account to which a late post may come too close.

    :return: By their keys: those to come, those of a moment ago, and the times that late ones have chosen.
    """
    times = {}
    for other in calendar.posts:
        if other.account != post.account or other.id == post.id or other.publish_at < now - REACH:
            continue
        chosen = takings.late_time(other) if other.publish_at <= now else None
        if chosen or other.publish_at > now - calendar.min_spacing:
            times[other.key] = chosen or other.publish_at
    if calendar.post(post.id) is None and (last := takings.last_blind()) is not None and last[0] != post.key:
        times.setdefault(*last)  # the calendar cannot be read: nothing else is known of the others
    return times


def late_time(now: datetime, others: Iterable[datetime], spacing: timedelta) -> datetime:
    """Find when a late post can go out without crowding others.

    :param now: The earliest.
    :param others: When the account's other posts go out.
    :param spacing: The smallest distance.
    """
    at = now
    for other in sorted(others):
        if abs(at - other) < spacing:
            at = other + spacing
    return at


def densest(moments: Iterable[float], window: timedelta) -> int:
    """Count the most moments that fall into any window of this length."""
    ordered = sorted(moments)
    return max(
        (index + 1 - bisect_right(ordered, moment - window.total_seconds()) for index, moment in enumerate(ordered)),
        default=0,
    )


def publishers_needed(posts: Iterable[Post]) -> dict[str, int]:
    """Count, for each account, the publishers that have to be awake at once: one, unless posts are due together."""
    times: dict[str, list[float]] = defaultdict(list)
    for post in posts:
        times[post.account].append(post.publish_at.timestamp())
    return {account: densest(moments, PUBLISHER_AT_WORK) for account, moments in sorted(times.items())}


def pool_name(account: str) -> str:
    """Name the pool that an account's publishers share."""
    return f"instagram_{account}"
