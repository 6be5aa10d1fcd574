"""What the author of a DAG says about its calendar."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.sdk import conf

from airflow_provider_instagram.calendar.faults import Fault
from airflow_provider_instagram.calendar.snapshot import planned, snapshot_file
from airflow_provider_instagram.ledger import CONTAINER_LIFE, EXPIRY_MARGIN

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_instagram.calendar.snapshot import Plan

LATE = ("publish", "skip")
UNANSWERED = ("skip", "publish")
LONGEST_LEAD = CONTAINER_LIFE - EXPIRY_MARGIN


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
    faults: tuple[Fault, ...] = field(default=())

    @classmethod
    def of(cls, dag_id: str, calendar: str, **given: Any) -> CalendarSettings:
        """Take what the author says where it makes sense: a mistake here must not keep the DAG from being read."""
        faults = []
        good: dict[str, Any] = {}
        for name, value in given.items():
            remedy = _remedy(name, value)
            if remedy is None:
                good[name] = value
            else:
                faults.append(
                    Fault(0, f"in the DAG file, {name}={value!r} does not do.", f"{remedy} The default holds.")
                )
        file = snapshot_file(conf.get("instagram", "calendar_snapshots"), dag_id, calendar)
        return cls(dag_id, calendar, file, **good, faults=tuple(faults))

    def plan(self, now: datetime | None = None) -> Plan:
        """Read the calendar as it is now."""
        return planned(
            self.calendar,
            self.snapshot,
            min_spacing=self.min_spacing,
            max_lateness=self.max_lateness,
            now=now or datetime.now(timezone.utc),
        )


def _remedy(name: str, value: Any) -> str | None:
    zero = timedelta(0)
    if name == "lead_time" and not (isinstance(value, timedelta) and zero < value <= LONGEST_LEAD):
        return "Give a timedelta of up to 23.5 hours: a container expires after 24."
    if name == "max_lateness" and not (isinstance(value, timedelta) and value >= zero):
        return "Give a timedelta."
    if name == "min_spacing" and not (value is None or (isinstance(value, timedelta) and value >= zero)):
        return "Give a timedelta, or None to go by the file."
    if name == "late" and value not in LATE:
        return f"Use one of {', '.join(LATE)}."
    if name == "unanswered" and value not in UNANSWERED:
        return f"Use one of {', '.join(UNANSWERED)}."
    return None
