from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_instagram.exceptions import TranscodeError
from airflow_provider_instagram.media.spec import REELS, Options
from airflow_provider_instagram.media.video import VideoItem
from airflow_provider_instagram.utils.time_limit import Cancel
from tests.processes import running_with, wait_for

Make = Callable[..., Path]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def test_cancel_from_another_thread_ends_the_encoder_and_leaves_no_file(clip: Make, tmp_path: Path) -> None:
    source, cancel = clip("long.mkv", "64x64", seconds=61.5, fps="24"), Cancel()
    ended: list[float] = []

    def stop() -> None:
        wait_for(lambda: bool(running_with(str(tmp_path))))
        cancel.cancel()
        ended.append(time.monotonic())

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(TranscodeError, match="cancelled"):
        VideoItem.read(source, REELS, Options(cancel=cancel)).write(tmp_path / "video.mp4")
    thread.join()
    assert time.monotonic() - ended[0] < 3
    assert not running_with(str(tmp_path))
    assert not list(tmp_path.iterdir())


WORKER = """
import signal, sys
from pathlib import Path
from airflow_provider_instagram.media.spec import REELS, Options
from airflow_provider_instagram.utils.time_limit import Cancel
from airflow_provider_instagram.media.video import VideoItem
cancel = Cancel()
signal.signal(signal.SIGTERM, lambda *_: cancel.cancel())
VideoItem.read(Path(sys.argv[1]), REELS, Options(cancel=cancel)).write(Path(sys.argv[2]))
"""


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_the_encoder_ends_with_its_worker(
    sign: signal.Signals, clip: Make, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A worker that cancels in its signal handler ends tidily; one that is killed outright takes ffmpeg with it."""
    (source := tmp_path_factory.mktemp("source") / "long.mkv").symlink_to(
        clip("long.mkv", "64x64", seconds=61.5, fps="24")
    )
    worker = subprocess.Popen([sys.executable, "-c", WORKER, source, tmp_path / "out.mp4"], stderr=subprocess.PIPE)
    joining = f"{tmp_path}/.instagram-work-"
    wait_for(lambda: any(str(source) not in _command(pid) for pid in running_with(joining)), within_s=60)
    assert any("libx264" in _command(pid) for pid in running_with(f"file:{source}"))
    worker.send_signal(sign)
    _, complaint = worker.communicate(timeout=10)
    wait_for(lambda: not running_with(str(source)) and not running_with(str(tmp_path)), within_s=2)
    assert not (tmp_path / "out.mp4").exists()
    if sign == signal.SIGTERM:
        assert b"The work on the video was cancelled" in complaint
        assert not list(tmp_path.iterdir())
