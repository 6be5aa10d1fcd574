"""The cover frames that a person sees before they approve a post, and on the page *Posts*."""

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


def thumbnail_file(version: str) -> str:
    """Return the location of the small cover that a card shows."""
    return f"{cover_file(version).removesuffix('.jpg')}.small.jpg"


def write_thumbnail(version: str, frame: Path) -> None:
    """Store a small copy of a cover frame.

    :param version: The post's version.
    :param frame: The frame, a JPEG that ffmpeg wrote.
    """
    from PIL import Image

    content = io.BytesIO()
    with Image.open(frame, formats=["JPEG"]) as picture:
        picture.draft("RGB", THUMBNAIL_PIXELS)
        picture.thumbnail(THUMBNAIL_PIXELS)
        picture.save(content, "JPEG", quality=82, optimize=True)
    storage.write(thumbnail_file(version), content.getvalue())
