"""How much louder or quieter a sound becomes, and when its peaks are limited."""

from __future__ import annotations

import ffmpeg
import pytest

from airflow_provider_instagram.media.loudness import Loudness, LoudnessReader, adjusted


@pytest.mark.parametrize(
    ("lufs", "peak_dbtp", "filters"),
    [
        (-23.0, -12.0, ["volume=9.00dB"]),
        (-8.0, -0.5, ["volume=-6.00dB"]),
        (-14.5, -3.0, []),
        (-13.5, -3.0, []),
        (-14.6, -3.0, ["volume=0.60dB"]),
        (-14.0, -0.5, ["aresample=192000", "alimiter"]),
        (-30.0, -6.0, ["volume=16.00dB", "aresample=192000", "alimiter"]),
        (-50.1, -0.5, []),
        (float("-inf"), float("-inf"), []),
    ],
    ids=[
        *("quiet", "loud", "near below", "near above", "just too quiet", "only its peaks are too loud"),
        *("quiet with peaks", "silence with a click", "nothing"),
    ],
)
def test_a_constant_gain_leads_to_the_target_and_peaks_are_limited(
    lufs: float, peak_dbtp: float, filters: list[str]
) -> None:
    """-14 LUFS, within 0.5 LU, with peaks up to -1.5 dBTP. Below -50 LUFS, a sound is silence."""
    loudness = Loudness(lufs, peak_dbtp)
    words = " ".join(adjusted(ffmpeg.input("a").audio, loudness).output("b").get_args())
    assert [name for name in ("volume", "aresample", "alimiter") if name in words] == [
        text.partition("=")[0] for text in filters
    ]
    assert all(text in words for text in filters)


def test_the_last_values_of_the_meter_count() -> None:
    """Each sample value of a channel is a share of full scale: 0.5 is 6.02 dB below it."""
    reader = LoudnessReader()
    for line in (
        "frame:1 pts:0 pts_time:0",
        "lavfi.r128.I=-70.000",
        "lavfi.r128.true_peaks_ch0=0.100",
        "lavfi.r128.I=-23.010",
        "lavfi.r128.true_peaks_ch1=0.500",
        "lavfi.r128.true_peaks_ch0=0.000",
    ):
        reader.read_line(line)
    assert reader.loudness.lufs == -23.01
    assert reader.loudness.peak_dbtp == pytest.approx(-6.02, abs=0.01)
