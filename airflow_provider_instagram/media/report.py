"""The report of a transcode, for logs and for XCom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.media.info import Info, PictureInfo
from airflow_provider_instagram.posts.kinds import ItemKind

if TYPE_CHECKING:
    from airflow_provider_instagram.media.plan import Plan


def measures_of(info: Info) -> dict[str, Any]:
    """Return the facts about a file that was read, as plain data. The frame of a video is as shown, in pixels."""
    if isinstance(info, PictureInfo):
        names = ("format", "size_bytes", "columns", "rows", "mode", "colour_profile")
        return {name: getattr(info, name) for name in names}
    video = info.video
    audio = info.audio
    container = info.container
    if info.layout:
        container = "mov" if info.layout.brand == "qt" else "mp4"
    return {
        "container": container,
        "size_bytes": info.size_bytes,
        "duration_s": round(info.duration_s, 3),
        "columns": video.rows if video.is_sideways else video.columns,
        "rows": video.columns if video.is_sideways else video.rows,
        "fps": round(video.timeline.rate, 3),
        "video_codec": video.codec,
        "video_kbps": round(video.timeline.bits_per_s / 1000),
        "audio_codec": audio.codec if audio else None,
        "audio_kbps": round(audio.timeline.bits_per_s / 1000) if audio else None,
        "sample_rate_hz": audio.sample_rate_hz if audio else None,
        "channels": audio.channels if audio else None,
    }


def facts_of(info: Info) -> dict[str, str]:
    """Return the facts about a file that was read, in words."""
    fact = measures_of(info)
    size = f"{info.size_bytes / 1e6:.2f} MB"
    frame = f"{fact['columns']}x{fact['rows']}"
    if isinstance(info, PictureInfo):
        colours = f"{info.mode}, {info.colour_profile or 'no profile'}"
        return {"format": info.format, "size": size, "frame": frame, "colours": colours}
    audio = "{audio_codec}, {audio_kbps} kb/s, {sample_rate_hz} Hz, {channels} ch".format(**fact)
    return {
        "container": fact["container"],
        "size": size,
        "duration": f"{fact['duration_s']:.2f} s",
        "frame": f"{frame}, {fact['fps']:g} fps",
        "video": f"{fact['video_codec']}, {fact['video_kbps']:,} kb/s",
        "audio": audio if info.audio else "none",
    }


@dataclass(frozen=True, slots=True)
class Report:
    """The report of a transcode.

    :param plan: What was done, because of which rules that the source broke.
    :param after: The result, or the source again if no work was needed.
    """

    plan: Plan
    before: Info
    after: Info
    elapsed_s: float

    @property
    def speed(self) -> float | None:
        """Seconds of video per second of work. None for a picture."""
        if isinstance(self.after, PictureInfo):
            return None
        return round(self.after.duration_s / max(round(self.elapsed_s, 3), 1e-3), 2)

    def as_data(self) -> dict[str, Any]:
        """Return the report as plain data."""
        is_picture = isinstance(self.after, PictureInfo)
        data = {
            "kind": ItemKind.PICTURE.value if is_picture else ItemKind.VIDEO.value,
            "tier": self.plan.tier,
            "reasons": list(map(str, self.plan.reasons)),
            "warnings": list(self.plan.warnings),
            "before": measures_of(self.before),
            "after": measures_of(self.after),
            "elapsed_s": round(self.elapsed_s, 3),
        }
        return data if self.speed is None else {**data, "speed": self.speed}

    def table(self) -> list[str]:
        """Return the report as lines for a log."""
        speed = "" if self.speed is None else f", {self.speed:g} times real time"
        before = facts_of(self.before)
        after = facts_of(self.after)
        rows = [("", "source", "result"), *((name, before[name], after[name]) for name in before)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return [
            f"Tier {self.plan.tier}, {self.elapsed_s:.1f} s{speed}",
            *(f"because of {reason}" for reason in self.plan.reasons),
            *(f"warning: {warning}" for warning in self.plan.warnings),
            *("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows),
        ]
