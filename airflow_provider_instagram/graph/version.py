"""The version of the Graph API. Airflow reads it in many processes, so this module imports nothing."""

from __future__ import annotations

from typing import Final

#: The default: the newest version that the provider was tested with.
API_VERSION: Final = "v27.0"
