"""The frame size, the size of the picture inside the frame, and the frame rate of an encoding: arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from airflow_provider_instagram.media.probe import Video
    from airflow_provider_instagram.media.spec import Fit, VideoSpec

USUAL_FPS: Final = (*(Fraction(n, 1001) for n in (24_000, 30_000, 60_000)), *map(Fraction, (24, 25, 30, 48, 50, 60)))
#: A frame rate is regular if no frame is longer than this multiple of the shortest one, plus two ticks of Matroska.
REGULAR: Final = 1.1
CLOCK_S: Final = 0.0021


@dataclass(frozen=True, slots=True)
class Size:
    """Columns and rows, both even, as 4:2:0 requires."""

    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Geometry:
    """The layout of the picture in the frame.

    :param frame: The size of the result.
    :param picture: The size to which the source is scaled. It is smaller than the frame, larger if it is cropped, or
        equal if both have the same aspect ratio.
    :param enlarged: The factor by which the source is enlarged. 1 or less means no enlargement.
    :param lost: The share of the picture that is cropped away.
    :param bars: The share of the frame that the picture does not cover.
    """

    frame: Size
    picture: Size
    enlarged: float
    lost: float
    bars: float


def geometry(video: Video, spec: VideoSpec, fit: Fit) -> Geometry:
    """Return the layout of a video in the profile's frame that loses the least of it.

    The frame is the profile's own. If the source has fewer pixels, the frame is a smaller one of the same aspect ratio,
    down to the profile's minimum of columns.

    :param video: The source.
    :param spec: The profile.
    :param fit: How to fit the video into a frame of another aspect ratio.
    :return: The layout.
    """
    columns, rows = max(spec.frames, key=lambda frame: _similarity(video.aspect_ratio, Fraction(*frame)))
    whole = _fitted(video.aspect_ratio, columns, rows, fit, spec)
    unit = Fraction(columns, rows)
    step = unit.numerator if not unit.numerator % 2 and not unit.denominator % 2 else unit.numerator * 2
    enlarged = whole.columns / video.shown_columns
    least = min(columns, ceil(spec.min_columns / step) * step)
    across = min(columns, max(least, ceil(columns / max(enlarged, 1) / step) * step))
    frame = Size(across, across * rows // columns)
    picture = _fitted(video.aspect_ratio, frame.columns, frame.rows, fit, spec)
    unlike = 0.0 if picture == frame else 1 - _similarity(video.aspect_ratio, unit)
    lost, bars = (unlike, 0.0) if fit == "crop" else (0.0, unlike)
    return Geometry(frame, picture, picture.columns / video.shown_columns, lost, bars)


def covering(video: Video, size: Size) -> Size:
    """Return the size at which a picture covers another one completely."""
    if video.aspect_ratio > Fraction(size.columns, size.rows):
        return Size(ceil(size.rows * video.aspect_ratio / 2) * 2, size.rows)
    return Size(size.columns, ceil(size.columns / video.aspect_ratio / 2) * 2)


def frame_rate(video: Video, spec: VideoSpec) -> Fraction:
    """Return the constant frame rate of the encoding: the source's own if the rules allow it, or else a related one.

    :param video: The source.
    :param spec: The rules.
    :return: Frames per second.
    """
    rate = _regular_rate(video)
    if rate is None:
        faster = video.timeline.rate > float(spec.target_fps) * 1.1
        return spec.max_fps if faster else spec.target_fps
    if rate > spec.max_fps:
        return max(rate / ceil(rate / spec.max_fps), spec.min_fps)
    if rate >= spec.min_fps:
        return rate
    if spec.target_fps % rate == 0:
        return spec.target_fps
    return min(rate * ceil(spec.min_fps / rate), spec.max_fps)


def _regular_rate(video: Video) -> Fraction | None:
    """Return the source's rate if it is regular: its nominal rate, or a common rate, that its packets confirm."""
    if video.timeline.longest_s > video.timeline.shortest_s * REGULAR + CLOCK_S:
        return None
    candidates = (video.nominal_fps, video.nominal_fps / 2, *USUAL_FPS)
    return next((fps for fps in candidates if fps and abs(float(fps) / video.timeline.rate - 1) < 0.005), None)


def is_close(shape: Fraction, other: Fraction, spec: VideoSpec) -> bool:
    """Return whether two aspect ratios look the same."""
    return abs(float(shape / other) - 1) <= spec.aspect_tolerance


def _similarity(shape: Fraction, other: Fraction) -> float:
    return float(min(shape / other, other / shape))


def _fitted(shape: Fraction, columns: int, rows: int, fit: Fit, spec: VideoSpec) -> Size:
    """Return a picture's size inside the frame, or beyond it for ``crop``."""
    frame_shape = Fraction(columns, rows)
    if is_close(shape, frame_shape, spec):
        return Size(columns, rows)
    if (shape > frame_shape) == (fit != "crop"):
        return Size(columns, max(2, _even(columns / shape)))
    return Size(max(2, _even(rows * shape)), rows)


def _even(number: Fraction) -> int:
    return round(number / 2) * 2
