"""Network work with a time limit that holds in every phase, whatever the server does; and its cancel.

httpx has a timeout for each read but none for their sum, so that a server that sends a byte a
minute is never too slow, and none for a DNS lookup.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from airflow_provider_instagram.exceptions import TranscodeError

T = TypeVar("T")

#: How long an object storage may take for a small file.
SMALL_FILE_TIMEOUT_S: Final = 8.0
#: How often to look whether the work is done, or waits for a storage.
LOOK_EVERY_S: Final = 0.1
#: Where Linux says what each thread of this process does.
THREADS: Final = Path("/proc/self/task")
#: The state of a thread that has a processor or waits for one.
RUNNABLE: Final = "R"
#: The thread in which fsspec's file systems talk to their storages.
STORAGE_THREAD: Final = "fsspecIO"


class Cancel:
    """Cancels work from another thread, or from a signal handler such as ``on_kill``."""

    def __init__(self) -> None:
        self._requested = False
        self._ends: tuple[Callable[[], None], ...] = ()

    @property
    def requested(self) -> bool:
        """Whether the work was cancelled."""
        return self._requested

    def cancel(self) -> None:
        """End the current work, including all processes of a group, and start no more."""
        self._requested = True
        for end in self._ends:
            end()

    def raise_if_requested(self) -> None:
        """Raise an error if the work was cancelled."""
        if self._requested:
            raise TranscodeError("The work on the video was cancelled.")

    @contextmanager
    def watching(self, end: Callable[[], None]) -> Iterator[None]:
        """Add a function that ends the work inside the block. Blocks may be nested, within one thread.

        :param end: The function. It must not take a lock, because a signal handler may call it.
        """
        outer = self._ends
        self._ends = (*outer, end)
        try:
            if self._requested:  # cancelled between the last check and this moment
                end()
            yield
        finally:
            self._ends = outer


def within_timeout(
    total_s: float,
    work: Callable[[], T],
    what: str = "the storage",
    *,
    own_time_counts: bool = True,
) -> T:
    """Return what work on an object storage, or on another server, returns.

    :param what: The server, for the error's text. The thread has this name.
    :param own_time_counts: Whether the time counts in which this process computes or waits for a
        processor.
    :raises TimeoutError: If it takes longer. The work goes on, and may have an effect later.
    """
    done: Future[T] = Future()

    def go() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 -- the waiting thread raises it
            done.set_exception(error)

    thread = threading.Thread(target=go, name=what, daemon=True)
    thread.start()
    waited_s = 0.0
    while waited_s < total_s:
        thread.join(LOOK_EVERY_S)
        if not thread.is_alive():
            return done.result()
        if own_time_counts or not _is_computing(thread):
            waited_s += LOOK_EVERY_S
    raise TimeoutError(f"{what} has not answered within {total_s:.0f} s")


def _is_computing(thread: threading.Thread) -> bool:
    """Return whether a thread, or that of the storages, computes or waits for a processor.

    On a system that does not say so, neither does.
    """
    for one in threading.enumerate():
        if one is thread or one.name == STORAGE_THREAD:
            with suppress(OSError):
                about = (THREADS / str(one.native_id) / "stat").read_text()
                if about.rpartition(")")[2].split()[0] == RUNNABLE:
                    return True
    return False


def within_small_file_timeout(work: Callable[[], T]) -> T:
    """Return what work on a small file in object storage returns. Clients of such storages retry for minutes.

    Only the time counts that the storage takes: on a busy machine, a client may wait for a
    processor for minutes.
    """
    return within_timeout(SMALL_FILE_TIMEOUT_S, work, own_time_counts=False)
