from __future__ import annotations

import os
import shutil
import subprocess
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import TransientError, ValidationError

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

Transcode = Callable[..., Path]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A video that needs no more than a copy, for its index stands at the end."""
    path = tmp_path / "in" / "camera.mp4"
    path.parent.mkdir()
    picture = ("-f", "lavfi", "-i", "testsrc2=s=540x960:r=30:d=3.2", "-f", "lavfi", "-i", "sine=r=48000:d=3.2")
    coded = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
    subprocess.run(["ffmpeg", "-v", "error", *picture, *coded, str(path)], check=True)
    return path


@pytest.fixture
def transcode(airflow_db: None) -> Transcode:
    """Execute the operator, and return the path of its result."""
    from airflow_provider_instagram.operators import TranscodeOperator

    def run(source: Path, **arguments: Any) -> Path:
        task = TranscodeOperator(task_id="transcode", source=str(source), **arguments)
        context: Any = {"ti": SimpleNamespace(xcom_push=lambda **_: None)}
        task.execute(context)
        return Path(next(iter(source.parent.glob("*.reels.*.mp4")), source))

    return run


def test_work_that_was_damaged_since_is_done_again(transcode: Transcode, video: Path) -> None:
    made = transcode(video)
    whole = made.read_bytes()
    made.write_bytes(whole[:-1000])
    assert transcode(video).read_bytes() == whole


def test_a_long_name_leaves_room_for_what_is_added_to_it(transcode: Transcode, video: Path) -> None:
    long = video.rename(video.with_name("\u00e9" * 125 + ".mp4"))
    made = transcode(long)
    assert made != long
    assert len(os.fsencode(made.name)) <= 255


def test_a_folder_that_cannot_be_made_is_named(transcode: Transcode, video: Path) -> None:
    with pytest.raises(ValidationError, match=r"camera\.mp4/out cannot be created.*Use another folder"):
        transcode(video, output=f"{video}/out/")


def test_a_result_for_object_storage_that_this_disk_has_no_space_for_is_tried_again(
    transcode: Transcode, video: Path, bucket: str, mocker: MockerFixture
) -> None:
    """Another worker may have the space, and another output would not help."""
    usage = namedtuple("usage", "total used free")
    mocker.patch.object(shutil, "disk_usage", return_value=usage(10**9, 9 * 10**8, 10**8))
    with pytest.raises(TransientError, match=r"100 MB free, but needs 167 MB.*TMPDIR"):
        transcode(video, output=f"{bucket}/out/")


@pytest.mark.parametrize("name", ["out.mp4", "OUT.MOV"])
def test_a_picture_is_not_written_under_the_name_of_a_video(
    transcode: Transcode, square_picture: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ValidationError, match=r"output=.* ends in \.m(p4|ov), but the result is a JPEG"):
        transcode(square_picture, output=str(tmp_path / name))
    assert not (tmp_path / name).exists()


def test_a_video_is_not_written_under_the_name_of_a_picture(transcode: Transcode, video: Path, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"ends in \.jpeg, but the result is an MP4"):
        transcode(video, output=str(tmp_path / "out.jpeg"))


def test_the_log_of_a_red_transcode_shows_its_error_outside_of_each_group(
    run_dag: Any, capfd: pytest.CaptureFixture[str], tmp_path: Path, square_picture: Path
) -> None:
    """Airflow's page folds what is between ``::group::`` and the ``::endgroup::`` of its level."""
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import TranscodeOperator

    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(b"no video" * 100)
    with DAG("red_transcodes", schedule=None) as dag:
        TranscodeOperator(task_id="one", source=str(damaged))
        TranscodeOperator(task_id="list", source=[str(square_picture), str(damaged)])

    assert run_dag(dag).states() == {"one": "failed", "list": "failed"}

    open_groups, folded, errors = 0, [], []
    for line in capfd.readouterr().out.splitlines():
        if "::group::" in line:
            open_groups += 1
        elif "::endgroup::" in line:
            open_groups = max(0, open_groups - 1)
        elif "exceptions.ValidationError: " in line:
            errors.append(line)
            folded += [line] if open_groups else []
    assert (len(errors), folded) == (2, [])
