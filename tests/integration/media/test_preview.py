from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.video import write_preview

Make = Callable[..., Path]


@pytest.fixture
def colours(corpus: Make) -> Path:
    """Two seconds of red, then two of blue."""
    graph = "color=red:s=540x960:d=2[a];color=blue:s=540x960:d=2[b];[a][b]concat"
    return corpus("colours.mp4", "-f", "lavfi", "-i", graph, "-c:v", "libx264", "-pix_fmt", "yuv420p")


@pytest.mark.parametrize(("at_ms", "colour"), [(0, "red"), (1900, "red"), (2100, "blue"), (3900, "blue")])
def test_the_preview_is_the_frame_at_the_cover_time(at_ms: int, colour: str, colours: Path, tmp_path: Path) -> None:
    write_preview(colours, tmp_path / "cover.jpg", at_ms)
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    command = ["ffmpeg", "-v", "error", "-i", str(tmp_path / "cover.jpg"), *raw]
    pixels = subprocess.run(command, check=True, capture_output=True).stdout
    assert len(pixels) == 540 * 960 * 3
    red, _, blue = pixels[:3]
    assert (red > 200, blue > 200) == (colour == "red", colour == "blue")


def test_a_cover_time_outside_the_video_is_refused(colours: Path, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"no frame at 5000 ms.*between 0 and"):
        write_preview(colours, tmp_path / "cover.jpg", 5000)
    assert not list(tmp_path.iterdir())
