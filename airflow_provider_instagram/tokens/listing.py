"""Which Instagram connections there are, as far as that can be known."""

from __future__ import annotations

import json
import os
from typing import Final

from airflow_provider_instagram.tokens.store import stored_connections

_ENVIRONMENT: Final = "AIRFLOW_CONN_"
_TYPE: Final = "instagram"


def environment_connections() -> list[str]:
    """List the Instagram connections of this process's environment."""
    return sorted(
        name.removeprefix(_ENVIRONMENT).lower()
        for name, value in os.environ.items()
        if name.startswith(_ENVIRONMENT) and _is_ours(value)
    )


def found_connections() -> list[str]:
    """List the connections that a task can find: no API gives it the list of all."""
    return sorted({*environment_connections(), *stored_connections()})


def _is_ours(value: str) -> bool:
    if not value.lstrip().startswith("{"):
        return value.startswith(f"{_TYPE}:")
    try:
        return bool(json.loads(value).get("conn_type") == _TYPE)
    except ValueError:
        return False
