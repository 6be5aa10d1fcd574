"""The checks of a GIF that ffprobe does not make: whether it is animated, and whether it is complete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import ValidationError

if TYPE_CHECKING:
    from pathlib import Path

#: How a file ends: the end of its last block, then the trailer. Source: GIF89a, 16 and 27.
END: Final = b"\x00\x3b"
#: Some programs write zeros after the trailer. Up to this many bytes are ignored.
PADDING_BYTES: Final = 64 * 1024


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
