"""Convert a video into a compliant one: probe, plan, run, verify, and only then give the result its name."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import TranscodeError, ValidationError
from airflow_provider_instagram.media import command
from airflow_provider_instagram.media.encode import Encoded, FFmpeg, encode
from airflow_provider_instagram.media.loudness import TARGET_LUFS, WARN_FROM_LU, Loudness
from airflow_provider_instagram.media.options import DEFAULTS
from airflow_provider_instagram.media.plan import Reason, TranscodePlan, plan
from airflow_provider_instagram.media.probe import VideoInfo, probe
from airflow_provider_instagram.media.progress import ProgressReader
from airflow_provider_instagram.media.report import Report
from airflow_provider_instagram.media.workspace import workspace
from airflow_provider_instagram.utils.process import Cancel, ProcessLimits, beside, run

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_instagram.media.options import Options
    from airflow_provider_instagram.media.spec import VideoSpec

COLOUR_LIMITS: Final = ProcessLimits(wall_s=10, cpu_s=10)


def transcode(
    source: Path, output: Path, spec: VideoSpec, options: Options = DEFAULTS, *, info: VideoInfo | None = None
) -> Report:
    """Make a compliant video, at the lowest cost.

    A source that complies has the tier ``pass``. In this case no output is written, and the source is the result.

    :param source: A local file.
    :param output: The file to write, on a local disk. It is replaced atomically, at the end.
    :param spec: The rules and the targets.
    :param options: The options.
    :param info: The properties of the source, if the caller has probed it already.
    :return: The report.
    :raises ValidationError: If the source cannot be used. The message contains the rule that it breaks.
    :raises TranscodeError: If ffmpeg failed, its result does not comply, or the work was cancelled.
    :raises TransientError: If the source was changed in the meantime.
    """
    started_s = time.monotonic()
    before = info or probe(source, ffprobe=options.ffprobe, cancel=options.cancel)
    todo = plan(before, spec, options)
    if todo.tier == "pass":
        return Report.of(todo, before, before, time.monotonic() - started_s)
    if output.exists() and output.samefile(source):
        raise ValidationError(f"The result would replace its source {source}.", hint="Set output= to another file.")
    todo, after = _Job(before, spec, options, options.cancel or Cancel()).write(todo, output)
    return Report.of(todo, before, after, time.monotonic() - started_s)


def done_before(
    source: Path, output: Path, spec: VideoSpec, options: Options = DEFAULTS, *, info: VideoInfo | None = None
) -> Report:
    """Return the report of an earlier result, after a check against the rules. Nothing is decoded.

    :param source: A local file.
    :param output: The earlier result of :func:`transcode` for this source.
    :param spec: The rules.
    :param options: The options.
    :param info: The properties of the source, if the caller has probed it already.
    :return: The report.
    :raises TranscodeError: If the output does not comply, or no longer complies.
    """
    started_s = time.monotonic()
    before = info or probe(source, ffprobe=options.ffprobe, cancel=options.cancel)
    todo = plan(before, spec, options)
    after = _check_rules(output, spec, options)
    return Report.of(todo, before, after, time.monotonic() - started_s)


@dataclass(frozen=True, slots=True)
class _Job:
    """The parameters that all steps of a transcode share."""

    info: VideoInfo
    spec: VideoSpec
    options: Options
    cancel: Cancel

    def write(self, todo: TranscodePlan, output: Path) -> tuple[TranscodePlan, VideoInfo]:
        """Carry out a plan, and give the result its name once it is complete and checked.

        :return: The plan that was carried out, and the properties of the result.
        """
        with workspace(output, self.spec.max_size_bytes) as folder:
            made = folder / "video.mp4"
            try:
                todo, after = self.make(todo, made)
            except TranscodeError:
                self.info.raise_if_changed()
                raise
            self.cancel.raise_if_requested()
            self.info.raise_if_changed()
            made.replace(output)
        return todo, replace(after, path=output)

    def make(self, todo: TranscodePlan, made: Path) -> tuple[TranscodePlan, VideoInfo]:
        """Carry out a plan. If a cheaper tier does not produce a compliant file, encode the whole video.

        :param todo: The plan.
        :param made: The file to write.
        :return: The plan that was carried out, and the properties of the result.
        """
        if todo.tier == "full" and todo.background != DEFAULTS.background:
            self._check_colour(todo.background)
        try:
            return self._attempt(todo, made)
        except TranscodeError as error:
            self.cancel.raise_if_requested()
            if todo.tier == "full":
                raise
            reason = Reason(todo.tier, f"tried, but {error.message[0].lower()}{error.message[1:]}", "full")
            return self._attempt(replace(todo, tier="full", reasons=(*todo.reasons, reason)), made)

    def _check_colour(self, name: str) -> None:
        finished = run([self.options.ffmpeg, *command.colour(name)], COLOUR_LIMITS, cancel=self.cancel)
        if not finished.ok:
            raise ValidationError(
                f"background={name!r} is not a colour that ffmpeg knows.", hint="Use a name such as white, or #rrggbb."
            )

    def _attempt(self, todo: TranscodePlan, made: Path) -> tuple[TranscodePlan, VideoInfo]:
        length_s = command.span(self.info, self.spec, todo).duration_s
        tool = FFmpeg(self.options.ffmpeg, self.info.path, self.spec.max_size_bytes, self.cancel)
        on_line = ProgressReader(length_s, self.options.on_progress).read_line
        if todo.tier == "remux":
            tool.run(command.remux(self.info, made), length_s, "copy", on_line)
            return todo, _check_rules(made, self.spec, self.options)
        if todo.tier == "audio":
            encoded = Encoded(tool.measure(self.info, self.spec, todo), digest=None)
            arguments = command.audio(self.info, self.spec, todo, encoded.loudness, made)
            tool.run(arguments, length_s, "convert", on_line)
        else:
            encoded = encode(tool, self.info, self.spec, todo, made, on_line)

        def decode(cancel: Cancel) -> Loudness:
            return replace(tool, cancel=cancel).decode(made, length_s, digest=encoded.digest)

        with beside(decode, self.cancel) as decoded:
            after = _check_rules(made, self.spec, self.options)
            loudness = decoded.result()
        warnings = _loudness_warnings(encoded.loudness, loudness)
        return replace(todo, warnings=(*todo.warnings, *warnings)), after


def _check_rules(made: Path, spec: VideoSpec, options: Options) -> VideoInfo:
    """Check a result against the same rules as the source."""
    try:
        info = probe(made, ffprobe=options.ffprobe, cancel=options.cancel)
        broken = "; ".join(map(str, plan(info, spec).reasons))
    except ValidationError as error:
        broken = error.message.removesuffix(".")
    if broken:
        raise TranscodeError(
            f"The result {made} does not comply: {broken}.",
            hint="If the file is from an earlier run, delete it. Then run the task again.",
        )
    return info


def _loudness_warnings(measured: Loudness | None, made: Loudness) -> tuple[str, ...]:
    away_lu = made.lufs - TARGET_LUFS
    if measured is None or measured.is_silent or abs(away_lu) <= WARN_FROM_LU:
        return ()
    word = "louder" if away_lu > 0 else "quieter"
    return (f"The audio is {abs(away_lu):.1f} LU {word} than {TARGET_LUFS:g} LUFS, because its peaks limit the gain.",)
