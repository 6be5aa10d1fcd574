"""What ffmpeg is told: how long, how large, how many bits, and to open nothing but the source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_instagram.media.command import Steps, decode
from airflow_provider_instagram.media.info import VideoInfo
from airflow_provider_instagram.media.loudness import Loudness
from airflow_provider_instagram.media.plan import Plan
from airflow_provider_instagram.media.spec import REELS, Options, VideoSpec

MakeInfo = Callable[..., VideoInfo]
OUT = Path("/videos/out.mp4")
SOUND = Path("/videos/audio.nut")


def _steps(
    info: VideoInfo, duration_s: float = 10.0, spec: VideoSpec = REELS, tier: Any = "full", **options: Any
) -> Steps:
    return Steps(info, spec, Options(**options), Plan(tier, (), (), duration_s))


@pytest.mark.parametrize(
    ("info", "duration_s", "frames"),
    [
        ({}, 10.0, 300),
        ({}, 10.001, 301),
        ({}, 90.0, 2700),
        ({"fps": Fraction(24000, 1001)}, 90.0, 2157),
        ({"seconds": 2.9995}, 2.9995, 90),
        ({"fps": Fraction(25)}, 3.02, 76),
    ],
)
def test_the_result_lasts_as_long_as_planned_in_whole_frames_within_the_rules(
    info: dict[str, Any], duration_s: float, frames: int, make_info: MakeInfo
) -> None:
    """At most 90 s, and at least 3 s, which a source may miss by a millisecond."""
    encoding = _steps(make_info(**info), duration_s).encoding
    assert encoding.frames == frames
    assert encoding.duration_s == pytest.approx(frames / float(info.get("fps", 30)))


@pytest.mark.parametrize(
    ("spec", "duration_s", "mean_bps", "peak_bps"),
    [
        (REELS, 10.0, 4_200_000, 4_750_000),
        (replace(REELS, target_video_bps=4_900_000), 10.0, 4_600_000, 4_750_000),
        (replace(REELS, max_size_bytes=2_000_000), 10.0, 1_310_080, 1_352_800),
    ],
    ids=["the target", "not close to the limit", "so that the file is small enough"],
)
def test_the_bit_rate_stays_below_the_limits(
    spec: VideoSpec, duration_s: float, mean_bps: int, peak_bps: int, make_info: MakeInfo
) -> None:
    """A mean of 92 % and peaks of 95 % of 5 Mb/s, or of what the size leaves beside 128 kb/s of audio and 3 %."""
    encoding = _steps(make_info(), duration_s, spec).encoding
    assert (encoding.video_bps, encoding.peak_bps) == (mean_bps, peak_bps)


@pytest.mark.parametrize(
    ("late_s", "start_s", "frames"), [(0.0, 0.0, 300), (0.05, 0.05, 299), (0.2, 0.0, 300), (0.21, -0.0233, 301)]
)
def test_a_late_picture_begins_with_whole_frames_before_it(
    late_s: float, start_s: float, frames: int, make_info: MakeInfo
) -> None:
    """Up to 70 ms of audio before the picture are an encoder's priming, and are cut."""
    encoding = _steps(make_info(pictures={"start_s": late_s})).encoding
    assert [encoding.start_s, encoding.frames] == pytest.approx([start_s, frames], abs=0.0001)


def _graph(arguments: list[str]) -> str:
    return arguments[arguments.index("-filter_complex") + 1]


@pytest.mark.parametrize(
    ("video", "options", "filters", "others"),
    [
        ({}, {"fit": "pad"}, ["scale=1080:1920", "trim=end_frame=300"], ["]pad=", "crop", "gblur", "bwdif", "overlay"]),
        (
            {"columns": 1920, "rows": 1080},
            {"fit": "pad", "background": "white"},
            ["scale=1080:608", "]pad=1080:1920:-1:-1:color=#ffffff"],
            ["crop", "overlay"],
        ),
        (
            {"columns": 1920, "rows": 1080},
            {"fit": "crop"},
            ["scale=1934:1088", "crop=612:1088"],
            ["]pad=", "overlay"],
        ),
        (
            {"columns": 1920, "rows": 1080},
            {"fit": "blur"},
            ["crop=270:480", "gblur=sigma=8", "scale=1080:1920", "scale=1080:608", "overlay"],
            ["]pad="],
        ),
        ({"interlaced": True}, {}, ["bwdif"], []),
        ({"pixel_format": "rgba"}, {"background": "red"}, ["drawbox", "color=#ff0000", "overlay"], []),
    ],
    ids=["the same shape", "pad", "crop", "blur", "interlaced", "transparent"],
)
def test_the_picture_is_fitted_into_the_frame(
    video: dict[str, Any], options: dict[str, Any], filters: list[str], others: list[str], make_info: MakeInfo
) -> None:
    graph = _graph(_steps(make_info(video=video), **options).video(7))
    assert [text for text in filters if text not in graph] == []
    assert [text for text in others if text in graph] == []


def _all_steps(steps: Steps) -> Iterator[list[str]]:
    loudness = Loudness(-30.0, -1.0)
    yield steps.video(7)
    yield steps.sound(loudness, SOUND)
    yield steps.join(7, SOUND, OUT)
    yield steps.audio(loudness, OUT)
    yield steps.remux(OUT)
    yield steps.measure()
    yield decode(OUT, video=True)
    yield decode(OUT, video=False)


def test_each_input_is_one_file_or_pipe_and_no_other_protocol_is_allowed(make_info: MakeInfo) -> None:
    """A playlist or a script that is disguised as a video must open nothing, not even through a second input."""
    for arguments in _all_steps(_steps(make_info())):
        inputs = [place for place, word in enumerate(arguments) if word == "-i"]
        assert inputs
        for place, after in zip(inputs, [0, *(place + 2 for place in inputs)], strict=False):
            protocol = arguments[place + 1].partition(":")[0]
            options = arguments[after:place]
            assert protocol in ("file", "pipe")
            assert options[options.index("-protocol_whitelist") + 1] == protocol
            if protocol == "file" and arguments[place + 1] != f"file:{SOUND}":
                assert "mov,mp4" in options[options.index("-format_whitelist") + 1]
                assert options[options.index("-max_pixels") + 1] == str(8192**2)


def test_no_metadata_of_the_source_reaches_a_result(make_info: MakeInfo) -> None:
    steps = _steps(make_info())
    for arguments in (steps.video(7), steps.join(7, SOUND, OUT), steps.audio(None, OUT), steps.remux(OUT)):
        assert arguments[arguments.index("-map_metadata") + 1] == "-1"
        assert arguments[arguments.index("-map_chapters") + 1] == "-1"


@pytest.mark.parametrize(
    ("tier", "start_s", "duration_s"), [("full", 0.5, 9.5), ("audio", 0.5, 9.4), ("remux", 0.5, 9.4)]
)
def test_a_copy_shows_the_whole_video_and_an_encoding_what_was_planned(
    tier: str, start_s: float, duration_s: float, make_info: MakeInfo
) -> None:
    info = make_info(start_s=0.5, pictures={"start_s": 0.5, "end_s": 9.9})
    span = _steps(info, 9.5, tier=tier).span
    assert [span.start_s, span.duration_s] == pytest.approx([start_s, duration_s])


@pytest.mark.parametrize(
    ("timestamps_s", "dropped"),
    [((0.0, 0.0213), 0), ((-0.0213, 0.0), 1), ((-0.044, -0.0227, -0.0013), 2), ((0.003, 0.0243), 0)],
)
def test_a_copy_drops_the_audio_packets_before_the_first_frame(
    timestamps_s: tuple[float, ...], dropped: int, make_info: MakeInfo
) -> None:
    words = " ".join(_steps(make_info(sound={"first_timestamps_s": timestamps_s}), tier="remux").remux(OUT))
    assert ("noise=drop" in words) == bool(dropped)
    assert dropped == 0 or f"noise=drop=lt(n\\,{dropped})" in words
