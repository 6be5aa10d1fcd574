"""A video as a source of a transcode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_instagram.media.geometry import geometry
from airflow_provider_instagram.media.plan import plan
from airflow_provider_instagram.media.preview import write_preview
from airflow_provider_instagram.media.probe import VideoInfo, probe
from airflow_provider_instagram.media.transcode import done_before, transcode
from airflow_provider_instagram.media.work import copy_whole, work_key

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_instagram.media.options import Options
    from airflow_provider_instagram.media.plan import Tier
    from airflow_provider_instagram.media.report import Report
    from airflow_provider_instagram.media.spec import VideoSpec


@dataclass(frozen=True, slots=True)
class VideoItem:
    """An :class:`~airflow_provider_instagram.media.item.Item` that is a video.

    :param info: The properties of the source.
    :param spec: The rules.
    :param options: The options.
    :param tier: The tier of its plan.
    """

    info: VideoInfo
    spec: VideoSpec
    options: Options
    tier: Tier

    @classmethod
    def read(cls, path: Path, spec: VideoSpec, options: Options) -> VideoItem:
        """Probe a video and plan its work.

        :raises ValidationError: If the video cannot be used.
        """
        info = probe(path, ffprobe=options.ffprobe, cancel=options.cancel)
        todo = plan(info, spec, options)
        return cls(info, spec, options, todo.tier)

    @property
    def suffix(self) -> str:
        """How the name of a result ends."""
        return ".mp4"

    @property
    def placement(self) -> str:
        """The name of the rules."""
        return self.spec.name

    @property
    def complies(self) -> bool:
        """Whether the source complies."""
        return self.tier == "pass"

    @property
    def aspect_ratio(self) -> float:
        """The width of the result over its height."""
        if self.tier != "full":
            return float(self.info.video.aspect_ratio)
        frame = geometry(self.info.video, self.spec, self.options.fit).frame
        return frame.columns / frame.rows

    def key(self) -> str:
        """Return the key of the work."""
        return work_key(self.info.path, self.spec, self.options)

    def write(self, output: Path) -> Report:
        """Write the result."""
        report = transcode(self.info.path, output, self.spec, self.options, info=self.info)
        if report.tier == "pass" and output != self.info.path:
            copy_whole(self.info, output)
        return report

    def done_before(self, output: Path) -> Report:
        """Return the report of an earlier result."""
        return done_before(self.info.path, output, self.spec, self.options, info=self.info)

    def write_preview(self, made: Path, jpeg: Path) -> None:
        """Write a JPEG of the first frame of a result."""
        write_preview(made, jpeg, ffmpeg=self.options.ffmpeg, cancel=self.options.cancel)
