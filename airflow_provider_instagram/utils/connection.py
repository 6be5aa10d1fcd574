"""The names of the provider's connections. Airflow reads them in many processes, so this module imports nothing."""

from __future__ import annotations

from typing import Final

CONN_TYPE: Final = "instagram"
DEFAULT_CONN_ID: Final = "instagram_default"
