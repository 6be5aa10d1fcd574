"""What Airflow's settings say about deferred tasks."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any, Final

from airflow.sdk import conf

from airflow_provider_instagram.utils import arguments

#: The variable of ``[operators] default_deferrable``.
DEFAULT_DEFERRABLE: Final = "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE"
AIRFLOWS_INTERVAL_S: Final = 15.0
#: How long a task first leaves it to a triggerer to notice that a container is ready.
FIRST_LOOK: Final = timedelta(minutes=5)


def is_deferrable(chosen: Any) -> bool:
    """Return whether a task waits in the triggerer: as its author chose, or as ``[operators] default_deferrable`` says.

    A ``false`` counts in the environment only: Airflow writes one into each airflow.cfg that it
    makes, so that nobody need have decided it. Without a decision, our tasks are deferred.
    """
    if (deferrable := arguments.boolean("deferrable", chosen)) is not None:
        return deferrable
    return DEFAULT_DEFERRABLE not in os.environ or conf.getboolean(
        "operators", "default_deferrable"
    )


def shortest_deferral() -> timedelta:
    """Return the time for which a task that defers has to stay deferred.

    Airflow notices up to ``[workers] min_heartbeat_interval`` later (five seconds by default) that
    the deferred task's process has ended. If the task resumes before that, Airflow 3.3.2 marks it
    as failed (observed; for rescheduling, see apache/airflow#71172).
    """
    return timedelta(seconds=2 * conf.getint("workers", "min_heartbeat_interval"))


def timeouts_checked_every() -> timedelta:
    """Return how much later than at its timeout the scheduler resumes a deferred task, at most.

    An interval that is longer than Airflow's own counts as that one. A publisher that resumed so
    much earlier would take the slot of a post that is due before its own.
    """
    interval_s = conf.getfloat(
        "scheduler", "trigger_timeout_check_interval", fallback=AIRFLOWS_INTERVAL_S
    )
    return timedelta(seconds=min(interval_s, AIRFLOWS_INTERVAL_S))


def until_next_look(age: timedelta) -> timedelta:
    """Return the timeout of a wait, after which the task looks itself: 5, 10, 20 … minutes after the wait began.

    A triggerer that is down or has no capacity left notices nothing. One that works needs no more
    looks than these.
    """
    return max(FIRST_LOOK, age)
