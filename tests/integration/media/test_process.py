from __future__ import annotations

import os
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
from airflow_provider_instagram.utils.process import Cancel, ProcessLimits, run

Make = Callable[..., Path]
AMPLE = ProcessLimits(wall_s=30, cpu_s=30, output_bytes=10**6)


def _wait_for(what: Callable[[], bool], within_s: float = 10) -> None:
    until = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):  # it ended before the reading, or during it
        return False


def _running_with(word: str) -> list[int]:
    """The live processes whose command line holds a word."""
    pids = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid() and _alive(int(entry.name)):
            try:
                if word.encode() in (entry / "cmdline").read_bytes():
                    pids.append(int(entry.name))
            except OSError:
                continue
    return pids


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def test_a_program_that_runs_too_long_is_ended() -> None:
    started = time.monotonic()
    finished = run(["sleep", "60"], ProcessLimits(wall_s=0.3, cpu_s=5))
    assert finished.timed_out
    assert not finished.ok
    assert time.monotonic() - started < 5


def test_a_program_that_ignores_a_polite_end_is_killed_with_all_it_started(tmp_path: Path) -> None:
    child = tmp_path / "child"
    script = f"trap '' TERM; sleep 61 & echo $! > {child}; while :; do sleep 0.1; done"
    assert run(["sh", "-c", script], ProcessLimits(wall_s=3, cpu_s=5, output_bytes=1000)).timed_out
    _wait_for(lambda: not _alive(int(child.read_text())))


def test_memory_processor_time_and_output_are_limited(tmp_path: Path) -> None:
    hungry = run(
        [sys.executable, "-c", "b = bytearray(10**9)"], ProcessLimits(wall_s=20, cpu_s=20, memory_bytes=300 * 1024**2)
    )
    assert "MemoryError" in hungry.stderr
    busy = run([sys.executable, "-c", "while True: pass"], ProcessLimits(wall_s=20, cpu_s=1))
    assert busy.returncode in (-signal.SIGXCPU, -signal.SIGKILL)
    big = run(
        ["dd", "if=/dev/zero", f"of={tmp_path / 'big'}", "bs=1k", "count=100"], ProcessLimits(5, 5, output_bytes=10_000)
    )
    assert not big.ok
    assert (tmp_path / "big").stat().st_size <= 10_000


def test_nothing_of_the_workers_environment_reaches_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "hidden")
    assert "hidden" not in run(["env"], AMPLE).stdout


def test_a_missing_program_is_named_with_the_remedy() -> None:
    with pytest.raises(TranscodeError, match=r"'no-ffmpeg' was not found.*apt-get install ffmpeg"):
        run(["no-ffmpeg"], AMPLE)


def test_cancel_from_another_thread_ends_the_encoder_and_leaves_no_file(clip: Make, tmp_path: Path) -> None:
    source, cancel = clip("long.mkv", "64x64", seconds=61.5, fps="24"), Cancel()
    ended: list[float] = []

    def stop() -> None:
        _wait_for(lambda: bool(_running_with(str(tmp_path))))
        cancel.cancel()
        ended.append(time.monotonic())

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(TranscodeError, match="cancelled"):
        VideoItem.read(source, REELS, Options(cancel=cancel)).write(tmp_path / "video.mp4")
    thread.join()
    assert time.monotonic() - ended[0] < 3
    assert not _running_with(str(tmp_path))
    assert not list(tmp_path.iterdir())


WORKER = """
import signal, sys
from pathlib import Path
from airflow_provider_instagram.media.spec import Options
from airflow_provider_instagram.utils.process import Cancel
from airflow_provider_instagram.media.spec import REELS
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
    _wait_for(lambda: any(str(source) not in _command(pid) for pid in _running_with(joining)), within_s=60)
    assert any("libx264" in _command(pid) for pid in _running_with(f"file:{source}"))
    worker.send_signal(sign)
    _, complaint = worker.communicate(timeout=10)
    _wait_for(lambda: not _running_with(str(source)) and not _running_with(str(tmp_path)), within_s=2)
    assert not (tmp_path / "out.mp4").exists()
    if sign == signal.SIGTERM:
        assert b"The work on the video was cancelled" in complaint
        assert not list(tmp_path.iterdir())


SILENT_WORKER = """
import sys
from airflow_provider_instagram.utils.process import ProcessLimits, run
run(["sleep", sys.argv[1]], ProcessLimits(wall_s=100, cpu_s=10))
"""


def test_a_program_without_output_ends_with_its_killed_worker() -> None:
    """It gets no broken pipe, so the kernel must end it."""
    seconds = f"97.{os.getpid()}"
    worker = subprocess.Popen([sys.executable, "-c", SILENT_WORKER, seconds])
    _wait_for(lambda: any(_name(pid) == "sleep" for pid in _running_with(seconds)))
    worker.kill()
    worker.wait()
    _wait_for(lambda: not _running_with(seconds), within_s=2)
    assert not _running_with(seconds)


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except FileNotFoundError:
        return ""
