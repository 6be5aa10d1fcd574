"""The hook of the provider."""

from __future__ import annotations

from airflow_provider_instagram.hooks.instagram import InstagramHook

__all__ = ["InstagramHook"]
