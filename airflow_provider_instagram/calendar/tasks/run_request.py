"""What a person asks of a run that he starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_instagram.calendar.planning.schedule import utc_now
from airflow_provider_instagram.ledger.records import CONTAINER_LIFE

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.file.model import Post


def started_by_hand(context: Context) -> bool:
    """Return whether a user started this run. A backfill follows the calendar's times."""
    return context["dag_run"].run_type not in ("scheduled", "backfill")


def started_as_dry_run(context: Context) -> bool:
    """Return whether a user started this run as a dry run."""
    return bool(context["params"].get("dry_run"))


def asked_for(context: Context) -> list[str]:
    """Return the ids of the posts for which a user started this run."""
    given = (context["params"].get("posts") or ()) if started_by_hand(context) else ()
    return [post_id for post_id in (str(one).strip() for one in given) if post_id]


def wanted_now(context: Context, post: Post) -> bool:
    """Return whether a user started this run for a post whose time had passed, to publish it however late.

    Clearing an old run does not count, because its posts were not named today.
    """
    started = context["dag_run"].run_after
    return post.id in asked_for(context) and post.publish_at <= started > utc_now() - CONTAINER_LIFE


def slot_of(context: Context) -> datetime:
    """Return the run's moment: its own, or the time when a user started it."""
    run = context["dag_run"]
    return run.data_interval_end or run.run_after
