"""The names of the provider's connections and of their pools."""

from __future__ import annotations

from typing import Final

CONN_TYPE: Final = "instagram"
DEFAULT_CONN_ID: Final = "instagram_default"


def pool_name(account: str) -> str:
    """Return the name of the pool that the publishers of an account in calendars share."""
    return f"instagram_{account}"
