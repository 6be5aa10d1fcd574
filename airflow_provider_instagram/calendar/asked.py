"""What a person asks of a run that he starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_instagram.calendar.schedule import utc_now
from airflow_provider_instagram.ledger import CONTAINER_LIFE

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.post import Post


def started_by_hand(context: Context) -> bool:
    """Tell whether somebody started this run; a backfill goes by the calendar's times."""
    return context["dag_run"].run_type not in ("scheduled", "backfill")


def started_as_dry_run(context: Context) -> bool:
    """Tell whether somebody started this run for a rehearsal."""
    return bool(context["params"].get("dry_run"))


def asked_for(context: Context) -> list[str]:
    """Give the ids of the posts that somebody started this run for."""
    given = (context["params"].get("posts") or ()) if started_by_hand(context) else ()
    return [post_id for post_id in (str(one).strip() for one in given) if post_id]


def wanted_now(context: Context, post: Post) -> bool:
    """Tell whether somebody named a post whose time was over: he wants it, however late it is.

    Who clears a run of long ago has not named its posts today.
    """
    started = context["dag_run"].run_after
    return post.id in asked_for(context) and post.publish_at <= started > utc_now() - CONTAINER_LIFE
