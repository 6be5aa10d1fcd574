"""Check the bytes of a picture against Meta's rules. Source: Meta, IG User Media reference, Image specifications."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

MIN_COLUMNS = 320
MAX_COLUMNS = 1440
MIN_ASPECT: Final = {"4:5": Fraction(4, 5), "3:4": Fraction(3, 4)}
MAX_ASPECT: Final = Fraction(191, 100)
DAMAGED: Final = "the JPEG is damaged or cut off"
WRONG_FORMAT = 2207005
WRONG_ASPECT = 2207009
Tallest: TypeAlias = Literal["4:5", "3:4"]
_ASPECT_TOLERANCE: Final = Fraction(1, 200)
_GRAY = 1
_RGB = 3
_OTHERS: Final = {
    "png": b"\x89PNG",
    "webp": b"WEBP",
    "gif": b"GIF8",
    "avif": b"ftypavif",
    "heic": b"ftyphei",
}
_START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_APP1 = 0xE1
_APP2 = 0xE2
_END = b"\xff\xd9"
_EXIF = b"Exif\0\0"
_ORIENTATION = 0x0112
MOST_PIXELS_OF_A_BYTE: Final = 1024
"""No JPEG holds more: each 64 pixels have two codes, and a code has a bit at least."""
_FIRST_OF_PROFILE: Final = b"ICC_PROFILE\0\1"
_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD9)})


class UnfitPictureError(Exception):
    """The picture breaks a rule.

    :param reason: The rule, for the user of the sandbox.
    :param told: What Meta's own text says of the picture.
    """

    def __init__(self, subcode: int, reason: str, **told: str) -> None:
        super().__init__(reason)
        self.subcode = subcode
        self.told = told


@dataclass(frozen=True, slots=True)
class Picture:
    """What the head of a JPEG file says."""

    width: int
    height: int
    components: int
    has_profile: bool = False  # a colour profile that is not sRGB's
    has_end: bool = True
    is_turned: bool = False  # whether its EXIF data say that it is to be shown turned or mirrored

    @property
    def shown_width(self) -> int:
        """The columns of the post: Meta scales a picture that is too narrow or too wide."""
        return min(max(self.width, MIN_COLUMNS), MAX_COLUMNS)

    @property
    def is_changed(self) -> bool:
        """Whether Meta scales the picture, or converts its colours to sRGB."""
        return (
            self.has_profile
            or self.shown_width != self.width
            or self.components not in {_GRAY, _RGB}
        )


def check_signature(path: Path) -> None:
    """Check that a file begins as a JPEG does.

    :raises UnfitPictureError: It does not.
    """
    with path.open("rb") as file:
        head = file.read(16)
    if head[:2] != b"\xff\xd8":
        kind = next((name for name, mark in _OTHERS.items() if mark in head), "unknown")
        raise UnfitPictureError(WRONG_FORMAT, f"the image is not a JPEG ({kind})", format=kind)


def read(path: Path) -> Picture:
    """Return what the head of a JPEG file says.

    :raises UnfitPictureError: The file is not a JPEG, or it is cut off.
    """
    check_signature(path)
    has_profile = is_turned = False
    with path.open("rb") as file:
        file.seek(2)
        while (marker := _marker(file)) is not None:
            if marker in _WITHOUT_LENGTH:
                continue
            length = int.from_bytes(file.read(2), "big")
            if marker in _START_OF_FRAME:
                head = file.read(6)
                if len(head) < 6:
                    break
                width = int.from_bytes(head[3:5], "big")
                height = int.from_bytes(head[1:3], "big")
                rest = file.read()
                if not width or not height or width * height > MOST_PIXELS_OF_A_BYTE * len(rest):
                    break
                return Picture(width, height, head[5], has_profile, _END in rest, is_turned)
            if length < 2:
                break
            segment = file.read(length - 2)
            is_turned |= (
                marker == _APP1
                and segment.startswith(_EXIF)
                and _orientation(segment[len(_EXIF) :]) > 1
            )
            is_profile = marker == _APP2 and segment.startswith(_FIRST_OF_PROFILE)
            has_profile |= is_profile and b"sRGB" not in _name(
                segment[len(_FIRST_OF_PROFILE) + 1 :]
            )
    raise UnfitPictureError(WRONG_FORMAT, DAMAGED, format="damaged JPEG")


def _orientation(tiff: bytes) -> int:
    """Return the tag Orientation of EXIF data, from 1 to 8; 0 if there is none. Source: EXIF 2.32, 4.6.2."""
    order: Literal["little", "big"] = "little" if tiff[:2] == b"II" else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], order)

    first = number(4, 4)
    tags = range(first + 2, first + 2 + 12 * number(first, 2), 12)
    return next((number(at + 8, 2) for at in tags if number(at, 2) == _ORIENTATION), 0)


def _name(profile: bytes) -> bytes:
    """Return the name of a colour profile (its tag ``desc``), without the empty bytes of UTF-16. Source: ICC.1."""
    at = profile.find(b"desc", 128)
    start, size = (int.from_bytes(profile[place : place + 4], "big") for place in (at + 4, at + 8))
    return profile[start : start + size].replace(b"\0", b"")


def _marker(file: BinaryIO) -> int | None:
    if file.read(1) != b"\xff":
        return None
    byte = file.read(1)
    while byte == b"\xff":  # fill bytes may stand before a marker
        byte = file.read(1)
    return byte[0] if byte else None


def warning(picture: Picture) -> str:
    """Return a warning of a picture that Meta accepts without documenting it; nothing of any other."""
    if picture.is_turned:
        return (
            "The picture is to be shown turned or mirrored, by its EXIF data. Meta does not say whether Instagram does "
            "so; here it is shown as its pixels are. Remedy: turn the pixels."
        )
    if Fraction(picture.width, picture.height) >= MIN_ASPECT["4:5"] - _ASPECT_TOLERANCE:
        return ""
    size = f"{picture.width}x{picture.height}"
    return f"The picture is {size}, taller than 4:5. Meta accepts 3:4 without documenting it. Remedy: crop it to 4:5."


def convert_profile(path: Path) -> str:
    """Convert a picture with a colour profile to sRGB, and return a warning if that failed."""
    stays = "The picture has a colour profile, which Meta converts to sRGB. Here it stays as it is"
    try:
        from PIL import Image, ImageCms  # the extra "colours"
    except ImportError:
        return f"{stays}. Remedy: install instagram-sandbox[colours], or convert it."
    try:
        with Image.open(path) as picture:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(picture.info["icc_profile"]))
            made = ImageCms.profileToProfile(
                picture, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        if made is not None:
            made.info.pop("icc_profile", None)
            made.save(path, "JPEG", quality=95, icc_profile=None)
    except (OSError, Image.DecompressionBombError, ImageCms.PyCMSError):
        return f"{stays}, because Pillow cannot convert it. Remedy: convert it before."
    return ""


def check_shape(picture: Picture, tallest: Tallest) -> None:
    """Check the shape of a picture for a post. A story may have any.

    :param tallest: The shape of the tallest picture that is accepted.
    :raises UnfitPictureError: It is too tall or too flat.
    """
    aspect = Fraction(picture.width, picture.height)
    if not MIN_ASPECT[tallest] - _ASPECT_TOLERANCE <= aspect <= MAX_ASPECT + _ASPECT_TOLERANCE:
        size = f"{picture.width}x{picture.height}"
        what = f"the picture is {size}, outside {tallest} to 1.91:1"
        raise UnfitPictureError(WRONG_ASPECT, what, ratio=size.replace("x", "/"))
