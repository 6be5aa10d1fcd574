"""Check the bytes of a picture against Meta's rules. Source: Meta, IG User Media reference, Image specifications."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

from instagram_sandbox.simulator.state import NOT_FETCHED

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES: Final = 8_000_000
MIN_COLUMNS, MAX_COLUMNS = 320, 1440
MIN_ASPECT, MAX_ASPECT = Fraction(4, 5), Fraction(191, 100)
WRONG_FORMAT, WRONG_ASPECT, WRONG_COLUMNS = 2207005, 2207009, 2207005
_ASPECT_TOLERANCE: Final = Fraction(1, 200)
_GRAY, _RGB = 1, 3
_START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD9)})


class UnfitPictureError(Exception):
    """The picture breaks a rule.

    :param subcode: Meta's subcode for it.
    :param reason: The rule, for the user of the sandbox.
    """

    def __init__(self, subcode: int, reason: str) -> None:
        super().__init__(reason)
        self.subcode = subcode


@dataclass(frozen=True, slots=True)
class Picture:
    """What the head of a JPEG file says."""

    width: int
    height: int
    components: int


def check_signature(path: Path) -> None:
    """Check that a file begins as a JPEG does.

    :raises UnfitPictureError: It does not.
    """
    with path.open("rb") as file:
        if file.read(2) != b"\xff\xd8":
            raise UnfitPictureError(NOT_FETCHED, "the image is not a JPEG")


def read(path: Path) -> Picture:
    """Return what the head of a JPEG file says.

    :raises UnfitPictureError: The file is not a JPEG, or it is cut off.
    """
    check_signature(path)
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
                return Picture(int.from_bytes(head[3:5], "big"), int.from_bytes(head[1:3], "big"), head[5])
            if length < 2:
                break
            file.seek(length - 2, 1)
    raise UnfitPictureError(WRONG_FORMAT, "the JPEG is damaged or cut off")


def _marker(file: BinaryIO) -> int | None:
    if file.read(1) != b"\xff":
        return None
    byte = file.read(1)
    while byte == b"\xff":  # fill bytes may stand before a marker
        byte = file.read(1)
    return byte[0] if byte else None


def check(picture: Picture, *, any_shape: bool, columns: Literal["refuse", "scale"]) -> None:
    """Check a picture against the rules for posts.

    :param any_shape: Whether the shape is free, as in a story.
    :param columns: Whether a picture that is too narrow or too wide is refused, or scaled.
    :raises UnfitPictureError: The first rule that is broken.
    """
    if picture.components not in {_GRAY, _RGB} or not picture.width or not picture.height:
        raise UnfitPictureError(WRONG_FORMAT, "the colours of the picture are not sRGB")
    if columns == "refuse" and not MIN_COLUMNS <= picture.width <= MAX_COLUMNS:
        what = f"the picture has {picture.width} columns, not {MIN_COLUMNS} to {MAX_COLUMNS}"
        raise UnfitPictureError(WRONG_COLUMNS, what)
    aspect = Fraction(picture.width, picture.height)
    if not any_shape and not MIN_ASPECT - _ASPECT_TOLERANCE <= aspect <= MAX_ASPECT + _ASPECT_TOLERANCE:
        what = f"the picture is {picture.width}x{picture.height}, outside 4:5 to 1.91:1"
        raise UnfitPictureError(WRONG_ASPECT, what)
