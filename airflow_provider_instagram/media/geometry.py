"""The frame size, the size of the picture inside the frame, and the frame rate: arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from airflow_provider_instagram.media.info import PictureInfo, Video
    from airflow_provider_instagram.media.spec import Fit, PictureSpec, VideoSpec

USUAL_FPS: Final = (
    *(Fraction(n, 1001) for n in (24_000, 30_000, 60_000)),
    *map(Fraction, (24, 25, 30, 48, 50, 60)),
)
#: A frame rate is regular if no frame is longer than this multiple of the shortest one, plus two
#: ticks of Matroska.
REGULAR: Final = 1.1
CLOCK_S: Final = 0.0021
#: A picture whose aspect ratio differs less than this is stretched. The eye does not see it, but it
#: sees a thin bar.
STRETCHED: Final = 0.01
#: Protects against rounding: 1080 / 0.8 may be a little less than 1350.
EPSILON: Final = 1e-9


class Size(NamedTuple):
    """Columns and rows. Those of a video are even, as 4:2:0 requires."""

    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of the picture in the frame.

    :param picture: The size to which the source is scaled. It is smaller than the frame, larger if
        it is cropped, or equal if both have the same aspect ratio.
    :param enlarged: The factor by which the source is enlarged. 1 or less means no enlargement.
    :param lost: The share of the picture that is cropped away.
    :param bars: The share of the frame that the picture does not cover.
    """

    frame: Size
    picture: Size
    enlarged: float
    lost: float
    bars: float


def video_layout(video: Video, spec: VideoSpec, fit: Fit) -> Layout:
    """Return the layout of a video in the profile's frame that loses the least of it.

    The frame is the profile's own. If the source has fewer pixels, the frame is a smaller one of
    the same aspect ratio, down to the profile's minimum of columns.
    """
    columns, rows = max(
        spec.frames, key=lambda frame: _similarity(video.aspect_ratio, Fraction(*frame))
    )
    whole = _fitted(video.aspect_ratio, columns, rows, fit, spec)
    unit = Fraction(columns, rows)
    is_even = not unit.numerator % 2 and not unit.denominator % 2
    step = unit.numerator if is_even else unit.numerator * 2
    enlarged = whole.columns / video.shown_columns
    least = min(columns, ceil(spec.min_columns / step) * step)
    across = min(columns, max(least, ceil(columns / max(enlarged, 1) / step) * step))
    frame = Size(across, across * rows // columns)
    picture = _fitted(video.aspect_ratio, frame.columns, frame.rows, fit, spec)
    unlike = 0.0 if picture == frame else 1 - _similarity(video.aspect_ratio, unit)
    return _layout(frame, picture, picture.columns / video.shown_columns, unlike, fit)


def _layout(frame: Size, picture: Size, enlarged: float, unlike: float, fit: Fit) -> Layout:
    lost, bars = (unlike, 0.0) if fit == "crop" else (0.0, unlike)
    return Layout(frame, picture, enlarged, lost, bars)


def covering(video: Video, size: Size) -> Size:
    """Return the size at which a picture covers another one completely."""
    if video.aspect_ratio > Fraction(size.columns, size.rows):
        return Size(ceil(size.rows * video.aspect_ratio / 2) * 2, size.rows)
    return Size(size.columns, ceil(size.columns / video.aspect_ratio / 2) * 2)


def frame_rate(video: Video, spec: VideoSpec) -> Fraction:
    """Return the constant frame rate of the encoding: the source's own if the rules allow it, or else a related one."""
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
    return next(
        (fps for fps in candidates if fps and abs(float(fps) / video.timeline.rate - 1) < 0.005),
        None,
    )


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


def picture_layout(info: PictureInfo, spec: PictureSpec, fit: Fit) -> Layout:
    """Return the layout that keeps the most of a picture."""
    target = ratio = info.aspect_ratio
    if not spec.is_allowed(ratio):
        target = min(max(ratio, spec.min_aspect_ratio), spec.max_aspect_ratio)
    is_stretched = abs(ratio / target - 1) <= STRETCHED
    is_wide = ratio > target
    # The frame as wide as the source needs it, without a change of size: the columns that crop
    # keeps or pad adds.
    needed = info.columns if is_stretched or is_wide != (fit == "crop") else info.rows * target
    columns = min(max(round(needed), spec.min_columns), spec.max_columns)
    frame = Size(columns, _rows(columns, target, spec))
    if is_stretched:
        return _layout(frame, frame, columns / info.columns, 0.0, fit)
    if is_wide != (fit == "crop"):
        picture = Size(columns, max(1, round(columns / ratio)))
    else:
        picture = Size(max(1, round(frame.rows * ratio)), frame.rows)
    unlike = 1 - min(ratio / target, target / ratio)
    return _layout(frame, picture, picture.columns / info.columns, unlike, fit)


def _rows(columns: int, aspect_ratio: float, spec: PictureSpec) -> int:
    """Return the rows of a frame. If rounding breaks a rule, the nearest number that does not."""
    rows = round(columns / aspect_ratio)
    fewest = ceil(columns / (spec.max_aspect_ratio * (1 + spec.aspect_tolerance)) - EPSILON)
    most = floor(columns / (spec.min_aspect_ratio * (1 - spec.aspect_tolerance)) + EPSILON)
    return min(max(rows, fewest), most) if fewest <= most else rows
