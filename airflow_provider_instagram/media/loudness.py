"""The loudness of audio, and the constant gain that brings it to the target."""

from __future__ import annotations

from dataclasses import dataclass
from math import log10
from typing import Any, Final

TARGET_LUFS: Final = -14.0
#: A smaller difference from the target is not corrected.
TOLERANCE_LU: Final = 0.5
#: Audio below this counts as silence with noise, and is not made louder.
SILENCE_LUFS: Final = -50.0
PEAK_DBTP: Final = -1.5
#: A limiter detects peaks between samples only at a higher sample rate.
LIMITER_RATE_HZ: Final = 192_000


@dataclass(frozen=True, slots=True)
class Loudness:
    """The loudness of audio. Source: EBU R 128.

    :param peak_dbtp: The highest true peak, in decibels below full scale.
    """

    lufs: float
    peak_dbtp: float

    @property
    def gain_db(self) -> float:
        """The gain to the target, in decibels. 0 if the audio is close to the target, or silent."""
        gain_db = TARGET_LUFS - self.lufs
        return 0.0 if self.lufs < SILENCE_LUFS or abs(gain_db) <= TOLERANCE_LU else gain_db


class LoudnessReader:
    """Reads the output of ffmpeg's ``ebur128`` and ``ametadata``. The last values count."""

    def __init__(self) -> None:
        self._lufs = float("-inf")
        self._peak_dbtp = float("-inf")

    def read_line(self, line: str) -> None:
        """Read one line, such as ``lavfi.r128.I=-23.01``."""
        name, _, value = line.strip().partition("=")
        if name == "lavfi.r128.I":
            self._lufs = float(value)
        elif name.startswith("lavfi.r128.true_peaks_ch"):
            self._peak_dbtp = max(self._peak_dbtp, 20 * log10(max(float(value), 1e-6)))

    @property
    def loudness(self) -> Loudness:
        """The loudness that was read."""
        return Loudness(self._lufs, self._peak_dbtp)


def meter(audio: Any) -> Any:
    """Add a meter of loudness and true peaks to an audio stream. It prints to standard output."""
    return audio.filter("ebur128", metadata=1, framelog="quiet", peak="true").filter(
        "ametadata", mode="print", file="-"
    )


def adjusted(audio: Any, loudness: Loudness) -> Any:
    """Adjust an audio stream to the target with a constant gain, and with a limiter if its peaks require it."""
    if loudness.gain_db:
        audio = audio.filter("volume", f"{loudness.gain_db:.2f}dB")
    if loudness.peak_dbtp + loudness.gain_db > PEAK_DBTP and loudness.lufs >= SILENCE_LUFS:
        limit = f"{10 ** (PEAK_DBTP / 20):.6f}"
        audio = audio.filter("aresample", LIMITER_RATE_HZ).filter(
            "alimiter", limit=limit, level=0, attack=5, release=80, latency=1
        )
    return audio
