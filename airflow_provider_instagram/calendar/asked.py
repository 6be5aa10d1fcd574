"""What a person asks of a run that he starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import Context


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
