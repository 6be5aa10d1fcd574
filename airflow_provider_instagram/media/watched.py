"""Work on a connection that ends on time: in whatever phase it is, and whatever the other side does."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_instagram.media.process import Cancel

#: How long a thread whose connection was hung up gets to leave.
LEAVE_S: Final = 1.0


class Line:
    """The connections of one piece of work; hung up once, they stay so, and so do those that are made later."""

    def __init__(self) -> None:
        self._connections: list[socket.socket] = []
        self._hung_up = False

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take hold of a connection as soon as it is there: the ``trace`` of a request to httpcore.

        The duplicate stays ours when TLS takes the socket over, so that the handshake can be ended, too.
        """
        if event == "connection.connect_tcp.complete":
            self._connections.append(info["return_value"].get_extra_info("socket").dup())
            if self._hung_up:
                self.hang_up()

    def hang_up(self) -> None:
        """End whatever is being sent or received."""
        self._hung_up = True
        for connection in list(self._connections):
            with suppress(OSError):  # the server was faster
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give up the hold on the connections."""
        while self._connections:
            self._connections.pop().close()


def run_watched(work: Callable[[Line], None], total_s: float, cancel: Cancel, name: str) -> None:
    """Do work in a thread of its own, and leave it when its time is over or it is cancelled.

    Nothing ends the look-up of a name, nor a connection in the making, from outside. Such a thread is left to itself:
    it ends with its own timeout, and finds that it was hung up before it can send or write anything.

    :param work: What to do; it hands :meth:`Line.trace` to each of its requests.
    :param total_s: How long it may take, in seconds.
    :param cancel: Ends it early.
    :param name: The name of the thread.
    :raises TimeoutError: When the time is over.
    :raises TranscodeError: When it was cancelled.
    """
    cancel.raise_if_requested()
    line = Line()
    ends: SimpleQueue[BaseException | None] = SimpleQueue()  # a signal handler may put something into it

    def go() -> None:
        try:
            work(line)
        except BaseException as error:  # noqa: BLE001  it is raised by the one who waits
            ends.put(error)
        else:
            ends.put(None)
        finally:
            line.close()

    thread = threading.Thread(target=go, name=name, daemon=True)
    try:
        with cancel.watching(lambda: ends.put(None)):
            thread.start()
            error = ends.get(timeout=total_s)
    except Empty:
        raise TimeoutError from None
    finally:
        line.hang_up()
        thread.join(LEAVE_S)
    cancel.raise_if_requested()  # a connection that was hung up can look like the end of a file
    if error is not None:
        raise error
