from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_instagram.exceptions import TranscodeError, TransientError
from airflow_provider_instagram.media.item import copy_whole
from airflow_provider_instagram.media.probe import probe
from airflow_provider_instagram.media.spec import REELS, Options
from airflow_provider_instagram.media.video import VideoItem

Make = Callable[..., Path]


def test_work_that_is_found_done_is_reported_like_new(clip: Make, tmp_path: Path) -> None:
    source, output = clip("landscape.mov"), tmp_path / "out.mp4"
    made = VideoItem.read(source, REELS).write(output)
    found = VideoItem.read(source, REELS).done_before(output)
    of_this_try = {"elapsed_s": None, "speed": None}
    assert {**found.as_data(), **of_this_try} == {**made.as_data(), **of_this_try}


def test_work_that_was_damaged_since_is_not_taken(clip: Make, tmp_path: Path) -> None:
    source, output = clip("landscape.mov"), tmp_path / "out.mp4"
    VideoItem.read(source, REELS).write(output)
    output.write_bytes(output.read_bytes()[:-1000])
    with pytest.raises(TranscodeError, match=r"does not comply.*truncated"):
        VideoItem.read(source, REELS).done_before(output)


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
        VideoItem.read(source, REELS, Options(ffmpeg=str(growing))).write(folder / "video.mp4")
    info = probe(source)
    source.write_bytes(source.read_bytes()[:-4])
    with pytest.raises(TransientError, match="changed while it was being read"):
        copy_whole(info, folder / "copy.mp4")
    assert not list(folder.iterdir())
