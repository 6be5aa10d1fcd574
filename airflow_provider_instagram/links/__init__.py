"""Links: from a task to its post, and to the provider's own pages."""

from __future__ import annotations

from airflow_provider_instagram.links.instagram import InstagramPostLink

__all__ = ["InstagramPostLink"]
