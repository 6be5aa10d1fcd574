"""Links from Airflow's pages to Instagram."""

from __future__ import annotations

from airflow_provider_instagram.links.instagram import InstagramPostLink

__all__ = ["InstagramPostLink"]
