"""The pictures that a person sees before they approve a post, and on the Posts page: one of each item."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airflow.sdk import conf

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.posts.kinds import PostKind
from airflow_provider_instagram.utils import urls
from airflow_provider_instagram.utils.pages import pages_path

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.columns import ScheduledPost
    from airflow_provider_instagram.media.spec import Profile

#: The largest width and height of a thumbnail: twice the size of a card, for sharp screens.
THUMBNAIL_PIXELS: Final = (320, 568)
#: The largest cover. A picture that complies has at most 8 MB, and a frame of a video has fewer
#: pixels.
MAX_BYTES: Final = 8_000_000
MAX_PIXELS: Final = 8192 * 2048
#: The names of covers: the version of a post, then the place of the item in its carousel, unless
#: that is the first, and half of the digest of its file, if an approval binds that.
NAME = "^[0-9a-f]{32}(-[1-9][0-9]?)?(-[0-9a-f]{32})?$"


def cover_name(version: str, place: int = 1, sha256: str | None = None) -> str:
    """Return the name of a cover.

    :param sha256: The digest of its file, if an approval binds that: another file then has another
        cover.
    """
    name = version if place == 1 else f"{version}-{place}"
    return name if sha256 is None else f"{name}-{sha256[:32]}"


def covers_folder() -> str:
    """Return where the covers are: beside the plans, in a folder or in object storage."""
    return f"{conf.get('instagram', 'calendar_snapshots').rstrip('/')}/covers"


def cover_file(name: str) -> str:
    """Return the location of a cover."""
    return f"{covers_folder()}/{name}.jpg"


def has_cover(name: str) -> bool:
    """Return whether a cover is stored. A post can be approved without one, so a storage that fails has none."""
    try:
        return storage.exists(cover_file(name))
    except Exception:  # noqa: BLE001 -- each storage has errors of its own
        return False


def cover_address(name: str) -> str:
    """Return the address of a cover in Airflow's UI, which the provider's plugin serves."""
    return f"{pages_path()}/covers/{name}.jpg"


def read_cover(name: str, *, is_small: bool = False) -> bytes | None:
    """Return a cover, or None if it is not stored.

    :param is_small: Whether its thumbnail is enough.
    :raises ValidationError: If something else has been put in its place.
    """
    content = None
    if is_small:
        content = storage.read(cover_file(f"{name}.small"), max_bytes=MAX_BYTES)
    content = content or storage.read(cover_file(name), max_bytes=MAX_BYTES)
    return content if content is None else _checked(content, cover_file(name))


def write_cover(name: str, picture: Path) -> None:
    """Store a cover, a JPEG, and its thumbnail. It is read once, so that its owner cannot change it in between."""
    from PIL import Image

    content = _checked(storage.read(str(picture), max_bytes=MAX_BYTES) or b"", str(picture))
    small = io.BytesIO()
    with Image.open(io.BytesIO(content), formats=["JPEG"]) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValidationError(
                f"{picture} has {image.width}x{image.height} pixels.", hint="Make it smaller."
            )
        image.draft("RGB", THUMBNAIL_PIXELS)
        image.thumbnail(THUMBNAIL_PIXELS)
        image.save(small, "JPEG", quality=82, optimize=True)
    storage.write(cover_file(name), content)
    storage.write(cover_file(f"{name}.small"), small.getvalue())


def _checked(content: bytes, location: str) -> bytes:
    if not content.startswith(b"\xff\xd8\xff"):
        raise ValidationError(
            f"{urls.shown(location)} is not a JPEG.", hint="Transcode the post again."
        )
    return content


def profile_of(post: ScheduledPost) -> Profile:
    """Return the rules that count for the files of a post."""
    from airflow_provider_instagram.media.spec import profile_for

    place = PostKind.CAROUSEL.value if post.carousel else post.placement
    return profile_for(place, conf.get("instagram", "picture_shapes"))
