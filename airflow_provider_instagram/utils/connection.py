"""The names of the provider's connections."""

from __future__ import annotations

from typing import Final

CONN_TYPE: Final = "instagram"
DEFAULT_CONN_ID: Final = "instagram_default"
