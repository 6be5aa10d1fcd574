from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.spec import FEED, REELS, Options
from airflow_provider_instagram.media.video import VideoItem

if TYPE_CHECKING:
    from airflow_provider_instagram.media.report import Report

Make = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., tuple[Report, Path]]:
    """Transcode into a directory of its own, which must hold the result and nothing else afterwards."""

    def go(source: Path, spec: Any = REELS, **options: Any) -> tuple[Report, Path]:
        output = tmp_path / "out" / "video.mp4"
        output.parent.mkdir(exist_ok=True)
        report = VideoItem.read(source, spec, Options(**options)).write(output)
        assert os.listdir(output.parent) == ["video.mp4"]  # noqa: PTH208
        return report, output

    return go


PRORES = ("-c:v", "prores_ks", "-profile:v", "3", "-c:a", "pcm_s16le")
SOURCES: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "landscape.mov": (("540x304",), {}),
    "square.mp4": (("540x540",), {}),
    "portrait.mp4": (("540x960",), {}),
    "silent.mp4": (("540x960",), {"sound": False}),
    "prores.mov": (("540x304", *PRORES), {}),
    "matroska.mkv": (("540x304", "-c:a", "libopus"), {}),
    "old.avi": (("640x480", "-c:v", "mpeg4", "-c:a", "libmp3lame"), {"fps": "30"}),
    "web.webm": (("540x304", "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"), {}),
    "odd.mkv": (("631x357", "-c:v", "ffv1", "-c:a", "pcm_s16le"), {}),
    "slow.mp4": (("540x960",), {"fps": "15"}),
    "fast.mp4": (("540x304",), {"fps": "120"}),
    "film.mp4": (("540x960",), {"fps": "24000/1001"}),
    "telephone.mp4": (("540x960", "-ac", "1", "-ar", "8000"), {}),
    "broadcast.ts": (("540x304", "-c:v", "mpeg2video", "-c:a", "mp2"), {}),
}
#: What make test plays: an odd size, a film's rate, one channel at 8 kHz, and the codecs of a broadcast.
PLAYED = ("odd.mkv", "film.mp4", "telephone.mp4", "broadcast.ts")


@pytest.mark.parametrize(
    "name", [*PLAYED, *(pytest.param(one, marks=pytest.mark.long) for one in SOURCES if one not in PLAYED)]
)
def test_any_source_comes_out_compliant(
    name: str, clip: Make, run: Callable[..., tuple[Report, Path]], complies: Callable[..., Any]
) -> None:
    """Whatever container, codec, shape or speed goes in, the specification's video comes out, as long as the source."""
    positional, named = SOURCES[name]
    report, output = run(clip(name, *positional, **named))
    facts = complies(output)
    assert report.plan.tier != "pass"
    assert report.plan.reasons
    assert facts.duration == pytest.approx(3.2, abs=0.06)


def test_a_phone_clip_stored_on_its_side_comes_out_upright(
    corpus: Make, run: Callable[..., tuple[Report, Path]], complies: Callable[..., Any]
) -> None:
    """The rotation in the metadata is carried out: the red left half of the stored picture comes out on top."""
    halves = "color=red:s=480x540:d=3.2[l];color=blue:s=480x540:d=3.2[r];[l][r]hstack"
    stored = corpus("stored.mp4", "-f", "lavfi", "-i", halves, "-c:v", "libx264", "-pix_fmt", "yuv420p")
    phone = corpus("phone.mp4", "-display_rotation", "-90", "-i", str(stored), "-c", "copy")
    _, output = run(phone)
    facts = complies(output)
    assert (facts.video["width"], facts.video["height"]) == (540, 960)
    top, bottom = (_pixel(output, 270, y) for y in (200, 760))
    assert top[0] > 200
    assert top[2] < 50
    assert bottom[2] > 200
    assert bottom[0] < 50


def _pixel(path: Path, x: int, y: int) -> bytes:
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-vf", f"crop=2:2:{x}:{y},format=rgb24", "-frames:v", "1"]
    return subprocess.run([*command, "-f", "rawvideo", "-"], check=True, capture_output=True).stdout[:3]


def test_a_compliant_file_is_left_alone(clip: Make, run: Callable[..., tuple[Report, Path]], tmp_path: Path) -> None:
    """What we made ourselves complies: a second run makes nothing, and says so. Elsewhere, it makes a copy."""
    _, first = run(clip("landscape.mov"))
    before = first.stat()
    report = VideoItem.read(first, REELS).write(first)
    assert (report.plan.tier, report.plan.reasons) == ("pass", ())
    assert report.before == report.after
    assert (first.stat().st_ino, first.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    VideoItem.read(first, REELS).write(tmp_path / "copy.mp4")
    assert (tmp_path / "copy.mp4").read_bytes() == first.read_bytes()


@pytest.mark.parametrize(
    ("fit", "corner", "centre"),
    [("pad", (0, 0, 255), (255, 0, 0)), ("blur", (255, 0, 0), (255, 0, 0)), ("crop", (255, 0, 0), (255, 0, 0))],
)
def test_a_picture_of_another_shape_is_fitted_as_asked(
    fit: str,
    corner: tuple[int, ...],
    centre: tuple[int, ...],
    corpus: Make,
    run: Callable[..., tuple[Report, Path]],
    complies: Callable[..., Any],
) -> None:
    """Bars of the given colour, a blurred copy, or only the picture."""
    red = corpus("red.mp4", "-f", "lavfi", "-i", "color=red:s=640x360:d=3.2", "-c:v", "libx264", "-pix_fmt", "yuv420p")
    _, output = run(red, fit=fit, background="blue")
    video = complies(output).video
    assert list(_pixel(output, 4, 4)) == pytest.approx(corner, abs=12)
    assert list(_pixel(output, video["width"] // 2, video["height"] // 2)) == pytest.approx(centre, abs=12)


def test_a_video_that_is_too_long_is_cut_if_it_may(
    clip: Make, run: Callable[..., tuple[Report, Path]], complies: Callable[..., Any]
) -> None:
    long = clip("long.mkv", "64x64", seconds=61.5, fps="24")
    _, output = run(long, replace(FEED, max_duration_s=5.5), trim="end")
    assert complies(output, "feed").duration == pytest.approx(5.5, abs=0.001)


@pytest.fixture
def unusable(tmp_path: Path, clip: Make) -> Callable[[str], Path]:
    """Make a file that cannot be published."""

    def make(kind: str) -> Path:
        path = tmp_path / f"{kind}.mp4"
        whole = clip("landscape.mov").read_bytes()
        front = clip("front.mp4", "540x304", "-movflags", "+faststart").read_bytes()
        matroska = clip("matroska.mkv", "540x304", "-c:a", "libopus").read_bytes()
        content = {
            "empty": b"",
            "text": b"this is not a video\n" * 100,
            "noise": bytes(range(256)) * 400,
            "cut": whole[: len(whole) * 2 // 3],
            "cut with the index in front": front[: len(front) * 2 // 3],
            "cut matroska": matroska[: len(matroska) // 2],
        }
        if kind == "directory":
            path.mkdir()
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "strung together":
            part = clip("part.ts", "540x960", seconds=2.0)
            path.write_bytes(part.read_bytes() * 2)
        elif kind == "music":
            subprocess.run(
                ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=d=4", "-c:a", "aac", str(path)], check=True
            )
        elif kind != "missing":
            path.write_bytes(content[kind])
        return path

    return make


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "The file .* does not exist on this worker.*work_prefix"),
        ("empty", "is empty"),
        ("directory", "is not a regular file"),
        ("pipe", "is not a regular file"),
        ("text", "is not a video"),
        ("noise", "is not a video"),
        ("music", "has no video stream"),
        ("strung together", "several recordings.*Rewrite the timestamps first"),
        ("cut", "is truncated"),
        ("cut with the index in front", r"is truncated: \d+ bytes are missing"),
        ("cut matroska", "is truncated"),
    ],
)
def test_what_is_no_whole_video_is_refused_in_words(
    kind: str, says: str, unusable: Callable[[str], Path], run: Callable[..., tuple[Report, Path]], tmp_path: Path
) -> None:
    with pytest.raises(ValidationError, match=says) as refusal:
        run(unusable(kind))
    assert refusal.value.hint
    assert not list((tmp_path / "out").iterdir())


def test_what_a_camera_writes_behind_the_video_does_not_matter(
    clip: Make, run: Callable[..., tuple[Report, Path]], tmp_path: Path
) -> None:
    """A camera's notes behind the last box look like a box of gigabytes. Every player plays the video."""
    (source := tmp_path / "noted.mp4").write_bytes(clip("portrait.mp4", "540x960").read_bytes() + b"\x7fSEFTnote" * 9)
    assert run(source)[0].plan.tier == "remux"


def test_sound_that_goes_on_after_the_picture_is_kept_with_the_last_picture(
    corpus: Make, run: Callable[..., tuple[Report, Path]], complies: Callable[..., Any]
) -> None:
    source = corpus(
        *("slide.mp4", "-f", "lavfi", "-i", "testsrc2=s=540x960:r=30:d=1", "-f", "lavfi", "-i", "sine=d=4"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-movflags", "+faststart"),
    )
    _, output = run(source)
    facts = complies(output)
    assert float(facts.video["duration"]) == pytest.approx(4.0, abs=0.05)
    assert float(facts.audio["duration"]) == pytest.approx(4.0, abs=0.05)


def test_a_result_never_replaces_its_source_or_a_directory(clip: Make, tmp_path: Path) -> None:
    """If the output replaced its source, the better of the two videos would be lost."""
    (source := tmp_path / "only-one.mov").write_bytes(clip("landscape.mov").read_bytes())
    (link := tmp_path / "link.mp4").symlink_to(source)
    for output in (source, link):
        with pytest.raises(ValidationError, match=r"would replace its source.*another file"):
            VideoItem.read(source, REELS).write(output)
    with pytest.raises(ValidationError, match=r"is a directory.*Use the name of a file"):
        VideoItem.read(source, REELS).write(tmp_path)
    assert source.read_bytes() == clip("landscape.mov").read_bytes()


def test_a_name_that_is_no_text_is_refused_in_words(
    clip: Make, run: Callable[..., tuple[Report, Path]], tmp_path: Path
) -> None:
    source = tmp_path / os.fsdecode(b"caf\xe9.mov")
    source.write_bytes(clip("landscape.mov").read_bytes())
    with pytest.raises(ValidationError, match=r"name of .* is not UTF-8.*Rename"):
        run(source)
