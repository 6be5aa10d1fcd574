"""What a user asks of a run that they start, and when a run begins."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_instagram.calendar.planning import schedule
from airflow_provider_instagram.ledger.records import CONTAINER_LIFE
from airflow_provider_instagram.utils.server_clock import CLOCK

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.file.model import ScheduledPost


def started_by_hand(context: Context) -> bool:
    """Return whether a user started this run. A backfill follows the calendar's times."""
    return context["dag_run"].run_type not in ("scheduled", "backfill")


def started_as_dry_run(context: Context) -> bool:
    """Return whether a user started this run as a dry run."""
    return bool(context["params"].get("dry_run"))


def requested_posts(context: Context) -> list[str]:
    """Return the ids of the posts for which a user started this run."""
    given = (context["params"].get("posts") or ()) if started_by_hand(context) else ()
    return [post_id for post_id in (str(one).strip() for one in given) if post_id]


def started_to_publish_now(context: Context) -> bool:
    """Return whether a user started this run to publish its posts at once, also those whose time is to come."""
    return bool(context["params"].get("now"))


def is_requested_now(context: Context, post: ScheduledPost) -> bool:
    """Return whether a user started this run to publish a post at once.

    That is a post whose time had passed, however late it is, or any post if the user chose *now*. A user who clears an
    old run does not request its posts, because they were not named today.
    """
    started = context["dag_run"].run_after
    in_this_run = post.id in requested_posts(context)
    at_once = post.publish_at <= started or started_to_publish_now(context)
    return in_this_run and at_once and started > CLOCK.now() - CONTAINER_LIFE


def begins_before_lead(context: Context, post: ScheduledPost, lead_time: timedelta) -> bool:
    """Return whether a run begins before the lead time of a post, so that it prepares the post for a later run."""
    return not started_by_hand(context) and run_time(context).timestamp() < schedule.run_time_of(
        post.publish_at.timestamp(), lead_time
    )


def run_time(context: Context) -> datetime:
    """Return when the run begins: at its scheduled time, or when a user started it."""
    run = context["dag_run"]
    return run.data_interval_end or run.run_after


def posts_from(context: Context) -> datetime:
    """Return the earliest time of the posts that the run selects by time.

    The data interval of a scheduled run starts there, because only the DAG processor knows which late posts are wanted.
    """
    start = None if started_by_hand(context) else context["dag_run"].data_interval_start
    return start or run_time(context)
