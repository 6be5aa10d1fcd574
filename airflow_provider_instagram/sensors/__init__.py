"""The sensor that waits for a container. How the status is polled belongs in triggers."""

from __future__ import annotations

from airflow_provider_instagram.sensors.container import ContainerStatusSensor

__all__ = ["ContainerStatusSensor"]
