"""The progress of the encoder."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.utils.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable

#: Before the first frame, ffmpeg's time is the largest number of 64 bits. No video lasts as long as this.
NO_TIME_US: Final = 10**15


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of the encoder.

    :param percent: The share that is done, from 0 to 100.
    :param speed: Seconds of video per second of work.
    :param remaining: The remaining time. None if it is not known yet.
    """

    percent: float
    speed: float
    remaining: timedelta | None

    def __str__(self) -> str:
        left = "" if self.remaining is None else f", {self.remaining.total_seconds():.0f} s left"
        return f"{self.percent:.0f} %, {self.speed:.2f} times real time{left}"


class ProgressReader:
    """Turns the lines of ``ffmpeg -progress`` into calls: at most one in five seconds, and one at the end.

    :param duration_s: The duration of the result, in seconds.
    :param on_progress: The function to call.
    :param clock: A monotonic clock, in seconds.
    """

    def __init__(
        self, duration_s: float, on_progress: Callable[[Progress], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._duration_s = duration_s
        self._on_progress = on_progress
        self._throttle = Throttle(clock=clock)
        self._encoded_s = 0.0

    def read_line(self, line: str) -> None:
        """Read one line, and call the function if it is due.

        :param line: A line from ffmpeg, such as ``out_time_us=1500000``.
        """
        name, _, value = line.strip().partition("=")
        if name == "out_time_us" and value.lstrip("-").isdigit() and int(value) < NO_TIME_US:
            self._encoded_s = max(0.0, int(value) / 1e6)
        elif name == "progress":
            ended = value == "end"
            if self._throttle.is_due() or ended:
                self._on_progress(self._progress(ended=ended))

    def _progress(self, *, ended: bool) -> Progress:
        encoded_s = self._duration_s if ended else self._encoded_s  # the last time of a fast encoder may be N/A
        speed = encoded_s / max(self._throttle.elapsed_s, 1e-3)
        if ended:
            return Progress(100.0, speed, timedelta(0))
        left = timedelta(seconds=max(0.0, self._duration_s - self._encoded_s) / speed) if speed > 0 else None
        return Progress(min(100.0, 100 * self._encoded_s / self._duration_s), speed, left)
