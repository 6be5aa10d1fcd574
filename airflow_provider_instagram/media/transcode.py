"""Make a compliant video out of any: probe, plan, run, verify, and only then give the result its name."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import ffmpeg

from airflow_provider_instagram.exceptions import TranscodeError, ValidationError
from airflow_provider_instagram.media import command
from airflow_provider_instagram.media.plan import Plan, plan
from airflow_provider_instagram.media.probe import ONLY_THIS_FILE, VideoInfo, probe
from airflow_provider_instagram.media.process import Cancel, Limits, run
from airflow_provider_instagram.media.progress import Progress, ProgressReader
from airflow_provider_instagram.media.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_instagram.media.spec import Fit, Trim, VideoSpec

#: Seconds that the encoder may take: for any video, and for each second of it.
LEAST_S: Final = 120.0
PER_SECOND_S: Final = 120.0


def transcode(
    source: Path,
    output: Path,
    spec: VideoSpec,
    *,
    fit: Fit = "pad",
    background: str = "black",
    trim: Trim = "error",
    ffmpeg: str = "ffmpeg",
    ffprobe: str = "ffprobe",
    on_progress: Callable[[Progress], None] | None = None,
    cancel: Cancel | None = None,
    info: VideoInfo | None = None,
) -> Report:
    """Make a compliant video, at the least cost.

    A source that complies already has the tier ``pass``: then no output is written, and the source is the result.

    :param source: A local file.
    :param output: The file to write, on a local disk; an older one is replaced at once, at the end.
    :param spec: The rules to keep and the targets to aim at.
    :param fit: How a picture of another shape is brought into the frame: ``pad``, ``blur`` or ``crop``.
    :param background: The colour around a padded picture: a name or ``#rrggbb``.
    :param trim: What to do with a video that is too long: ``error``, or ``end`` to cut its end off.
    :param ffmpeg: The program, by name or path.
    :param ffprobe: The program, by name or path.
    :param on_progress: Is told how far the encoder is, once in five seconds at most, and at the end.
    :param cancel: Ends the work early.
    :param info: What the source was found to be, when the caller has probed it already.
    :return: What was done.
    :raises ValidationError: When the source cannot be used, with the rule that it breaks and what to do.
    :raises TranscodeError: When the encoder failed, its result does not comply, or the work was cancelled.
    """
    started_s = time.monotonic()
    cancel = cancel or Cancel()
    before = info or probe(source, ffprobe=ffprobe, cancel=cancel)
    todo = plan(before, spec, fit=fit, background=background, trim=trim)
    if todo.tier == "pass":
        return Report.of(todo, before, before, time.monotonic() - started_s)
    output = output.absolute()
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=_directory(output)) as work:
        made = Path(work) / "video.mp4"
        _encode(before, spec, todo, made, ffmpeg, on_progress, cancel)
        after = _verify(made, spec, ffmpeg, ffprobe, cancel)
        cancel.raise_if_requested()
        made.replace(output)
    return Report.of(todo, before, after, time.monotonic() - started_s)


def done_before(
    source: Path,
    output: Path,
    spec: VideoSpec,
    *,
    fit: Fit = "pad",
    background: str = "black",
    trim: Trim = "error",
    ffprobe: str = "ffprobe",
    info: VideoInfo | None = None,
) -> Report:
    """Report work that is found done, after a check by the rules; nothing is decoded.

    :param source: A local file.
    :param output: What :func:`transcode` made out of it earlier.
    :param spec: As for :func:`transcode`.
    :param fit: The same.
    :param background: The same.
    :param trim: The same.
    :param ffprobe: The program, by name or path.
    :param info: What the source was found to be, when the caller has probed it already.
    :return: What was done then.
    :raises TranscodeError: When the output does not comply, or not any more.
    """
    started_s = time.monotonic()
    before = info or probe(source, ffprobe=ffprobe)
    todo = plan(before, spec, fit=fit, background=background, trim=trim)
    after = _check_rules(output, spec, ffprobe, Cancel())
    return Report.of(todo, before, after, time.monotonic() - started_s)


def _directory(output: Path) -> Path:
    directory = output.parent
    if not directory.is_dir() or not os.access(directory, os.W_OK):
        raise ValidationError(
            f"{directory} is not a directory that can be written to.", hint="Make it, or set output=."
        )
    return directory


def _encode(
    info: VideoInfo,
    spec: VideoSpec,
    todo: Plan,
    made: Path,
    program: str,
    on_progress: Callable[[Progress], None] | None,
    cancel: Cancel,
) -> None:
    reader = ProgressReader(todo.duration_s, on_progress or (lambda _: None))
    arguments = command.full(info, spec, todo, made)
    finished = run([program, *arguments], _limits(todo.duration_s, spec), cancel=cancel, on_line=reader.take)
    if finished.timed_out:
        raise TranscodeError(
            f"Encoding {info.path} took too long and was ended.", hint="Use a smaller or shorter video."
        )
    if not finished.ok:
        raise TranscodeError(f"ffmpeg could not encode {info.path}: {finished.complaint}.", hint="Check that it plays.")


def _limits(duration_s: float, spec: VideoSpec) -> Limits:
    wall_s = LEAST_S + PER_SECOND_S * duration_s
    return Limits(wall_s=wall_s, cpu_s=int(wall_s) * (os.cpu_count() or 1), output_bytes=spec.max_size_bytes)


def _check_rules(made: Path, spec: VideoSpec, ffprobe: str, cancel: Cancel) -> VideoInfo:
    """Check a result by the rules that the source was judged by."""
    try:
        info = probe(made, ffprobe=ffprobe, cancel=cancel)
        broken = "; ".join(map(str, plan(info, spec).reasons))
    except ValidationError as error:
        broken = error.message
    if broken:
        raise TranscodeError(f"{made} does not comply: {broken}.", hint="Delete it if it is old, and run again.")
    return info


def _verify(made: Path, spec: VideoSpec, program: str, ffprobe: str, cancel: Cancel) -> VideoInfo:
    """Check a result by the rules, and that it plays from end to end."""
    info = _check_rules(made, spec, ffprobe, cancel)
    nothing = ffmpeg.input(f"file:{made}", **ONLY_THIS_FILE).output("-", f="null")
    words = nothing.global_args("-nostdin", "-v", "error", "-xerror").get_args()
    finished = run([program, *words], _limits(info.duration_s, spec), cancel=cancel)
    if not finished.ok or finished.stderr:
        raise TranscodeError(f"The encoded video does not play: {finished.complaint}.", hint="Try again.")
    return info
