"""Limit the resources of this process, tie its life to its parent's, and execute a program in its place.

:mod:`~airflow_provider_instagram.media.process` runs this script in a new interpreter. A
``preexec_fn`` would do the same in a copy of a worker with threads, where a lock that another
thread held could block the child for ever.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with(parent_pid: int) -> None:
    """Have Linux end this process when its parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # the parent ended before the line above could take effect
        sys.exit(1)


def limit(what: int, value: int) -> None:
    """Lower a limit of this process, so that it cannot be raised again."""
    _, hard = resource.getrlimit(what)
    lowered = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (lowered, lowered))


def main(
    parent_pid: int, cpu_s: int, memory_bytes: int, output_bytes: int, command: list[str]
) -> None:
    """Execute ``command`` in place of this process, which ends when its parent ends."""
    end_with(parent_pid)
    for what, value in (
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_DATA, memory_bytes),
        (resource.RLIMIT_FSIZE, output_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        limit(what, value)
    # Python ignores it, and an ignored signal stays ignored after exec
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execv(command[0], command)  # noqa: S606  the purpose of this script


if __name__ == "__main__":
    parent_pid, cpu_s, memory_bytes, output_bytes = map(int, sys.argv[1:5])
    main(parent_pid, cpu_s, memory_bytes, output_bytes, sys.argv[5:])
