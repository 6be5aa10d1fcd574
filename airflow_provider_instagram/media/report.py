"""The report of a transcode, for logs and for XCom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.media.info import Info, PictureInfo, VideoInfo
from airflow_provider_instagram.posts.kinds import ItemKind

if TYPE_CHECKING:
    from airflow_provider_instagram.media.plan import Plan


@dataclass(frozen=True, slots=True)
class VideoMeasures:
    """The facts about one video, with its size as shown, in pixels."""

    container: str
    size_bytes: int
    duration_s: float
    columns: int
    rows: int
    fps: float
    video_codec: str
    video_kbps: int
    audio_codec: str | None
    audio_kbps: int | None
    sample_rate_hz: int | None
    channels: int | None

    @classmethod
    def of(cls, info: VideoInfo) -> VideoMeasures:
        """Return the facts about a probed file."""
        video, audio = info.video, info.audio
        sideways = video.rotation in (90, 270)
        return cls(
            container="mov" if info.layout and info.layout.brand == "qt" else "mp4" if info.layout else info.container,
            size_bytes=info.size_bytes,
            duration_s=round(info.duration_s, 3),
            columns=video.rows if sideways else video.columns,
            rows=video.columns if sideways else video.rows,
            fps=round(video.timeline.rate, 3),
            video_codec=video.codec,
            video_kbps=round(video.timeline.bits_per_s / 1000),
            audio_codec=audio.codec if audio else None,
            audio_kbps=round(audio.timeline.bits_per_s / 1000) if audio else None,
            sample_rate_hz=audio.sample_rate_hz if audio else None,
            channels=audio.channels if audio else None,
        )

    def facts(self) -> list[tuple[str, str]]:
        """Return the names and values of the facts, as text."""
        audio = f"{self.audio_codec}, {self.audio_kbps} kb/s, {self.sample_rate_hz} Hz, {self.channels} ch"
        return [
            ("container", self.container),
            ("size", f"{self.size_bytes / 1e6:.2f} MB"),
            ("duration", f"{self.duration_s:.2f} s"),
            ("frame", f"{self.columns}x{self.rows}, {self.fps:g} fps"),
            ("video", f"{self.video_codec}, {self.video_kbps:,} kb/s"),
            ("audio", "none" if self.audio_codec is None else audio),
        ]


@dataclass(frozen=True, slots=True)
class PictureMeasures:
    """The facts about one picture. Without an ICC profile, ``colour_profile`` is empty."""

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


Measures = VideoMeasures | PictureMeasures


def measures_of(info: Info) -> Measures:
    """Return the facts about a file that was read."""
    return PictureMeasures.of(info) if isinstance(info, PictureInfo) else VideoMeasures.of(info)


@dataclass(frozen=True, slots=True)
class Report:
    """The report of a transcode.

    :param reasons: The rules that the source broke, each with the tier that it needed.
    :param after: The result, or the source again if no work was needed.
    """

    tier: str
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    before: Measures
    after: Measures
    elapsed_s: float

    @classmethod
    def of(cls, plan: Plan, before: Info, after: Info, elapsed_s: float) -> Report:
        """Return the report of a plan that was carried out."""
        reasons = tuple(map(str, plan.reasons))
        return cls(plan.tier, reasons, plan.warnings, measures_of(before), measures_of(after), round(elapsed_s, 3))

    @property
    def kind(self) -> ItemKind:
        """What the source and the result are."""
        return ItemKind.PICTURE if isinstance(self.after, PictureMeasures) else ItemKind.VIDEO

    @property
    def speed(self) -> float | None:
        """Seconds of video per second of work. None for a picture."""
        if isinstance(self.after, PictureMeasures):
            return None
        return round(self.after.duration_s / max(self.elapsed_s, 1e-3), 2)

    def as_data(self) -> dict[str, Any]:
        """Return the report as plain data."""
        lists = {"reasons": list(self.reasons), "warnings": list(self.warnings)}
        data = {"kind": self.kind.value, **asdict(self), **lists}
        return data if self.speed is None else {**data, "speed": self.speed}

    def table(self) -> list[str]:
        """Return the report as lines for a log."""
        speed = "" if self.speed is None else f", {self.speed:g} times real time"
        return [
            f"Tier {self.tier}, {self.elapsed_s:.1f} s{speed}",
            *(f"because of {reason}" for reason in self.reasons),
            *(f"warning: {warning}" for warning in self.warnings),
            *_as_table(self.before.facts(), self.after.facts()),
        ]


def _as_table(before: Sequence[tuple[str, str]], after: Sequence[tuple[str, str]]) -> list[str]:
    rows = [("", "source", "result"), *((name, old, new) for (name, old), (_, new) in zip(before, after, strict=True))]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
