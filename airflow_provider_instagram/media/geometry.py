"""Which frame a picture is encoded into, how large it stands in it, and at what rate: arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

from airflow_provider_instagram.media.plan import is_close

if TYPE_CHECKING:
    from airflow_provider_instagram.media.probe import Video
    from airflow_provider_instagram.media.spec import Fit, VideoSpec


@dataclass(frozen=True, slots=True)
class Size:
    """Columns and rows, both even, as 4:2:0 needs them."""

    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where the picture goes.

    :param frame: The size of the result.
    :param picture: The size that the source is scaled to: inside the frame, over it when it is cropped, equal to it
        when both have one shape.
    :param enlarged: By how much the source's pixels are enlarged; 1 or less means that nothing is made up.
    :param lost: The share of the picture that is cropped away.
    """

    frame: Size
    picture: Size
    enlarged: float
    lost: float


def geometry(video: Video, spec: VideoSpec, fit: Fit) -> Geometry:
    """Lay a video out in the frame of the profile that loses least of it.

    The frame is the profile's own, or a smaller one of the same shape when the source has no more pixels, down to the
    profile's fewest columns.

    :param video: The source.
    :param spec: The profile.
    :param fit: How it is brought into a frame of another shape.
    :return: The layout.
    """
    columns, rows = max(spec.frames, key=lambda frame: _likeness(video.shape, Fraction(*frame)))
    whole = _fitted(video.shape, columns, rows, fit, spec)
    unit = Fraction(columns, rows)
    step = unit.numerator if not unit.numerator % 2 and not unit.denominator % 2 else unit.numerator * 2
    enlarged = whole.columns / video.shown_columns
    least = min(columns, ceil(spec.min_columns / step) * step)
    across = min(columns, max(least, ceil(columns / max(enlarged, 1) / step) * step))
    frame = Size(across, across * rows // columns)
    picture = _fitted(video.shape, frame.columns, frame.rows, fit, spec)
    lost = 1 - _likeness(video.shape, unit) if fit == "crop" and picture != frame else 0.0
    return Geometry(frame, picture, picture.columns / video.shown_columns, lost)


def frame_rate(video: Video, spec: VideoSpec) -> Fraction:
    """The constant rate to encode at: the source's own where the rules allow it, else one that keeps its rhythm.

    :param video: The source.
    :param spec: The rules.
    :return: Frames a second.
    """
    measured = Fraction(video.timeline.rate).limit_denominator(1001)
    nominal = video.nominal_fps
    rate = nominal if nominal and abs(float(nominal) / video.timeline.rate - 1) < 0.01 else spec.target_fps
    if spec.min_fps <= rate <= spec.max_fps and rate == nominal:
        return rate
    if rate != nominal and spec.min_fps <= measured <= spec.max_fps:
        return spec.target_fps if measured <= spec.target_fps * Fraction(11, 10) else spec.max_fps
    if rate > spec.max_fps:
        return max(rate / ceil(rate / spec.max_fps), spec.min_fps)
    if spec.target_fps % rate == 0:
        return spec.target_fps
    return min(rate * ceil(spec.min_fps / rate), spec.max_fps)


def _likeness(shape: Fraction, other: Fraction) -> float:
    return float(min(shape / other, other / shape))


def _fitted(shape: Fraction, columns: int, rows: int, fit: Fit, spec: VideoSpec) -> Size:
    """A picture's size inside the frame, or over it for ``crop``."""
    frame_shape = Fraction(columns, rows)
    if is_close(shape, frame_shape, spec):
        return Size(columns, rows)
    if (shape > frame_shape) == (fit != "crop"):
        return Size(columns, max(2, _even(columns / shape)))
    return Size(max(2, _even(rows * shape)), rows)


def _even(number: Fraction) -> int:
    return round(number / 2) * 2
