"""The hook that turns an Airflow Connection into a client of Instagram's API."""

from __future__ import annotations

from airflow_provider_instagram.hooks.instagram import InstagramHook

__all__ = ["InstagramHook"]
