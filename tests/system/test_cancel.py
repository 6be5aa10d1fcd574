"""Ending a task from Airflow's pages ends what it started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.stack import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from demo.stack import AirflowStack
    from tests.system.conftest import Run, Videos


def test_a_transcode_that_is_marked_failed_leaves_no_process_and_no_file(
    airflow: AirflowStack, start: Callable[..., Run], videos: Videos, processes: Callable[[str], list[int]]
) -> None:
    video = videos.long_landscape
    run = start("transcode_only", video=str(video))
    encoder = f"file:{video}"
    is_encoding = lambda: [pid for pid in processes(encoder) if pid in processes("libx264")]  # noqa: E731
    wait_until(is_encoding, "ffmpeg encodes", 60)
    assert _files(video), "it works beside its output"

    airflow.call("PATCH", f"{run.path}/taskInstances/transcode", json={"new_state": "failed"})
    wait_until(lambda: not processes(encoder), "ffmpeg has ended", 30)
    wait_until(lambda: not _files(video), "its files are gone", 10)

    assert run.task("transcode")["state"] == "failed"
    assert list((airflow.home / "tmp").rglob("*instagram*")) == []


def _files(video: Path) -> list[Path]:
    return list((video.parent / f"{video.name}.out").rglob("*"))
