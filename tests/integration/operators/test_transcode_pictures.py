"""TranscodeOperator with pictures, with lists, and with the placements of stories and carousels."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from airflow_provider_instagram.exceptions import ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable

    Transcode = Callable[..., tuple[Any, Any]]


@pytest.fixture
def transcode(airflow_db: None) -> Transcode:
    """Execute the operator, and return its result and its report."""
    from airflow_provider_instagram.operators import TranscodeOperator

    def run(source: Any, **arguments: Any) -> tuple[Any, Any]:
        pushed: dict[str, Any] = {}
        context: Any = {"ti": SimpleNamespace(xcom_push=lambda key, value: pushed.update({key: value}))}
        made = TranscodeOperator(task_id="transcode", source=source, **arguments).execute(context)
        return made, pushed["report"]

    return run


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., str]:
    def make(name: str, columns: int, rows: int) -> str:
        Image.linear_gradient("L").resize((columns, rows)).convert("RGB").save(tmp_path / name, quality=92)
        return str(tmp_path / name)

    return make


@pytest.fixture
def clip(tmp_path: Path) -> Callable[..., str]:
    def make(name: str, size: str) -> str:
        graph = ("-f", "lavfi", "-i", f"testsrc2=s={size}:r=30:d=3.2", "-f", "lavfi", "-i", "sine=r=48000:d=3.2")
        coded = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-movflags", "+faststart")
        subprocess.run(["ffmpeg", "-v", "error", *graph, *coded, str(tmp_path / name)], check=True)
        return str(tmp_path / name)

    return make


def _shape(path: str) -> tuple[int, int]:
    entries = ("-select_streams", "v", "-show_entries", "stream=width,height", "-of", "csv=p=0")
    said = subprocess.run(["ffprobe", "-v", "error", *entries, path], capture_output=True, text=True, check=True).stdout
    columns, rows = said.strip().rstrip(",").split(",")
    return int(columns), int(rows)


def test_a_picture_becomes_a_jpeg_beside_it(transcode: Transcode, picture: Callable[..., str]) -> None:
    source = picture("poster.png", 2000, 2000)
    made, report = transcode(source)
    assert made.startswith(source.removesuffix("png") + "feed.")
    assert made.endswith(".jpg")
    assert _shape(made) == (1440, 1440)
    assert (report["tier"], report["before"]["format"], report["after"]["columns"]) == ("full", "PNG", 1440)
    assert {reason.partition(":")[0] for reason in report["reasons"]} == {"format", "columns"}


def test_a_picture_that_complies_is_returned_itself(transcode: Transcode, picture: Callable[..., str]) -> None:
    source = picture("fine.jpg", 1080, 1080)
    made, report = transcode(source)
    assert (made, report["tier"], report["reasons"]) == (source, "pass", [])


def test_a_picture_that_complies_is_copied_byte_by_byte_to_an_output(
    transcode: Transcode, picture: Callable[..., str], tmp_path: Path
) -> None:
    source = picture("fine.jpg", 1080, 1080)
    made, _ = transcode(source, output=str(tmp_path / "out" / "copy.jpg"))
    with open(source, "rb") as before, open(made, "rb") as after:  # noqa: PTH123
        assert before.read() == after.read()


def test_the_work_of_an_earlier_run_is_found_and_damaged_work_is_made_again(
    transcode: Transcode, picture: Callable[..., str], tmp_path: Path
) -> None:
    source = picture("poster.png", 2000, 2000)
    made, first = transcode(source)
    target = tmp_path / made
    whole, date = target.read_bytes(), target.stat().st_mtime_ns
    again, second = transcode(source)
    assert (again, target.stat().st_mtime_ns) == (made, date)
    assert {**second, "elapsed_s": 0} == {**first, "elapsed_s": 0}
    target.write_bytes(whole[:-1000])
    transcode(source)
    assert target.read_bytes() == whole


def test_the_preview_of_a_picture_is_its_result(
    transcode: Transcode, picture: Callable[..., str], tmp_path: Path
) -> None:
    transcode(picture("poster.png", 2000, 2000), preview=str(tmp_path / "covers" / "poster.jpg"))
    assert _shape(str(tmp_path / "covers" / "poster.jpg")) == (1440, 1440)


def test_a_story_is_nine_by_sixteen(
    transcode: Transcode, picture: Callable[..., str], clip: Callable[..., str]
) -> None:
    made, _ = transcode(picture("poster.png", 1000, 1000), placement="story")
    assert _shape(made) == (1000, 1778)
    made, report = transcode(clip("wide.mp4", "640x360"), placement="story")
    columns, rows = _shape(made)
    assert columns / rows == pytest.approx(9 / 16)
    assert ".story." in made
    assert report["tier"] == "full"


def test_the_items_of_a_carousel_get_the_shape_of_a_picture_that_comes_first(
    transcode: Transcode, picture: Callable[..., str], clip: Callable[..., str], tmp_path: Path
) -> None:
    sources = [picture("a.png", 1000, 800), clip("b.mp4", "640x360"), picture("c.jpg", 900, 900)]
    made, reports = transcode(sources, placement="carousel", fit="crop", output=f"{tmp_path}/out/")
    assert [path.rpartition(".")[2] for path in made] == ["jpg", "mp4", "jpg"]
    shapes = [_shape(path) for path in made]
    assert [columns / rows for columns, rows in shapes] == pytest.approx([1.25] * 3, rel=0.01)
    assert [report["tier"] for report in reports] == ["full", "full", "full"]


def test_the_items_of_a_carousel_get_the_shape_of_a_video_that_comes_first(
    transcode: Transcode, picture: Callable[..., str], clip: Callable[..., str]
) -> None:
    made, _ = transcode([clip("a.mp4", "800x640"), picture("b.png", 1600, 900)], placement="carousel")
    (columns, rows), (others, lines) = map(_shape, made)
    assert (columns, rows) == (columns, columns)  # 1:1 is the frame that loses the least of 5:4
    assert others / lines == pytest.approx(columns / rows, rel=0.01)


def test_a_list_may_be_the_json_text_of_a_run_parameter(transcode: Transcode, picture: Callable[..., str]) -> None:
    made, reports = transcode(f'["{picture("a.jpg", 800, 1000)}", "{picture("b.jpg", 800, 1000)}"]')
    assert len(made) == len(reports) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"source": []}, "source is an empty list"),
        ({"source": ["a.jpg"], "output": "b.jpg"}, "is one file, but source is a list.*End output= with /"),
        ({"source": ["a.jpg"], "preview": "b.jpg"}, "preview is for one source"),
        ({"source": ["a.jpg", ""]}, "source is empty"),
        ({"source": "a.jpg", "placement": "stories"}, "'stories' is not a valid placement.*story"),
        ({"source": "a.jpg", "spec": 7}, "must be a VideoSpec or a PictureSpec"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(
    arguments: dict[str, Any], words: str, transcode: Transcode
) -> None:
    with pytest.raises(ValidationError, match=words):
        transcode(**arguments)


def test_a_name_that_lies_about_its_content_does_not_matter_and_text_is_refused(
    transcode: Transcode, picture: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "video.mp4").write_bytes((tmp_path / picture("poster.png", 1080, 1080)).read_bytes())
    assert transcode(str(tmp_path / "video.mp4"))[0].endswith(".jpg")
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(ValidationError, match="is not a picture, although its name says so"):
        transcode(str(tmp_path / "text.jpg"))


def test_a_result_that_is_removed_soon_is_made_again(transcode: Transcode, picture: Callable[..., str]) -> None:
    """Results are kept for 30 days. One that is older than half of that would be gone before its next post."""
    made, _ = transcode(picture("wide.png", 1000, 300))
    for days, is_made_again in ((14, False), (16, True)):
        before = time.time() - days * 86400
        os.utime(made, (before, before))
        assert transcode(picture("wide.png", 1000, 300))[0] == made
        assert (Path(made).stat().st_mtime > before + 1) is is_made_again
