"""The operator links that Airflow shows on a task."""

from __future__ import annotations

from airflow_provider_instagram.links.instagram import InstagramPostLink

__all__ = ["InstagramPostLink"]
