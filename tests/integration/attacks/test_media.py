"""Files and options that a stranger chose: pictures that claim too much, pipes, and colours that are commands."""

from __future__ import annotations

import os
import re
import shutil
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.spec import Options

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.clips import ClipCache
    from tests.integration.conftest import DagResult, RunDag

INJECTIONS = (
    "black:s=9000x9000",
    "black[a];movie=/etc/passwd",
    "black[a];[a]nullsink;movie=/etc/passwd",
    "black,movie=/etc/passwd",
    "'black'",
    "black'",
    'black"',
    "black\\",
    "black\\:s=9000x9000",
    "black\n:s=9000x9000",
    "#00ff00\n-i\n/etc/passwd",
    "#00ff00@1:eval=frame",
    "0x00ff00@",
    "black@2",
    "bl\u0430ck",
)


@pytest.fixture
def animation(clips: ClipCache, tmp_path: Path) -> Path:
    """A GIF that becomes a reel."""
    made = clips.get("moving.gif", "-f", "lavfi", "-i", "testsrc2=s=90x120:r=10:d=3.2")
    return Path(shutil.copy(made, tmp_path))


@pytest.mark.parametrize("background", INJECTIONS)
def test_a_colour_that_is_a_command_is_refused(background: str) -> None:
    with pytest.raises(ValidationError, match="is not a colour") as refusal:
        Options(background=background)
    assert refusal.value.hint == "Use the name of a colour in CSS, such as white, or #rrggbb."


def test_a_colour_that_comes_from_a_run_parameter_is_checked(
    animation: Path, transcode: Callable[..., DagResult], logged: Callable[[], str]
) -> None:
    assert transcode(str(animation), background=INJECTIONS[1]).state == "failed"
    assert "is not a colour. Use the name of a colour in CSS, such as white, or #rrggbb." in logged()
    assert transcode(str(animation), background="#00ff00").state == "success"


def _huge(data: bytes) -> bytes:
    """A canvas of 65,535 pixels a side."""
    return data[:6] + struct.pack("<HH", 0xFFFF, 0xFFFF) + data[10:]


HOSTILE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "huge": (_huge, "a side of more than 8192 pixels"),
    "truncated": (lambda data: data[: len(data) // 2], "is truncated"),
    "header only": (lambda data: data[:13] + b"\x00\x3b", "is not a video|without frames|no frame size"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_gif_is_refused_in_words(
    kind: str,
    animation: Path,
    transcode: Callable[..., DagResult],
    logged: Callable[[], str],
    airflow_db: None,
) -> None:
    """By the task, and by the command that a person runs before."""
    damage, says = HOSTILE[kind]
    animation.write_bytes(damage(animation.read_bytes()))
    assert transcode(str(animation)).state == "failed"
    assert re.search(says, logged())
    assert check(animation) == 2
    assert re.search(says, logged())


def check(file: Path) -> Any:
    """Run ``airflow instagram check``, and give its exit code."""
    from airflow.cli.cli_parser import get_parser

    args = get_parser().parse_args(["instagram", "check", str(file)])
    with pytest.raises(SystemExit) as ended:
        args.func(args)
    return ended.value.code


def test_an_animated_gif_becomes_a_reel(
    animation: Path, transcode: Callable[..., DagResult], logged: Callable[[], str]
) -> None:
    """The command says so before, the task does it."""
    assert check(animation) == 1
    assert "needs work for reels: a full encoding" in logged()
    made = transcode(str(animation))
    assert made.state == "success"
    assert made.xcom("transcode", key="report")["before"]["container"] == "gif"
    assert made.xcom("transcode").endswith(".mp4")


def test_a_pipe_holds_no_task(
    tmp_path: Path, instagram_sandbox: object, run_dag: RunDag, logged: Callable[[], str]
) -> None:
    """Nothing ever writes to the pipe, so a task that opened it would wait for ever."""
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, TranscodeOperator

    os.mkfifo(pipe := tmp_path / "video.mp4")
    with DAG("pipes", schedule=None) as dag:
        TranscodeOperator(task_id="transcode", source=str(pipe), retries=0)
        CreateContainerOperator(task_id="create", video=str(pipe), retries=0)
    assert run_dag(dag).states() == {"transcode": "failed", "create": "failed"}
    assert logged().count("video.mp4 is not a regular file. Use a video or a picture") >= 2
