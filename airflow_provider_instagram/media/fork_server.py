"""Processes with limits that start once, and do each piece of work in a copy of themselves.

To start Python and to load a library often takes longer than the work. A fork server has done both,
and forks for each piece of work. So each piece has all limits for itself, and nothing that it
changes is there for the next one. :func:`serve` runs in the server, :class:`ForkServers` in the
task that calls it.

The fork server of :mod:`multiprocessing` does not fit: a task of Celery may not start processes
with it, and its processes get the worker's environment and execute the worker's main program again.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

from airflow_provider_instagram.media._launch import end_with
from airflow_provider_instagram.media.process import (
    Finished,
    ProcessLimits,
    end,
    end_group,
    has_ended,
    start,
)

if TYPE_CHECKING:
    from airflow_provider_instagram.utils.time_limit import Cancel

#: A request or an answer.
Message: TypeAlias = dict[str, Any]
#: The longest answer that is read.
MOST_BYTES: Final = 1 << 20


class ForkServer:
    """The caller's side of one fork server. Requests and answers are lines of JSON.

    :param command: The program, which calls :func:`serve`.
    :param limits: The limits of the server, and of each of its copies.
    """

    def __init__(self, command: Sequence[str], limits: ProcessLimits) -> None:
        self._control, theirs = socket.socketpair()
        self._control.settimeout(limits.wall_s)
        self._answers = self._control.makefile("rb")
        with theirs:
            self._process = start(command, limits, stdin=theirs.fileno())

    def run(self, request: Message, cancel: Cancel) -> Message | Finished:
        """Return the answer to a request. If there is none, return how the copy or the server ended."""
        timed_out = False
        answer: Message = {}
        with cancel.watching(lambda: end_group(self._process)):
            try:
                _send(self._control, request)
                answer = json.loads(self._answers.readline(MOST_BYTES))
            except TimeoutError:
                timed_out = True
            except (OSError, ValueError):
                pass  # the server has ended, or its copy ended in the middle of an answer
        if "returncode" in answer:  # from the server, whose copy failed
            return Finished(answer["returncode"], "", "", timed_out=False)
        if answer:
            return answer
        end_group(self._process)
        assert self._process.stderr is not None  # noqa: S101  Popen made it
        stderr = self._process.stderr.read().decode("utf-8", "replace")
        return Finished(self._process.wait(), "", stderr, timed_out)

    @property
    def is_running(self) -> bool:
        """Whether the server can do more work."""
        return not has_ended(self._process)

    def end(self) -> None:
        """End the server with all of its copies."""
        end(self._process)
        self._answers.close()
        self._control.close()


class ForkServers:
    """The fork servers of one task, all of one program. Each of several threads gets a server to itself."""

    def __init__(self) -> None:
        self._idle: list[ForkServer] = []
        self._is_kept = False

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep servers for more work until the block is left. Outside of it, each does one piece of work and ends."""
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
        request: Message,
        cancel: Cancel,
    ) -> Message | Finished:
        """Do a piece of work in a copy of a server. If it goes wrong, the server ends with its copy.

        :raises TranscodeError: If the work was cancelled.
        """
        cancel.raise_if_requested()
        server = self._idle_server() or ForkServer(command, limits)
        is_fine = False
        try:
            answer = server.run(request, cancel)
            is_fine = isinstance(answer, dict) and not cancel.requested
        finally:
            if is_fine and self._is_kept:
                self._idle.append(server)
            else:
                server.end()
        cancel.raise_if_requested()
        return answer

    def _idle_server(self) -> ForkServer | None:
        try:
            server = self._idle.pop()
        except IndexError:
            return None
        if server.is_running:
            return server
        server.end()
        return None


def serve(prepare: Callable[[Message], object], work: Callable[[Message], Message]) -> None:
    """Do each piece of work in a copy of this process, until the caller ends.

    Requests come on standard input, which is a socket. Answers are sent into it.

    :param prepare: Called with the request in this process, so that the next pieces of work share
        what it loads. It must not read what may be hostile.
    :param work: Called with the request in the copy. It returns the answer.
    """
    server_pid = os.getpid()
    # a duplicate, because the copies replace standard input
    with socket.socket(fileno=os.dup(0)) as control, control.makefile("rb") as requests:
        for line in requests:
            request = json.loads(line)
            prepare(request)
            copy_pid = os.fork()
            if copy_pid == 0:
                _work(server_pid, control, request, work)
            returncode = os.waitstatus_to_exitcode(os.waitpid(copy_pid, 0)[1])
            if returncode:
                _send(control, {"returncode": returncode})


def _work(
    server_pid: int,
    control: socket.socket,
    request: Message,
    work: Callable[[Message], Message],
) -> NoReturn:
    """Do one piece of work in this copy of the server, and end."""
    code = 1
    try:
        end_with(server_pid)
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(nothing, standard)
        _send(control, work(request))
        code = 0
    finally:
        os._exit(code)


def _send(control: socket.socket, message: Message) -> None:
    # a path becomes text
    control.sendall(json.dumps(message, default=str).encode() + b"\n")
