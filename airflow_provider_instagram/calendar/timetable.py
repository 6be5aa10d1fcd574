"""When a calendar's DAG runs: a lead time before its posts."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable

from airflow_provider_instagram.calendar.planning.schedule import run_time_of, utc_now

if TYPE_CHECKING:
    from airflow.models.dag import DagModel
    from pendulum import DateTime

#: A DAG without earlier runs begins at most so long ago. One that was deleted and returns does not run its whole past.
LONGEST_START = timedelta(days=7)


class CalendarRunInfo(DagRunInfo):
    """The dates of a scheduled run, whose logical date is the time when it begins.

    Airflow's default is the start of the data interval. But no two runs of a DAG may share a logical date. Airflow
    looks for the run with the latest logical date, and treats that run as the last one. The data intervals of this
    timetable overlap, so their starts are neither unique nor in order.
    """

    __slots__ = ()

    @property
    def logical_date(self) -> DateTime | None:
        """When the run begins."""
        return self.run_after


class ContentCalendarTimetable(Timetable):
    """Runs at given times, each once.

    Runs that were missed while Airflow was down or the DAG paused are all caught up, whatever ``catchup`` says: the
    run marks a post that is too late in the grid, so no post is dropped in silence. A DAG without earlier runs begins
    with the posts that were still to come when its calendar was first seen: Airflow creates DAGs paused.

    The data interval of a run ends when the run begins. It starts at the earliest time of the posts that the run
    publishes, if that is before the run's beginning, and otherwise has no length.

    :param runs: When runs begin, and the earliest time of the posts of each, in seconds since the epoch.
    :param lead_s: How long before its posts a run begins.
    :param since: When the calendar was first seen, in seconds since the epoch; None if that could not be stored.
    :param calendar: What the page *Posts* needs to know about the calendar, which it reads from Airflow's database.
    """

    def __init__(
        self,
        runs: Mapping[float, float],
        lead_s: int,
        description: str,
        clock: Callable[[], datetime] = utc_now,
        *,
        since: float | None = None,
        calendar: Mapping[str, Any] | None = None,
    ) -> None:
        self.moments = sorted(runs)
        self.posts_from = {moment: earliest for moment, earliest in runs.items() if earliest < moment}
        self.lead_s = lead_s
        self.description = description
        self._clock = clock
        self.since = since
        self.calendar = dict(calendar or {})

    @property
    def summary(self) -> str:
        """What the UI shows as the schedule."""
        return self.description

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """Return the data interval of a run that a user started: the time of the start."""
        return DataInterval.exact(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the first run after the last one."""
        if last_automated_data_interval is None:
            now_s = self._clock().timestamp()
            start_s = now_s if self.since is None else max(self.since, now_s - LONGEST_START.total_seconds())
            index = bisect_left(self.moments, run_time_of(start_s, timedelta(seconds=self.lead_s)))
        else:
            index = bisect_right(self.moments, last_automated_data_interval.end.timestamp())
        if restriction.earliest is not None:
            index = max(index, bisect_left(self.moments, restriction.earliest.timestamp()))
        if index == len(self.moments):
            return None
        moment = self.moments[index]
        begin, start = pendulum.from_timestamp(moment), pendulum.from_timestamp(self.posts_from.get(moment, moment))
        if restriction.latest is not None and begin > restriction.latest:
            return None
        return CalendarRunInfo(run_after=begin, data_interval=DataInterval(start, begin))

    def next_run_info_from_dag_model(self, *, dag_model: DagModel) -> DagRunInfo | None:
        """Return the dates of the next run, as the scheduler stored them before it creates the run."""
        info = super().next_run_info_from_dag_model(dag_model=dag_model)
        return None if info is None else CalendarRunInfo(*info)

    def serialize(self) -> dict[str, Any]:
        """Return what the scheduler needs, which cannot read the calendar's file."""
        return {
            "form": 1,
            "moments": self.moments,
            "posts_from": [[moment, earliest] for moment, earliest in sorted(self.posts_from.items())],
            "lead_s": self.lead_s,
            "since": self.since,
            "description": self.description,
            "calendar": self.calendar,
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Timetable:
        """Rebuild the timetable in the scheduler."""
        runs = {moment: moment for moment in data["moments"]} | dict(data["posts_from"])
        return cls(runs, data["lead_s"], data["description"], since=data["since"], calendar=data["calendar"])
