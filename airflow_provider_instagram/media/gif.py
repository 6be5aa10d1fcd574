"""What ffprobe does not report about a GIF: whether it is animated, and whether it is complete."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO, Final

from airflow_provider_instagram.exceptions import ValidationError

if TYPE_CHECKING:
    from pathlib import Path

#: How a file ends: the end of its last block, then the trailer. Source: GIF89a, 16 and 27.
END: Final = b"\x00\x3b"
#: Some programs write zeros after the trailer. Up to this many bytes are ignored.
PADDING_BYTES: Final = 64 * 1024
IMAGE: Final = b"\x2c"
EXTENSION: Final = b"\x21"
#: A damaged file must not be read for minutes.
MAX_BLOCKS: Final = 2_000_000


def check_animation(path: Path, frames: int) -> None:
    """Check that a GIF is a complete animation.

    :param path: The file.
    :param frames: The number of frames that ffprobe found.
    :raises ValidationError: If the GIF has a single frame, or is truncated.
    """
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - PADDING_BYTES))
        if not file.read(PADDING_BYTES).rstrip(b"\x00").endswith(END):
            raise ValidationError(f"{path} is truncated: the GIF has no trailer.", hint="Copy or export it again.")
    if frames == 1:
        raise ValidationError(
            f"{path} is not a video: the GIF has a single frame.", hint="Use an animated GIF, or a video file."
        )


def has_single_frame(path: Path) -> bool:
    """Return whether a GIF has exactly one frame, so that it is a picture. Nothing is decoded. Source: GIF89a.

    :param path: The file.
    """
    frames, in_block = 0, False
    with path.open("rb") as file:
        _skip_colour_table(file, file.read(13)[10:11])
        for _ in range(MAX_BLOCKS):
            byte = file.read(1)
            if in_block and byte:  # the length of the next part of this block
                in_block = byte != b"\x00"
                file.seek(byte[0], os.SEEK_CUR)
            elif byte == IMAGE:
                frames, in_block = frames + 1, True
                _skip_colour_table(file, file.read(9)[8:])
                file.seek(1, os.SEEK_CUR)
            elif byte == EXTENSION:
                in_block = True
                file.seek(1, os.SEEK_CUR)
            else:
                break
            if frames > 1:
                break
    return frames == 1


def _skip_colour_table(file: BinaryIO, flags: bytes) -> None:
    """Skip the colour table, if these flags announce one."""
    if flags and flags[0] & 0x80:
        file.seek(3 << (flags[0] & 7) + 1, os.SEEK_CUR)
