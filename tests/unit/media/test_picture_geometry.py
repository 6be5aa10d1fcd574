from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_instagram.media.picture import PictureInfo
from airflow_provider_instagram.media.picture_geometry import picture_layout
from airflow_provider_instagram.media.spec import FEED_PICTURE, STORY_PICTURE, Fit, profile_for


def _info(columns: int, rows: int) -> PictureInfo:
    return PictureInfo(
        path=Path("/pictures/poster.jpg"),
        size_bytes=1000,
        modified_ns=0,
        format="JPEG",
        mode="RGB",
        columns=columns,
        rows=rows,
        orientation=1,
        colour_profile="",
        is_srgb=True,
        has_alpha=False,
        frames=1,
        location_tags=(),
        has_extra_data=False,
    )


@pytest.mark.parametrize("columns", [1, 7, 319, 320, 333, 800, 1079, 1440, 1441, 4032, 12_000])
@pytest.mark.parametrize("rows", [1, 11, 200, 566, 1080, 1349, 1800, 3024, 9000])
@pytest.mark.parametrize("fit", ["pad", "blur", "crop"])
def test_every_frame_keeps_the_rules_and_the_picture_fits_it(columns: int, rows: int, fit: Fit) -> None:
    for spec, narrowest, widest in ((FEED_PICTURE, 0.8, 1.91), (STORY_PICTURE, 0.5625 * 0.99, 0.5625 * 1.01)):
        layout = picture_layout(_info(columns, rows), spec, fit)
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
    size: tuple[int, int], fit: Fit, frame: tuple[int, int], picture: tuple[int, int]
) -> None:
    layout = picture_layout(_info(*size), FEED_PICTURE, fit)
    assert (layout.frame, layout.picture) == (frame, picture)


def test_the_videos_of_a_carousel_get_a_frame_of_the_first_items_shape() -> None:
    shaped = profile_for("carousel").with_aspect_ratio(1440 / 754)
    (columns, rows), *others = shaped.video.frames
    assert (columns, rows % 2, others) == (1080, 0, [])
    assert columns / rows == pytest.approx(1440 / 754, rel=0.01)
    assert shaped.picture.is_allowed(1440 / 754)
    assert not shaped.picture.is_allowed(1.0)
