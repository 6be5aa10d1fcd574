"""The report of a picture's conversion, for logs and for XCom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_instagram.media.report import BaseReport

if TYPE_CHECKING:
    from airflow_provider_instagram.media.picture import PictureInfo
    from airflow_provider_instagram.media.picture_plan import PicturePlan


@dataclass(frozen=True, slots=True)
class PictureMeasures:
    """The facts about one picture.

    :param format: The format, as Pillow names it.
    :param size_bytes: The file size.
    :param columns: The width as shown, in pixels.
    :param rows: The height as shown, in pixels.
    :param mode: The pixel format, as Pillow names it.
    :param colour_profile: The name of the ICC profile. Empty without one.
    """

    format: str
    size_bytes: int
    columns: int
    rows: int
    mode: str
    colour_profile: str

    @classmethod
    def of(cls, info: PictureInfo) -> PictureMeasures:
        """Return the facts about a picture that was read."""
        return cls(info.format, info.size_bytes, info.columns, info.rows, info.mode, info.colour_profile)

    def facts(self) -> list[tuple[str, str]]:
        """Return the names and values of the facts, as text."""
        return [
            ("format", self.format),
            ("size", f"{self.size_bytes / 1e6:.2f} MB"),
            ("frame", f"{self.columns}x{self.rows}"),
            ("colours", f"{self.mode}, {self.colour_profile or 'no profile'}"),
        ]


class PictureReport(BaseReport[PictureMeasures]):
    """The report of a picture's conversion."""

    __slots__ = ()

    @classmethod
    def of(cls, plan: PicturePlan, before: PictureInfo, after: PictureInfo, elapsed_s: float) -> PictureReport:
        """Return the report of a plan that was carried out."""
        measures = PictureMeasures.of(before), PictureMeasures.of(after)
        return cls(plan.tier, tuple(map(str, plan.reasons)), plan.warnings, *measures, round(elapsed_s, 3))
