"""Where the cover frames are stored that a person sees before they approve a post."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from airflow.sdk import conf


def cover_file(version: str) -> Path:
    """Return the file of a cover: beside the snapshots, in a folder that the API server can read too.

    :param version: The post's version.
    """
    return Path(conf.get("instagram", "calendar_snapshots")) / "covers" / f"{version}.jpg"


def cover_address(version: str) -> str:
    """Return the address of a cover in Airflow's UI, which the provider's plugin serves."""
    path = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
    return f"{path}/instagram/covers/{version}.jpg"
