from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_instagram.exceptions import TranscodeError, TransientError
from airflow_provider_instagram.media.options import Options
from airflow_provider_instagram.media.picture_item import PictureItem
from airflow_provider_instagram.media.probe import probe
from airflow_provider_instagram.media.spec import FEED, REELS, VideoSpec, profile_for
from airflow_provider_instagram.media.transcode import done_before, transcode
from airflow_provider_instagram.media.work import copy_whole, work_key

Make = Callable[..., Path]

#: One white pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8ffff3f0005"
    "fe02fe0def46b80000000049454e44ae426082"
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(range(256)) * 10_000)
    return path


def test_the_same_work_has_the_same_name_wherever_the_source_lies(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere.mov"
    copy.write_bytes(source.read_bytes())
    assert work_key(source, REELS) == work_key(copy, REELS)


@pytest.mark.parametrize(
    ("spec", "options"),
    [
        (FEED, Options()),
        (replace(REELS, target_video_bps=4_000_000), Options()),
        (REELS, Options(fit="crop")),
        (REELS, Options(background="white")),
        (REELS, Options(trim="end")),
    ],
)
def test_another_profile_or_option_is_other_work(spec: VideoSpec, options: Options, source: Path) -> None:
    assert work_key(source, spec, options) != work_key(source, REELS)


@pytest.mark.parametrize(
    ("spec", "options", "key"),
    [
        (REELS, Options(), "45aad1df8ff0e9dc166fc270"),
        (FEED, Options(), "43ff49001948593b3201dca7"),
        (REELS, Options(fit="crop"), "a031b562def815fccfc26dd9"),
        (REELS, Options(background="white"), "784827d42f7f380705a596e9"),
        (REELS, Options(trim="end"), "02ff6f8e11ba5cddeb42767c"),
    ],
)
def test_the_work_of_an_earlier_release_is_found(
    spec: VideoSpec, options: Options, key: str, source: Path, tmp_path: Path
) -> None:
    """Its key is in the name of its file. With another key, each video would be transcoded again."""
    ffmpeg = tmp_path / "ffmpeg"
    ffmpeg.write_text("#!/bin/sh\necho ffmpeg version 7.1\n")
    ffmpeg.chmod(0o755)
    assert work_key(source, spec, replace(options, ffmpeg=str(ffmpeg))) == key


@pytest.mark.parametrize(
    ("placement", "options", "key"),
    [
        ("feed", Options(), "0304e230a0d5878e144e2710"),
        ("carousel", Options(), "0ea38ec72e414e7505f9e2ed"),
        ("feed", Options(fit="crop"), "f519499710dfe2d031352d79"),
        ("feed", Options(background="white"), "de993c8a04b3abae70ade1c3"),
        ("feed", Options(trim="end"), "0304e230a0d5878e144e2710"),
    ],
)
def test_the_picture_of_an_earlier_release_is_found(
    placement: str, options: Options, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = {"pillow": "12.0.0", "pillow-heif": "1.1.1"}
    monkeypatch.setattr("airflow_provider_instagram.media.picture_item.version", versions.__getitem__)
    (source := tmp_path / "a.png").write_bytes(PNG)
    assert PictureItem.read(source, profile_for(placement).picture, options).key() == key


def test_another_content_of_the_same_size_and_date_is_other_work(source: Path) -> None:
    before = work_key(source, REELS)
    data = bytearray(source.read_bytes())
    data[1_500_000] ^= 1
    source.write_bytes(data)
    assert work_key(source, REELS) != before


def test_another_ffmpeg_is_other_work(source: Path, tmp_path: Path) -> None:
    other = tmp_path / "ffmpeg"
    other.write_text("#!/bin/sh\necho ffmpeg version 99\n")
    other.chmod(0o755)
    assert work_key(source, REELS, Options(ffmpeg=str(other))) != work_key(source, REELS)


def test_work_that_is_found_done_is_reported_like_new(clip: Make, tmp_path: Path) -> None:
    source, output = clip("landscape.mov"), tmp_path / "out.mp4"
    made = transcode(source, output, REELS)
    found = done_before(source, output, REELS)
    assert (found.tier, found.reasons, found.before, found.after) == (made.tier, made.reasons, made.before, made.after)


def test_work_that_was_damaged_since_is_not_taken(clip: Make, tmp_path: Path) -> None:
    source, output = clip("landscape.mov"), tmp_path / "out.mp4"
    transcode(source, output, REELS)
    output.write_bytes(output.read_bytes()[:-1000])
    with pytest.raises(TranscodeError, match=r"does not comply.*truncated"):
        done_before(source, output, REELS)


def test_a_copy_is_whole(clip: Make, tmp_path: Path) -> None:
    (folder := tmp_path / "out").mkdir()
    source = clip("portrait.mp4", "540x960")
    copy_whole(probe(source), folder / "copy.mp4")
    assert (folder / "copy.mp4").read_bytes() == source.read_bytes()
    assert len(list(folder.iterdir())) == 1


def test_a_source_that_changes_while_it_is_read_gives_nothing(clip: Make, tmp_path: Path) -> None:
    """A recording that is still being copied in: the next try may find all of it."""
    (source := tmp_path / "growing.mov").write_bytes(clip("landscape.mov").read_bytes())
    growing = tmp_path / "ffmpeg-beside-a-copy"
    growing.write_text(f'#!/bin/sh\nprintf more >> "{source}"\nexec ffmpeg "$@"\n')
    growing.chmod(0o755)
    (folder := tmp_path / "out").mkdir()
    with pytest.raises(TransientError, match="changed while it was being read"):
        transcode(source, folder / "video.mp4", REELS, Options(ffmpeg=str(growing)))
    info = probe(source)
    source.write_bytes(source.read_bytes()[:-4])
    with pytest.raises(TransientError, match="changed while it was being read"):
        copy_whole(info, folder / "copy.mp4")
    assert not list(folder.iterdir())
