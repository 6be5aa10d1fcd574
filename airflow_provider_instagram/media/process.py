"""The one place that starts ffmpeg and ffprobe: limits, a time limit, cancel, and no survivors."""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import TranscodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

GRACE_S: Final = 1.0
POLL_S: Final = 0.1
STDERR_KEPT_BYTES: Final = 16 * 1024
READ_BYTES: Final = 64 * 1024
LAUNCHER: Final = str(Path(__file__).with_name("_launch.py"))


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process may use.

    :param wall_s: Seconds by the clock.
    :param cpu_s: Processor seconds, over all threads.
    :param memory_bytes: Private memory.
    :param output_bytes: Size of a file it writes.
    :param stdout_bytes: What it may say on its standard output.
    """

    wall_s: float
    cpu_s: int
    memory_bytes: int = 4 * 1024**3
    output_bytes: int = 0
    stdout_bytes: int = 256 * 1024**2


@dataclass(frozen=True, slots=True)
class Finished:
    """How a process ended.

    :param returncode: 0, or the exit code, or minus the signal that ended it.
    :param stdout: All it said, empty when the lines were handed on.
    :param stderr: The last 16 KiB of its complaints.
    :param timed_out: Whether it was ended for using more than ``Limits.wall_s``.
    """

    returncode: int
    stdout: str
    stderr: str
    timed_out: bool

    @property
    def ok(self) -> bool:
        """Whether it did what it was asked to do."""
        return self.returncode == 0 and not self.timed_out

    @property
    def complaint(self) -> str:
        """The last lines of what it said was wrong, for a message."""
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        return " · ".join(lines[-3:]) or f"exit code {self.returncode}"


class Cancel:
    """Ends the work that is done under it, from another thread or from a signal handler such as ``on_kill``."""

    def __init__(self) -> None:
        self._requested = False
        self._end: Callable[[], None] | None = None

    @property
    def requested(self) -> bool:
        """Whether the work is to end."""
        return self._requested

    def cancel(self) -> None:
        """End what is running now, a process with its whole group, and keep more from starting."""
        self._requested = True
        end = self._end
        if end is not None:
            end()

    def raise_if_requested(self) -> None:
        """Stop here when the work is to end.

        :raises TranscodeError: When :meth:`cancel` was called.
        """
        if self._requested:
            raise TranscodeError("The work on the video was cancelled.")

    @contextmanager
    def watching(self, end: Callable[[], None]) -> Iterator[None]:
        """Name what ends the work inside the block.

        :param end: Takes no lock, for a signal handler may call it.
        """
        self._end = end
        try:
            if self._requested:  # cancelled between the last check and this moment
                end()
            yield
        finally:
            self._end = None


def find_program(name: str) -> str:
    """Where a program is.

    :param name: A name to be found on ``PATH``, or a path.
    :return: Its absolute path.
    :raises TranscodeError: When there is none.
    """
    found = shutil.which(name)
    if found is None:
        raise TranscodeError(
            f"The program {name!r} was not found on this worker.",
            hint="Install ffmpeg, which brings ffmpeg and ffprobe (Debian: apt-get install ffmpeg), or set ffmpeg "
            "and ffprobe in the section [instagram] of Airflow's configuration.",
        )
    return str(Path(found).absolute())


def run(
    command: Sequence[str],
    limits: Limits,
    *,
    cancel: Cancel | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Finished:
    """Run a program to its end, and leave nothing of it behind however this function is left.

    :param command: The program and its arguments.
    :param limits: What it may use.
    :param cancel: Ends it early.
    :param on_line: Gets each line of its standard output as it comes; without it, the output is returned.
    :return: How it ended; a failure is for the caller to judge.
    :raises TranscodeError: When there is no such program, or when the work was cancelled.
    """
    cancel = cancel or Cancel()
    cancel.raise_if_requested()
    process = subprocess.Popen(
        [
            *(sys.executable, "-I", "-S", LAUNCHER, str(os.getpid())),
            *map(str, (limits.cpu_s, limits.memory_bytes, limits.output_bytes)),
            *(find_program(command[0]), *command[1:]),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={"PATH": os.defpath, "LC_ALL": "C"},  # nothing of the worker's: its environment holds secrets
    )
    try:
        with cancel.watching(lambda: _end_group(process)):
            reader = _Reader(process, limits.stdout_bytes, on_line)
            timed_out = not reader.read_until(time.monotonic() + limits.wall_s)
    finally:
        _end_group(process)
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    cancel.raise_if_requested()
    return Finished(process.returncode, reader.stdout, reader.stderr, timed_out)


class _Reader:
    """Takes in both outputs of a process as they come."""

    def __init__(
        self, process: subprocess.Popen[bytes], stdout_bytes: int, on_line: Callable[[str], None] | None
    ) -> None:
        self._process = process
        self._stdout_left = stdout_bytes
        self._on_line = on_line
        self._stdout = bytearray()
        self._stderr = bytearray()

    @property
    def stdout(self) -> str:
        return self._stdout.decode("utf-8", "replace")

    @property
    def stderr(self) -> str:
        return self._stderr.decode("utf-8", "replace")

    def read_until(self, deadline: float) -> bool:
        """Read until the process ends.

        :param deadline: When to give up, on the monotonic clock, in seconds.
        :return: Whether it ended by itself.
        """
        with selectors.DefaultSelector() as selector:
            for pipe, take in ((self._process.stdout, self._take_stdout), (self._process.stderr, self._take_stderr)):
                assert pipe is not None  # noqa: S101  both were asked for
                selector.register(pipe, selectors.EVENT_READ, take)
            while selector.get_map():
                if time.monotonic() > deadline:
                    return False
                for key, _ in selector.select(POLL_S):
                    chunk = os.read(key.fd, READ_BYTES)
                    if chunk:
                        key.data(chunk)
                    else:
                        selector.unregister(key.fileobj)
        while not _has_ended(self._process):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        return True

    def _take_stdout(self, chunk: bytes) -> None:
        self._stdout_left -= len(chunk)
        if self._stdout_left < 0:
            raise TranscodeError("The program said more than a video can explain; it was ended.")
        self._stdout += chunk
        if self._on_line is not None:
            *lines, rest = bytes(self._stdout).split(b"\n")
            self._stdout = bytearray(rest)
            for line in lines:
                self._on_line(line.decode("utf-8", "replace"))

    def _take_stderr(self, chunk: bytes) -> None:
        self._stderr += chunk
        del self._stderr[:-STDERR_KEPT_BYTES]


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it ended; it stays a zombie, so that its number cannot become another's."""
    if process.returncode is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """TERM, a second's grace, KILL, for the process and all it started. Takes no lock: a signal handler may call it."""
    for sign, grace_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, 0.0)):
        if process.returncode is not None or (sign is signal.SIGTERM and _has_ended(process)):
            continue
        os.killpg(process.pid, sign)
        until = time.monotonic() + grace_s
        while time.monotonic() < until and not _has_ended(process):
            time.sleep(0.005)
