"""A JPEG of the frame that Instagram will show as the cover."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import ffmpeg as builder

from airflow_provider_instagram.exceptions import TranscodeError, ValidationError
from airflow_provider_instagram.media.probe import ONLY_THIS_FILE
from airflow_provider_instagram.utils.process import Cancel, ProcessLimits, run

LIMITS: Final = ProcessLimits(wall_s=120, cpu_s=240, output_bytes=8_000_000)


def write_preview(
    video: Path, jpeg: Path, at_ms: int = 0, *, ffmpeg: str = "ffmpeg", cancel: Cancel | None = None
) -> None:
    """Write the frame at a given time as a JPEG, which appears complete or not at all.

    :param video: A local video.
    :param jpeg: The file to write. An existing file is replaced.
    :param at_ms: The time, in milliseconds from the start: the same number as the cover's time.
    :param ffmpeg: The program, by name or path.
    :param cancel: Ends the work early.
    :raises ValidationError: If the video has no frame at that time.
    :raises TranscodeError: If ffmpeg failed, or the work was cancelled.
    """
    source = builder.input(f"file:{video.absolute()}", ss=at_ms / 1000, **ONLY_THIS_FILE)
    with tempfile.TemporaryDirectory(prefix=f".{jpeg.name}.", dir=jpeg.absolute().parent) as work:
        made = Path(work) / "cover.jpg"
        stream = source.video.output(
            f"file:{made}", f="image2", update=1, qscale=2, pix_fmt="yuvj420p", **{"frames:v": 1}
        )
        finished = run([ffmpeg, *stream.global_args("-nostdin", "-v", "error").get_args()], LIMITS, cancel=cancel)
        if not finished.ok:
            raise TranscodeError(
                f"ffmpeg could not create a preview of {video}: {finished.complaint}.",
                hint="Check that the video plays.",
            )
        if not made.exists():
            raise ValidationError(
                f"{video} has no frame at {at_ms} ms.", hint="Use a cover time between 0 and the video's duration."
            )
        made.replace(jpeg)
