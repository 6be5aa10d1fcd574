"""The sensor that waits for a container. How the status is polled belongs in triggers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_instagram.sensors.container import ContainerStatusSensor

__all__ = ["ContainerStatusSensor"]


def __getattr__(name: str) -> Any:
    """Import the sensor only when a DAG file uses it, to keep DAG parsing fast."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.container"), name)
