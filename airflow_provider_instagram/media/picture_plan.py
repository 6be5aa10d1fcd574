"""The plan for a picture: whether it complies, and what to do if it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from airflow_provider_instagram.media.picture import UPRIGHT
from airflow_provider_instagram.media.picture_geometry import picture_layout
from airflow_provider_instagram.media.plan import ENLARGED, LOST, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_instagram.media.picture import PictureInfo
    from airflow_provider_instagram.media.spec import Fit, PictureSpec

PictureTier = Literal["pass", "full"]
FORMAT_NAMES: Final = {"MPO": "a JPEG with several pictures (MPO)", "HEIF": "HEIC", "WEBP": "WebP"}


@dataclass(frozen=True, slots=True)
class PicturePlan:
    """What to do with a picture.

    :param tier: ``pass``: nothing · ``full``: make a new JPEG.
    :param reasons: The rules that the picture breaks. Empty for ``pass``.
    :param warnings: What will reduce the quality of the result.
    """

    tier: PictureTier
    reasons: tuple[Reason, ...]
    warnings: tuple[str, ...]


def plan_picture(info: PictureInfo, spec: PictureSpec, *, fit: Fit = "pad", background: str = "black") -> PicturePlan:
    """Find out whether a picture complies.

    :param info: The picture.
    :param spec: The rules.
    :param fit: How to fit a picture of another aspect ratio into the frame: ``pad`` with bars, ``blur`` with a blurred
        copy behind it, or ``crop`` the excess.
    :param background: The colour of the bars, and of what is transparent.
    :return: The plan.
    """
    reasons = (*_file_reasons(info), *_colour_reasons(info), *_size_reasons(info, spec))
    tier: PictureTier = "full" if reasons else "pass"
    return PicturePlan(tier, reasons, tuple(_warnings(info, spec, fit)) if reasons else ())


def _file_reasons(info: PictureInfo) -> Iterator[Reason]:
    if info.format != "JPEG":
        yield Reason("format", f"{FORMAT_NAMES.get(info.format, info.format)} is not JPEG", "full")
    if info.orientation != UPRIGHT:
        yield Reason("orientation", f"EXIF's orientation is {info.orientation}, not upright", "full")
    if info.location_tags:
        found = f"the metadata may reveal where it was taken ({', '.join(info.location_tags)})"
        yield Reason("location", found, "full")
    if info.has_extra_data:
        yield Reason("extra data", "the file goes on after the picture, as a motion photo does", "full")


def _colour_reasons(info: PictureInfo) -> Iterator[Reason]:
    if info.format in ("JPEG", "MPO") and info.mode != "RGB":
        yield Reason("colour space", f"{'grey' if info.mode == 'L' else info.mode} is not sRGB", "full")
    if not info.is_srgb:
        yield Reason("colour profile", f"{info.colour_profile or 'the colour profile'} is not sRGB", "full")
    if info.has_alpha:
        yield Reason("alpha", "parts may be transparent", "full")


def _size_reasons(info: PictureInfo, spec: PictureSpec) -> Iterator[Reason]:
    if not spec.is_allowed(info.aspect_ratio):
        found = f"{info.columns}x{info.rows} ({info.aspect_ratio:.2f}:1) is not {spec.aspect_ratios()}"
        yield Reason("aspect ratio", found, "full")
    if not spec.min_columns <= info.columns <= spec.max_columns:
        yield Reason("columns", f"{info.columns} is not between {spec.min_columns} and {spec.max_columns}", "full")
    if info.size_bytes > spec.max_size_bytes:
        yield Reason("size", f"{info.size_bytes:,} bytes is more than {spec.max_size_bytes:,}", "full")


def _warnings(info: PictureInfo, spec: PictureSpec, fit: Fit) -> Iterator[str]:
    if info.frames > 1:
        yield f"The file contains {info.frames} pictures. The result shows the first."
    layout = picture_layout(info, spec, fit)
    if layout.enlarged > ENLARGED:
        yield f"The picture is enlarged {layout.enlarged:.1f} times and will look soft."
    if layout.lost > LOST:
        yield f"{layout.lost:.0%} of the picture is cropped away."
    if layout.bars > LOST:
        yield f"{layout.bars:.0%} of the frame is outside the picture."
