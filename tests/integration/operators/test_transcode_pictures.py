"""TranscodeOperator with pictures, with lists, and with the placements of stories and carousels."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from airflow_provider_instagram.exceptions import ValidationError
from tests.integration.media.picture_corpus import cut, endless_scans, jpeg_bytes, quarters
from tests.processes import running_with, wait_for

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


PICTURE_WORKER = "_picture_worker.py"


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A word in the command line of each program for pictures that this test starts: an entry of Python's path."""
    monkeypatch.syspath_prepend(word := str(tmp_path / "mark"))
    return word


def _photos(folder: Path, count: int) -> list[str]:
    """Make pictures of which each has colours of its own."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        colours = tuple((number * 20 + shift, 90, 200 - number * 20) for shift in (0, 15, 30, 45))
        (folder / f"{number}.jpg").write_bytes(jpeg_bytes(quarters(2000, 1600, colours)))
    return [str(folder / f"{number}.jpg") for number in range(count)]


def _contents(made: list[str]) -> list[bytes]:
    return [Path(path).read_bytes() for path in made]


def test_the_pictures_of_a_carousel_share_as_many_programs_as_there_are_processors(
    transcode: Transcode, mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    popen = subprocess.Popen

    def counted(command: list[str], *arguments: Any, **named: Any) -> Any:
        started.append(command)
        return popen(command, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", counted)
        made, reports = transcode(_photos(tmp_path / "in", 10), placement="carousel", output=f"{tmp_path}/out/")
    workers = [command for command in started if any(PICTURE_WORKER in str(part) for part in command)]
    assert 1 <= len(workers) <= len(os.sched_getaffinity(0))
    assert [report["after"]["columns"] for report in reports] == [1440] * 10
    for number, path in enumerate(made):  # each has the colours of its own source
        assert Path(path).name.startswith(f"{number}.carousel.")
        corner = Image.open(path).convert("RGB").getpixel((5, 5))
        assert corner == pytest.approx((number * 20, 90, 200 - number * 20), abs=8)
    assert not running_with(mark)


@pytest.mark.parametrize(
    ("hostile", "words"),
    [
        pytest.param(endless_scans, "within 4 s", id="cpu", marks=pytest.mark.long),
        pytest.param(lambda: cut("jpg", 0.6), "is damaged", id="cut"),
    ],
)
def test_a_picture_that_goes_wrong_fails_alone(
    hostile: Callable[[], bytes], words: str, transcode: Transcode, mark: str, tmp_path: Path
) -> None:
    """Its neighbours are made as if they were alone, and the next try finds them."""
    photos = _photos(tmp_path / "in", 6)
    alone = _contents(transcode(photos, placement="carousel", output=f"{tmp_path}/alone/")[0])
    (bad := tmp_path / "in" / "bad.jpg").write_bytes(hostile())
    with pytest.raises(ValidationError, match=rf"{bad}.*{words}"):
        transcode([*photos[:3], str(bad), *photos[3:]], placement="carousel", output=f"{tmp_path}/out/")
    made = sorted(str(path) for path in (tmp_path / "out").iterdir())
    assert _contents(made) == alone
    assert not running_with(mark)


def test_a_picture_that_stands_in_a_carousel_twice_is_made_once(transcode: Transcode, tmp_path: Path) -> None:
    """Beside the first one, which gives the others their shape."""
    (photo,) = _photos(tmp_path / "in", 1)
    made, reports = transcode([photo] * 4, placement="carousel", output=f"{tmp_path}/out/")
    assert made[1:] == [made[1]] * 3
    assert {str(path) for path in (tmp_path / "out").iterdir()} == set(made[:2])
    assert [report["tier"] for report in reports] == ["full"] * 4


TASK = """
import signal, sys
from types import SimpleNamespace
from airflow_provider_instagram.operators import TranscodeOperator
task = TranscodeOperator(task_id="transcode", source=sys.argv[2:], placement="carousel", output=sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: task.on_kill())
task.execute({"ti": SimpleNamespace(xcom_push=lambda **_: None)})
"""


@pytest.mark.long
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_task_leaves_no_process(sign: signal.Signals, airflow_db: None, mark: str, tmp_path: Path) -> None:
    """A task that is killed tidily leaves no file either; after a kill -9, the next one removes its folder."""
    sources = []
    for number in range(6):
        (source := tmp_path / f"{number}.jpg").write_bytes(endless_scans())
        sources.append(str(source))
    task = subprocess.Popen(
        [sys.executable, "-c", TASK, f"{tmp_path}/out/", *sources],
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    wait_for(lambda: len(running_with(mark)) >= 2, within_s=200)  # a program and its copy
    wait_for(lambda: any((tmp_path / "out").glob(".instagram-work-*")), within_s=200)
    os.kill(task.pid, sign)
    task.communicate(timeout=20)
    assert task.returncode != 0
    wait_for(lambda: not running_with(mark), within_s=5)
    if sign is signal.SIGTERM:
        assert not list((tmp_path / "out").iterdir())
