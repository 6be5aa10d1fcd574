"""What the author of a DAG says about its calendar."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import conf

from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.calendar.file.times import LONGEST
from airflow_provider_instagram.calendar.planning.snapshot import planned, snapshot_file
from airflow_provider_instagram.ledger.records import CONTAINER_LIFE, EXPIRY_MARGIN

if TYPE_CHECKING:
    from datetime import datetime
    from os import PathLike
    from pathlib import Path

    from airflow_provider_instagram.calendar.planning.plan import Plan

LATE = ("publish", "skip")
UNANSWERED = ("skip", "publish")
#: A run begins at a whole minute, so up to one minute more ahead; a container that it makes at once has to last.
LONGEST_LEAD = CONTAINER_LIFE - EXPIRY_MARGIN - timedelta(minutes=1)
#: Arguments of a DAG that follow from the calendar.
OURS = ("catchup", "schedule")


@dataclass(frozen=True)
class CalendarSettings:
    """How a calendar is brought to its posts; see ``content_calendar_dag`` for each.

    :param snapshot: Where the last good text is kept.
    :param faults: What is wrong with the settings themselves; the defaults hold instead.
    """

    dag_id: str
    calendar: str
    snapshot: Path
    lead_time: timedelta = timedelta(hours=1)
    late: str = "publish"
    max_lateness: timedelta = timedelta(hours=1)
    min_spacing: timedelta | None = None
    unanswered: str = "skip"
    dry_run: bool = False
    faults: tuple[Problem, ...] = field(default=())

    @classmethod
    def of(cls, dag_id: str, calendar: str | PathLike[str], **given: Any) -> CalendarSettings:
        """Take what the author says where it makes sense: a mistake here must not keep the DAG from being read.

        :param given: Settings, and arguments of the DAG that it cannot have.
        """
        faults = []
        calendar = str(calendar)
        good: dict[str, Any] = {}
        for name, value in given.items():
            remedy = _remedy(name, value)
            if remedy is None:
                good[name] = value
            else:
                faults.append(
                    Problem(0, f"in the DAG file, {name}={value!r} is not valid.", f"{remedy} The default is used.")
                )
        if good.get("late") == "skip" and good.get("unanswered") == "publish":
            del good["unanswered"]
            remedy = "A post that nobody answered for is late at its time, and would be skipped. The default is used."
            faults.append(Problem(0, "in the DAG file, unanswered='publish' contradicts late='skip'.", remedy))
        file = snapshot_file(conf.get("instagram", "calendar_snapshots"), dag_id, calendar)
        return cls(dag_id, calendar, file, **good, faults=tuple(faults))

    def plan(self, now: datetime | None = None) -> Plan:
        """Read the calendar as it is now.

        :param now: The time, where the DAG is made; a task only reads.
        """
        return planned(
            self.calendar,
            self.snapshot,
            min_spacing=self.min_spacing,
            max_lateness=self.max_lateness,
            dry_run=self.dry_run,
            now=now,
        )


def _remedy(name: str, value: Any) -> str | None:
    zero = timedelta(0)
    if name == "lead_time" and not (isinstance(value, timedelta) and zero < value <= LONGEST_LEAD):
        return "Give a timedelta of up to 23 h 29 min: a container expires after 24 h."
    if name == "max_lateness" and not (isinstance(value, timedelta) and value >= zero):
        return "Give a timedelta."
    if name == "min_spacing" and not (value is None or (isinstance(value, timedelta) and zero <= value <= LONGEST)):
        return f"Give a timedelta of {LONGEST.days} days at most, or None to go by the file."
    if name == "late" and value not in LATE:
        return f"Use one of {', '.join(LATE)}."
    if name == "unanswered" and value not in UNANSWERED:
        return f"Use one of {', '.join(UNANSWERED)}."
    if name in OURS:
        return "Leave it out: the calendar sets the schedule, and missed runs are caught up."
    known = [one.name for one in fields(CalendarSettings)]
    if name not in known:
        close = difflib.get_close_matches(name, known, 1)
        return f"Did you mean {close[0]}?" if close else "Leave it out: a DAG has no such argument."
    return None
