"""The task that reports what is wrong with a calendar."""

from __future__ import annotations

import difflib
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.calendar.file.spacing import within_limits
from airflow_provider_instagram.calendar.planning.snapshot import cannot_keep
from airflow_provider_instagram.calendar.tasks.run_request import asked_for, slot_of, started_as_dry_run
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.files import locations, storage
from airflow_provider_instagram.hooks.instagram import account_limits
from airflow_provider_instagram.ledger.records import CONTAINER_LIFE, EXPIRY_MARGIN
from airflow_provider_instagram.quota.limits import Limits

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.file.parser import Calendar, Post
    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings


#: How far ahead every run looks for the videos.
LOOK_AHEAD = timedelta(days=1)


class ReportFaults(BaseOperator):
    """Turn red when something is wrong with the calendar, and say all of it. Nothing depends on this task.

    :param settings: How the calendar is brought to its posts.
    """

    def __init__(self, *, settings: CalendarSettings, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.settings = settings

    def execute(self, context: Context) -> None:
        """Report the faults of the whole calendar, and the videos of the next day that are not there."""
        plan = self.settings.plan()
        limits, unreadable = _limits(plan.timely)
        calendar = within_limits(plan.timely, limits)
        faults = (
            *unreadable,
            *unknown_ids(context, plan.calendar),
            *(_too_far(post) for post in too_far_ahead(context, plan.calendar, self.settings)),
            *self.settings.faults,
            *cannot_keep(self.settings.snapshot),
            *calendar.faults,
            *missing_videos(calendar, datetime.now(timezone.utc)),
        )
        self.log.info("%s: %s posts, %s faults", calendar.location, len(calendar.posts), len(faults))
        for fault in faults:
            self.log.error("%s", fault.text(calendar.location))
        if faults:
            raise AirflowFailException(
                f"{len(faults)} faults in {calendar.location}; the other posts go on.\n"
                + "\n".join(fault.text(calendar.location) for fault in faults)
            )


def _limits(calendar: Calendar) -> tuple[dict[str, Limits], list[Problem]]:
    """Read what the connections of a calendar allow; one that cannot be read is a fault."""
    limits, faults = {}, []
    for account in calendar.accounts:
        try:
            limits[account] = account_limits(account) or Limits()
        except ValidationError as error:  # noqa: PERF203 -- all of them are wanted
            faults.append(Problem(0, f"the limits of {account} cannot be read: {error.message}", error.hint or ""))
    return limits, faults


def unknown_ids(context: Context, calendar: Calendar) -> list[Problem]:
    """Name the posts that a run was started for and that it cannot bring."""
    known = [post.id for post in calendar.posts]
    faults = []
    for post_id in asked_for(context):
        if post_id in calendar.left_out:
            faults.append(Problem(0, f"this run was started for {post_id!r}, which is faulty.", "Correct it first."))
        elif post_id not in known:
            close = difflib.get_close_matches(post_id, known, 1)
            remedy = f"Did you mean {close[0]}?" if close else "Check the ids in the calendar."
            faults.append(Problem(0, f"this run was started for {post_id!r}, which is not in the calendar.", remedy))
    return faults


def too_far_ahead(context: Context, calendar: Calendar, settings: CalendarSettings) -> list[Post]:
    """Find the posts that a run was started for too early: their containers would expire. Rehearsals are never."""
    asked, until = asked_for(context), slot_of(context) + CONTAINER_LIFE - EXPIRY_MARGIN
    if settings.dry_run or started_as_dry_run(context):
        return []
    return [post for post in calendar.posts if post.id in asked and post.publish_at > until and not post.dry_run]


def _too_far(post: Post) -> Problem:
    return Problem(
        post.line,
        f"this run was started more than 23.5 hours before its time, {post.publish_at:%Y-%m-%d %H:%M}. A container "
        "expires after 24 hours, so the run left it out.",
        "Leave it to its own run, or start one later.",
        post.id,
    )


def missing_videos(calendar: Calendar, now: datetime) -> list[Problem]:
    """Look for the videos of the posts that are next."""
    faults = []
    for post in calendar.posts:
        if now <= post.publish_at <= now + LOOK_AHEAD and not locations.is_web(post.video):
            try:
                there = storage.exists(post.video)
            except Exception as error:  # noqa: BLE001 -- every storage has errors of its own
                remedy = f"Check the path and its connection ({error})."
                faults.append(Problem(post.line, f"{post.video} cannot be checked.", remedy, post.id))
                continue
            if not there:
                remedy = "Put it there, or correct the name."
                faults.append(Problem(post.line, f"there is no file {post.video}.", remedy, post.id))
    return faults
