"""The operator links that Airflow shows on a task. Pages of our own do not belong here."""

from __future__ import annotations

from airflow_provider_instagram.links.instagram import InstagramPostLink

__all__ = ["InstagramPostLink"]
