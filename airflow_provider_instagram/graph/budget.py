"""How many calls an account has left for asking: its budget, slowed and stopped by Instagram's own word."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_instagram.graph.usage import Usage

# Source: the specification of this provider, "200 API calls an hour and user".
CALLS_PER_HOUR: Final = 200
# Of the calls of an hour, asking gets half steadily and 15 % more at most, at once. The rest, 35 %, is left to create
# and publish, which other processes do: 7 calls each for ten posts an hour, of 200.
STEADY_SHARE: Final = 0.50
BURST_SHARE: Final = 0.10
LAST_WORD_SHARE: Final = 0.05
ASKING_SHARE: Final = STEADY_SHARE + BURST_SHARE + LAST_WORD_SHARE
#: What a new process may ask at once: it does not know what the one before it has spent.
CALLS_AFTER_RESTART: Final = 3
SLOW_FROM_PERCENT: Final = 75
SLOWEST: Final = 0.1
#: How long to hold back when Instagram says stop, and not until when.
UNSTATED_STOP: Final = timedelta(minutes=5)


class Budget:
    """A bucket that fills with calls at a steady rate, and from which every asking takes.

    :param clock: Tells the time in seconds since the epoch.
    :param calls_per_hour: The calls that the account has in an hour, for everything.
    :param since: From when on this process is known to have asked nothing, in seconds since the epoch; default: now.
    """

    def __init__(
        self, clock: Callable[[], float], calls_per_hour: float = CALLS_PER_HOUR, since: float | None = None
    ) -> None:
        self.clock = clock
        self.calls_per_hour = calls_per_hour
        #: Before then nothing may be asked, in seconds since the epoch.
        self.stopped_until = 0.0
        #: Why it is, or was, stopped.
        self.reason = ""
        self._left: float = CALLS_AFTER_RESTART
        self._pace = 1.0
        self._filled_at = clock() if since is None else since

    def left(self) -> float:
        """Tell how many calls asking has now; below zero when last words were asked for on credit."""
        now = self.clock()
        most = max(CALLS_AFTER_RESTART, self.calls_per_hour * BURST_SHARE * self._pace)
        self._left = min(most, self._left + max(0.0, now - self._filled_at) * self._per_second())
        self._filled_at = now
        return self._left

    def free_at(self) -> float:
        """Tell when the next call may go, in seconds since the epoch: a moment in the past when it may now."""
        lacking = 1.0 - self.left()
        filled_at = self.clock() + lacking / self._per_second() if lacking > 0 else 0.0
        return max(self.stopped_until, filled_at)

    def affords_last_word(self) -> bool:
        """Tell whether a container whose time is over may be asked about once more, on credit if need be."""
        return not self.is_stopped() and self.left() > -self.calls_per_hour * LAST_WORD_SHARE

    def take(self, calls: int = 1) -> None:
        """Spend calls."""
        self._left = self.left() - calls

    def heed(self, usage: Usage | None) -> None:
        """Slow down, or stop, as the account's usage asks for.

        :param usage: What the latest answer said, if it did.
        """
        if usage is None:
            return
        self.left()  # the time until now counts at the pace until now
        self._pace = min(1.0, max(SLOWEST, (100 - usage.percent) / (100 - SLOW_FROM_PERCENT)))
        if usage.regain:
            self.stop(usage.regain, f"{usage.percent} % of the account's calls are used up")

    def stop(self, pause: timedelta | None, reason: str) -> None:
        """Ask nothing for a while.

        :param pause: How long; None when that is not known.
        :param reason: Why, for those who wait.
        """
        until = self.clock() + (pause or UNSTATED_STOP).total_seconds()
        if until > self.stopped_until:
            self.stopped_until, self.reason = until, reason
        self._left = min(self.left(), 1.0)

    def is_stopped(self) -> bool:
        """Tell whether nothing may be asked now."""
        return self.clock() < self.stopped_until

    def stopped_until_text(self) -> str:
        """Write down until when it is stopped."""
        return datetime.fromtimestamp(self.stopped_until, timezone.utc).isoformat(timespec="seconds")

    def _per_second(self) -> float:
        return self.calls_per_hour * STEADY_SHARE * self._pace / 3600
