"""The time by this machine's clock, and by Instagram's, because the clocks of workers may be wrong."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Final

from airflow_provider_instagram.utils.time_limit import within_timeout
from airflow_provider_instagram.utils.urls import is_loopback

log = logging.getLogger(__name__)

#: A header names a second, and servers differ: a clock that is wrong by less counts as right.
TOLERANCE: Final = timedelta(seconds=2)
WORTH_A_WARNING: Final = timedelta(seconds=5)
#: A difference of more is no clock's, but an answer from a cache.
LARGEST: Final = timedelta(days=1)
TIMEOUT_S: Final = 5.0


def utc_now() -> datetime:
    """Return the time by this machine's clock."""
    return datetime.now(timezone.utc)


def _monotonic() -> datetime:
    return datetime.fromtimestamp(time.monotonic(), timezone.utc)


class ServerClock:
    """A clock that is as right as Instagram's once it was compared, and this machine's clock before.

    It never runs ahead of Instagram's, so that nothing is published early. After a comparison, the
    monotonic clock carries it on: if somebody sets this machine's clock ahead, no wait gets shorter.
    """

    def __init__(self, local: Callable[[], datetime] = utc_now) -> None:
        self._local = local
        #: What to add to the monotonic clock. None while this machine's clock counts.
        self._offset: timedelta | None = None

    def now(self) -> datetime:
        """Return the time, in UTC."""
        if self._offset is None:
            return self._local()
        return _monotonic() + self._offset

    def compare(self, base_url: str) -> timedelta:
        """Compare this machine's clock with Instagram's, and use Instagram's from now on if they differ.

        :return: How far Instagram's clock is ahead; nothing if they agree.
        :raises LookupError: If the answer has no usable date.
        """
        offset = self._local() - _monotonic()
        earliest, latest = _ahead(base_url, lambda: _monotonic() + offset)
        agrees = earliest < TOLERANCE and latest > -TOLERANCE
        ahead = timedelta() if agrees else earliest
        self._offset = offset + ahead
        return ahead

    def try_to_compare(self, base_url: str) -> None:
        """Compare the clocks as :meth:`compare` does, and log what is worth knowing. A failure changes nothing."""
        import httpx  # not at the top: every DAG file imports this module

        try:
            ahead = self.compare(base_url)
        except (httpx.HTTPError, LookupError, TimeoutError) as error:
            log.info(
                "This worker's clock could not be compared with Instagram's (%s)",
                type(error).__name__,
            )
            return
        if abs(ahead) > WORTH_A_WARNING:
            log.warning(
                "This worker's clock is %.0f s %s Instagram's, whose time counts for posts. Synchronize it with NTP.",
                abs(ahead.total_seconds()),
                "behind" if ahead > timedelta(0) else "ahead of",
            )


def _ahead(base_url: str, local: Callable[[], datetime]) -> tuple[timedelta, timedelta]:
    """Return how far a server's clock is ahead of the local one: at least, and at most."""
    import httpx

    sent = local()
    trusts = not is_loopback(httpx.URL(base_url).host)
    answer = within_timeout(
        TIMEOUT_S, lambda: httpx.head(base_url, timeout=TIMEOUT_S, trust_env=trusts), base_url
    )
    received = local()
    try:
        date = parsedate_to_datetime(answer.headers["Date"])
    except (TypeError, ValueError) as error:
        raise LookupError("the Date of the answer is not valid") from error
    if date.tzinfo is None or abs(date - received) > LARGEST or "Age" in answer.headers:
        raise LookupError("the Date of the answer is not the server's time")
    return date - received, date + timedelta(seconds=1) - sent


#: The clock of this process. Only a task that decides by the time compares it, at its beginning: a
#: clock that jumps in between would shorten its waits.
CLOCK: Final = ServerClock()
