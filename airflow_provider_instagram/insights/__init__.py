"""Which metrics of which posts are read when, and where they are stored.

How Instagram is asked for metrics does not belong here: ``graph`` holds that.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_instagram.insights.dag import insights_dag
    from airflow_provider_instagram.insights.targets import SqlTarget

__all__ = ["SqlTarget", "insights_dag"]

_MODULES = {"SqlTarget": "targets", "insights_dag": "dag"}


def __getattr__(name: str) -> Any:
    """Import a name only when a DAG file uses it, to keep DAG parsing fast."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
