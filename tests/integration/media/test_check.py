from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from airflow_provider_instagram.cli.check import check
from airflow_provider_instagram.media.spec import REELS, profile_for
from airflow_provider_instagram.media.video import VideoItem

Make = Callable[..., Path]


def test_the_verdict_on_a_file_that_needs_work_names_the_work_and_the_reasons(clip: Make) -> None:
    verdict = check(clip("landscape.mov"), profile_for("reels"))
    text = "\n".join(verdict.lines)
    assert verdict.exit_code == 1
    for words in (
        "540x304",
        "needs work for reels: a full encoding",
        "aspect ratio: 540x304 is not 9:16",
        "MOV is not MP4",
    ):
        assert words in text


def test_the_verdict_distinguishes_a_copy_from_an_encoding(clip: Make) -> None:
    assert "a copy into a clean MP4, which takes seconds" in "\n".join(
        check(clip("portrait.mp4", "540x960"), profile_for("reels")).lines
    )


def test_the_verdict_on_a_file_that_complies_says_so(clip: Make, tmp_path: Path) -> None:
    VideoItem.read(clip("portrait.mp4", "540x960"), REELS).write(tmp_path / "out.mp4")
    verdict = check(tmp_path / "out.mp4", profile_for("reels"))
    assert verdict.exit_code == 0
    assert verdict.lines[-1] == "complies with reels: it is published unchanged"


@pytest.mark.parametrize(("name", "seconds"), [("short.mp4", 2.0), ("missing.mp4", None)])
def test_the_verdict_on_an_unusable_file_names_the_rule(
    name: str, seconds: float | None, clip: Make, tmp_path: Path
) -> None:
    path = clip(name, "540x540", seconds=seconds) if seconds else tmp_path / name
    verdict = check(path, profile_for("feed"))
    assert verdict.exit_code == 2
    assert verdict.lines[0].startswith("cannot be used for feed: ")
    assert ("3 s or more" in verdict.lines[0]) == bool(seconds)


def test_a_picture_that_no_transcode_takes_is_not_said_to_need_work(tmp_path: Path) -> None:
    Image.new("F", (800, 800)).save(tmp_path / "light.tif")
    verdict = check(tmp_path / "light.tif", profile_for("feed"))
    assert verdict.exit_code == 2
    assert "light.tif has floating-point samples. Export it with 8 or 16 bits per sample." in verdict.lines[0]
