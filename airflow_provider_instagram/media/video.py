"""Convert a video into one that complies, with ffmpeg, and read a file as what its content is."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

import ffmpeg as builder

from airflow_provider_instagram.exceptions import TranscodeError, ValidationError
from airflow_provider_instagram.media import command
from airflow_provider_instagram.media.encode import FFmpeg, encode
from airflow_provider_instagram.media.geometry import Layout, video_layout
from airflow_provider_instagram.media.item import Item
from airflow_provider_instagram.media.kind import kind_of
from airflow_provider_instagram.media.picture import PictureItem
from airflow_provider_instagram.media.plan import Plan, Reason, plan_video
from airflow_provider_instagram.media.probe import ONLY_THIS_FILE, probe
from airflow_provider_instagram.media.process import ProcessLimits, beside, run
from airflow_provider_instagram.media.spec import DEFAULTS, Options, PictureSpec, Profile, VideoSpec
from airflow_provider_instagram.posts.kinds import ItemKind

if TYPE_CHECKING:
    from airflow_provider_instagram.media.info import Info, VideoInfo
    from airflow_provider_instagram.utils.time_limit import Cancel

#: Increment this when a default changes, or when the same source, profile and ffmpeg give a
#: different result.
RECIPE: Final = 1
SHORT_LIMITS: Final = ProcessLimits(wall_s=10, cpu_s=10)
PREVIEW_LIMITS: Final = ProcessLimits(wall_s=120, cpu_s=240, output_bytes=8_000_000)


@dataclass(frozen=True)
class VideoItem(Item):
    """A video. The cheapest tier of work that makes it comply is tried first."""

    suffix: ClassVar[str] = ".mp4"
    keyed_options: ClassVar[tuple[str, ...]] = ("fit", "background", "trim")

    info: VideoInfo
    spec: VideoSpec

    @classmethod
    def read(cls, path: Path, spec: VideoSpec, options: Options = DEFAULTS) -> VideoItem:
        """Probe a video and plan its work.

        :raises ValidationError: If the video cannot be used. The message contains the rule that it
            breaks.
        """
        info = probe(path, ffprobe=options.ffprobe, cancel=options.cancel)
        return cls(info, spec, options, plan_video(info, spec, options))

    @property
    def layout(self) -> Layout:
        """How the source is laid out in the frame of the result."""
        return video_layout(self.info.video, self.spec, self.options.fit)

    def write_still(self, jpeg: Path, at_ms: int = 0) -> None:
        """Write the frame at a time, as a picture that gets the aspect ratio of the result."""
        frame = jpeg.with_name("frame.jpg")
        write_preview(self.info.path, frame, at_ms, ffmpeg=self.options.ffmpeg)
        ratio = self.aspect_ratio
        spec = PictureSpec(
            self.spec.name,
            ratio,
            ratio,
            self.spec.aspect_tolerance,
            max_columns=self.spec.frames[0][0],
        )
        PictureItem.read(frame, spec, self.options, is_written_next=True).write(jpeg)

    def _tool(self) -> str:
        ffmpeg = self.options.ffmpeg
        finished = run([ffmpeg, "-version"], SHORT_LIMITS)
        if not finished.ok:
            raise TranscodeError(
                f"{ffmpeg} does not run: {finished.complaint}.", hint="Install ffmpeg 5.1 or newer."
            )
        version = finished.stdout.partition("\n")[0]
        return f"video {RECIPE}, {version}"

    def _make(self, result: Path) -> tuple[Plan, Info]:
        """Write the result. If a cheaper tier does not produce a compliant file, encode the whole video."""
        todo = self.plan
        try:
            return self._attempt(todo, result)
        except TranscodeError as error:
            self.options.cancel.raise_if_requested()
            if todo.tier == "full":
                raise
            reason = Reason(
                todo.tier, f"tried, but {error.message[0].lower()}{error.message[1:]}", "full"
            )
            return self._attempt(
                replace(todo, tier="full", reasons=(*todo.reasons, reason)), result
            )

    def _attempt(self, todo: Plan, result: Path) -> tuple[Plan, Info]:
        steps = command.Steps(self.info, self.spec, self.options, todo)
        tool = FFmpeg(steps, self.options.cancel)
        digest = None
        if todo.tier == "remux":
            tool.run(steps.remux(result), "copy")
            return todo, self._checked(result)
        if todo.tier == "audio":
            tool.run(steps.audio(tool.measure(), result), "convert")
        else:
            digest = encode(tool, result)

        def decode(cancel: Cancel) -> None:
            replace(tool, cancel=cancel).decode(result, digest=digest)

        with beside(decode, self.options.cancel) as decoded:
            after = self._checked(result)
            decoded.result()
        return todo, after


def write_preview(video: Path, jpeg: Path, at_ms: int = 0, *, ffmpeg: str = "ffmpeg") -> None:
    """Write the frame at a given time as a JPEG, which appears complete or not at all.

    :param at_ms: The time, in milliseconds from the start: the same number as the cover's time.
    :raises ValidationError: If the video has no frame at that time.
    :raises TranscodeError: If ffmpeg failed.
    """
    source = builder.input(f"file:{video.absolute()}", ss=at_ms / 1000, **ONLY_THIS_FILE)
    with tempfile.TemporaryDirectory(prefix=f".{jpeg.name}.", dir=jpeg.absolute().parent) as work:
        frame = Path(work) / "cover.jpg"
        stream = source.video.output(
            f"file:{frame}", f="image2", update=1, qscale=2, pix_fmt="yuvj420p", **{"frames:v": 1}
        )
        finished = run(
            [ffmpeg, *stream.global_args("-nostdin", "-v", "error").get_args()],
            PREVIEW_LIMITS,
        )
        if not finished.ok:
            raise TranscodeError(
                f"ffmpeg could not create a preview of {video}: {finished.complaint}.",
                hint="Check that the video plays.",
            )
        if not frame.exists():
            raise ValidationError(
                f"{video} has no frame at {at_ms} ms.",
                hint="Use a cover time between 0 and the video's duration.",
            )
        frame.replace(jpeg)


def read_item(
    path: Path, profile: Profile, options: Options, *, is_written_next: bool = False
) -> Item:
    """Read a video or a picture, as :meth:`PictureItem.read` does."""
    if kind_of(path) is ItemKind.PICTURE:
        return PictureItem.read(path, profile.picture, options, is_written_next=is_written_next)
    return VideoItem.read(path, profile.video, options)
