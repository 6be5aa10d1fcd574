"""The names of the provider's connections."""

from __future__ import annotations

import shlex
from typing import Final

CONN_TYPE: Final = "instagram"
DEFAULT_CONN_ID: Final = "instagram_default"


def no_connection(conn_id: str) -> str:
    """Return what to do if there is no connection with an id."""
    name = shlex.quote(conn_id)
    return (
        f"There is no connection {conn_id!r}. Check the id, or create it: on Airflow's page Admin, Instagram, with "
        f"airflow instagram connect {name}, or, if you have a token, with airflow connections add {name} "
        f"--conn-type {CONN_TYPE} --conn-password TOKEN"
    )
