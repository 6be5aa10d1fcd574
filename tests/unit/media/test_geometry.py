from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from airflow_provider_instagram.media.geometry import Size, covering, frame_rate, picture_layout, video_layout
from airflow_provider_instagram.media.info import PictureInfo, VideoInfo
from airflow_provider_instagram.media.spec import FEED, FEED_PICTURE, REELS, STORY_PICTURE, Fit, VideoSpec, profile_for

MakeInfo = Callable[..., VideoInfo]


@pytest.mark.parametrize(
    ("stored", "spec", "fit", "frame", "picture"),
    [
        ((1920, 1080), REELS, "pad", (1080, 1920), (1080, 608)),
        ((1920, 1080), REELS, "crop", (612, 1088), (1934, 1088)),
        ((3840, 2160), REELS, "pad", (1080, 1920), (1080, 608)),
        ((720, 1280), REELS, "pad", (720, 1280), (720, 1280)),
        ((360, 640), REELS, "pad", (540, 960), (540, 960)),
        ((1082, 1920), REELS, "pad", (1080, 1920), (1080, 1920)),
        ((1080, 1080), FEED, "pad", (1080, 1080), (1080, 1080)),
        ((1920, 800), FEED, "pad", (1920, 1080), (1920, 800)),
        ((1080, 1920), FEED, "pad", (1080, 1350), (760, 1350)),
        ((540, 540), FEED, "pad", (540, 540), (540, 540)),
        ((640, 360), FEED, "pad", (640, 360), (640, 360)),
        ((360, 640), FEED, "pad", (544, 680), (382, 680)),
        ((1280, 960), FEED, "pad", (1080, 1080), (1080, 810)),
    ],
)
def test_the_frame_that_loses_least_holds_the_picture(
    stored: tuple[int, int],
    spec: VideoSpec,
    fit: Fit,
    frame: tuple[int, int],
    picture: tuple[int, int],
    make_info: MakeInfo,
) -> None:
    layout = video_layout(make_info(video={"columns": stored[0], "rows": stored[1]}).video, spec, fit)
    assert (layout.frame.columns, layout.frame.rows) == frame

    assert (layout.picture.columns, layout.picture.rows) == picture


@pytest.mark.parametrize("columns", [101, 540, 1079, 1920, 3840])
@pytest.mark.parametrize("rows", [101, 480, 1080, 3001])
@pytest.mark.parametrize("fit", ["pad", "crop"])
def test_every_size_is_even_fits_and_keeps_its_shape(columns: int, rows: int, fit: Fit, make_info: MakeInfo) -> None:
    for spec in (REELS, FEED):
        layout = video_layout(make_info(video={"columns": columns, "rows": rows}).video, spec, fit)
        frame, picture = layout.frame, layout.picture
        assert all(n % 2 == 0 for n in (frame.columns, frame.rows, picture.columns, picture.rows))
        assert any(Fraction(frame.columns, frame.rows) == Fraction(*wanted) for wanted in spec.frames)
        assert 540 <= frame.columns <= 1920
        inside = picture.columns <= frame.columns and picture.rows <= frame.rows
        outside = picture.columns >= frame.columns and picture.rows >= frame.rows
        assert inside if fit == "pad" else outside


@pytest.mark.parametrize(
    ("change", "turned"),
    [
        ({"columns": 1920, "rows": 1080, "rotation": 90}, Fraction(9, 16)),
        ({"columns": 1920, "rows": 1080, "rotation": 180}, Fraction(16, 9)),
        ({"columns": 720, "rows": 576, "sample_aspect_ratio": Fraction(64, 45)}, Fraction(16, 9)),
        ({"columns": 720, "rows": 576, "sample_aspect_ratio": Fraction(64, 45), "rotation": 270}, Fraction(9, 16)),
    ],
)
def test_the_shape_is_that_which_a_player_shows(change: dict[str, Any], turned: Fraction, make_info: MakeInfo) -> None:
    assert make_info(video=change).video.aspect_ratio == turned


def test_a_cover_leaves_nothing_free(make_info: MakeInfo) -> None:
    for columns, rows in ((1920, 1080), (100, 999), (333, 334)):
        cover = covering(make_info(video={"columns": columns, "rows": rows}).video, Size(270, 480))
        assert cover.columns >= 270
        assert cover.rows >= 480


@pytest.mark.parametrize(
    ("claimed", "measured", "steps", "becomes"),
    [
        (Fraction(30), 30.0, None, Fraction(30)),
        (Fraction(30000, 1001), 29.97, None, Fraction(30000, 1001)),
        (Fraction(50), 25.0, None, Fraction(25)),
        (Fraction(90000), 25.0, None, Fraction(25)),
        (Fraction(240), 240.0, None, Fraction(60)),
        (Fraction(144), 144.0, None, Fraction(48)),
        (Fraction(20), 20.0, None, Fraction(40)),
        (Fraction(5), 5.0, None, Fraction(30)),
        (Fraction(10), 10.0, None, Fraction(30)),
        (Fraction(12), 12.0, None, Fraction(24)),
        (Fraction(15), 15.0, None, Fraction(30)),
        (Fraction(100), 100.0, None, Fraction(50)),
        (Fraction(120), 120.0, None, Fraction(60)),
        (Fraction(30), 22.0, (0.033, 0.066), Fraction(30)),
        (Fraction(30), 29.7, (0.033, 0.066), Fraction(30)),
        (Fraction(60), 45.0, (0.016, 0.033), Fraction(60)),
    ],
)
def test_the_rate_is_the_sources_own_or_keeps_its_rhythm(
    claimed: Fraction,
    measured: float,
    steps: tuple[float, float] | None,
    becomes: Fraction,
    make_info: MakeInfo,
) -> None:
    """What a file claims counts when its packets bear it out; fields are not frames; phones vary."""
    shortest_s, longest_s = steps or (1 / measured, 1 / measured)
    pictures = {"count": round(10 * measured), "shortest_s": shortest_s, "longest_s": longest_s}
    assert frame_rate(make_info(pictures=pictures, video={"nominal_fps": claimed}).video, REELS) == becomes


@pytest.mark.parametrize("columns", [1, 7, 319, 320, 333, 800, 1079, 1440, 1441, 4032, 12_000])
@pytest.mark.parametrize("rows", [1, 11, 200, 566, 1080, 1349, 1800, 3024, 9000])
@pytest.mark.parametrize("fit", ["pad", "blur", "crop"])
def test_every_frame_keeps_the_rules_and_the_picture_fits_it(
    columns: int, rows: int, fit: Fit, make_picture: Callable[..., PictureInfo]
) -> None:
    for spec, narrowest, widest in ((FEED_PICTURE, 0.8, 1.91), (STORY_PICTURE, 0.5625 * 0.99, 0.5625 * 1.01)):
        layout = picture_layout(make_picture(columns=columns, rows=rows), spec, fit)
        (across, down), (wide, high) = layout.frame, layout.picture
        assert 320 <= across <= 1440
        assert narrowest <= across / down <= widest
        assert min(wide, high) >= 1
        assert (wide >= across and high >= down) if fit == "crop" else (wide <= across and high <= down)


@pytest.mark.parametrize(
    ("size", "fit", "frame", "picture"),
    [
        ((800, 1000), "pad", (800, 1000), (800, 1000)),
        ((4000, 3000), "pad", (1440, 1080), (1440, 1080)),
        ((3000, 500), "pad", (1440, 754), (1440, 240)),
        ((3000, 500), "crop", (955, 500), (3000, 500)),
        ((500, 2000), "pad", (1440, 1800), (450, 1800)),
        ((1200, 628), "pad", (1200, 629), (1200, 629)),
        ((100, 100), "pad", (320, 320), (320, 320)),
    ],
)
def test_the_frame_keeps_the_most_of_the_picture(
    size: tuple[int, int],
    fit: Fit,
    frame: tuple[int, int],
    picture: tuple[int, int],
    make_picture: Callable[..., PictureInfo],
) -> None:
    layout = picture_layout(make_picture(columns=size[0], rows=size[1]), FEED_PICTURE, fit)
    assert (layout.frame, layout.picture) == (frame, picture)


def test_the_videos_of_a_carousel_get_a_frame_of_the_first_items_shape() -> None:
    shaped = profile_for("carousel").with_aspect_ratio(1440 / 754)
    (columns, rows), *others = shaped.video.frames
    assert (columns, rows % 2, others) == (1080, 0, [])
    assert columns / rows == pytest.approx(1440 / 754, rel=0.01)
    assert shaped.picture.is_allowed(1440 / 754)
    assert not shaped.picture.is_allowed(1.0)
