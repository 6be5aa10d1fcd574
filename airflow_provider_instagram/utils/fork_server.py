"""Processes with limits that start once, and do each piece of work in a copy of themselves.

To start Python and to load a library takes longer than many a piece of work. Such a process has done both, and forks
for each piece. Therefore each piece has all limits for itself, and changes nothing that the next one finds.
:func:`serve` is what the process does, :class:`ForkServers` is its caller.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final, NoReturn

from airflow_provider_instagram.utils._launch import end_with
from airflow_provider_instagram.utils.process import (
    Cancel,
    Finished,
    OutputReader,
    ProcessLimits,
    end,
    end_group,
    has_ended,
    start,
)

MOST_FILES: Final = 8
MESSAGE_BYTES: Final = 64 * 1024
END: Final = b"\n"


class ForkServer:
    """One such process.

    :param command: The program, which calls :func:`serve`.
    :param limits: Those of the process, and of each of its copies.
    """

    def __init__(self, command: Sequence[str], limits: ProcessLimits) -> None:
        self.made_for = (command, limits)
        self._limits = limits
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = start(command, limits, stdin=theirs.fileno())

    def run(self, request: dict[str, Any], files: Sequence[int], cancel: Cancel) -> Finished:
        """Have a piece of work done, and return what its process said and how it ended.

        :param files: The open files of the work, which get other numbers.
        """
        until = time.monotonic() + self._limits.wall_s
        with ExitStack() as stack, cancel.watching(lambda: end_group(self._process)):
            (out, writes_out), (err, writes_err) = os.pipe(), os.pipe()
            reader = OutputReader(
                stack.enter_context(os.fdopen(out, "rb", buffering=0)),
                stack.enter_context(os.fdopen(err, "rb", buffering=0)),
                self._limits.stdout_bytes,
            )
            try:
                self._send(request, [writes_out, writes_err, *files])
            finally:
                os.close(writes_out)
                os.close(writes_err)
            in_time = reader.read_until(until) and self._answers_until(until)
        if in_time and (status := self._answer()):
            return Finished(int(status), reader.stdout, reader.stderr, timed_out=False)
        return self._failed(reader, timed_out=not in_time)

    @property
    def is_running(self) -> bool:
        """Whether it can do more."""
        return not has_ended(self._process)

    def end(self) -> None:
        """End the process with all of its copies."""
        end(self._process)
        self._control.close()

    def _send(self, request: dict[str, Any], files: list[int]) -> None:
        message = json.dumps(request, default=str).encode() + END
        with suppress(BrokenPipeError):  # it has ended, which is found when its answer is read
            sent = socket.send_fds(self._control, [message], files)
            self._control.sendall(message[sent:])

    def _answers_until(self, deadline: float) -> bool:
        return bool(select.select([self._control], [], [], max(0.0, deadline - time.monotonic()))[0])

    def _answer(self) -> bytes:
        """Return the exit code of the copy, or nothing if the process itself has ended."""
        with suppress(ConnectionResetError):
            return self._control.recv(MESSAGE_BYTES)
        return b""

    def _failed(self, reader: OutputReader, *, timed_out: bool) -> Finished:
        """Return how the process itself ended, which it does not do by itself."""
        end_group(self._process)
        assert self._process.stderr is not None  # noqa: S101  Popen made it
        stderr = reader.stderr or self._process.stderr.read().decode("utf-8", "replace")
        return Finished(self._process.wait(), "", stderr, timed_out)


class ForkServers:
    """The processes of one task. Several threads may use them at once, each with a process to itself."""

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
        server = self._taken(command, limits) or ForkServer(command, limits)
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

    def _taken(self, command: Sequence[str], limits: ProcessLimits) -> ForkServer | None:
        while True:
            try:
                server = self._idle.pop()
            except IndexError:
                return None
            if server.made_for == (command, limits) and server.is_running:
                return server
            server.end()


def serve(prepare: Callable[[list[int]], object], work: Callable[[dict[str, Any], list[int]], None]) -> None:
    """Do each piece of work in a copy of this process, until the caller ends. The caller is on standard input.

    :param prepare: Called with the files in this process, which the next pieces of work share. It must not read what
        may be hostile.
    :param work: Called with the request and its files in the copy. It prints its answer.
    """
    with socket.socket(fileno=os.dup(0)) as control:
        while True:
            message, files, _, _ = socket.recv_fds(control, MESSAGE_BYTES, MOST_FILES)
            while message and not message.endswith(END):
                message += (more := control.recv(MESSAGE_BYTES))
                if not more:
                    return
            if not message:
                return
            prepare(files[2:])
            server_pid = os.getpid()
            copy_pid = os.fork()
            if copy_pid == 0:
                control.close()
                _work(server_pid, message, files, work)
            for file in files:
                os.close(file)
            control.sendall(b"%d" % os.waitstatus_to_exitcode(os.waitpid(copy_pid, 0)[1]))


def _work(
    server_pid: int, message: bytes, files: list[int], work: Callable[[dict[str, Any], list[int]], None]
) -> NoReturn:
    """Do one piece of work in this copy of the server, and end."""
    code = 1
    try:
        end_with(server_pid)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, file in enumerate((nothing, *files[:2])):
            os.dup2(file, number)
            os.close(file)
        work(json.loads(message), files[2:])
        sys.stdout.flush()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001  the caller reads it
        traceback.print_exc()
    finally:
        os._exit(code)
