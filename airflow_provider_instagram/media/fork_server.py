"""Processes with limits that start once, and do each piece of work in a copy of themselves.

To start Python and to load a library takes longer than many a piece of work. Such a process has
done both, and forks for each piece. Therefore each piece has all limits for itself, and changes
nothing that the next one finds.
:func:`serve` is what the process does, :class:`ForkServers` is its caller.

Not that of :mod:`multiprocessing`: a task of Celery may not start its processes, they get the
worker's environment, and each of them executes the worker's main program again.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, Final, NoReturn

from airflow_provider_instagram.media._launch import end_with
from airflow_provider_instagram.media.process import (
    STDERR_KEPT_BYTES,
    Finished,
    ProcessLimits,
    end,
    end_group,
    has_ended,
    start,
)

if TYPE_CHECKING:
    from airflow_provider_instagram.utils.time_limit import Cancel

MOST_FILES: Final = 8
#: The first files of each piece of work: its input, its output and its errors.
STANDARD_FILES: Final = 3


class ForkServer:
    """One such process.

    :param command: The program, which calls :func:`serve`.
    :param limits: Those of the process, and of each of its copies.
    """

    def __init__(self, command: Sequence[str], limits: ProcessLimits) -> None:
        self._limits = limits
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = start(command, limits, stdin=theirs.fileno())

    def run(self, request: dict[str, Any], files: Sequence[int], cancel: Cancel) -> Finished:
        """Have a piece of work done, and return what its process said and how it ended.

        :param files: The open files of the work, which get other numbers.
        """
        with ExitStack() as stack, cancel.watching(lambda: end_group(self._process)):
            asked, said, complained = (
                stack.enter_context(tempfile.TemporaryFile()) for _ in range(STANDARD_FILES)
            )
            asked.write(json.dumps(request, default=str).encode())
            asked.seek(0)
            standard = [file.fileno() for file in (asked, said, complained)]
            with suppress(BrokenPipeError):  # it has ended, which is found when its answer is read
                socket.send_fds(self._control, [b"."], [*standard, *files])
            in_time = bool(select.select([self._control], [], [], self._limits.wall_s)[0])
            status = self._status() if in_time else b""
            stderr = _end_of(complained, STDERR_KEPT_BYTES)
            if status:
                return Finished(
                    int(status), _end_of(said, self._limits.stdout_bytes), stderr, timed_out=False
                )
        end_group(self._process)
        assert self._process.stderr is not None  # noqa: S101  Popen made it
        stderr = stderr or self._process.stderr.read().decode("utf-8", "replace")
        return Finished(self._process.wait(), "", stderr, timed_out=not in_time)

    @property
    def is_running(self) -> bool:
        """Whether it can do more."""
        return not has_ended(self._process)

    def end(self) -> None:
        """End the process with all of its copies."""
        end(self._process)
        self._control.close()

    def _status(self) -> bytes:
        """Return the exit code of the copy, or nothing if the process itself has ended."""
        with suppress(ConnectionResetError):
            return self._control.recv(MOST_FILES)
        return b""


def _end_of(file: IO[bytes], most_bytes: int) -> str:
    size_bytes = file.seek(0, os.SEEK_END)
    file.seek(max(0, size_bytes - most_bytes))
    return file.read().decode("utf-8", "replace")


class ForkServers:
    """The processes of one task, all of one program. Several threads may use them, each with a process to itself."""

    def __init__(self) -> None:
        self._idle: list[ForkServer] = []
        self._is_kept = False

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the processes for more work until the block is left. Without this, each does one piece of work."""
        self._is_kept = True
        try:
            yield
        finally:
            self._is_kept = False
            while self._idle:
                self._idle.pop().end()

    def run(
        self,
        command: Sequence[str],
        limits: ProcessLimits,
        request: dict[str, Any],
        files: Sequence[int],
        cancel: Cancel,
    ) -> Finished:
        """Do a piece of work in a process of its own. If it goes wrong, nothing of its process or its server is left.

        :raises TranscodeError: If the work was cancelled.
        """
        cancel.raise_if_requested()
        server = self._idle_server() or ForkServer(command, limits)
        is_fine = False
        try:
            finished = server.run(request, files, cancel)
            is_fine = finished.ok and not cancel.requested
        finally:
            if is_fine and self._is_kept:
                self._idle.append(server)
            else:
                server.end()
        cancel.raise_if_requested()
        return finished

    def _idle_server(self) -> ForkServer | None:
        with suppress(IndexError):
            server = self._idle.pop()
            if server.is_running:
                return server
            server.end()
        return None


def serve(
    prepare: Callable[[list[int]], object], work: Callable[[dict[str, Any], list[int]], None]
) -> None:
    """Do each piece of work in a copy of this process, until the caller ends. The caller is on standard input.

    :param prepare: Called with the files in this process, which the next pieces of work share. It
        must not read what may be hostile.
    :param work: Called with the request and its files in the copy. It prints its answer.
    """
    server_pid = os.getpid()
    with socket.socket(fileno=os.dup(0)) as control:
        while True:
            message, files, _, _ = socket.recv_fds(control, 1, MOST_FILES)
            if not message:
                return
            prepare(files[STANDARD_FILES:])
            copy_pid = os.fork()
            if copy_pid == 0:
                control.close()
                _work(server_pid, files, work)
            for file in files:
                os.close(file)
            control.sendall(b"%d" % os.waitstatus_to_exitcode(os.waitpid(copy_pid, 0)[1]))


def _work(
    server_pid: int, files: list[int], work: Callable[[dict[str, Any], list[int]], None]
) -> NoReturn:
    """Do one piece of work in this copy of the server, and end."""
    code = 1
    try:
        end_with(server_pid)
        for number, file in enumerate(files[:STANDARD_FILES]):
            os.dup2(file, number)
            os.close(file)
        work(json.load(sys.stdin.buffer), files[STANDARD_FILES:])
        sys.stdout.flush()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001  the caller reads it
        traceback.print_exc()
    finally:
        os._exit(code)
