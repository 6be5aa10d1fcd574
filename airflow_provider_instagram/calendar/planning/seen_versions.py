"""When the DAG processor first saw each version of a post."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_instagram.calendar.planning.plan import Arrival, Seen

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import Calendar, ScheduledPost
    from airflow_provider_instagram.calendar.planning.slot_choices import SlotChoices
    from airflow_provider_instagram.calendar.planning.stored_snapshot import Snapshot


def _seen_version(post: ScheduledPost, dry_run: bool) -> str:
    """Return a post's version, marked in a DAG that only makes dry runs.

    So the post counts as edited, and is published, when the DAG is no longer a dry run.
    """
    return f"{post.version} dry run" if dry_run else post.version


def unchanged_seen(calendar: Calendar, stored: Snapshot | None, dry_run: bool) -> dict[str, Seen]:
    """Return the records of unchanged posts."""
    known = stored.seen if stored else {}
    return {
        post.id: known[post.id]
        for post in calendar.posts
        if post.id in known and known[post.id].version == _seen_version(post, dry_run)
    }


def seen_now(
    calendar: Calendar,
    stored: Snapshot | None,
    max_lateness: timedelta,
    now: datetime,
    dry_run: bool,
    choices: SlotChoices,
) -> dict[str, Seen]:
    """Return the records of all posts, with those that are seen for the first time now."""
    known, now_s = stored.seen if stored else {}, int(now.timestamp())
    found = unchanged_seen(calendar, stored, dry_run)
    for post in calendar.posts:
        if post.id in found:
            continue
        post_version, due = _seen_version(post, dry_run), post.publish_at.timestamp()
        if stored is None:
            arrival = Arrival.ALREADY_OVER if due <= now_s else Arrival.INITIAL
            found[post.id] = Seen(post_version, due, None, arrival)
        elif post.in_slot and post.id not in known:
            found[post.id] = _seen_in_slot(post, post_version, choices.chosen[post.key].chosen_at, stored, now_s)
        else:
            arrival = _arrival(known.get(post.id), due, now_s, max_lateness)
            found[post.id] = Seen(post_version, due, now_s, arrival)
    # A post that has a problem for a while keeps its record, so that it does not count as added when it is corrected.
    first_seen = Seen(None, 0.0, now_s, Arrival.INVALID)
    return found | {post_id: replace(known.get(post_id, first_seen), version=None) for post_id in calendar.left_out}


def problems_seen_now(calendar: Calendar, stored: Snapshot | None, now: datetime) -> dict[str, int]:
    """Return when each problem of the calendar was first seen, in seconds since the epoch, by the problem's key."""
    before = stored.problems_seen if stored else {}
    return {problem.key: before.get(problem.key, int(now.timestamp())) for problem in calendar.problems}


def _seen_in_slot(post: ScheduledPost, post_version: str, chosen_at: int, stored: Snapshot, now_s: int) -> Seen:
    """Return the record of a post in a slot that has none.

    Usually, its slot has just been chosen. If the DAG processor died before it could store the record, the post counts
    as seen when the slot was chosen. Otherwise, the post was removed for a while and returned. A former repetition of
    it is not a mistake of the author.
    """
    due = post.publish_at.timestamp()
    if chosen_at > datetime.fromisoformat(stored.at).timestamp():
        return Seen(post_version, due, chosen_at, Arrival.ADDED)
    if post.repetition > 1 and due <= now_s:
        return Seen(post_version, due, None, Arrival.ALREADY_OVER)
    return Seen(post_version, due, now_s, Arrival.ADDED)


def _arrival(before: Seen | None, due: float, now: int, max_lateness: timedelta) -> Arrival:
    """Return how a new version of a post came into the calendar."""
    if before is None:
        return Arrival.ADDED
    if before.arrival is Arrival.INVALID:  # its time is known only now that it is corrected
        return Arrival.EDITED if before.at is not None and before.at <= due else Arrival.ADDED
    if before.arrival is Arrival.ALREADY_OVER and before.due == due:
        return Arrival.ALREADY_OVER
    if before.too_late:
        return Arrival.ADDED
    if not before.is_open(now, max_lateness):
        return Arrival.EDITED_AFTERWARDS
    return Arrival.EDITED if before.due == due else Arrival.ADDED
