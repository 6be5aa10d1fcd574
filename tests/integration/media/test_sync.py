"""Picture and sound stay together, measured by flashes and clicks on files whose edit lists are ignored."""

from __future__ import annotations

import array
import json
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_instagram.media.spec import REELS
from airflow_provider_instagram.media.video import VideoItem

pytestmark = pytest.mark.long

Make = Callable[..., Path]

FLASHES = "between(t\\,0.99\\,1.05)+between(t\\,1.99\\,2.05)+between(t\\,2.99\\,3.05)+between(t\\,3.99\\,4.05)"
CLICKS = "0.5*sin(2*PI*1000*t)*(between(t,1,1.02)+between(t,2,2.02)+between(t,3,3.02)+between(t,4,4.02))"
H264 = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-pix_fmt", "yuv420p", "-g", "300")


def _read(path: Path, *options: str) -> bytes:
    return subprocess.run(["ffmpeg", "-v", "error", *options, "-"], check=True, capture_output=True).stdout


def _frame_times(path: Path, kind: str, *options: str) -> list[float]:
    command = ["ffprobe", "-v", "error", *options, "-select_streams", kind, "-show_entries", "frame=pts_time"]
    out = subprocess.run([*command, "-of", "json", str(path)], check=True, capture_output=True).stdout
    return [float(frame["pts_time"]) for frame in json.loads(out)["frames"]]


def _clicks_after_flashes_s(path: Path, *, edits: bool) -> list[float]:
    """How long after each flash the middle of its click is heard, in seconds.

    :param path: The video.
    :param edits: Whether edit lists are followed, as a player does, or ignored, as Instagram may.
    """
    options = () if edits else ("-ignore_editlist", "1")
    shown = _frame_times(path, "v", *options)
    grey = (
        "-map",
        "0:v:0",
        "-vf",
        "crop=iw/2:ih/8,scale=1:1:flags=area,format=gray",
        "-fps_mode",
        "passthrough",
        "-f",
        "rawvideo",
    )
    bright = _read(path, *options, "-i", str(path), *grey)
    flashes = [at for at, now, before in zip(shown[1:], bright[1:], bright, strict=False) if now > 120 >= before]
    skip = () if edits else ("-flags2", "+skip_manual")
    sound = array.array("f")
    sound.frombytes(
        _read(path, *options, *skip, "-i", str(path), "-map", "0:a:0", "-ac", "1", "-ar", "48000", "-f", "f32le")
    )
    starts_s = _frame_times(path, "a", *options, *skip)[0]
    gaps = []
    for flash_s in flashes:
        first = max(0, round((flash_s - 0.3 - starts_s) * 48_000))
        energy = [(first + n, s * s) for n, s in enumerate(sound[first : first + 30_000])]
        total = sum(e for _, e in energy)
        gaps.append(sum(n * e for n, e in energy) / total / 48_000 + starts_s - flash_s)
    return gaps


def _patched_priming(path: Path, samples: int) -> Path:
    """Change the edit list of the sound so that it skips another number of samples."""
    data = bytearray(path.read_bytes())
    at = data.rindex(b"elst")
    version, count = data[at + 4], struct.unpack_from(">I", data, at + 8)[0]
    assert (version, count) == (0, 1)
    struct.pack_into(">i", data, at + 16, samples)
    path.write_bytes(data)
    return path


@pytest.fixture
def flashing(corpus: Make) -> Callable[..., Path]:
    """Make 5.5 s of black with white flashes and clicks. With `red`, the first 1.3 s are red."""

    def make(name: str, *options: str, size: str = "540x960", delay: str = "0", red: bool = False) -> Path:
        base = "red" if red else "black"
        picture = f"color={base}:s={size}:r=30:d=5.5,drawbox=c=black:t=fill:enable='gte(t\\,1.3)'"
        picture += f",drawbox=c=white:t=fill:enable='{FLASHES}'"
        sound = f"aevalsrc='{CLICKS}':s=48000:d=5.5,adelay={delay}S:all=1"
        return corpus(name, "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, *H264, *options)

    return make


@pytest.fixture
def sources(flashing: Callable[..., Path], corpus: Make) -> dict[str, Callable[[], Path]]:
    def plain() -> Path:
        return flashing("plain.mp4")

    def copied(name: str, *before: str) -> Path:
        return corpus(name, *before, "-i", str(plain()), "-c", "copy")

    def late_sound() -> Path:
        inputs = ("-i", str(plain()), "-itsoffset", "0.2", "-i", str(plain()))
        return corpus("late-sound.mp4", *inputs, "-map", "0:v", "-map", "1:a", "-c", "copy")

    def late_picture() -> Path:
        inputs = ("-i", str(plain()), "-itsoffset", "0.2", "-i", str(plain()))
        return corpus("late-picture.mp4", *inputs, "-map", "1:v", "-map", "0:a", "-c", "copy")

    return {
        "priming of 1024": plain,
        "half a packet of priming": lambda: _patched_priming(flashing("half.mp4", delay="0"), 512),
        "odd priming": lambda: _patched_priming(flashing("odd.mp4", delay="0.0"), 1500),
        "priming of 2112": lambda: _patched_priming(flashing("apple.mp4", delay="1088"), 2112),
        "quicktime": lambda: copied("quicktime.mov"),
        "matroska": lambda: copied("copied.mkv"),
        "transport stream": lambda: copied("copied.ts"),
        "flash video": lambda: copied("copied.flv"),
        "44.1 kHz": lambda: flashing("cd.mp4", "-ar", "44100"),
        "late sound": late_sound,
        "late picture": late_picture,
        "ac3": lambda: flashing("surround.mp4", "-c:a", "ac3"),
        "pcm": lambda: flashing("pcm.mov", "-c:a", "pcm_s16le"),
        "trimmed on a phone": lambda: corpus(
            "trimmed.mp4", "-ss", "1.4", "-i", str(flashing("red-start.mp4", red=True)), "-c", "copy"
        ),
        "landscape": lambda: flashing("wide.mov", size="640x360"),
        "landscape matroska": lambda: corpus("wide.mkv", "-i", str(flashing("wide.mov", size="640x360")), "-c", "copy"),
        "vp9": lambda: corpus(
            *("vp9.webm", "-i", str(plain()), "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"),
            *("-c:a", "libopus"),
        ),
    }


@pytest.mark.parametrize(
    ("name", "tier"),
    [
        ("priming of 1024", "remux"),
        ("priming of 2112", "remux"),
        ("half a packet of priming", "audio"),
        ("odd priming", "audio"),
        ("quicktime", "remux"),
        ("matroska", "remux"),
        ("transport stream", "remux"),
        ("flash video", "remux"),
        ("44.1 kHz", "remux"),
        ("late sound", "audio"),
        ("ac3", "audio"),
        ("pcm", "audio"),
        ("late picture", "full"),
        ("trimmed on a phone", "full"),
        ("landscape", "full"),
        ("landscape matroska", "full"),
        ("vp9", "full"),
    ],
)
def test_picture_and_sound_stay_together(
    name: str,
    tier: str,
    sources: dict[str, Callable[[], Path]],
    tmp_path: Path,
    complies: Callable[[Path], object],
) -> None:
    """Within 5 ms of what a player shows of the source, with the edit lists of the result ignored."""
    source = sources[name]()
    report = VideoItem.read(source, REELS).write(tmp_path / "out.mp4")
    assert report.plan.tier == tier, report.plan.reasons
    complies(tmp_path / "out.mp4")
    before = _clicks_after_flashes_s(source, edits=True)
    after = _clicks_after_flashes_s(tmp_path / "out.mp4", edits=False)
    assert len(after) == len(before) >= 3
    assert after == pytest.approx(before, abs=0.005)


@pytest.fixture(params=["plain", "fragmented"])
def trimmed(request: pytest.FixtureRequest, flashing: Callable[..., Path], corpus: Make) -> Path:
    """A clip trimmed on a phone: its red start is hidden, and no sync picture but the first is there to start from."""
    source = flashing("one-group.mp4", "-sc_threshold", "0", red=True)
    fragments = ("-movflags", "+frag_keyframe+delay_moov") if request.param == "fragmented" else ()
    return corpus(f"{request.param}.mp4", "-ss", "1.4", "-i", str(source), "-c", "copy", *fragments)


def test_what_an_edit_list_hides_is_never_published(trimmed: Path, tmp_path: Path) -> None:
    """The red start that was trimmed off on the phone is still in the file, and must not be in the result."""
    reddest = ("-vf", "scale=1:1:flags=area,format=rgb24", "-fps_mode", "passthrough", "-f", "rawvideo")
    hidden = _read(trimmed, "-ignore_editlist", "1", "-i", str(trimmed), *reddest)
    assert max(hidden[0::3]) - hidden[1] > 150
    VideoItem.read(trimmed, REELS).write(tmp_path / "out.mp4")
    shown = _read(tmp_path, "-ignore_editlist", "1", "-i", str(tmp_path / "out.mp4"), *reddest)
    assert max(r - g for r, g in zip(shown[0::3], shown[1::3], strict=True)) < 20
    assert len(shown) // 3 == round(4.1 * 30)
