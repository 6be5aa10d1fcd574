"""The keys of finished work: they are in the names of results, so that no work is repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.media import picture, video
from airflow_provider_instagram.media.picture import PictureItem
from airflow_provider_instagram.media.plan import Plan
from airflow_provider_instagram.media.spec import FEED, REELS, Options, PictureSpec, VideoSpec, profile_for
from airflow_provider_instagram.media.video import VideoItem

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

    from airflow_provider_instagram.media.info import PictureInfo, VideoInfo

#: One white pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8ffff3f0005"
    "fe02fe0def46b80000000049454e44ae426082"
)
PASS = Plan("pass", (), ())
CONTENT = bytes(range(256)) * 10_000
OTHER_CONTENT = CONTENT[:1_500_000] + b"!" + CONTENT[1_500_001:]

Key = Callable[..., str]


@pytest.fixture
def ffmpeg(tmp_path: Path) -> Callable[[str], str]:
    """Return a function for a program that only says its version."""

    def make(version: str) -> str:
        (program := tmp_path / f"ffmpeg-{version}").write_text(f"#!/bin/sh\necho ffmpeg version {version}\n")
        program.chmod(0o755)
        return str(program)

    return make


@pytest.fixture
def key(make_info: Callable[..., VideoInfo], ffmpeg: Callable[[str], str], tmp_path: Path) -> Key:
    """Return the key of a video's work: ``key(spec, fit="crop")``."""

    def of(
        spec: VideoSpec = REELS,
        content: bytes = CONTENT,
        name: str = "a.mp4",
        version: str = "7.1",
        **options: str,
    ) -> str:
        (source := tmp_path / name).write_bytes(content)
        chosen = Options(ffmpeg=ffmpeg(version), **options)  # type: ignore[arg-type]
        return VideoItem(make_info(path=source), spec, chosen, PASS).key()

    return of


@dataclass(frozen=True, slots=True)
class LaterSpec(VideoSpec):
    """The rules of a later release, with a rule that no placement sets."""

    max_keyframe_distance_s: float = 5.0


def test_a_rule_that_is_not_set_changes_no_key(key: Key) -> None:
    assert key(LaterSpec("reels", REELS.frames)) == key(REELS)
    assert key(LaterSpec("reels", REELS.frames, max_keyframe_distance_s=2.0)) != key(REELS)


def test_a_default_is_changed_together_with_the_recipe() -> None:
    """What is not set is not in the key, so that only another recipe makes the old results old."""
    assert (video.RECIPE, asdict(VideoSpec("", ()))) == (
        1,
        {
            "name": "",
            "frames": (),
            "min_duration_s": 3.0,
            "max_duration_s": 90.0,
            "max_size_bytes": 100_000_000,
            "min_fps": 23,
            "max_fps": 60,
            "min_columns": 540,
            "max_columns": 1920,
            "max_video_bps": 5_000_000,
            "aspect_tolerance": 0.01,
            "target_fps": 30,
            "target_video_bps": 4_200_000,
            "target_audio_bps": 128_000,
            "recommended_max_duration_s": 60.0,
        },
    )
    assert (picture.RECIPE, asdict(PictureSpec(""))) == (
        1,
        {
            "name": "",
            "min_aspect_ratio": 0.8,
            "max_aspect_ratio": 1.91,
            "aspect_tolerance": 0.0,
            "min_columns": 320,
            "max_columns": 1440,
            "max_size_bytes": 8_000_000,
        },
    )
    defaults = Options()
    assert (defaults.fit, defaults.background, defaults.trim) == ("pad", "black", "error")


def test_the_same_work_has_the_same_key_wherever_the_source_lies(key: Key) -> None:
    assert key(name="a.mp4") == key(name="elsewhere.mov")


@pytest.mark.parametrize(
    "change",
    [
        {"spec": FEED},
        {"spec": replace(REELS, target_video_bps=4_000_000)},
        {"fit": "crop"},
        {"background": "white"},
        {"trim": "end"},
        {"content": OTHER_CONTENT},
        {"version": "99"},
    ],
    ids=str,
)
def test_other_work_has_another_key(change: dict[str, object], key: Key) -> None:
    assert key(**change) != key()


@pytest.mark.parametrize(
    ("spec", "options", "expected"),
    [
        (REELS, {}, "275febfe5f995e26e8fbd857"),
        (FEED, {}, "c91dad041f3e84be3a2e7672"),
        (REELS, {"fit": "crop"}, "47214347ddc27cd786828c38"),
        (REELS, {"background": "white"}, "01a6c380ce30fc3732df4549"),
        (REELS, {"trim": "end"}, "982fbf7b3ff85c732bd0bef1"),
    ],
)
def test_the_work_of_an_earlier_release_is_found(
    spec: VideoSpec, options: dict[str, str], expected: str, key: Key
) -> None:
    """With another key, each video would be transcoded again."""
    assert key(spec, **options) == expected


@pytest.mark.parametrize(
    ("placement", "options", "expected"),
    [
        ("feed", Options(), "6312abd1dad8f88356cbb571"),
        ("carousel", Options(), "543f86340ff4c4b184c0173e"),
        ("feed", Options(fit="crop"), "da6c23732ef7a61d36ec7336"),
        ("feed", Options(background="white"), "64de9e7e0ee13ff877511add"),
        ("feed", Options(trim="end"), "6312abd1dad8f88356cbb571"),
    ],
)
def test_the_picture_of_an_earlier_release_is_found(
    placement: str,
    options: Options,
    expected: str,
    make_picture: Callable[..., PictureInfo],
    tmp_path: Path,
    mocker: MockerFixture,
) -> None:
    versions = {"pillow": "12.0.0", "pillow-heif": "1.1.1"}
    mocker.patch("airflow_provider_instagram.media.picture.version", versions.__getitem__)
    (source := tmp_path / "a.png").write_bytes(PNG)
    item = PictureItem(make_picture(path=source), profile_for(placement).picture, options, PASS)
    assert item.key() == expected
