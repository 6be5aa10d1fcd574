"""Processes that can be killed, frozen and stopped with everything that they have started."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

STOP_LIMIT_S = 10
KEEP_EVERY_S = 2.0
#: What a machine does before its component starts: its own folder appears at the common path, and it gets its name.
ENTER = 'mount --bind "$0" "$1" && hostname "$2" && shift 2 && exec "$@"'
#: If the process that enters is killed, the kernel ends everything in its machine.
NAMESPACES = ("--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True)
class Machine:
    """A machine of its own for a component: a disk, a host name, and process ids.

    :param name: Its host name.
    :param own: The folder that is its disk.
    :param disk: The path at which each machine sees its own disk.
    """

    name: str
    own: Path
    disk: Path

    def command(self, command: Sequence[str]) -> list[str]:
        """Return the command that runs another one on this machine."""
        return [*_unshare(), "sh", "-c", ENTER, str(self.own), str(self.disk), self.name, *command]


def _unshare() -> list[str]:
    return ["unshare", *(() if os.geteuid() == 0 else ("--map-root-user",)), *NAMESPACES]


def require_namespaces() -> None:
    """Check whether this system allows machines.

    :raises SystemExit: If it does not.
    """
    try:
        done = subprocess.run([*_unshare(), "true"], capture_output=True, text=True, check=False)
        problem = done.stderr.strip() if done.returncode else None
    except FileNotFoundError:
        problem = "the program unshare is missing"
    if problem:
        raise SystemExit(
            f"Workers with separate disks need mount namespaces, and this system refuses them ({problem}). Run as "
            "root, in a container with --privileged (or --cap-add SYS_ADMIN), or where users may create namespaces."
        )


@dataclass
class Process:
    """A component or a service.

    :param name: Its name, also of its log.
    :param command: What it runs.
    :param log: Where its output goes.
    :param env: Its environment, beyond this process's.
    :param machine: The machine that it runs on; None is this one.
    :param options: More options of ``Popen``.
    :param is_wanted: Whether it should run: it was started, and nobody has ended it.
    """

    name: str
    command: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    machine: Machine | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    is_wanted: bool = False
    _running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, in a session of its own, so that Ctrl-C reaches only who started it."""
        command = self.machine.command(self.command) if self.machine else list(self.command)
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                command,
                env=os.environ | self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self.options,
            )
        self.is_wanted = True

    def restart_with(self, env: Mapping[str, str]) -> None:
        """Stop it, and start it with another environment."""
        self.stop()
        self.env = env
        self.start()

    @property
    def runs(self) -> bool:
        """Whether its first process runs."""
        return self._running is not None and self._running.poll() is None

    def kill(self) -> None:
        """End it and all that it has started at once, as a power cut does."""
        self.is_wanted = False
        self._send(signal.SIGKILL)
        if self._running is not None:
            self._running.wait()

    def freeze(self, text: str = "") -> None:
        """Stop the execution of it and of all that it has started, or of those with a text in their command line."""
        _send_to([one for one in self._family() if text in " ".join(_command_line(one))], signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue after :meth:`freeze`."""
        self._send(signal.SIGCONT)

    def bind(self, processors: Collection[int]) -> None:
        """Restrict it, and all that it starts from now on, to these processors."""
        for process in self._family():
            with suppress(psutil.NoSuchProcess):
                process.cpu_affinity([*processors])

    def stop(self) -> None:
        """Stop the process with SIGTERM. If it does not end, kill it with all that it has started."""
        self.is_wanted = False
        if (family := self._family()) and self._running is not None:
            asked = family[1] if self.machine and len(family) > 1 else family[0]  # not the one that entered the machine
            with suppress(psutil.NoSuchProcess):
                asked.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._running.wait(STOP_LIMIT_S)
            _send_to(family, signal.SIGKILL)
            self._running.wait()

    def children_with(self, text: str) -> bool:
        """Return whether a process that it has started has a text in its command line."""
        return any(text in " ".join(_command_line(process)) for process in self._family()[1:])

    def _send(self, signum: int) -> None:
        _send_to(self._family(), signum)

    def _family(self) -> list[psutil.Process]:
        """Return its first process and all that it has started, parents before children."""
        if self._running is None:
            return []
        try:
            first = psutil.Process(self._running.pid)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


@contextmanager
def kept_running(processes: Collection[Process], say: Callable[[str], None]) -> Iterator[None]:
    """Start processes again that have ended by themselves, as a supervisor does.

    :param processes: The processes.
    :param say: Is told of each.
    """
    closing = Event()

    def keep() -> None:
        while not closing.wait(KEEP_EVERY_S):
            for process in processes:
                if process.is_wanted and not process.runs:
                    say(f"{process.name} has ended by itself, and is started again")
                    process.start()

    thread = Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        closing.set()
        thread.join()


def _send_to(processes: Sequence[psutil.Process], signum: int) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signum)


def _command_line(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return list(process.cmdline())
    return []


def wrong_clock(offset_s: float) -> dict[str, str]:
    """Return the environment of a process, and of all that it starts, whose clock is wrong. Its waits are right.

    :param offset_s: How many seconds it is fast, or slow if negative.
    :raises SystemExit: If libfaketime is not installed.
    """
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        raise SystemExit("libfaketime is missing. Install it (Debian: apt-get install faketime), or run make cluster.")
    # Without shared memory, as machines have process ids of their own, by which libfaketime names it.
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{offset_s:+.0f}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DISABLE_SHM": "1",
    }


def program(name: str, package: str) -> str:
    """Return the path of a program.

    :param package: Debian's package that has it.
    :raises SystemExit: If it is not installed.
    """
    if (found := shutil.which(name)) is None:
        raise SystemExit(f"{name} is missing. Install it (Debian: apt-get install {package}), or run make cluster.")
    return found
