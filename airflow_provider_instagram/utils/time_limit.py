"""Network work with a time limit that holds in every phase, whatever the server does.

httpx has a timeout for each read but none for their sum, so that a server that sends a byte a
minute is never too slow, and none for a DNS lookup. A task that Airflow ends waits for neither.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from airflow_provider_instagram.exceptions import TranscodeError

T = TypeVar("T")

#: How long an object storage may take for a small file.
SMALL_FILE_TIMEOUT_S: Final = 8.0
#: How often it is looked whether this process waits for a storage.
LOOK_EVERY_S: Final = 0.1
#: Where Linux says what each thread of this process does.
THREADS: Final = Path("/proc/self/task")
#: The state of a thread that has a processor or waits for one.
RUNNABLE: Final = "R"
#: The thread in which fsspec's file systems talk to their storages.
STORAGE_THREAD: Final = "fsspecIO"
#: How long to wait for a thread whose connections were closed.
JOIN_TIMEOUT_S: Final = 1.0


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


class Connections:
    """The connections of one piece of work. After :meth:`shut_down`, later connections are shut down as well."""

    def __init__(self) -> None:
        self._connections: list[socket.socket] = []
        self._is_shut_down = False

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Register a connection as soon as it is open. Pass this as the ``trace`` of a request to httpcore.

        A duplicate of the socket is kept, so that the handshake can be ended even after TLS has
        taken over the socket.
        """
        if event == "connection.connect_tcp.complete":
            self._connections.append(info["return_value"].get_extra_info("socket").dup())
            if self._is_shut_down:
                self.shut_down()

    def shut_down(self) -> None:
        """Shut down all connections, which ends any transfer."""
        self._is_shut_down = True
        for connection in list(self._connections):
            with suppress(OSError):  # the server may have closed it already
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Release the connections."""
        while self._connections:
            self._connections.pop().close()


def run_with_time_limit(
    work: Callable[[Connections], T],
    total_s: float,
    cancel: Cancel,
    name: str,
    *,
    own_time_counts: bool = True,
) -> T:
    """Return the result of work in its own thread, and abandon the thread after a timeout or a cancel.

    A DNS lookup and an opening connection cannot be ended from outside. A thread in such a phase is
    abandoned: it ends with its own timeout, and its connections are shut down before it can send or
    write anything.

    :param work: The work. It passes :meth:`Connections.trace` to each of its requests.
    :param own_time_counts: Whether the time counts in which this process computes or waits for a
        processor.
    """
    cancel.raise_if_requested()
    connections, done = Connections(), list[T]()
    # SimpleQueue, because a signal handler may put into it
    ends: SimpleQueue[BaseException | None] = SimpleQueue()

    def go() -> None:
        try:
            done.append(work(connections))
        except BaseException as error:  # noqa: BLE001  the waiting thread raises it
            ends.put(error)
        else:
            ends.put(None)
        finally:
            connections.close()

    thread = threading.Thread(target=go, name=name, daemon=True)
    try:
        with cancel.watching(lambda: ends.put(None)):
            thread.start()
            error = ends.get(timeout=total_s) if own_time_counts else _end_of(thread, ends, total_s)
    except Empty:
        raise TimeoutError from None
    finally:
        connections.shut_down()
        thread.join(JOIN_TIMEOUT_S)
    cancel.raise_if_requested()  # a connection that was shut down can look like the end of a file
    if error is not None:
        raise error
    return done[0]


def _end_of(
    thread: threading.Thread, ends: SimpleQueue[BaseException | None], total_s: float
) -> BaseException | None:
    """Return how the work of a thread has ended.

    :raises Empty: If a server has kept it waiting for longer.
    """
    waited_s = 0.0
    while True:
        try:
            return ends.get(timeout=LOOK_EVERY_S)
        except Empty:  # noqa: PERF203 -- it waits for nearly all of the time
            waited_s += 0.0 if _is_computing(thread) else LOOK_EVERY_S
            if waited_s >= total_s:
                raise


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


def within_timeout(
    total_s: float,
    work: Callable[[], T],
    what: str = "the storage",
    *,
    own_time_counts: bool = True,
) -> T:
    """Return what work on an object storage, or on another server, returns.

    :param what: The server, for the error's text.
    :param own_time_counts: Whether the time counts in which this process computes or waits for a
        processor.
    :raises TimeoutError: If it takes longer. The work goes on, and may have an effect later.
    """
    try:
        return run_with_time_limit(
            lambda _: work(), total_s, Cancel(), what, own_time_counts=own_time_counts
        )
    except TimeoutError:
        raise TimeoutError(f"{what} has not answered within {total_s:.0f} s") from None
