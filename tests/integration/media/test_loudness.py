"""How loud the result is, measured by ffmpeg's own meter in the tests."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.media.spec import REELS
from airflow_provider_instagram.media.video import VideoItem

if TYPE_CHECKING:
    from airflow_provider_instagram.media.report import Report

Make = Callable[..., Path]


def _loudness(path: Path) -> tuple[float, float]:
    """Integrated loudness in LUFS, and the true peak in dBTP."""
    command = ["ffmpeg", "-nostats", "-i", str(path), "-map", "0:a", "-af", "ebur128=peak=true", "-f", "null", "-"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr.rpartition("Summary:")[2]
    return tuple(float(re.search(rf"{name}:\s+(\S+)", said)[1]) for name in ("I", "Peak"))  # type: ignore[index,return-value]


@pytest.fixture
def run(corpus: Make, tmp_path: Path) -> Callable[..., tuple[Report, Path]]:
    """Transcode a small picture with a sound, given as an expression of ffmpeg's ``aevalsrc``."""

    def go(name: str, expression: str, *options: str) -> tuple[Report, Path]:
        source = corpus(
            *(f"{name}.mov", "-f", "lavfi", "-i", "color=gray:s=540x960:r=24:d=6"),
            *("-f", "lavfi", "-i", f"aevalsrc='{expression}':s=48000:d=6", "-c:v", "libx264", "-preset", "ultrafast"),
            *("-pix_fmt", "yuv420p", "-c:a", "pcm_f32le", *options),
        )
        report = VideoItem.read(source, REELS).write(tmp_path / "out.mp4")
        return report, tmp_path / "out.mp4"

    return go


@pytest.mark.parametrize("amplitude", [0.01, 0.9], ids=["quiet", "loud"])
def test_the_sound_comes_out_at_the_target(amplitude: float, run: Callable[..., tuple[Report, Path]]) -> None:
    report, output = run(f"tone-{amplitude}", f"{amplitude}*sin(2*PI*440*t)*(0.6+0.4*sin(2*PI*3*t))")
    lufs, peak = _loudness(output)
    assert report.plan.tier == "audio"
    assert lufs == pytest.approx(-14, abs=0.5)
    assert peak <= -1.0
    assert not report.plan.warnings


def test_one_gain_for_all_of_it_keeps_the_quiet_parts_quiet(run: Callable[..., tuple[Report, Path]]) -> None:
    """The difference between a quiet half and a loud half is the source's: the sound is not pumped."""
    _, output = run("halves", "sin(2*PI*440*t)*if(lt(t,3),0.02,0.2)")
    levels = []
    for part in ("atrim=0.5:2.5", "atrim=3.5:5.5"):
        command = ["ffmpeg", "-i", str(output), "-af", f"{part},volumedetect", "-f", "null", "-"]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
        levels.append(float(re.search(r"mean_volume: (\S+)", said)[1]))  # type: ignore[index]
    assert levels[1] - levels[0] == pytest.approx(20, abs=0.5)


@pytest.mark.parametrize("expression", ["0", "0.0005*random(0)"], ids=["silence", "faint noise"])
def test_silence_is_not_made_louder(expression: str, run: Callable[..., tuple[Report, Path]]) -> None:
    report, output = run(f"silence-{len(expression)}", expression)
    assert _loudness(output)[0] < -50
    assert not report.plan.warnings


def test_peaks_are_held_down(run: Callable[..., tuple[Report, Path]]) -> None:
    """Loud clicks over a quiet tone: full loudness would take peaks above full scale."""
    _, output = run("clicks", "0.02*sin(2*PI*440*t)+0.95*sin(2*PI*2000*t)*lt(mod(t,0.5),0.004)")
    lufs, peak = _loudness(output)
    assert peak <= -0.5
    assert lufs < -15


def test_surround_is_mixed_to_stereo(run: Callable[..., tuple[Report, Path]]) -> None:
    """The voice, which is in the centre, is heard on both sides."""
    voice = "0|0|0.3*sin(2*PI*440*t)|0|0|0"
    report, output = run("surround", voice, "-c:a", "ac3")
    assert "6 channels are not mono or stereo" in " ".join(map(str, report.plan.reasons))
    sides = subprocess.run(
        [
            "ffmpeg",
            "-i",
            str(output),
            "-af",
            "astats=measure_perchannel=RMS_level:measure_overall=none",
            "-f",
            "null",
            "-",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stderr
    left, right = (float(level) for level in re.findall(r"RMS level dB: (\S+)", sides))
    assert left == pytest.approx(right, abs=0.1)
    assert left > -30
