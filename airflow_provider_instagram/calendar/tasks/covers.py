"""Where the cover frames are stored that a person sees before they approve a post."""

from __future__ import annotations

from urllib.parse import urlsplit

from airflow.sdk import conf

from airflow_provider_instagram.files import storage


def cover_file(version: str) -> str:
    """Return the location of a cover: beside the snapshots, in a folder or in object storage.

    :param version: The post's version.
    """
    return f"{conf.get('instagram', 'calendar_snapshots').rstrip('/')}/covers/{version}.jpg"


def has_cover(version: str) -> bool:
    """Return whether a cover is stored. A post can be approved without one, so a storage that fails has none.

    :param version: The post's version.
    """
    try:
        return storage.exists(cover_file(version))
    except Exception:  # noqa: BLE001 -- each storage has errors of its own
        return False


def cover_address(version: str) -> str:
    """Return the address of a cover in Airflow's UI, which the provider's plugin serves."""
    path = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
    return f"{path}/instagram/covers/{version}.jpg"
