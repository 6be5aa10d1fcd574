"""The keys of finished work: they are in the names of results, so that no work is repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.media.picture import PictureItem
from airflow_provider_instagram.media.plan import Plan
from airflow_provider_instagram.media.spec import FEED, REELS, Options, VideoSpec, profile_for
from airflow_provider_instagram.media.video import VideoItem

if TYPE_CHECKING:
    from pathlib import Path

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
        (REELS, {}, "45aad1df8ff0e9dc166fc270"),
        (FEED, {}, "43ff49001948593b3201dca7"),
        (REELS, {"fit": "crop"}, "a031b562def815fccfc26dd9"),
        (REELS, {"background": "white"}, "784827d42f7f380705a596e9"),
        (REELS, {"trim": "end"}, "02ff6f8e11ba5cddeb42767c"),
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
        ("feed", Options(), "0304e230a0d5878e144e2710"),
        ("carousel", Options(), "0ea38ec72e414e7505f9e2ed"),
        ("feed", Options(fit="crop"), "f519499710dfe2d031352d79"),
        ("feed", Options(background="white"), "de993c8a04b3abae70ade1c3"),
        ("feed", Options(trim="end"), "0304e230a0d5878e144e2710"),
    ],
)
def test_the_picture_of_an_earlier_release_is_found(
    placement: str,
    options: Options,
    expected: str,
    make_picture: Callable[..., PictureInfo],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    versions = {"pillow": "12.0.0", "pillow-heif": "1.1.1"}
    monkeypatch.setattr("airflow_provider_instagram.media.picture.version", versions.__getitem__)
    (source := tmp_path / "a.png").write_bytes(PNG)
    item = PictureItem(make_picture(path=source), profile_for(placement).picture, options, PASS)
    assert item.key() == expected
