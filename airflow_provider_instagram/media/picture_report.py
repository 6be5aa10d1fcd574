"""The report of a picture's conversion, for logs and for XCom."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.media.report import as_table

if TYPE_CHECKING:
    from airflow_provider_instagram.media.picture import PictureInfo
    from airflow_provider_instagram.media.picture_plan import PicturePlan, PictureTier


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


@dataclass(frozen=True, slots=True)
class PictureReport:
    """The report of a conversion.

    :param tier: The kind of work.
    :param reasons: The rules that the source broke.
    :param warnings: What reduces the quality of the result.
    :param before: The source.
    :param after: The result, or the source again if no work was needed.
    :param elapsed_s: The duration of the work, in seconds.
    """

    tier: PictureTier
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    before: PictureMeasures
    after: PictureMeasures
    elapsed_s: float

    @classmethod
    def of(cls, plan: PicturePlan, before: PictureInfo, after: PictureInfo, elapsed_s: float) -> PictureReport:
        """Return the report of a plan that was carried out."""
        return cls(
            plan.tier,
            tuple(map(str, plan.reasons)),
            plan.warnings,
            PictureMeasures.of(before),
            PictureMeasures.of(after),
            round(elapsed_s, 3),
        )

    def as_data(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {**asdict(self), "reasons": list(self.reasons), "warnings": list(self.warnings)}

    def table(self) -> list[str]:
        """Return the report as lines for a log."""
        return [
            f"Tier {self.tier}, {self.elapsed_s:.1f} s",
            *(f"because of {reason}" for reason in self.reasons),
            *(f"warning: {warning}" for warning in self.warnings),
            *as_table(self.before.facts(), self.after.facts()),
        ]
