"""What the picture looks like after a full encoding, measured on decoded pixels."""

from __future__ import annotations

import itertools
import json
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_instagram.media.report import Report
from airflow_provider_instagram.media.spec import FEED, REELS, Options
from airflow_provider_instagram.media.video import VideoItem

Make = Callable[..., Path]
Run = Callable[..., tuple[Report, Any, Path]]

pytestmark = pytest.mark.long  # a minute of a processor


@pytest.fixture
def run(tmp_path: Path, complies: Callable[..., Any]) -> Run:
    def go(source: Path, placement: str = "reels", **options: Any) -> tuple[Report, Any, Path]:
        output = tmp_path / "out.mp4"
        report = VideoItem.read(source, FEED if placement == "feed" else REELS, Options(**options)).write(output)
        return report, complies(output, placement), output

    return go


def _pixel(path: Path, x: int, y: int) -> list[int]:
    look = ("-vf", f"crop=2:2:{x}:{y},format=rgb24", "-frames:v", "1", "-f", "rawvideo", "-")
    out = subprocess.run(["ffmpeg", "-v", "error", "-i", str(path), *look], check=True, capture_output=True).stdout
    return list(out[:3])


def _tags(video: dict[str, Any]) -> tuple[str, ...]:
    return tuple(video[f"color_{name}"] for name in ("range", "space", "transfer", "primaries"))


#: Bars of four levels of light, from top to bottom, as code values of 10 bits.
PQ = ("smpte2084", {"50 nits": 450, "100 nits": 509, "white, 203 nits": 573, "1000 nits": 723})
HLG = ("arib-std-b67", {"dark": 283, "half": 502, "white, 75 %": 721, "peak": 940})


@pytest.mark.parametrize(("transfer", "levels"), [PQ, HLG], ids=["HDR10", "HLG"])
def test_high_dynamic_range_becomes_standard_range(
    transfer: str, levels: dict[str, int], corpus: Make, run: Run
) -> None:
    """White is white and not grey or burnt out, highlights stay above it, and the tags say what it is."""
    a, b, c, d = levels.values()
    bars = f"geq=lum='if(lt(Y,240),{a},if(lt(Y,480),{b},if(lt(Y,720),{c},{d})))':cb=512:cr=512"
    tags = f"log-level=none:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc"
    frame = f"color=black:s=540x960:r=24:d=0.04,format=yuv420p10le,{bars}"
    source = corpus(
        *(f"{transfer}.mp4", "-f", "lavfi", "-i", f"{frame},loop=74:1"),
        *("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", tags),
        *("-color_primaries", "bt2020", "-color_trc", transfer, "-colorspace", "bt2020nc"),
    )
    report, facts, output = run(source)
    assert "colours" in " ".join(map(str, report.plan.reasons))
    assert _tags(facts.video) == ("tv", "bt709", "bt709", "bt709")
    shown = [_pixel(output, 270, y)[1] for y in (120, 360, 600, 840)]
    assert shown == sorted(shown)
    assert 200 <= shown[2] <= 235
    assert shown[3] >= shown[2] + 15


#: The wider colours of Apple's phones: the same numbers mean a stronger colour
#: (SMPTE EG 432-1, on a screen with the gamma of 2.4 that BT.1886 gives it).
P3 = "setparams=color_primaries=smpte432:color_trc=bt709:colorspace=bt709"
IN_P3: dict[tuple[int, ...], tuple[int, ...]] = {(200, 60, 40): (217, 35, 0), (40, 160, 70): (0, 163, 53)}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("601", ("-vf", "scale=out_color_matrix=smpte170m,format=yuv420p", "-colorspace", "smpte170m")),
        ("event_pending", ("-vf", "scale=out_color_matrix=smpte170m,format=yuv420p")),
        ("phone", ("-vf", f"scale=out_color_matrix=bt709,format=yuv420p,{P3}")),
        ("709", ("-vf", "scale=out_color_matrix=bt709,format=yuv420p", "-colorspace", "bt709")),
        ("full", ("-vf", "scale=out_color_matrix=bt709:out_range=pc,format=yuvj420p", "-colorspace", "bt709")),
        ("422", ("-vf", "scale=out_color_matrix=bt709,format=yuv422p10le", "-colorspace", "bt709")),
        ("444", ("-vf", "scale=out_color_matrix=bt709,format=yuv444p", "-colorspace", "bt709")),
    ],
)
def test_colours_come_out_as_they_went_in(name: str, options: tuple[str, ...], corpus: Make, run: Run) -> None:
    """Whatever matrix, range and subsampling a source has, the same colours are shown, as bt709."""
    left, right = ("color=0x{:02x}{:02x}{:02x}:s=270x304:r=24:d=3.1,format=gbrp".format(*colour) for colour in IN_P3)
    source = corpus(
        *(f"{name}.mkv", "-f", "lavfi", "-i", f"{left}[l];{right}[r];[l][r]hstack"),
        *(*options, "-c:v", "libx264", "-preset", "ultrafast"),
    )
    _, facts, output = run(source)
    assert _tags(facts.video) == ("tv", "bt709", "bt709", "bt709")
    for column, (colour, in_p3) in zip((135, 405), IN_P3.items(), strict=True):
        shown = _pixel(output, column, facts.video["height"] // 2)
        assert shown == pytest.approx(in_p3 if name == "phone" else colour, abs=6)


def test_pixels_that_are_not_square_are_shown_in_their_true_shape(clip: Make, run: Run) -> None:
    """Television's 720x576 at 16:9 fills the whole width of a wide frame."""
    source = clip("anamorphic.mpg", "720x576", "-c:v", "mpeg2video", "-q:v", "3", "-aspect", "16:9", fps="25")
    _, facts, _ = run(source, "feed")
    assert (facts.video["width"], facts.video["height"]) == (1024, 576)


@pytest.mark.parametrize(
    ("matrix", "red"), [("-display_vflip", "bottom"), ("-display_hflip", "top")], ids=["upside down", "as in a mirror"]
)
def test_a_picture_that_is_stored_mirrored_is_turned_over(matrix: str, red: str, corpus: Make, run: Run) -> None:
    """Cameras mirror in the metadata as they turn in it; a copy would leave that to every player."""
    halves = "color=red:s=540x480:d=3.2[t];color=blue:s=540x480:d=3.2[b];[t][b]vstack"
    stored = corpus("stored.mp4", "-f", "lavfi", "-i", halves, "-c:v", "libx264", "-pix_fmt", "yuv420p")
    report, _, output = run(corpus("mirrored.mp4", matrix, "-i", str(stored), "-c", "copy"))
    assert "rotation" in " ".join(map(str, report.plan.reasons))
    assert (_pixel(output, 270, 200)[0] > 200) == (red == "top")


def test_edges_that_the_container_cuts_off_are_not_published(corpus: Make, tmp_path: Path, run: Run) -> None:
    """A clean aperture hides the edges in a player, and a copy would show them in a player that ignores it."""
    red_edges = "color=red:s=684x1216:d=3.2,drawbox=x=72:y=128:w=540:h=960:c=blue:t=fill"
    stored = corpus("edges.mp4", "-f", "lavfi", "-i", red_edges, "-c:v", "libx264", "-pix_fmt", "yuv420p")
    data = bytearray(stored.read_bytes())
    clap = struct.pack(">I4s8I", 40, b"clap", 540, 1, 960, 1, 0, 1, 0, 1)
    start = data.index(b"avc1", data.index(b"stsd")) - 4
    end = start + int.from_bytes(data[start : start + 4], "big")
    for box in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        at = data.index(box, data.index(b"moov")) - 4
        struct.pack_into(">I", data, at, int.from_bytes(data[at : at + 4], "big") + len(clap))
    data[end:end] = clap
    (source := tmp_path / "cropped.mp4").write_bytes(data)
    report, facts, output = run(source)
    assert "cropping" in " ".join(map(str, report.plan.reasons))
    assert (facts.video["width"], facts.video["height"]) == (540, 960)
    assert _pixel(output, 4, 4)[2] > 200


def test_a_recording_that_was_switched_on_between_two_sync_pictures_begins_with_one(corpus: Make, run: Run) -> None:
    whole = corpus(
        *("whole.mkv", "-f", "lavfi", "-i", "testsrc2=s=540x960:r=30:d=5", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-pix_fmt", "yuv420p", "-g", "30"),
    )
    late = ("-c", "copy", "-bsf:v", "noise=drop=lt(n\\,1)", "-copyinkf")
    report, facts, _ = run(corpus("switched-on.mkv", "-i", str(whole), *late))
    assert "closed GOP" in " ".join(map(str, report.plan.reasons))
    assert facts.frames[0]["key_frame"] == 1


def test_a_picture_that_changes_its_size_on_the_way_stays_one_video(
    clip: Make, corpus: Make, tmp_path: Path, run: Run
) -> None:
    """A phone that is turned while a browser records: the second half is as long as it was."""
    vp8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus")
    parts = [clip(f"{size}.webm", size, *vp8, seconds=2.0) for size in ("320x240", "240x320")]
    (script := tmp_path / "parts.txt").write_text("".join(f"file {part}\n" for part in parts))
    source = corpus("turned.webm", "-f", "concat", "-safe", "0", "-i", str(script), "-c", "copy")
    _, facts, _ = run(source)
    assert facts.duration == pytest.approx(4.0, abs=0.05)


def test_interlaced_pictures_are_woven_back(corpus: Make, run: Run) -> None:
    """A bar that moves between the two fields of a frame has straight edges afterwards."""
    source = corpus(
        *("interlaced.mpg", "-f", "lavfi", "-i", "testsrc2=s=720x576:r=50:d=3.4", "-vf", "tinterlace=interleave_top"),
        *("-c:v", "mpeg2video", "-q:v", "3", "-flags", "+ildct+ilme", "-top", "1", "-r", "25"),
    )
    report, facts, output = run(source)
    assert "interlacing" in " ".join(map(str, report.plan.reasons))
    assert facts.fps == 25
    idet = subprocess.run(
        ["ffmpeg", "-i", str(output), "-vf", "crop=iw:ih/4,idet", "-f", "null", "-"], capture_output=True, text=True
    ).stderr
    multi = idet.rpartition("Multi frame detection")[2]
    top, bottom, progressive = (int(multi.split(f"{word}:")[1].split()[0]) for word in ("TFF", "BFF", "Progressive"))
    assert progressive > 10 * (top + bottom)


def test_a_variable_rate_becomes_a_constant_one(corpus: Make, run: Run) -> None:
    """Every third picture is missing from a 30 fps recording, as phones do in the dark."""
    source = corpus(
        *("variable.mp4", "-f", "lavfi", "-i", "testsrc2=s=540x960:r=30:d=4", "-vf", "select='mod(n,3)'"),
        *("-fps_mode", "vfr", "-c:v", "libx264", "-preset", "ultrafast"),
    )
    _, facts, _ = run(source)
    times = [float(frame["pts_time"]) for frame in facts.frames]
    steps = [after - before for before, after in itertools.pairwise(times)]
    assert facts.fps == 30
    assert max(steps) - min(steps) < 0.001
    assert facts.duration == pytest.approx(4.0, abs=0.04)


def test_the_result_can_be_cut_anywhere(clip: Make, run: Run) -> None:
    """Closed groups: sync pictures come every two seconds at least, and each one is an IDR."""
    _, facts, output = run(clip("landscape.mov", "540x304", seconds=5.2))
    keys = [float(frame["pts_time"]) for frame in facts.frames if frame["key_frame"]]
    assert max(after - before for before, after in zip(keys, [*keys[1:], facts.duration], strict=True)) <= 2.01
    idr = ("-map", "0:v", "-c", "copy", "-bsf:v", "filter_units=pass_types=5", "-f", "framecrc", "-")
    listed = subprocess.run(["ffmpeg", "-v", "error", "-i", str(output), *idr], check=True, capture_output=True).stdout
    assert sum(not line.startswith(b"#") for line in listed.splitlines()) == len(keys)


def test_the_bit_rate_stays_within_the_rules_for_hard_pictures(corpus: Make, run: Run) -> None:
    """Noise takes all that it can get; the shortest clip leaves the encoder the least time to even it out."""
    noise = "color=gray:s=540x960:r=30:d=3.1,format=yuv420p,noise=c0s=100:c0f=t+u"
    source = corpus("noise.mkv", "-f", "lavfi", "-i", noise, "-c:v", "ffv1")
    _, facts, _ = run(source)
    assert 3_500_000 <= int(facts.video["bit_rate"]) <= 5_000_000


def test_a_location_in_the_metadata_is_removed(clip: Make, corpus: Make, run: Run) -> None:
    place = ("-metadata", "location=+52.5186+013.4083/", "-metadata", "comment=made by me", "-movflags", "+faststart")
    source = corpus("place.mp4", "-i", str(clip("portrait.mp4", "540x960")), "-c", "copy", *place)
    report, facts, output = run(source)
    assert report.plan.tier == "remux"
    assert "where it was filmed" in " ".join(map(str, report.plan.reasons))
    assert b"+52.5186" not in output.read_bytes()
    assert set(facts.tags) <= {"major_brand", "minor_version", "compatible_brands"}


def test_extra_tracks_are_left_out_in_a_copy(clip: Make, corpus: Make, tmp_path: Path, run: Run) -> None:
    """A second sound, subtitles, a timecode and a cover picture go; the picture itself is not touched."""
    plain = clip("portrait.mp4", "540x960")
    (subtitles := tmp_path / "words.srt").write_text("1\n00:00:00,000 --> 00:00:02,000\nhello\n")
    cover = corpus("cover.png", "-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1")
    source = corpus(
        *("loaded.mov", "-i", str(plain), "-i", str(plain), "-i", str(subtitles), "-map", "0:v", "-map", "0:a"),
        *("-map", "1:a", "-map", "2:s", "-c", "copy", "-c:s", "mov_text", "-timecode", "01:00:00:00"),
    )
    covered = corpus(
        *("covered.mp4", "-i", str(plain), "-i", str(cover), "-map", "0", "-map", "1", "-c", "copy"),
        *("-disposition:v:1", "attached_pic"),
    )
    for loaded in (source, covered):
        report, facts, output = run(loaded)
        assert report.plan.tier == "remux"
        assert "extra tracks" in " ".join(map(str, report.plan.reasons))
        assert facts.streams == 2
        assert _coded(output) == _coded(loaded)


def _coded(path: Path) -> list[str]:
    """Checksums of the coded pictures, in their order."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_packets", "-show_data_hash", "md5"]
    out = subprocess.run([*command, "-of", "json", str(path)], check=True, capture_output=True).stdout
    return [packet["data_hash"] for packet in json.loads(out)["packets"]]
