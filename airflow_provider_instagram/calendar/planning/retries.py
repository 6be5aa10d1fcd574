"""How often a calendar's tasks are tried, so that an outage of Airflow shorter than ``max_lateness`` costs no post."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

FIRST_DELAY = timedelta(seconds=20)
#: The longest delay is a twelfth of ``max_lateness``, within these bounds: a post waits for it after an outage.
DELAY_BOUNDS = timedelta(minutes=1), timedelta(minutes=5)
#: Tries go on for so long after ``max_lateness``. The first one that starts then marks the post as skipped.
EXTRA_RETRY_TIME = timedelta(days=1)
BACKOFF = 2.0


@dataclass(frozen=True)
class Retries:
    """The retries of a task, in the names of Airflow's arguments.

    Airflow uses up a retry for each try that cannot start, for example because the API server is down.
    """

    retries: int
    max_retry_delay: timedelta
    retry_delay: timedelta = FIRST_DELAY
    retry_exponential_backoff: float = BACKOFF

    @classmethod
    def spanning(cls, lead_time: timedelta, max_lateness: timedelta) -> Retries:
        """Return the retries that last from the start of a run until its posts are too late, and a day longer."""
        shortest, longest = DELAY_BOUNDS
        delay = max(shortest, min(longest, max_lateness / 12))
        growing = math.ceil(math.log(delay / FIRST_DELAY, BACKOFF))  # retries with shorter delays
        return cls(growing + math.ceil((lead_time + max_lateness + EXTRA_RETRY_TIME) / delay), delay)
