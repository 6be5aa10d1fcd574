"""The pictures that a person sees before they approve a post, and on the page *Posts*: one of each item."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from airflow.sdk import conf

from airflow_provider_instagram.files import storage

if TYPE_CHECKING:
    from pathlib import Path

#: The largest width and height of a thumbnail: twice the size of a card, for sharp screens.
THUMBNAIL_PIXELS: Final = (320, 568)
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


def thumbnail_file(name: str) -> str:
    """Return the location of the small cover that a card shows."""
    return f"{cover_file(name).removesuffix('.jpg')}.small.jpg"


def write_thumbnail(name: str, frame: Path) -> None:
    """Store a small copy of a cover frame.

    :param name: The cover's name.
    :param frame: The cover, a JPEG that a transcode wrote.
    """
    from PIL import Image

    content = io.BytesIO()
    with Image.open(frame, formats=["JPEG"]) as picture:
        picture.draft("RGB", THUMBNAIL_PIXELS)
        picture.thumbnail(THUMBNAIL_PIXELS)
        picture.save(content, "JPEG", quality=82, optimize=True)
    storage.write(thumbnail_file(name), content.getvalue())
