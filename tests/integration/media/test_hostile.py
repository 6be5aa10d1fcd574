"""Files that are made to do harm: refused quickly, in words, and nothing but the file itself is opened."""

from __future__ import annotations

import os
import struct
import subprocess
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.exceptions import InstagramError, TranscodeError, ValidationError
from airflow_provider_instagram.media.boxes import read_layout
from airflow_provider_instagram.media.probe import probe
from airflow_provider_instagram.media.process import ProcessLimits
from airflow_provider_instagram.media.spec import REELS, Options
from airflow_provider_instagram.media.video import VideoItem
from tests.integration.media.hostile_boxes import BEHIND, IN_MOVIE, with_boxes

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

Make = Callable[..., Path]


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., str]:
    """Try to transcode a file, and return why it was refused: within 10 s, and with no output."""

    def go(source: Path, error: type[InstagramError] = ValidationError) -> str:
        (folder := tmp_path / "out").mkdir(exist_ok=True)
        started = time.monotonic()
        with pytest.raises(error) as refusal:
            VideoItem.read(source, REELS, Options(trim="end")).write(folder / "video.mp4")
        assert time.monotonic() - started < 10
        assert not list(folder.iterdir())
        return str(refusal.value)

    return go


@pytest.fixture
def secret(clip: Make, tmp_path: Path) -> Path:
    """Another person's video, beside the file that is published."""
    path = tmp_path / "secret.mp4"
    path.write_bytes(clip("portrait.mp4", "540x960").read_bytes())
    return path


@pytest.mark.parametrize(
    ("script", "demuxer"),
    [
        ("ffconcat version 1.0\nfile secret.mp4\n", "concat"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:3.2,\nsecret.mp4\n#EXT-X-ENDLIST\n", "hls"),
    ],
)
@pytest.mark.parametrize("name", ["innocent.mp4", "innocent.mov", "innocent"])
def test_a_script_dressed_as_a_video_opens_no_neighbour(
    script: str, demuxer: str, name: str, secret: Path, refused: Callable[..., str], tmp_path: Path
) -> None:
    (source := tmp_path / name).write_text(script)
    plain = ["ffprobe", "-v", "error", "-f", demuxer, "-allowed_extensions", "ALL", "-show_streams", str(source)]
    unguarded = subprocess.run(
        [w for w in plain if demuxer == "hls" or ("ALL" not in w and "ext" not in w)], check=False, capture_output=True
    )
    assert b"h264" in unguarded.stdout, "the script is not even dangerous"
    assert "is not a video" in refused(source)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".bmp", ".webp"])
def test_a_picture_dressed_as_a_video_is_refused(
    suffix: str, corpus: Make, refused: Callable[..., str], tmp_path: Path
) -> None:
    picture = corpus(f"picture{suffix}", "-f", "lavfi", "-i", "color=red:s=540x960", "-frames:v", "1")
    (source := tmp_path / "picture.mp4").write_bytes(picture.read_bytes())
    assert "is not a video" in refused(source)


@pytest.mark.parametrize("name", ["concat:a.mp4|b.mp4", "http:", "pipe:0", "-i", "%d.mp4", "a b'c;d.mp4", "data:,x"])
def test_a_path_that_looks_like_something_else_is_a_path(
    name: str, clip: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative or absolute, it names that very file, for reading and for writing."""
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(clip("portrait.mp4", "540x960").read_bytes())
    assert VideoItem.read(Path(name), REELS).write(Path(f"{name}.out")).plan.tier == "remux"
    assert probe(Path(f"{name}.out")).video.codec == "h264"


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/random"])
def test_devices_are_not_opened(device: str, refused: Callable[..., str]) -> None:
    assert "is not a regular file" in refused(Path(device))


def test_a_link_to_a_device_is_the_device(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "innocent.mp4").symlink_to("/dev/zero")
    assert "is not a regular file" in refused(tmp_path / "innocent.mp4")


def _claiming(source: Path, target: Path, box: bytes, at: int, *numbers: int, form: str) -> Path:
    """A copy of a video with other numbers in one of its boxes."""
    data = bytearray(source.read_bytes())
    struct.pack_into(form, data, data.index(box) + 4 + at, *numbers)
    target.write_bytes(data)
    return target


def test_a_claim_of_huge_pictures_is_refused(corpus: Make, refused: Callable[..., str], tmp_path: Path) -> None:
    """The container and each picture claim 30000x30000, in a few kilobytes."""
    raw = corpus("raw.mov", "-f", "lavfi", "-i", "color=red:s=64x64:r=30:d=4", "-c:v", "mjpeg")
    source = _claiming(raw, tmp_path / "huge.mov", b"jpeg", 24, 30_000, 30_000, form=">HH")
    start_of_frame = b"\xff\xc0\x00\x11\x08"
    data = source.read_bytes().replace(start_of_frame + struct.pack(">HH", 64, 64), start_of_frame + b"\x75\x30" * 2)
    assert data.count(b"\x75\x30" * 2) > 100
    source.write_bytes(data)
    assert "a side of more than 8192 pixels" in refused(source)


def test_a_claim_of_hours_with_nothing_in_it_is_refused(
    corpus: Make, refused: Callable[..., str], tmp_path: Path
) -> None:
    short = corpus("four-seconds.mp4", "-f", "lavfi", "-i", "color=s=540x960:r=30:d=4", "-c:v", "libx264")
    source = _claiming(short, tmp_path / "long.mp4", b"stts", 12, 1_000_000_000, form=">I")
    assert refused(source)


def test_boxes_that_lead_round_in_circles_or_nowhere_are_refused_or_read_around(corpus: Make, tmp_path: Path) -> None:
    whole = corpus("four-seconds.mp4", "-f", "lavfi", "-i", "color=s=540x960:r=30:d=4", "-c:v", "libx264")
    refusals = {}
    for box, number in ((b"moov", 0xFFFFFF00), (b"trak", 0), (b"stsz", 0xFFFFFFF0), (b"elst", 1)):
        data = bytearray(whole.read_bytes())
        struct.pack_into(">I", data, data.index(box) - 4, number)
        (source := tmp_path / f"{box.decode()}.mp4").write_bytes(data)
        try:
            probe(source)
        except ValidationError as error:
            refusals[box] = str(error)
    assert sorted(refusals) == [b"moov", b"stsz"]
    assert "bytes are missing at the end" in refusals[b"moov"]


NESTED, MANY, EDITS = "nested more than 8 deep", "more than 100,000 boxes", "edit lists of more than 10,000 entries"
#: Why each of the hostile files is refused. All others are read around.
REFUSED_FOR = {
    "boxes in boxes": NESTED,
    "boxes in boxes with a file in each": NESTED,
    "boxes in boxes of several kinds": NESTED,
    "a quarter of a million boxes": MANY,
    "a quarter of a million boxes in metadata": MANY,
    "a quarter of a million tracks": MANY,
    "boxes of 64 bits": MANY,
    "an edit list of 100,000 entries": EDITS,
    "edit lists in many tracks": EDITS,
    "short heads": "its index is damaged",
    "a million boxes": MANY,
    "a million fragments": MANY,
    "a second index of boxes in boxes": NESTED,
}


@pytest.fixture
def with_hostile_boxes(corpus: Make, tmp_path: Path) -> Callable[[str], Path]:
    whole = corpus("four-seconds.mp4", "-f", "lavfi", "-i", "color=s=540x960:r=30:d=4", "-c:v", "libx264")

    def make(name: str) -> Path:
        more = {"in_movie": IN_MOVIE[name]()} if name in IN_MOVIE else {"behind": BEHIND[name]()}
        (source := tmp_path / "hostile.mp4").write_bytes(with_boxes(whole.read_bytes(), **more))
        return source

    return make


@pytest.mark.parametrize("name", [*IN_MOVIE, *BEHIND])
def test_boxes_that_are_made_to_fill_the_memory_fill_none(name: str, with_hostile_boxes: Callable[[str], Path]) -> None:
    """Two megabytes of them took 15 s and 2 GB of the worker. They are read by offsets, and counted."""
    source = with_hostile_boxes(name)
    tracemalloc.start()
    try:
        if name in REFUSED_FOR:
            with pytest.raises(ValidationError, match=REFUSED_FOR[name]):
                read_layout(source)
        else:
            assert read_layout(source).tracks[0].samples == 120
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024**2
    finally:
        tracemalloc.stop()


def test_a_video_with_hostile_boxes_is_refused_before_it_is_transcoded(
    with_hostile_boxes: Callable[[str], Path], refused: Callable[..., str]
) -> None:
    """A second index is skipped by ffprobe, which finds nothing wrong."""
    assert NESTED in refused(with_hostile_boxes("a second index of boxes in boxes"))


def test_a_huge_file_of_nothing_is_given_up(refused: Callable[..., str], tmp_path: Path) -> None:
    source = tmp_path / "nothing.mp4"
    with source.open("wb") as file:
        file.truncate(20 * 1024**3)
    assert "is not a video" in refused(source)


@pytest.fixture
def failing_at(tmp_path: Path) -> Callable[..., str]:
    """An ffprobe that does something else when it gets to a certain option."""

    def make(option: str, command: str) -> str:
        program = tmp_path / "ffprobe-that-fails"
        program.write_text(f'#!/bin/sh\ncase "$*" in *{option}*) {command};; esac\nexec ffprobe "$@"\n')
        program.chmod(0o755)
        return str(program)

    return make


@pytest.mark.parametrize("option", ["show_streams", "packet="])
def test_a_file_that_makes_ffprobe_hang_is_given_up(
    option: str, failing_at: Callable[..., str], clip: Make, mocker: MockerFixture
) -> None:
    mocker.patch(
        "airflow_provider_instagram.media.probe.HEADER_LIMITS",
        ProcessLimits(wall_s=3, cpu_s=4, memory_bytes=1024**3),
    )
    started = time.monotonic()
    with pytest.raises(ValidationError, match="could not be read within"):
        probe(clip("portrait.mp4", "540x960"), ffprobe=failing_at(option, "exec sleep 60"))
    assert time.monotonic() - started < 10


def test_an_ffprobe_that_crashes_is_named_and_the_video_is_not_called_damaged(
    failing_at: Callable[..., str], clip: Make
) -> None:
    """As the one of a static build of ffmpeg 6.0 does at each transport stream."""
    ffprobe = failing_at("show_streams", "kill -SEGV $$")
    with pytest.raises(ValidationError, match=r"ffprobe.* crashed when .*\(Segmentation fault.*another build") as error:
        probe(clip("portrait.mp4", "540x960"), ffprobe=ffprobe)
    assert "damaged" not in str(error.value)


def test_an_encoder_that_ends_well_with_a_damaged_file_is_caught(clip: Make, tmp_path: Path) -> None:
    """The last word has the check of the result, not the exit code."""
    liar = tmp_path / "liar"
    liar.write_text(
        f'#!/bin/sh\nffmpeg "$@"\nfor a; do case "$a" in *instagram-work*) {_DAMAGE};; esac; done\nexit 0\n'
    )
    liar.chmod(0o755)
    (folder := tmp_path / "out").mkdir()
    with pytest.raises(TranscodeError, match=r"does not comply|is damaged"):
        VideoItem.read(clip("landscape.mov"), REELS, Options(ffmpeg=str(liar))).write(folder / "video.mp4")
    assert not os.listdir(folder)  # noqa: PTH208


#: Overwrites a stretch in the middle of the media.
_DAMAGE = 'dd if=/dev/urandom of="${a#file:}" bs=1000 seek=100 count=60 conv=notrunc 2>/dev/null'


@pytest.fixture
def ffmpeg_that(tmp_path: Path) -> Callable[[str], str]:
    """An ffmpeg that does harm in one of its steps, and ends well. The harm is a branch of a shell's ``case``."""

    def make(branch: str) -> str:
        program = tmp_path / "ffmpeg-that-does-harm"
        program.write_text(f'#!/bin/sh\ncase "$*" in {branch} exit 0;; esac\nexec ffmpeg "$@"\n')
        program.chmod(0o755)
        return str(program)

    return make


def test_a_video_that_the_encoder_damaged_is_caught_while_it_is_written(
    clip: Make, ffmpeg_that: Callable[[str], str], tmp_path: Path
) -> None:
    """The packets are whole and have the right times, so that only a decoder finds out."""
    damaging = ffmpeg_that(
        r'*libx264*) noise="noise=amount=300*gte(n\,60)"; for a; do shift; '
        'case "$a" in pipe:1) ;; *pipe:*) set -- "$@" -bsf:v "$noise";; esac; '
        'set -- "$@" "$a"; done; ffmpeg "$@";'
    )
    (folder := tmp_path / "out").mkdir()
    with pytest.raises(TranscodeError, match=r"is damaged|could not (write the result|convert)"):
        VideoItem.read(clip("landscape.mov"), REELS, Options(ffmpeg=damaging)).write(folder / "video.mp4")
    assert not list(folder.iterdir())


def test_a_video_that_is_another_than_the_encoder_wrote_is_caught(
    clip: Make, ffmpeg_that: Callable[[str], str], tmp_path: Path
) -> None:
    """It gets a message to players on its way to the file, and stays valid, so that no decoder finds out."""
    changing = ffmpeg_that(
        '*libx264*) changed="[f=nut:bsfs/v=h264_metadata=sei_user_data=086f3693-b7b3-4f2c-9653-21492feee5b8+hello]"; '
        'for a; do shift; case "$a" in "[f=nut]"*) a="$changed${a#*]}";; esac; '
        'set -- "$@" "$a"; done; ffmpeg "$@";'
    )
    (folder := tmp_path / "out").mkdir()
    with pytest.raises(TranscodeError, match="not contain the video that was encoded"):
        VideoItem.read(clip("landscape.mov"), REELS, Options(ffmpeg=changing)).write(folder / "video.mp4")
    assert not list(folder.iterdir())


def test_a_video_that_is_damaged_after_it_was_decoded_is_caught(
    clip: Make, ffmpeg_that: Callable[[str], str], tmp_path: Path
) -> None:
    """Its index is right, so that ffprobe finds nothing. A few zeros replace more than a packet of audio."""
    damaging = ffmpeg_that(
        '*audio.nut*result.mp4*) ffmpeg "$@"; for a; do case "$a" in *result.mp4) '
        'dd if=/dev/zero of="${a#file:}" bs=1000 seek=500 count=3 conv=notrunc 2>/dev/null;; esac; done;'
    )
    (folder := tmp_path / "out").mkdir()
    with pytest.raises(TranscodeError, match=r"not contain the video that was encoded|could not decode its result"):
        VideoItem.read(clip("landscape.mov"), REELS, Options(ffmpeg=damaging)).write(folder / "video.mp4")
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("step", "pattern", "says"),
    [
        ("encoder", "*libx264*", "could not convert"),
        ("meter", "*ebur128*-f*null*", "could not measure the audio"),
        ("joiner", "*audio.nut*result.mp4*", "could not write the result"),
    ],
)
def test_the_error_of_the_step_that_failed_is_raised(
    step: str, pattern: str, says: str, clip: Make, ffmpeg_that: Callable[[str], str], tmp_path: Path
) -> None:
    """The steps run side by side, and one that fails ends the others."""
    failing = ffmpeg_that(f"{pattern}) echo the {step} fails >&2; exit 1;")
    (folder := tmp_path / "out").mkdir()
    with pytest.raises(TranscodeError, match=f"{says}.*the {step} fails"):
        VideoItem.read(clip("landscape.mov"), REELS, Options(ffmpeg=failing)).write(folder / "video.mp4")
    assert not list(folder.iterdir())
