"""Where the pictures are stored that a person sees before they approve a post: one of each video and picture."""

from __future__ import annotations

from urllib.parse import urlsplit

from airflow.sdk import conf

from airflow_provider_instagram.files import storage

#: The names of covers: the version of a post, then the place of the item in its carousel, unless that is the first.
NAME = "^[0-9a-f]{16}(-[1-9][0-9]?)?$"


def cover_name(version: str, place: int = 1) -> str:
    """Return the name of a cover.

    :param version: The post's version.
    :param place: The place of the item in a carousel, from 1.
    """
    return version if place == 1 else f"{version}-{place}"


def cover_file(name: str) -> str:
    """Return the location of a cover: beside the snapshots, in a folder or in object storage.

    :param name: Its name.
    """
    return f"{conf.get('instagram', 'calendar_snapshots').rstrip('/')}/covers/{name}.jpg"


def has_cover(name: str) -> bool:
    """Return whether a cover is stored. A post can be approved without one, so a storage that fails has none.

    :param name: Its name.
    """
    try:
        return storage.exists(cover_file(name))
    except Exception:  # noqa: BLE001 -- each storage has errors of its own
        return False


def cover_address(name: str) -> str:
    """Return the address of a cover in Airflow's UI, which the provider's plugin serves."""
    path = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
    return f"{path}/instagram/covers/{name}.jpg"
