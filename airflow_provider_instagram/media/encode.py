"""Run ffmpeg. While it encodes a video, do everything else beside it: audio, writing and decoding the file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import TranscodeError
from airflow_provider_instagram.media import command
from airflow_provider_instagram.media.loudness import Loudness, LoudnessReader
from airflow_provider_instagram.media.process import Finished, OnLine, ProcessLimits, beside, run

if TYPE_CHECKING:
    from airflow_provider_instagram.utils.time_limit import Cancel

#: The time that ffmpeg may take: a minimum, and for each second of the video, in seconds.
LEAST_S: Final = 120.0
PER_SECOND_S: Final = 120.0
#: What a line with the digest of the first stream, which is the video, begins with.
DIGEST_OF_VIDEO: Final = "0,v,"


@dataclass(frozen=True, slots=True)
class FFmpeg:
    """ffmpeg with its limits, for the steps of one transcode."""

    steps: command.Steps
    cancel: Cancel

    def run(
        self,
        arguments: list[str],
        what: str,
        on_line: OnLine | None = None,
        pass_fds: Sequence[int] = (),
    ) -> Finished:
        """Run one step. ``what`` says in messages what it does to the source."""
        steps = self.steps
        wall_s = LEAST_S + PER_SECOND_S * steps.span.duration_s
        cpu_s = int(wall_s) * (os.cpu_count() or 1)
        limits = ProcessLimits(wall_s, cpu_s, output_bytes=steps.spec.max_size_bytes)
        program = [steps.options.ffmpeg, *arguments]
        finished = run(program, limits, cancel=self.cancel, on_line=on_line, pass_fds=pass_fds)
        if finished.timed_out:
            raise TranscodeError(
                f"ffmpeg could not {what} {self._source} within {wall_s:.0f} s.",
                hint="Use a smaller video.",
            )
        if not finished.ok:
            raise TranscodeError(
                f"ffmpeg could not {what} {self._source}: {finished.complaint}.",
                hint="Check that the video plays.",
            )
        return finished

    def measure(self) -> Loudness | None:
        """Return the loudness of the source's audio, or None without audio."""
        if self.steps.info.audio is None:
            return None
        reader = LoudnessReader()
        self.run(self.steps.measure(), "measure the audio of", reader.read_line)
        return reader.loudness

    def decode(self, result: Path, *, digest: str | None) -> None:
        """Decode a whole result, because an encoder can exit with 0 and leave a damaged file.

        :param digest: The digest of the encoder's video, which was decoded while it was written. It
            has to be the same.
        :raises TranscodeError: If the result is damaged.
        """
        finished = self.run(command.decode(result, video=digest is None), "decode its result for")
        self.check(finished)
        if _digest_in(finished) != digest:
            raise self.damaged("the file does not contain the video that was encoded")

    @property
    def _source(self) -> Path:
        return self.steps.info.path

    def check(self, finished: Finished) -> None:
        """Check that ffmpeg found no errors in a result."""
        if finished.stderr:
            raise self.damaged(finished.complaint)

    def damaged(self, why: str) -> TranscodeError:
        """Return the error for a damaged result."""
        return TranscodeError(f"The result of ffmpeg for {self._source} is damaged: {why}.")


def _digest_in(finished: Finished) -> str | None:
    """Return the digest of the video that ffmpeg's ``streamhash`` has printed, such as ``0,v,murmur3=153ac6…``."""
    for line in finished.stdout.splitlines():
        if line.startswith(DIGEST_OF_VIDEO):
            return line.strip()
    return None


def encode(tool: FFmpeg, result: Path) -> str | None:
    """Encode a whole video. The encoder needs nearly all of the time, so that everything else happens beside it.

    1. The encoder starts. It writes the video into a pipe, and its digest to its standard output.
    2. Beside it, the audio of the source is measured, and then encoded into a file of its own.
    3. Then the joiner starts. It reads the pipe, decodes the video, and writes video and audio into
       the result.
    4. Where the joiner fails, the pipe breaks and the encoder ends. Where the encoder fails, its
       error is raised.

    The caller checks that the file has the digest of the encoder's video.

    :return: The digest of the video, printed by its encoder.
    :raises TranscodeError: If a step failed, or the work was cancelled.
    """
    reading, writing = os.pipe()
    errors: list[Exception] = []

    def finish(cancel: Cancel) -> None:
        try:
            _finish(replace(tool, cancel=cancel), result, reading)
        except Exception as error:
            errors.append(error)
            raise
        finally:
            os.close(reading)

    with beside(finish, tool.cancel) as finished:
        try:
            encoded = tool.run(tool.steps.video(writing), "convert", pass_fds=[writing])
        except TranscodeError:
            if errors:
                raise errors[0] from None
            raise
        finally:
            os.close(writing)
        finished.result()
        return _digest_in(encoded)


def _finish(tool: FFmpeg, result: Path, pipe: int) -> None:
    audio = result.with_name("audio.nut")
    tool.run(tool.steps.sound(tool.measure(), audio), "convert the audio of")
    tool.check(
        tool.run(tool.steps.join(pipe, audio, result), "write the result for", pass_fds=[pipe])
    )
