"""The operator link of the provider."""

from __future__ import annotations

from airflow_provider_instagram.links.instagram import InstagramPostLink

__all__ = ["InstagramPostLink"]
