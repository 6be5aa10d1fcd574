"""Run programs with resource limits, a timeout and a cancel, and leave no orphans: all that read a user's file."""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, TypeAlias, TypeVar

from airflow_provider_instagram.exceptions import TranscodeError
from airflow_provider_instagram.utils.time_limit import Cancel

T = TypeVar("T")

Process: TypeAlias = subprocess.Popen[bytes]
#: What is called with each line that a program prints.
OnLine: TypeAlias = Callable[[str], None]

GRACE_S: Final = 1.0
POLL_S: Final = 0.1
STDERR_KEPT_BYTES: Final = 16 * 1024
READ_BYTES: Final = 64 * 1024
#: A program that prints more than this is stopped.
MOST_STDOUT_BYTES: Final = 256 * 1024**2
LAUNCHER: Final = str(Path(__file__).with_name("_launch.py"))


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """The limits of one process. CPU time is that of all threads."""

    wall_s: float
    cpu_s: int
    memory_bytes: int = 4 * 1024**3
    output_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """The result of a process.

    :param returncode: The exit code, or the negative number of the signal that ended it.
    :param stdout: Its standard output. Empty if the lines were passed to a callback.
    :param stderr: The last 16 KiB of its standard error.
    :param timed_out: Whether it was killed for exceeding ``ProcessLimits.wall_s``.
    """

    returncode: int
    stdout: str
    stderr: str
    timed_out: bool

    @property
    def ok(self) -> bool:
        """Whether the process succeeded."""
        return self.returncode == 0 and not self.timed_out

    @property
    def crashed(self) -> bool:
        """Whether a signal ended the process."""
        return self.returncode < 0

    @property
    def complaint(self) -> str:
        """The last lines of its standard error, for a message."""
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        ending = (
            signal.strsignal(-self.returncode) if self.crashed else f"exit code {self.returncode}"
        )
        return " · ".join(lines[-3:]) or str(ending)


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def find_program(name: str) -> str:
    """Return the absolute path of a program."""
    found = shutil.which(name)
    if found is None:
        raise TranscodeError(
            f"The program {name!r} was not found on this worker.",
            hint="Install ffmpeg, which includes ffprobe (Debian: apt-get install ffmpeg), or set ffmpeg and ffprobe "
            "in the section [instagram] of Airflow's configuration.",
        )
    return str(Path(found).absolute())


def run(
    command: Sequence[str],
    limits: ProcessLimits,
    *,
    cancel: Cancel | None = None,
    on_line: OnLine | None = None,
    pass_fds: Sequence[int] = (),
) -> Finished:
    """Run a program to its end. No process of it survives, however this function ends.

    :param on_line: Called with each line of the standard output as it arrives. If None, the output
        is returned.
    :param pass_fds: File descriptors that the program gets besides its standard ones.
    :return: The result, which may be a failure.
    :raises TranscodeError: If the program does not exist, or the work was cancelled.
    """
    cancel = cancel or Cancel()
    cancel.raise_if_requested()
    process = start(command, limits, pass_fds=pass_fds)
    output = _Output(on_line)
    try:
        with cancel.watching(lambda: end_group(process)):
            deadline = time.monotonic() + limits.wall_s
            timed_out = not (
                output.read_until(process, deadline) and _wait_until(process, deadline)
            )
    finally:
        end(process)
    cancel.raise_if_requested()
    stdout, stderr = (one.decode("utf-8", "replace") for one in (output.stdout, output.stderr))
    return Finished(process.returncode, stdout, stderr, timed_out)


def start(
    command: Sequence[str],
    limits: ProcessLimits,
    *,
    stdin: int | IO[Any] = subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
) -> Process:
    """Start a program with limits, in a group of its own. The caller ends it with :func:`end`.

    It ends with the thread that starts it.
    """
    return subprocess.Popen(
        [
            *(sys.executable, "-I", "-S", LAUNCHER, str(os.getpid())),
            *map(str, (limits.cpu_s, limits.memory_bytes, limits.output_bytes)),
            *(find_program(command[0]), *command[1:]),
        ],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        pass_fds=pass_fds,
        # without the worker's environment, which holds secrets
        env={"PATH": os.defpath, "LC_ALL": "C"},
    )


def end(process: Process) -> None:
    """End a process with all that it started, and release what it holds of this one."""
    end_group(process)
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


@contextmanager
def side_by_side(
    cancel: Cancel, threads: int
) -> Iterator[Callable[[Callable[[Cancel], T]], Future[T]]]:
    """Yield what calls functions in threads, beside the block. All of them end before the block is left.

    Each function gets a :class:`Cancel` of its own, and runs its processes with it.

    :param cancel: Cancels all of them, too. An error in the block does the same.
    """
    begun: list[Cancel] = []

    def begin(work: Callable[[Cancel], T]) -> Future[T]:
        begun.append(inner := Cancel())
        cancel.raise_if_requested()
        return pool.submit(work, inner)

    def cancel_all() -> None:
        for inner in begun:
            inner.cancel()

    with cancel.watching(cancel_all), ThreadPoolExecutor(threads) as pool:
        try:
            yield begin
        except BaseException:
            cancel_all()
            raise


@contextmanager
def beside(work: Callable[[Cancel], T], cancel: Cancel) -> Iterator[Future[T]]:
    """Call a function in a thread of its own, beside the block, as :func:`side_by_side` does."""
    with side_by_side(cancel, 1) as begin:
        yield begin(work)


class _Output:
    """What a program has printed so far."""

    def __init__(self, on_line: OnLine | None) -> None:
        self._stdout_left = MOST_STDOUT_BYTES
        self._on_line = on_line
        self.stdout = bytearray()
        self.stderr = bytearray()

    def read_until(self, process: Process, deadline: float) -> bool:
        """Read both outputs as they arrive.

        :param deadline: When to give up, on the monotonic clock, in seconds.
        :return: Whether both have ended.
        """
        assert process.stdout is not None  # noqa: S101  Popen made both
        assert process.stderr is not None  # noqa: S101
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, self._take_stdout)
            selector.register(process.stderr, selectors.EVENT_READ, self._take_stderr)
            while selector.get_map():
                if time.monotonic() > deadline:
                    return False
                for key, _ in selector.select(POLL_S):
                    chunk = os.read(key.fd, READ_BYTES)
                    if chunk:
                        key.data(chunk)
                    else:
                        selector.unregister(key.fileobj)
        return True

    def _take_stdout(self, chunk: bytes) -> None:
        self._stdout_left -= len(chunk)
        if self._stdout_left < 0:
            raise TranscodeError(
                "The output of the program is too large for a video, so the program was stopped."
            )
        self.stdout += chunk
        if self._on_line is not None:
            *lines, rest = bytes(self.stdout).split(b"\n")
            self.stdout = bytearray(rest)
            for line in lines:
                self._on_line(line.decode("utf-8", "replace"))

    def _take_stderr(self, chunk: bytes) -> None:
        self.stderr += chunk
        del self.stderr[:-STDERR_KEPT_BYTES]


def _wait_until(process: Process, deadline: float) -> bool:
    """Wait for the end of a process, and return whether it came in time."""
    while not has_ended(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


def has_ended(process: Process) -> bool:
    """Return whether a process has ended. It stays a zombie, so that its id cannot be reused."""
    if process.returncode is not None:
        return True
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        # a signal handler asks just after its own thread has read the exit code
        return True


def end_group(process: Process) -> None:
    """Terminate a process and its children: TERM, a second, KILL. Takes no lock, so a signal handler may call it."""
    for sign, grace_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, 0.0)):
        if process.returncode is not None or (sign is signal.SIGTERM and has_ended(process)):
            continue
        # the thread that runs it has read its exit code in the meantime
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        deadline = time.monotonic() + grace_s
        while time.monotonic() < deadline and not has_ended(process):
            time.sleep(0.005)
