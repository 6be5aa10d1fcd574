"""Programs with limits: none runs too long, grows too large, or survives the process that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airflow_provider_instagram.exceptions import TranscodeError
from airflow_provider_instagram.media.process import ProcessLimits, end_group, run, start
from tests.processes import alive, running_with, wait_for

AMPLE = ProcessLimits(wall_s=30, cpu_s=30, output_bytes=10**6)


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
    wait_for(lambda: not alive(int(child.read_text())))


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


def test_a_signal_may_cancel_a_program_whose_exit_code_is_just_being_read() -> None:
    """``Popen.wait`` was interrupted after the kernel had forgotten the process, and before it kept the exit code."""
    with start(["true"], AMPLE) as process:
        os.waitpid(process.pid, 0)
        end_group(process)


SILENT_WORKER = """
import sys
from airflow_provider_instagram.media.process import ProcessLimits, end_group, run, start
run(["sleep", sys.argv[1]], ProcessLimits(wall_s=100, cpu_s=10))
"""


def test_a_program_without_output_ends_with_its_killed_worker() -> None:
    """It gets no broken pipe, so the kernel must end it."""
    seconds = f"97.{os.getpid()}"
    worker = subprocess.Popen([sys.executable, "-c", SILENT_WORKER, seconds])
    wait_for(lambda: any(_name(pid) == "sleep" for pid in running_with(seconds)))
    worker.kill()
    worker.wait()
    wait_for(lambda: not running_with(seconds), within_s=2)
    assert not running_with(seconds)


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except FileNotFoundError:
        return ""
