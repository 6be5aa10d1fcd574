"""Encode a whole video, and do everything else beside it: measure and encode the audio, write the file, decode it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import TranscodeError
from airflow_provider_instagram.media import command
from airflow_provider_instagram.media.loudness import Loudness, LoudnessReader
from airflow_provider_instagram.utils.process import Cancel, Finished, ProcessLimits, beside, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from airflow_provider_instagram.media.plan import TranscodePlan
    from airflow_provider_instagram.media.probe import VideoInfo
    from airflow_provider_instagram.media.spec import VideoSpec

#: The time that ffmpeg may take: a minimum, and for each second of the video, in seconds.
LEAST_S: Final = 120.0
PER_SECOND_S: Final = 120.0
#: What a line with the digest of the first stream, which is the video, begins with.
DIGEST_OF_VIDEO: Final = "0,v,"


@dataclass(frozen=True, slots=True)
class FFmpeg:
    """ffmpeg with its limits, for the steps of one transcode.

    :param program: The program, by name or path.
    :param source: The source, for messages.
    :param output_bytes: The largest file that it may write.
    :param cancel: Ends the work early.
    """

    program: str
    source: Path
    output_bytes: int
    cancel: Cancel

    def run(
        self,
        arguments: list[str],
        length_s: float,
        what: str,
        on_line: Callable[[str], None],
        pass_fds: Sequence[int] = (),
    ) -> Finished:
        """Run one step.

        :param arguments: The arguments of ffmpeg.
        :param length_s: The duration of the video, in seconds.
        :param what: What the step does to the source, for messages.
        :param on_line: Called with each line of the standard output.
        :param pass_fds: File descriptors that ffmpeg gets.
        :raises TranscodeError: If it failed.
        """
        wall_s = LEAST_S + PER_SECOND_S * length_s
        limits = ProcessLimits(wall_s, int(wall_s) * (os.cpu_count() or 1), output_bytes=self.output_bytes)
        finished = run([self.program, *arguments], limits, cancel=self.cancel, on_line=on_line, pass_fds=pass_fds)
        if finished.timed_out:
            raise TranscodeError(
                f"ffmpeg could not {what} {self.source} within {wall_s:.0f} s.", hint="Use a smaller video."
            )
        if not finished.ok:
            raise TranscodeError(
                f"ffmpeg could not {what} {self.source}: {finished.complaint}.", hint="Check that the video plays."
            )
        return finished

    def measure(self, info: VideoInfo, spec: VideoSpec, todo: TranscodePlan) -> Loudness | None:
        """Return the loudness of the source's audio, or None without audio."""
        if info.audio is None:
            return None
        reader = LoudnessReader()
        self.run(command.measure(info, spec, todo), todo.duration_s, "measure the audio of", reader.read_line)
        return reader.loudness

    def decode(self, made: Path, length_s: float, *, digest: str | None = None) -> Loudness:
        """Decode a whole result, because an encoder can exit with 0 and leave a damaged file.

        :param made: The result.
        :param length_s: Its duration, in seconds.
        :param digest: The digest of the encoder's video, which was decoded while it was written. It has to be the same.
        :return: The loudness.
        :raises TranscodeError: If the result is damaged.
        """
        loudness = LoudnessReader()
        found = _DigestReader(loudness.read_line)
        arguments = command.decode(made, video=digest is None)
        self.check(self.run(arguments, length_s, "decode its result for", found.read_line))
        if found.digest != digest:
            raise self.damaged("the file does not contain the video that was encoded")
        return loudness.loudness

    def check(self, finished: Finished) -> None:
        """Check that ffmpeg found no errors in a result.

        :raises TranscodeError: If it did.
        """
        if finished.stderr:
            raise self.damaged(finished.complaint)

    def damaged(self, why: str) -> TranscodeError:
        """Return the error for a damaged result."""
        return TranscodeError(f"The result of ffmpeg for {self.source} is damaged: {why}.")


class _DigestReader:
    """Reads the digest of the video from the output of ffmpeg's ``streamhash``.

    :param on_line: Called with each line.
    """

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self.digest: str | None = None

    def read_line(self, line: str) -> None:
        """Read one line, such as ``0,v,murmur3=153ac6…``."""
        self._on_line(line)
        if line.startswith(DIGEST_OF_VIDEO):
            self.digest = line.strip()


@dataclass(frozen=True, slots=True)
class Encoded:
    """What is known about a new file.

    :param loudness: The loudness of the source, or None without audio.
    :param digest: The digest of the video, printed by its encoder. None if the video was copied.
    """

    loudness: Loudness | None
    digest: str | None


def encode(
    tool: FFmpeg, info: VideoInfo, spec: VideoSpec, todo: TranscodePlan, made: Path, on_line: Callable[[str], None]
) -> Encoded:
    """Encode a whole video. The encoder needs nearly all of the time, so that everything else happens beside it.

    1. The encoder starts. It writes the video into a pipe, and its progress and digest to its standard output.
    2. Beside it, the audio of the source is measured, and then encoded into a file of its own.
    3. Then the joiner starts. It reads the pipe, decodes the video, and writes video and audio into the result.
    4. Where the joiner fails, the pipe breaks and the encoder ends. Where the encoder fails, its error is raised.

    The caller checks that the file has the digest of the encoder's video.

    :param tool: ffmpeg.
    :param info: The source.
    :param spec: The rules and targets.
    :param todo: The plan.
    :param made: The file to write, in a folder for unfinished work.
    :param on_line: Called with each line of the encoder's standard output.
    :raises TranscodeError: If a step failed, or the work was cancelled.
    """
    length_s = command.span(info, spec, todo).duration_s
    reading, writing = os.pipe()
    errors: list[Exception] = []
    found = _DigestReader(on_line)

    def finish(cancel: Cancel) -> Loudness | None:
        try:
            return _finish(replace(tool, cancel=cancel), info, spec, todo, made, reading)
        except Exception as error:
            errors.append(error)
            raise
        finally:
            os.close(reading)

    with beside(finish, tool.cancel) as finished:
        try:
            tool.run(command.video(info, spec, todo, writing), length_s, "convert", found.read_line, pass_fds=[writing])
        except TranscodeError:
            if errors:
                raise errors[0] from None
            raise
        finally:
            os.close(writing)
        return Encoded(finished.result(), found.digest)


def _finish(
    tool: FFmpeg, info: VideoInfo, spec: VideoSpec, todo: TranscodePlan, made: Path, pipe: int
) -> Loudness | None:
    """Carry out the steps beside the encoder.

    :return: The loudness of the source, or None without audio.
    """
    length_s = command.span(info, spec, todo).duration_s
    audio = made.with_name("audio.nut")
    loudness = tool.measure(info, spec, todo)
    tool.run(command.sound(info, spec, todo, loudness, audio), length_s, "convert the audio of", lambda _: None)
    arguments = command.join(info, spec, pipe, audio, made)
    tool.check(tool.run(arguments, length_s, "write the result for", lambda _: None, pass_fds=[pipe]))
    return loudness
