"""The trigger of the provider."""

from __future__ import annotations

from airflow_provider_instagram.triggers.container import ContainerStatusTrigger

__all__ = ["ContainerStatusTrigger"]
