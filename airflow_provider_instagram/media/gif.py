"""What tells an animated GIF from a picture, and a whole one from one that is cut off: ffprobe does neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import ValidationError

if TYPE_CHECKING:
    from pathlib import Path

#: How a file ends: the end of its last block, then the trailer. Source: GIF89a, 16 and 27.
END: Final = b"\x00\x3b"
#: Zeros that some programs write behind it are forgiven, up to this many bytes.
PADDING_BYTES: Final = 64 * 1024


def refuse_what_is_no_animation(path: Path, pictures: int) -> None:
    """Stop at a GIF that is no video.

    :param path: The file.
    :param pictures: How many pictures ffprobe found in it.
    :raises ValidationError: When it holds a single picture, or is cut off.
    """
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - PADDING_BYTES))
        if not file.read(PADDING_BYTES).rstrip(b"\x00").endswith(END):
            raise ValidationError(f"{path} is cut off: a GIF ends with a trailer.", hint="Copy or export it again.")
    if pictures == 1:
        raise ValidationError(
            f"{path} is not a video: it is a GIF of a single picture.", hint="Choose an animated GIF, or a video file."
        )
