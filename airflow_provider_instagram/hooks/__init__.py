"""The hook: from an Airflow connection, and its token that is stored and refreshed, to a client of the Graph API.

The calls themselves and their retries do not belong here.
"""

from __future__ import annotations

from airflow_provider_instagram.hooks.instagram import InstagramHook

__all__ = ["InstagramHook"]
