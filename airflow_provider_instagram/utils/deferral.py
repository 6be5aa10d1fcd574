"""How short a deferral may be."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import conf


def shortest_deferral() -> timedelta:
    """Return the time for which a task that defers has to stay deferred.

    Airflow hears up to ``[workers] min_heartbeat_interval`` later, five seconds by default, that the process which
    deferred has ended. Airflow 3.3.2 takes a task that goes on before that for failed (seen here; apache/airflow#71172
    is the same with rescheduling).
    """
    return timedelta(seconds=2 * conf.getint("workers", "min_heartbeat_interval"))
