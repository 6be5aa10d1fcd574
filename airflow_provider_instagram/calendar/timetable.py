"""When a calendar's DAG runs: at the posts' own times, ahead by the lead time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.timetables.base import DagRunInfo, DataInterval, Timetable

from airflow_provider_instagram.calendar.planning.schedule import MINUTE_S, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from airflow.timetables.base import TimeRestriction
    from pendulum import DateTime


class ContentCalendarTimetable(Timetable):
    """Runs at given moments, each once.

    Moments that were missed while Airflow was down or the DAG paused are all caught up with, whatever ``catchup`` says:
    what is too late then is for the run to say, with a mark, and not for the schedule to pass over in silence. A new
    DAG begins with the posts whose time is still to come.

    :param moments: When to run, in seconds since the epoch; see ``schedule.reaching_back`` for the fractions.
    :param lead_s: How long before its post each of them is.
    :param description: What the UI says about the schedule.
    :param clock: Tells the time.
    """

    def __init__(
        self, moments: Iterable[float], lead_s: int, description: str, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self.moments = sorted(set(moments))
        self.lead_s = lead_s
        self.description = description
        self._clock = clock

    @property
    def summary(self) -> str:
        """What the UI shows as the schedule."""
        return self.description

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """Return the moment of a run that a user started: its own."""
        return DataInterval.exact(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the first moment after that of the last run."""
        if last_automated_data_interval is None:
            index = bisect_left(self.moments, self._clock().timestamp() - self.lead_s - MINUTE_S)
        else:
            index = bisect_right(self.moments, last_automated_data_interval.end.timestamp())
        if restriction.earliest is not None:
            index = max(index, bisect_left(self.moments, restriction.earliest.timestamp()))
        if index == len(self.moments):
            return None
        moment = pendulum.from_timestamp(self.moments[index])
        return None if restriction.latest is not None and moment > restriction.latest else DagRunInfo.exact(moment)

    def serialize(self) -> dict[str, Any]:
        """Return what the scheduler needs, which has no access to the calendar's file."""
        return {"moments": self.moments, "lead_s": self.lead_s, "description": self.description}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Timetable:
        """Make it again in the scheduler."""
        return cls(data["moments"], data["lead_s"], data["description"])
