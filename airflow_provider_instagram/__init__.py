"""An Airflow provider that publishes videos to Instagram, on time and exactly once.

Only modules that authors or Airflow import by name stand here. Everything else belongs in a room.
"""

from __future__ import annotations

__version__: str


def __getattr__(name: str) -> str:
    """Return the installed version, which only its reader pays for."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("airflow-provider-instagram")
