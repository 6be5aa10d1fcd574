"""Open a picture with Pillow and read its properties. Runs in the process of :mod:`_picture_worker` only."""

from __future__ import annotations

import io
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from PIL import Image, ImageCms

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.kind import HEAD_BYTES, format_of
from airflow_provider_instagram.media.picture import SIDEWAYS, UPRIGHT, PictureInfo
from airflow_provider_instagram.utils.local_files import regular_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_PIXELS: Final = 120_000_000
MAX_FILE_BYTES: Final = 512 * 1024**2
#: Formats that Pillow does not know from the start, and the modules that add them.
PLUGINS: Final = {
    "TIFF": "PIL.TiffImagePlugin",
    "WEBP": "PIL.WebPImagePlugin",
    "AVIF": "PIL.AvifImagePlugin",
    "HEIF": "pillow_heif.HeifImagePlugin",
}
ORIENTATION: Final = 0x0112
GPS: Final = 0x8825
#: Words of XMP that may reveal a location, and its continuation, which may as well. Source: XMP, parts 2 and 3.
XMP_WORDS: Final = (b"GPS", b"photoshop:City", b"photoshop:Country", b"photoshop:State", b":Location", b"xmp/extension")
#: Datasets of IPTC that reveal a location: city, sublocation, state, country. Source: IPTC-IIM, record 2.
IPTC_DATASETS: Final = tuple(b"\x1c\x02" + bytes([number]) for number in (90, 92, 95, 100, 101))
#: How a JPEG ends. Some programs write zeros after it.
JPEG_END: Final = b"\xff\xd9"
PADDING_BYTES: Final = 64 * 1024
#: Names of ICC profiles that are sRGB. "c2" is the short one of facebook/tinysrgb.
SRGB_NAMES: Final = ("srgb", "c2")


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture. Its pixels are not decoded yet.

    :param path: The file.
    :raises ValidationError: If it is not a picture, or too large, or has samples that cannot be converted.
    """
    if (size_bytes := regular_file(path).st_size) > MAX_FILE_BYTES:
        raise ValidationError(
            f"{path} has {size_bytes:,} bytes; the limit for a picture is {MAX_FILE_BYTES:,}.", hint="Make it smaller."
        )
    with path.open("rb") as file:
        name = format_of(file.read(HEAD_BYTES))
    if name is None:
        raise ValidationError(
            f"{path} is not a picture that can be opened.", hint="Use a JPEG, PNG, WebP, HEIC, AVIF, TIFF or GIF."
        )
    if name in PLUGINS:
        import_module(PLUGINS[name])
    if name == "HEIF":
        import_module("pillow_heif").register_heif_opener(thumbnails=False)
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow itself refuses twice as many
    try:
        image = Image.open(path, formats=[name])
    except Image.DecompressionBombError:
        raise _too_many_pixels(path, "far too many") from None
    with image:
        if image.width * image.height > MAX_PIXELS:
            raise _too_many_pixels(path, f"{image.width}x{image.height}")
        if image.mode == "F":
            raise ValidationError(f"{path} has floating-point samples.", hint="Export it with 8 or 16 bits per sample.")
        yield image


def _too_many_pixels(path: Path, number: str) -> ValidationError:
    return ValidationError(
        f"{path} has {number} pixels; the limit is {MAX_PIXELS / 1e6:.0f} million.", hint="Make it smaller."
    )


def read_info(image: Image.Image, path: Path) -> PictureInfo:
    """Return the properties of an open picture.

    :param image: The picture, before its pixels are decoded.
    :param path: Its file.
    """
    status = path.stat()
    exif = image.getexif()
    # Pillow applies the orientation of a TIFF itself, and pillow-heif that of a HEIC.
    orientation = exif.get(ORIENTATION, UPRIGHT) if image.format not in ("TIFF", "HEIF") else UPRIGHT
    orientation = orientation if orientation in range(1, 9) else UPRIGHT
    columns, rows = image.size[::-1] if orientation in SIDEWAYS else image.size
    profile = profile_of(image)
    name = ImageCms.getProfileDescription(profile).strip() if profile else ""
    return PictureInfo(
        path=path,
        size_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
        format=image.format or "",
        mode=image.mode,
        columns=columns,
        rows=rows,
        orientation=orientation,
        colour_profile=name,
        is_srgb=name.lower().startswith(SRGB_NAMES) if profile else "icc_profile" not in image.info,
        has_alpha=image.has_transparency_data,
        frames=getattr(image, "n_frames", 1),
        location_tags=tuple(sorted(set(_location_tags(image, exif)))),
        has_extra_data=image.format == "JPEG" and not _ends_with_picture(path),
    )


def profile_of(image: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """Return the ICC profile of a picture, or None if it has none, or one that cannot be read."""
    data = image.info.get("icc_profile")
    if not data:
        return None
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(data))
    except (ImageCms.PyCMSError, OSError):
        return None


def _location_tags(image: Image.Image, exif: Image.Exif) -> Iterator[str]:
    if exif.get_ifd(GPS):
        yield "EXIF GPS"
    segments: list[tuple[str, Any]] = getattr(image, "applist", [])
    for marker, content in segments:
        if marker == "APP1" and not content.startswith(b"Exif") and any(word in content for word in XMP_WORDS):
            yield "XMP"
        if marker == "APP13" and any(dataset in content for dataset in IPTC_DATASETS):
            yield "IPTC"


def _ends_with_picture(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - PADDING_BYTES))
        return file.read(PADDING_BYTES).rstrip(b"\x00").endswith(JPEG_END)
