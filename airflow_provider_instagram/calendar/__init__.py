"""Content calendars: a file of posts becomes a DAG that publishes each post on time.

What a post needs without a calendar does not belong here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.dag import content_calendar_dag
    from airflow_provider_instagram.calendar.deletion import post_deletion_dag

__all__ = ["content_calendar_dag", "post_deletion_dag"]
_MODULES = {"content_calendar_dag": "dag", "post_deletion_dag": "deletion"}


def __getattr__(name: str) -> Any:
    """Import a function at its first use, because not each needs both."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
