"""Content calendars: a file of posts becomes a DAG that publishes each post on time.

What a post needs without a calendar does not belong here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.dag import content_calendar_dag

__all__ = ["content_calendar_dag"]


def __getattr__(name: str) -> Any:
    """Import the function at its first use, because the modules of this package are also imported without it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from airflow_provider_instagram.calendar.dag import content_calendar_dag

    return content_calendar_dag
