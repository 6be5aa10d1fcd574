"""The machine's faults, by name. Whatever else keeps a scenario from its verdict is a failure of the scenario."""

from __future__ import annotations

import errno
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import httpx

from demo.stack import StartTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: A thread that sleeps for a fraction of a second is awake again within seconds, also on a busy machine.
STALL_S: Final = 5.0
TICK_S: Final = 0.25
#: How the system refuses to start a process that it has no room for.
NO_ROOM_FOR_A_PROCESS: Final = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)


class MachineError(Exception):
    """The machine kept a scenario from its verdict. The message names how."""


class StallWatch:
    """Measures how long the machine kept this process from running.

    :param clock: Returns the time in seconds.
    :param sleep: Waits for a number of seconds.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], object] | None = None
    ) -> None:
        self._ended = threading.Event()
        self._clock, self._sleep = clock, sleep or self._ended.wait
        self._stalls: list[tuple[float, float]] = []

    def now(self) -> float:
        """Return the time on the clock that the stalls are measured with."""
        return self._clock()

    def tick(self) -> None:
        """Sleep for a moment, and record by how much it lasted too long."""
        asleep_s = self._clock()
        self._sleep(TICK_S)
        if (stall_s := self._clock() - asleep_s - TICK_S) >= STALL_S:
            self._stalls.append((self._clock(), stall_s))

    def longest_since(self, began_s: float) -> float:
        """Return the length of the longest stall that ended after a time, in seconds; 0 without one."""
        return max((stall_s for ended_s, stall_s in self._stalls if ended_s > began_s), default=0.0)

    @contextmanager
    def running(self) -> Iterator[StallWatch]:
        """Measure until the block ends."""

        def watch() -> None:
            while not self._ended.is_set():
                self.tick()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join()


@contextmanager
def machine_faults_named(stalls: StallWatch) -> Iterator[None]:
    """Raise :class:`MachineError` instead of an error that has one of these causes, and no other.

    1. Airflow did not start in time.
    2. The system had no room to start a process.
    3. A wait or a request of the tests timed out, and a stall was measured meanwhile.
    """
    began_s = stalls.now()
    try:
        yield
    except StartTimeoutError as error:
        raise MachineError(str(error)) from error
    except (TimeoutError, httpx.TimeoutException) as error:
        time.sleep(2 * TICK_S)  # a stall that ends just now is measured by the next tick
        if stall_s := stalls.longest_since(began_s):
            raise MachineError(f"The machine stood still for {stall_s:.0f} s, and then: {error}") from error
        raise
    except OSError as error:
        if error.errno in NO_ROOM_FOR_A_PROCESS:
            raise MachineError(f"A process could not be started: {error}") from error
        raise
