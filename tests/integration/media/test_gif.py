"""Animated pictures: a GIF is a video without sound, with a clock of its own and with holes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.probe import probe
from airflow_provider_instagram.media.spec import FEED, REELS, Options
from airflow_provider_instagram.media.video import VideoItem

Make = Callable[..., Path]
BLUE, GREEN, RED = (0, 0, 254), (0, 128, 0), (254, 0, 0)


@pytest.fixture
def animation(corpus: Make) -> Make:
    """Make an animated GIF: ``animation("name.gif", *options, fps="10", seconds=4)``."""

    def make(name: str, *options: str, fps: str = "10", seconds: float = 4, size: str = "101x75") -> Path:
        return corpus(name, "-f", "lavfi", "-i", f"testsrc2=s={size}:r={fps}:d={seconds}", *options)

    return make


@pytest.fixture
def see_through(corpus: Make) -> Path:
    """A blue square on nothing."""
    square = "color=red@0:s=100x100:r=10:d=3.2,format=rgba,drawbox=40:40:20:20:color=blue@1:t=fill:replace=1"
    palette = "split[a][b];[a]palettegen=reserve_transparent=1[p];[b][p]paletteuse"
    return corpus("see-through.gif", "-f", "lavfi", "-i", f"{square},{palette}")


def _pixel(path: Path, x: int, y: int, at_s: float = 0.0) -> list[int]:
    picture = ("-vf", f"crop=2:2:{x}:{y},format=rgb24", "-frames:v", "1", "-f", "rawvideo", "-")
    command = ["ffmpeg", "-v", "error", "-ss", str(at_s), "-i", str(path), *picture]
    return list(subprocess.run(command, check=True, capture_output=True).stdout[:3])


@pytest.mark.parametrize(
    ("fps", "options", "becomes"),
    [("100/3", (), 33.3), ("4", (), 24), ("10", ("-loop", "3"), 30)],
)
def test_an_animated_gif_becomes_a_compliant_video(
    fps: str, options: tuple[str, ...], becomes: float, animation: Make, complies: Callable[..., Any], tmp_path: Path
) -> None:
    """Once through, however often it asks to be repeated, with silence for sound."""
    report = VideoItem.read(animation("moving.gif", *options, fps=fps), REELS).write(tmp_path / "out.mp4")
    facts = complies(tmp_path / "out.mp4")
    assert report.plan.tier == "full"
    before = report.as_data()["before"]
    assert (before["container"], before["audio_codec"]) == ("gif", None)
    assert facts.duration == pytest.approx(4, abs=0.1)
    assert float(facts.fps) == pytest.approx(becomes, abs=0.1)


def test_pictures_that_stand_for_different_times_keep_them(
    corpus: Make, complies: Callable[..., Any], tmp_path: Path
) -> None:
    """Red for half a second, green for two, and blue, the last one, for as long as its own delay says."""
    parts = [f"color={colour}:s=90x160:r=10:d={s}" for colour, s in (("red", 0.5), ("green", 2), ("blue", 1.5))]
    inputs = [word for part in parts for word in ("-f", "lavfi", "-i", part)]
    firsts = "concat=n=3,settb=1/100,select=eq(n\\,0)+eq(n\\,5)+eq(n\\,25)"
    timed = ("-fps_mode", "passthrough", "-enc_time_base", "1/100", "-final_delay", "150")
    source = corpus("delays.gif", *inputs, "-lavfi", firsts, *timed)
    assert probe(source).video.timeline.count == 3
    assert probe(source).duration_s == pytest.approx(4, abs=0.2)
    VideoItem.read(source, REELS).write(tmp_path / "out.mp4")
    assert complies(tmp_path / "out.mp4").duration == pytest.approx(4, abs=0.2)
    for at_s, colour in ((0.2, RED), (0.8, GREEN), (2.2, GREEN), (2.8, BLUE), (3.7, BLUE)):
        assert _pixel(tmp_path / "out.mp4", 270, 480, at_s) == pytest.approx(colour, abs=12)


@pytest.mark.parametrize("fit", ["pad", "blur", "crop"])
def test_what_is_transparent_shows_the_background(fit: Any, see_through: Path, tmp_path: Path) -> None:
    VideoItem.read(see_through, FEED, Options(fit=fit, background="green")).write(tmp_path / "out.mp4")
    centre = probe(tmp_path / "out.mp4").video.columns // 2
    assert _pixel(tmp_path / "out.mp4", centre, centre) == pytest.approx(BLUE, abs=8)
    assert _pixel(tmp_path / "out.mp4", centre // 2, centre // 2, 2.0) == pytest.approx(GREEN, abs=8)


def test_a_gif_of_one_picture_is_no_video(corpus: Make) -> None:
    still = corpus("still.gif", "-f", "lavfi", "-i", "color=red:s=540x960", "-frames:v", "1")
    with pytest.raises(ValidationError, match=r"is not a video: the GIF has a single frame.*as a JPEG or PNG"):
        probe(still)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_gif_that_is_cut_off_is_refused(share: float, animation: Make, tmp_path: Path) -> None:
    """Its header claims no length, and ffprobe is content with what is there."""
    whole = animation("moving.gif").read_bytes()
    (tmp_path / "cut.gif").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ValidationError, match="is truncated"):
        probe(tmp_path / "cut.gif")


def test_zeros_behind_the_end_are_forgiven(animation: Make, tmp_path: Path) -> None:
    (tmp_path / "padded.gif").write_bytes(animation("moving.gif").read_bytes() + bytes(500))
    assert probe(tmp_path / "padded.gif").duration_s == pytest.approx(4)
