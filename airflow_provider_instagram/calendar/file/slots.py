"""Slots: the weekly times of an account, of which ``airflow instagram calendar fill`` gives one to each post."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from airflow_provider_instagram.calendar.file.entries import Rows, Value, without_secrets
from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.file.times import read_local_time, zone

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SLOT = re.compile(
    r"(?P<day>[A-Za-z]+)\s+(?P<time>(?:[01]?\d|2[0-3]):[0-5]\d)(?:\s+(?P<zone>[A-Za-z][\w+\-]*(?:/[\w+\-]+)*))?"
)
EXAMPLE = "Write it like Mon 08:30."
MAX_SLOTS = 100


@dataclass(frozen=True, order=True)
class Slot:
    """A weekly time at which an account publishes a post.

    :param weekday: The day of the week; 0 is Monday.
    :param time: The local time, such as ``08:30``.
    """

    weekday: int
    time: str
    zone: str

    def on(self, day: date) -> datetime | None:
        """Return the slot's time on a day of its weekday; None if a clock change skips or repeats it."""
        if day.weekday() != self.weekday:
            return None
        try:
            return read_local_time(f"{day.isoformat()} {self.time}", self.zone)
        except InvalidValue:
            return None

    def times(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Return its times between two times."""
        first = after.astimezone(zone(self.zone)).date()
        day = first + timedelta(days=(self.weekday - first.weekday()) % 7)
        while day <= until.astimezone(zone(self.zone)).date():
            at = self.on(day)
            if at is not None and after <= at <= until:
                yield at
            day += timedelta(days=7)


def read_slots(rows: Rows, problems: list[Problem]) -> dict[str, tuple[Slot, ...]]:
    """Read the slots of a calendar. The zone of one that names none is that of the defaults.

    :return: The slots by account. An account whose slots have a problem has only the valid ones.
    """
    problems += rows.slots.problems
    zone_name = rows.defaults.text("timezone") or None
    slots = rows.slots.values.items()
    return {account: _slots_of(account, value, zone_name, problems) for account, value in slots}


def _slots_of(
    account: str, value: Value, zone_name: str | None, problems: list[Problem]
) -> tuple[Slot, ...]:
    """Read the slots of an account: a list, or a text with commas."""
    given = value.value.split(",") if isinstance(value.value, str) else value.value
    if not isinstance(given, list) or len(given) > MAX_SLOTS:
        message = f"slots of {account}: this is not a list of up to {MAX_SLOTS} times."
        remedy = f"Write a list: slots: {{{account}: [Mon 08:30, Thu 19:00]}}"
        problems.append(Problem(value.line, message, remedy))
        return ()
    found = set()
    for index, written in enumerate(given):
        try:
            found.add(_slot(str(written).strip(), zone_name))
        except InvalidValue as invalid:  # noqa: PERF203 -- each slot is reported
            message = without_secrets(f"slots of {account}: {invalid.message}", value)
            problems.append(Problem(value.line_of_item(index), message, invalid.remedy))
    return tuple(sorted(found))


def _slot(written: str, zone_name: str | None) -> Slot:
    """Read a slot: ``Mon 08:30``, with a zone if any."""
    found = SLOT.fullmatch(written)
    day = found["day"].lower() if found else ""
    weekday = next((n for n, name in enumerate(DAYS) if day in (name, name[:3])), None)
    if found is None or weekday is None:
        raise InvalidValue(f"{written!r} is not a day of the week and a time.", EXAMPLE)
    name = found["zone"] or zone_name
    if name is None:
        raise InvalidValue(
            f"{written!r} has no time zone.",
            "Add a timezone to the defaults, or Mon 08:30 Europe/Paris.",
        )
    return Slot(weekday, found["time"].zfill(5), zone(name).key)
