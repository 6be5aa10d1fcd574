from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_instagram.media.boxes import Mp4Layout, Track
from airflow_provider_instagram.media.info import Audio, PictureInfo, Video, VideoInfo
from airflow_provider_instagram.media.packets import Timeline

MakeInfo = Callable[..., VideoInfo]


def _timeline(rate: float, seconds: float, bytes_per_s: int) -> Timeline:
    return Timeline(
        count=round(seconds * rate),
        hidden=0,
        size_bytes=int(seconds * bytes_per_s),
        start_s=0.0,
        end_s=seconds,
        longest_s=1 / rate,
        shortest_s=1 / rate,
        open_gop=False,
        largest_step_s=1 / rate,
        first_timestamps_s=(0.0, 1 / rate),
    )


@pytest.fixture
def make_info() -> MakeInfo:
    """Return a function for the properties of a video: ``make_info(video={"codec": "vp9"}, audio=None)``."""

    def make(
        *,
        seconds: float = 10.0,
        fps: Fraction = Fraction(30),
        video: dict[str, Any] | None = None,
        pictures: dict[str, Any] | None = None,
        audio: dict[str, Any] | None = {},  # noqa: B006  never changed; None means that there is no sound
        sound: dict[str, Any] | None = None,
        layout: dict[str, Any] | None = {},  # noqa: B006  None means that it is no MP4
        **other: Any,
    ) -> VideoInfo:
        picture = Video(
            index=0,
            codec="h264",
            columns=1080,
            rows=1920,
            is_cropped=False,
            sample_aspect_ratio=Fraction(1),
            rotation=0,
            is_upright=True,
            pixel_format="yuv420p",
            interlaced=False,
            full_range=False,
            matrix="bt709",
            transfer="bt709",
            primaries="bt709",
            nominal_fps=fps,
            timeline=replace(_timeline(float(fps), seconds, 500_000), **pictures or {}),
        )
        tone = Audio(1, "aac", "LC", 48_000, 2, replace(_timeline(46.875, seconds, 16_000), **sound or {}))
        tracks = (
            Track(0, round(seconds * fps), ()),
            Track(1, round(seconds * 46.875), ()),
        )
        boxes = Mp4Layout("mp42", moov_first=True, fragmented=False, missing_bytes=0, tracks=tracks, location_boxes=())
        info = VideoInfo(
            path=Path("/videos/teaser.mp4"),
            size_bytes=int(seconds * 516_000),
            modified_ns=0,
            container="mov,mp4,m4a,3gp,3g2,mj2",
            start_s=0.0,
            video=replace(picture, **video or {}),
            audio=None if audio is None else replace(tone, **audio),
            extra_streams=(),
            location_tags=(),
            layout=None if layout is None else replace(boxes, **layout),
        )
        return replace(info, **other)

    return make


@pytest.fixture(scope="session")
def make_picture() -> Callable[..., PictureInfo]:
    """Return a function for the properties of a picture: ``make_picture(columns=1080, format="PNG")``."""

    def make(**change: Any) -> PictureInfo:
        compliant = PictureInfo(
            path=Path("/pictures/poster.jpg"),
            size_bytes=1000,
            modified_ns=0,
            format="JPEG",
            mode="RGB",
            columns=1080,
            rows=1080,
            orientation=1,
            colour_profile="",
            is_srgb=True,
            has_alpha=False,
            frames=1,
            location_tags=(),
            has_extra_data=False,
        )
        return replace(compliant, **change)

    return make
