"""What a file is, by what ffprobe says about it. ffprobe is a program that prints the answers of the test."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.probe import probe
from airflow_provider_instagram.media.process import ProcessLimits

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

    from airflow_provider_instagram.media.info import VideoInfo

VIDEO = {"index": 0, "codec_type": "video", "codec_name": "h264", "width": 1080, "height": 1920, "pix_fmt": "yuv420p"}
AUDIO = {"index": 1, "codec_type": "audio", "codec_name": "aac", "profile": "LC", "sample_rate": "48000", "channels": 2}
COVER = {**VIDEO, "index": 2, "codec_name": "png", "disposition": {"attached_pic": 1}}
SUBTITLES = {"index": 3, "codec_type": "subtitle", "codec_name": "subrip"}
PACKETS = "".join(f"{index},{at}.0,{at}.0,1.0,9,0,K__\n" for at in range(4) for index in (0, 1))

Read = Callable[..., "VideoInfo"]


def _turned(degrees: int, right_down: str) -> dict[str, Any]:
    first, second = right_down.split("/")
    matrix = f"\n00000000: {first} 0\n00000001: {second} 0\n00000002: 0 0 1073741824\n"
    return {"side_data_list": [{"displaymatrix": matrix, "rotation": degrees}]}


@pytest.fixture
def read(tmp_path: Path, mocker: MockerFixture) -> Read:
    """Probe a Matroska file: ``read(VIDEO | {"width": 16}, AUDIO, duration="4.0")``."""
    mocker.patch("airflow_provider_instagram.media.probe.HEADER_LIMITS", ProcessLimits(wall_s=60, cpu_s=30))

    def go(*streams: dict[str, Any], packets: str = PACKETS, **container: Any) -> VideoInfo:
        header = {"streams": streams, "format": {"format_name": "matroska,webm", "duration": "4.0", **container}}
        (answer := tmp_path / "header.json").write_text(json.dumps(header))
        (listing := tmp_path / "packets.csv").write_text(packets)
        (program := tmp_path / "ffprobe").write_text(
            f'#!/bin/sh\ncase "$*" in *-show_streams*) cat {answer};; *) cat {listing};; esac\n'
        )
        program.chmod(0o755)
        (source := tmp_path / "clip.mkv").write_bytes(b"\x1a\x45\xdf\xa3")
        return probe(source, ffprobe=str(program))

    return go


@pytest.mark.parametrize(
    ("change", "properties"),
    [
        ({}, {"columns": 1080, "rows": 1920, "rotation": 0, "is_upright": True, "sample_aspect_ratio": Fraction(1)}),
        (_turned(-90, "0 65536/-65536 0"), {"rotation": 90, "is_upright": False, "aspect_ratio": Fraction(16, 9)}),
        (_turned(180, "-65536 0/0 -65536"), {"rotation": 180, "is_upright": False}),
        (_turned(0, "-65536 0/0 65536"), {"rotation": 0, "is_upright": False}),
        (_turned(0, "65536 0/0 65536"), {"rotation": 0, "is_upright": True}),
        (
            {"side_data_list": [{"crop_top": 10, "crop_bottom": 10, "crop_left": 4, "crop_right": 0}]},
            {"columns": 1076, "rows": 1900, "is_cropped": True},
        ),
        ({"sample_aspect_ratio": "4:3"}, {"sample_aspect_ratio": Fraction(4, 3), "shown_columns": 1440}),
        ({"sample_aspect_ratio": "0:1"}, {"sample_aspect_ratio": Fraction(1)}),
        ({"field_order": "tb"}, {"interlaced": True}),
        ({"field_order": "progressive"}, {"interlaced": False}),
        ({"color_range": "pc", "color_space": "bt709"}, {"full_range": True, "matrix": "bt709"}),
        ({"color_space": "unknown", "color_primaries": "reserved"}, {"matrix": "", "primaries": ""}),
        ({"color_transfer": "smpte2084"}, {"is_hdr": True}),
        ({"color_transfer": "arib-std-b67"}, {"is_hdr": True}),
        ({"pix_fmt": "bgra"}, {"has_alpha": True}),
        ({"r_frame_rate": "30000/1001"}, {"nominal_fps": Fraction(30000, 1001)}),
        ({"r_frame_rate": "0/0"}, {"nominal_fps": Fraction(0)}),
    ],
)
def test_the_picture_is_what_a_player_shows(change: dict[str, Any], properties: dict[str, Any], read: Read) -> None:
    video = read(VIDEO | change, AUDIO).video
    assert {name: getattr(video, name) for name in properties} == properties


def test_players_choose_the_default_streams_and_all_others_are_extra(read: Read) -> None:
    german = {**AUDIO, "disposition": {"default": 1}}
    english = {**AUDIO, "index": 4, "codec_name": "ac3"}
    info = read(
        COVER, VIDEO, english, german, SUBTITLES, {"index": 5, "codec_type": "data", "codec_tag_string": "tmcd"}
    )
    assert (info.video.index, info.audio and info.audio.index) == (0, 1)
    assert info.extra_streams == ("video png", "audio ac3", "subtitle subrip", "data tmcd")


def test_an_audio_track_without_packets_is_none(read: Read) -> None:
    assert read(VIDEO, AUDIO, packets="".join(f"0,{at}.0,{at}.0,1.0,9,0,K__\n" for at in range(4))).audio is None


@pytest.mark.parametrize(
    ("tags", "location_tags"),
    [
        ({"location": "+52.5+013.4/", "title": "Berlin"}, ("location",)),
        ({"com.apple.quicktime.location.ISO6709": "+52.5"}, ("com.apple.quicktime.location.ISO6709",)),
        ({"GPSLatitude": "52"}, ("GPSLatitude",)),
        ({"title": "Berlin"}, ()),
    ],
)
def test_metadata_that_may_reveal_a_location_is_named(
    tags: dict[str, str], location_tags: tuple[str, ...], read: Read
) -> None:
    assert read(VIDEO, AUDIO, tags=tags).location_tags == location_tags
    assert read(VIDEO, AUDIO | {"tags": tags}).location_tags == location_tags


@pytest.mark.parametrize(
    ("streams", "container", "words"),
    [
        ([AUDIO], {}, "has no video stream. Use a video file. This one may be music or a picture."),
        ([COVER, AUDIO], {}, "has no video stream."),
        ([VIDEO | {"width": 8194, "height": 16}], {}, "has 8194x16 pixels; the limit is 8192 per side."),
        ([VIDEO | {"width": 0}], {}, "has no frame size, or a side of more than 8192 pixels."),
        ([VIDEO], {"duration": "7201"}, "has a duration of 7201 s; the limit is 7200 s. Shorten it first."),
        ([VIDEO], {"duration": "6.0"}, "is truncated: its duration is 6.00 s, but it contains 4.00 s."),
        (
            [{name: value for name, value in VIDEO.items() if name != "codec_name"} | {"codec_tag_string": "drmi"}],
            {},
            "has an unknown video codec (drmi). Export it as H.264.",
        ),
    ],
)
def test_what_cannot_be_a_post_is_refused_with_the_remedy(
    streams: list[dict[str, Any]], container: dict[str, Any], words: str, read: Read
) -> None:
    with pytest.raises(ValidationError, match=re.escape(words)):
        read(*streams, **container)


@pytest.mark.parametrize(("container", "refused"), [("mpegts", True), ("mpeg", True), ("matroska,webm", False)])
@pytest.mark.parametrize("jump_s", [-2.0, 11.0])
def test_concatenated_recordings_are_refused_where_each_has_its_own_times(
    container: str, refused: bool, jump_s: float, read: Read
) -> None:
    packets = "".join(f"0,{at},{at},1.0,9,0,K__\n" for at in (20.0, 21.0, 21.0 + jump_s))
    if not refused:
        assert read(VIDEO, packets=packets, format_name=container, duration="0").video.codec == "h264"
        return
    with pytest.raises(ValidationError, match=re.escape(f"its timestamps jump by {jump_s:+.1f} s")):
        read(VIDEO, packets=packets, format_name=container, duration="0")


def test_a_stream_without_frames_is_refused(read: Read) -> None:
    with pytest.raises(ValidationError, match="has a video stream without frames"):
        read(VIDEO, AUDIO, packets="")
