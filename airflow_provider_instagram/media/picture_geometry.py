"""The frame size of a picture, and the size of the picture inside the frame: arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from airflow_provider_instagram.media.picture import PictureInfo
    from airflow_provider_instagram.media.spec import Fit, PictureSpec

#: A picture whose aspect ratio differs less than this is stretched. The eye does not see it, but it sees a thin bar.
STRETCHED: Final = 0.01
#: Protects against rounding: 1080 / 0.8 may be a little less than 1350.
EPSILON: Final = 1e-9


@dataclass(frozen=True, slots=True)
class PictureLayout:
    """The layout of a picture in the frame.

    :param frame: Columns and rows of the result.
    :param picture: Columns and rows to which the source is scaled. It is larger than the frame if it is cropped.
    :param enlarged: The factor by which the source is enlarged. 1 or less means no enlargement.
    :param lost: The share of the picture that is cropped away.
    :param bars: The share of the frame that the picture does not cover.
    """

    frame: tuple[int, int]
    picture: tuple[int, int]
    enlarged: float
    lost: float
    bars: float


def picture_layout(info: PictureInfo, spec: PictureSpec, fit: Fit) -> PictureLayout:
    """Return the layout that keeps the most of a picture.

    :param info: The source.
    :param spec: The rules.
    :param fit: How to fit a picture of another aspect ratio into the frame.
    :return: The layout.
    """
    ratio = info.aspect_ratio
    target = ratio if spec.is_allowed(ratio) else min(max(ratio, spec.min_aspect_ratio), spec.max_aspect_ratio)
    is_close = abs(ratio / target - 1) <= STRETCHED
    is_wide = ratio > target
    # The frame as wide as the source needs it, without a change of size: the columns that crop keeps or pad adds.
    needed = info.columns if is_close or is_wide != (fit == "crop") else info.rows * target
    columns = min(max(round(needed), spec.min_columns), spec.max_columns)
    frame = (columns, _rows(columns, target, spec))
    if is_close:
        return PictureLayout(frame, frame, columns / info.columns, 0.0, 0.0)
    if is_wide != (fit == "crop"):
        picture = (columns, max(1, round(columns / ratio)))
    else:
        picture = (max(1, round(frame[1] * ratio)), frame[1])
    unlike = 1 - min(ratio / target, target / ratio)
    lost, bars = (unlike, 0.0) if fit == "crop" else (0.0, unlike)
    return PictureLayout(frame, picture, picture[0] / info.columns, lost, bars)


def _rows(columns: int, aspect_ratio: float, spec: PictureSpec) -> int:
    """Return the rows of a frame. If rounding breaks a rule, the nearest number that does not."""
    rows = round(columns / aspect_ratio)
    fewest = ceil(columns / (spec.max_aspect_ratio * (1 + spec.aspect_tolerance)) - EPSILON)
    most = floor(columns / (spec.min_aspect_ratio * (1 - spec.aspect_tolerance)) + EPSILON)
    return min(max(rows, fewest), most) if fewest <= most else rows
