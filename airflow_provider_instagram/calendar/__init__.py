"""Content calendars: a file of posts that a DAG publishes on time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.dag import content_calendar_dag

__all__ = ["content_calendar_dag"]


def __getattr__(name: str) -> Any:
    """Import the function when a DAG file uses it. The plugin's timetable needs only the light modules."""
    if name != "content_calendar_dag":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from airflow_provider_instagram.calendar.dag import content_calendar_dag

    return content_calendar_dag
