from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.boxes import Edit, Track
from airflow_provider_instagram.media.info import PictureInfo, VideoInfo
from airflow_provider_instagram.media.plan import plan_picture, plan_video
from airflow_provider_instagram.media.spec import FEED, FEED_PICTURE, REELS, Options, profile_for

MakeInfo = Callable[..., VideoInfo]


def test_a_video_that_keeps_every_rule_passes(make_info: MakeInfo) -> None:
    todo = plan_video(make_info(), REELS)
    assert (todo.tier, todo.reasons, todo.warnings) == ("pass", (), ())


@pytest.mark.parametrize(
    ("change", "rule", "tier"),
    [
        ({"layout": None, "container": "matroska,webm"}, "container", "remux"),
        ({"layout": {"brand": "qt"}}, "container", "remux"),
        ({"layout": {"moov_first": False}}, "index", "remux"),
        ({"layout": {"fragmented": True}}, "index", "remux"),
        ({"extra_streams": ("subtitle mov_text",)}, "extra tracks", "remux"),
        ({"location_tags": ("location",)}, "location", "remux"),
        ({"audio": None}, "audio", "audio"),
        ({"audio": {"codec": "ac3", "profile": ""}}, "audio codec", "audio"),
        ({"audio": {"profile": "HE-AAC"}}, "audio codec", "audio"),
        ({"audio": {"channels": 6}}, "channels", "audio"),
        ({"audio": {"sample_rate_hz": 8_000}}, "sample rate", "audio"),
        ({"sound": {"start_s": 0.006}}, "sync", "audio"),
        ({"pictures": {"start_s": 0.08}}, "sync", "full"),
        (
            {"layout": {"moov_first": False}, "sound": {"start_s": -0.01, "first_timestamps_s": (-0.01, 0.0113)}},
            "sync",
            "audio",
        ),
        (
            {"layout": {"moov_first": False}, "sound": {"start_s": -0.03, "first_timestamps_s": (-0.03, -0.009)}},
            "sync",
            "audio",
        ),
        ({"sound": {"end_s": 10.5}}, "audio length", "full"),
        ({"video": {"codec": "hevc"}}, "video codec", "full"),
        ({"video": {"pixel_format": "yuv422p10le"}}, "pixel format", "full"),
        ({"video": {"interlaced": True}}, "interlacing", "full"),
        ({"video": {"rotation": 180}}, "rotation", "full"),
        ({"video": {"is_upright": False}}, "rotation", "full"),
        ({"video": {"is_cropped": True}}, "cropping", "full"),
        ({"video": {"sample_aspect_ratio": Fraction(4, 3)}}, "sample aspect ratio", "full"),
        ({"video": {"columns": 1920, "rows": 1080}}, "aspect ratio", "full"),
        ({"video": {"columns": 2160, "rows": 3840}}, "columns", "full"),
        ({"video": {"columns": 360, "rows": 640}}, "columns", "full"),
        ({"pictures": {"size_bytes": 7_000_000}}, "bit rate", "full"),
        ({"pictures": {"open_gop": True}}, "closed GOP", "full"),
        ({"video": {"transfer": "smpte2084", "primaries": "bt2020"}}, "colours", "full"),
        ({"layout": None, "container": "avi"}, "container", "full"),
        ({"pictures": {"longest_s": 0.5}}, "frame rate", "full"),
        ({"fps": Fraction(15)}, "frame rate", "full"),
        ({"fps": Fraction(120)}, "frame rate", "full"),
        ({"size_bytes": 100_000_001}, "size", "full"),
    ],
)
def test_each_broken_rule_is_named_with_what_it_needs(
    change: dict[str, Any], rule: str, tier: str, make_info: MakeInfo
) -> None:
    todo = plan_video(make_info(**change), REELS)
    assert rule in [reason.rule for reason in todo.reasons]
    assert todo.tier == tier


SHOWS_ALL = Edit(10.0, 0.0667, 1.0)
SKIPS_PRIMING = Edit(10.0, 0.0213, 1.0)
PAUSES = Edit(0.5, None, 1.0)


@pytest.mark.parametrize(
    ("picture", "sound", "hidden", "tier"),
    [
        ((SHOWS_ALL,), (SKIPS_PRIMING,), {}, "remux"),
        ((SHOWS_ALL,), (Edit(10.0, 2112 / 48_000, 1.0),), {"sound": {"hidden": 2}}, "remux"),
        ((SHOWS_ALL,), (Edit(10.0, 0.5, 1.0),), {"sound": {"hidden": 23}}, "audio"),
        ((SHOWS_ALL,), (SKIPS_PRIMING,), {"sound": {"count": 400}}, "audio"),
        ((SHOWS_ALL,), (PAUSES, SKIPS_PRIMING), {"sound": {"start_s": 0.5}}, "audio"),
        ((PAUSES, SHOWS_ALL), (SKIPS_PRIMING,), {"pictures": {"start_s": 0.5}}, "full"),
        ((Edit(9.0, 1.0, 1.0),), (SKIPS_PRIMING,), {"pictures": {"hidden": 30, "count": 270}}, "full"),
        ((Edit(9.0, 0.0, 1.0),), (SKIPS_PRIMING,), {"pictures": {"count": 270}}, "full"),
        ((SHOWS_ALL, SHOWS_ALL), (SKIPS_PRIMING,), {}, "full"),
        ((Edit(20.0, 0.0, 0.5),), (SKIPS_PRIMING,), {}, "full"),
    ],
    ids=[
        *("B-frame delay and priming", "Apple's priming", "sound hidden at the start", "sound hidden at the end"),
        *(
            "sound delayed",
            "picture delayed",
            "pictures hidden",
            "pictures cut off at the end",
            "pieces",
            "slow motion",
        ),
    ],
)
def test_an_edit_list_is_copied_away_only_when_it_hides_nothing(
    picture: tuple[Edit, ...], sound: tuple[Edit, ...], hidden: dict[str, Any], tier: str, make_info: MakeInfo
) -> None:
    """What an edit list hides, delays or rearranges has to be encoded to stay so; the rest is a copy in seconds."""
    tracks = (Track(0, 300, picture), Track(1, 469, sound))
    todo = plan_video(make_info(layout={"tracks": tracks}, **hidden), REELS)
    assert todo.tier == tier, todo.reasons


@pytest.mark.parametrize("seconds", [3.0, 90.0])
def test_the_bounds_of_the_duration_are_allowed(seconds: float, make_info: MakeInfo) -> None:
    assert plan_video(make_info(seconds=seconds), REELS).tier == "pass"


@pytest.mark.parametrize("fps", [Fraction(23), Fraction(24000, 1001), Fraction(60)])
def test_the_bounds_of_the_frame_rate_are_allowed(fps: Fraction, make_info: MakeInfo) -> None:
    assert plan_video(make_info(fps=fps), REELS).tier == "pass"


def test_a_compliant_file_below_the_encoders_targets_passes(make_info: MakeInfo) -> None:
    """540 columns and a low bit rate are no reason to encode: a still picture is small by nature."""
    todo = plan_video(make_info(video={"columns": 540, "rows": 960}, pictures={"size_bytes": 50_000}), REELS)
    assert todo.tier == "pass"


def test_too_short_and_too_long_are_refused_with_the_rule_and_the_remedy(make_info: MakeInfo) -> None:
    with pytest.raises(ValidationError, match=r"2\.90 s\. A video for reels lasts 3 s or more"):
        plan_video(make_info(seconds=2.9), REELS)
    with pytest.raises(ValidationError, match=r'61\.00 s\. A video for feed lasts 60 s at most.*trim="end"'):
        plan_video(make_info(seconds=61, video={"columns": 1080, "rows": 1080}), FEED)


def test_too_long_may_be_cut_at_the_end(make_info: MakeInfo) -> None:
    todo = plan_video(make_info(seconds=100), REELS, Options(trim="end"))
    assert (todo.tier, todo.duration_s) == ("full", 90.0)


def test_a_rounding_of_the_container_is_not_too_long(make_info: MakeInfo) -> None:
    """90 s of picture with 90.02 s of sound, as encoders pad it, is cut to 90 s and not refused."""
    todo = plan_video(make_info(seconds=90, sound={"end_s": 90.02}), REELS)
    assert (todo.tier, todo.duration_s) == ("full", 90.0)


@pytest.mark.parametrize("option", [{"fit": "stretch"}, {"trim": "start"}, {"background": "a:b"}, {"background": ""}])
def test_an_option_that_is_not_one_is_refused(option: dict[str, Any], make_info: MakeInfo) -> None:
    with pytest.raises(ValidationError, match=rf"{next(iter(option))}='.*' is not.*Use"):
        plan_video(make_info(), REELS, Options(**option))


def test_the_best_practices_are_warnings(make_info: MakeInfo) -> None:
    warnings = plan_video(make_info(seconds=75, audio=None), REELS).warnings
    assert any("75 s" in warning for warning in warnings)
    assert any("no audio" in warning for warning in warnings)


def test_an_unknown_placement_is_refused_with_the_known_ones() -> None:
    assert profile_for("feed").video is FEED
    with pytest.raises(ValidationError, match=r"'stories'.*reels, feed"):
        profile_for("stories")


def test_a_setting_says_how_narrow_a_picture_in_the_feed_may_be() -> None:
    """Meta's page says 4:5; clients post 3:4. A story is 9:16 in any case."""
    narrowest = {name: profile_for(name, " 3:4").picture.min_aspect_ratio for name in ("reels", "feed", "carousel")}
    assert narrowest == {"reels": 0.75, "feed": 0.75, "carousel": 0.75}
    assert profile_for("story", "3:4").picture.min_aspect_ratio == 9 / 16
    assert profile_for("feed").picture.min_aspect_ratio == 0.8
    with pytest.raises(ValidationError, match=r"\[instagram\] picture_shapes is '2:3'. Use one of: 4:5, 3:4"):
        profile_for("feed", "2:3")


@pytest.mark.parametrize(
    ("change", "fit", "warning"),
    [
        ({"video": {"columns": 180, "rows": 320}}, "pad", "The picture is enlarged 3.0 times and will look soft."),
        ({"video": {"columns": 1920, "rows": 1080}}, "crop", "68% of the picture is cropped away."),
        (
            {"video": {"columns": 1920, "rows": 1080}},
            "pad",
            "Bars will fill 68% of the frame. 9:16 fills the frame.",
        ),
    ],
)
def test_a_loss_of_quality_is_a_warning(change: dict[str, Any], fit: Any, warning: str, make_info: MakeInfo) -> None:
    assert plan_video(make_info(**change), REELS, Options(fit)).warnings == (warning,)


MakePicture = Callable[..., PictureInfo]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": "PNG"}, "format: PNG is not JPEG"),
        ({"format": "HEIF"}, "format: HEIC is not JPEG"),
        ({"format": "MPO"}, "format: a JPEG with several pictures (MPO) is not JPEG"),
        ({"orientation": 6}, "orientation: EXIF's orientation is 6, not upright"),
        ({"location_tags": ("EXIF GPS",)}, "location: the metadata may reveal where it was taken (EXIF GPS)"),
        ({"has_extra_data": True}, "extra data: the file goes on after the picture, as a motion photo does"),
        ({"mode": "L"}, "colour space: grey is not sRGB"),
        ({"mode": "CMYK"}, "colour space: CMYK is not sRGB"),
        (
            {"is_srgb": False, "colour_profile": "Adobe RGB (1998)"},
            "colour profile: Adobe RGB (1998) is not sRGB",
        ),
        ({"is_srgb": False}, "colour profile: the colour profile is not sRGB"),
        ({"has_alpha": True}, "alpha: parts may be transparent"),
        ({"rows": 1351}, "aspect ratio: 1080x1351 (0.80:1) is not between 0.80:1 and 1.91:1"),
        ({"rows": 565}, "aspect ratio: 1080x565 (1.91:1) is not between 0.80:1 and 1.91:1"),
        ({"columns": 319, "rows": 319}, "columns: 319 is not between 320 and 1440"),
        ({"columns": 1441, "rows": 1441}, "columns: 1441 is not between 320 and 1440"),
        ({"size_bytes": 8_000_001}, "size: 8,000,001 bytes is more than 8,000,000"),
    ],
)
def test_a_picture_that_breaks_a_rule_becomes_a_new_jpeg(
    change: dict[str, Any], reason: str, make_picture: MakePicture
) -> None:
    todo = plan_picture(make_picture(**change), FEED_PICTURE)
    assert [str(one) for one in todo.reasons] == [f"{reason} (needs full)"]
    assert (todo.tier, todo.duration_s) == ("full", 0.0)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"rows": 1350},
        {"rows": 566},
        {"columns": 320, "rows": 320},
        {"columns": 1440, "rows": 1440},
        {"size_bytes": 8_000_000},
        {"colour_profile": "sRGB IEC61966-2.1"},
    ],
)
def test_a_picture_at_the_bounds_of_the_rules_passes(change: dict[str, Any], make_picture: MakePicture) -> None:
    todo = plan_picture(make_picture(**change), FEED_PICTURE)
    assert (todo.tier, todo.reasons, todo.warnings) == ("pass", (), ())


@pytest.mark.parametrize(
    ("change", "fit", "warning"),
    [
        ({"columns": 100, "rows": 100}, "pad", "The picture is enlarged 3.2 times and will look soft."),
        ({"columns": 1400, "rows": 233}, "pad", "Bars will fill 68% of the frame."),
        ({"columns": 3000, "rows": 500}, "crop", "68% of the picture is cropped away."),
        ({"format": "TIFF", "frames": 3}, "pad", "The file contains 3 pictures. The result shows the first."),
    ],
)
def test_what_a_new_jpeg_loses_is_a_warning(
    change: dict[str, Any], fit: Any, warning: str, make_picture: MakePicture
) -> None:
    assert plan_picture(make_picture(**change), FEED_PICTURE, fit).warnings == (warning,)
