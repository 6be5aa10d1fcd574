from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.clips import ClipCache

Make = Callable[..., Path]


@dataclass(frozen=True)
class Facts:
    """A file, read by ffprobe and by an atom walk of the tests' own; nothing of the product is used."""

    size: int
    duration: float
    brand: str
    boxes: tuple[str, ...]
    edit_lists: int
    video: dict[str, Any]
    audio: dict[str, Any]
    streams: int
    tags: dict[str, str]
    frames: list[dict[str, Any]]

    @property
    def fps(self) -> Fraction:
        return Fraction(self.video["avg_frame_rate"])


def _ffprobe(path: Path, *options: str) -> Any:
    command = ["ffprobe", "-v", "error", "-of", "json", *options, str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _boxes(data: bytes, start: int = 0) -> list[tuple[str, bytes]]:
    found = []
    while start + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if length == 1:
            (length,), head = struct.unpack_from(">Q", data, start + 8), 16
        found.append((kind.decode("latin-1"), data[start + head : start + length]))
        start += length
    return found


def read_facts(path: Path) -> Facts:
    data = path.read_bytes()
    top = _boxes(data)
    moov = next(content for kind, content in top if kind == "moov")
    tracks = [content for kind, content in _boxes(moov) if kind == "trak"]
    probed = _ffprobe(path, "-show_format", "-show_streams")
    by_kind = {stream["codec_type"]: stream for stream in probed["streams"]}
    return Facts(
        size=len(data),
        duration=float(probed["format"]["duration"]),
        brand=data[8:12].decode("latin-1"),
        boxes=tuple(kind for kind, _ in top),
        edit_lists=sum(kind == "edts" for track in tracks for kind, _ in _boxes(track)),
        video=by_kind["video"],
        audio=by_kind.get("audio", {}),
        streams=len(probed["streams"]),
        tags=probed["format"].get("tags", {}),
        frames=_ffprobe(
            path, "-select_streams", "v", "-show_frames", "-show_entries", "frame=pts_time,key_frame,interlaced_frame"
        )["frames"],
    )


SHAPES = {"reels": (Fraction(9, 16),), "feed": (Fraction(1), Fraction(4, 5), Fraction(16, 9))}
LONGEST_S = {"reels": 90, "feed": 60}


def assert_complies(path: Path, placement: str = "reels") -> Facts:
    """Every rule of the specification and of Meta, written down once more."""
    facts = read_facts(path)
    video, audio = facts.video, facts.audio
    assert facts.brand in ("isom", "mp42")
    assert facts.boxes.index("moov") < facts.boxes.index("mdat")
    assert facts.edit_lists == 0
    assert facts.streams == 2
    assert not {tag for tag in facts.tags if "location" in tag.lower()}
    assert facts.size <= 100_000_000
    assert 3 <= facts.duration <= LONGEST_S[placement]
    assert (video["codec_name"], video["pix_fmt"]) == ("h264", "yuv420p")
    assert 540 <= video["width"] <= 1920
    shape = Fraction(video["width"], video["height"])
    assert any(abs(shape / wanted - 1) < Fraction(1, 100) for wanted in SHAPES[placement])
    assert video.get("sample_aspect_ratio", "1:1") == "1:1"
    assert not video.get("side_data_list")
    assert 23 <= facts.fps <= 60
    assert int(video["bit_rate"]) <= 5_000_000
    assert not any(frame.get("interlaced_frame") for frame in facts.frames)
    assert (audio["codec_name"], audio["profile"]) == ("aac", "LC")
    assert int(audio["sample_rate"]) in (44_100, 48_000)
    assert audio["channels"] in (1, 2)
    return facts


@pytest.fixture
def encoder() -> None:
    """Encode as users do."""


@pytest.fixture(scope="session")
def complies() -> Callable[..., Facts]:
    """Check every rule with the tests' own reader, and return what was read."""
    return assert_complies


@pytest.fixture(scope="session")
def corpus(clips: ClipCache) -> Make:
    """Makes test clips with ffmpeg, each once: ``corpus("name.mov", "-f", "lavfi", …)``."""
    return clips.get


@pytest.fixture(scope="session")
def clip(corpus: Make) -> Make:
    """Make one clip of moving colours with a tone: ``clip("name.mov", "540x304", *output options, fps=24, …)``."""

    def make(
        name: str, size: str = "540x304", *options: str, fps: str = "24", seconds: float = 3.2, sound: bool = True
    ) -> Path:
        picture = f"testsrc2=s={size}:r={fps}:d={seconds}"
        tone = ("-f", "lavfi", "-i", f"sine=f=440:r=48000:d={seconds}") if sound else ()
        video = () if "-c:v" in options else ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
        return corpus(name, "-f", "lavfi", "-i", picture, *tone, *video, *options)

    return make
