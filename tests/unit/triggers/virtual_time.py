"""An event loop with a simulated clock: it jumps to the next timer, unless real work is in progress."""

from __future__ import annotations

import asyncio
import selectors
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

T = TypeVar("T")
#: How long to look for the end of real work at a time.
LOOK_S = 1.0


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop with its own clock.

    :param start: Its first moment, in seconds since the epoch.
    """

    def __init__(self, start: float) -> None:
        self._start = start
        self.passed_s = 0.0
        self.real_work = 0
        super().__init__(_Selector(self))

    def time(self) -> float:
        """Return the loop's own time, from 0, in which its timers count."""
        return self.passed_s

    @property
    def now(self) -> float:
        """The time in seconds since the epoch."""
        return self._start + self.passed_s

    def clock(self) -> float:
        """Return the time in seconds since the epoch."""
        return self.now

    @contextmanager
    def working(self) -> Iterator[None]:
        """Stop the clock during real work, such as a request or a thread."""
        self.real_work += 1
        try:
            yield
        finally:
            self.real_work -= 1

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, and close the loop."""
        try:
            return self.run_until_complete(main)
        finally:
            self.run_until_complete(self.shutdown_asyncgens())
            self.close()


class _Selector(selectors.DefaultSelector):
    """Waits for the network while real work is in progress, and otherwise advances the clock."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        if self._loop.real_work:
            return super().select(LOOK_S if timeout is None else min(timeout, LOOK_S))
        events = super().select(0 if timeout is not None else LOOK_S)
        if not events and timeout is not None and timeout > 0:
            self._loop.passed_s += timeout
        return events
