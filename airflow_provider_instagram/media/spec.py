"""The profiles: the rules that a video must comply with, and the targets of an encoding."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from airflow_provider_instagram.exceptions import ValidationError

Fit = Literal["pad", "blur", "crop"]
Trim = Literal["error", "end"]


@dataclass(frozen=True, slots=True)
class VideoSpec:
    """The rules and targets of one placement. To change some, use :func:`dataclasses.replace`.

    :param name: The name of the placement in messages and file names.
    :param frames: The frame sizes of an encoding, as columns and rows. Their aspect ratios are a rule.
    :param min_duration_s: Rule: the shortest duration, in seconds.
    :param max_duration_s: Rule: the longest duration, in seconds.
    :param max_size_bytes: Rule: the largest file size.
    :param min_fps: Rule: the lowest frame rate.
    :param max_fps: Rule: the highest frame rate.
    :param min_columns: Rule: the fewest columns. A smaller video is enlarged.
    :param max_columns: Rule: the most columns.
    :param max_video_bps: Rule: the highest mean bit rate of the video, in bits per second.
    :param aspect_tolerance: The allowed relative difference from a frame's aspect ratio.
    :param target_fps: Target: the frame rate, if the source does not suggest another one.
    :param target_video_bps: Target: the bit rate of an encoded video, in bits per second.
    :param target_audio_bps: Target: the bit rate of encoded audio, in bits per second.
    :param recommended_max_duration_s: Recommendation: the longest duration that is shown everywhere, in seconds.
    """

    name: str
    frames: tuple[tuple[int, int], ...]
    min_duration_s: float = 3.0
    max_duration_s: float = 90.0
    max_size_bytes: int = 100_000_000
    min_fps: Fraction = Fraction(23)
    max_fps: Fraction = Fraction(60)
    min_columns: int = 540
    max_columns: int = 1920
    max_video_bps: int = 5_000_000
    aspect_tolerance: float = 0.01
    target_fps: Fraction = Fraction(30)
    target_video_bps: int = 4_200_000
    target_audio_bps: int = 128_000
    recommended_max_duration_s: float = 60.0

    def aspect_ratios(self) -> str:
        """Return the aspect ratios of the frames in words, such as ``1:1, 4:5 or 16:9``."""
        ratios = [Fraction(columns, rows) for columns, rows in self.frames]
        words = [f"{ratio.numerator}:{ratio.denominator}" for ratio in ratios]
        return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


#: Reels. Source: the specification's table "Video Specifications"; columns from Meta, IG User media reference.
REELS: Final = VideoSpec(name="reels", frames=((1080, 1920),))

#: A single video in the feed. Source: the same table.
FEED: Final = VideoSpec(name="feed", frames=((1080, 1080), (1080, 1350), (1920, 1080)), max_duration_s=60.0)

#: The widest limits that Meta accepts for a reel, beyond the table. Source: Meta, IG User media reference.
REELS_MAX: Final = VideoSpec(
    name="reels_max",
    frames=((1080, 1920),),
    max_duration_s=900.0,
    max_size_bytes=300_000_000,
    max_video_bps=25_000_000,
    target_video_bps=8_000_000,
)

PLACEMENTS: Final = {spec.name: spec for spec in (REELS, FEED)}


def spec_for(placement: str) -> VideoSpec:
    """Return the profile of a placement.

    :param placement: ``reels`` or ``feed``.
    :return: Its rules and targets.
    :raises ValidationError: If the placement is another text.
    """
    try:
        return PLACEMENTS[placement]
    except KeyError:
        raise ValidationError(
            f"{placement!r} is not a valid placement.", hint=f"Use one of: {', '.join(PLACEMENTS)}."
        ) from None
