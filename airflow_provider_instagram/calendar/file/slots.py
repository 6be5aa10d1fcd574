"""Slots: the weekly times at which an account publishes posts that have no time of their own, and their repetitions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.file.rows import without_secrets
from airflow_provider_instagram.calendar.file.times import read_duration, read_local_time, zone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime

    from airflow_provider_instagram.calendar.file.rows import Row, Value

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SLOT = re.compile(r"(?P<day>[A-Za-z]+)\s+(?P<time>\d{1,2}:\d{2})(?:\s+(?P<zone>[A-Za-z][\w+\-]*(?:/[\w+\-]+)*))?")
EXAMPLE = "Write it like Mon 08:30."
MAX_SLOTS = 100
#: The same post more often than this looks like a mistake, and a number without a unit counts minutes.
SHORTEST_REPEAT = timedelta(days=1)
#: What separates the number of a repetition from the id of its post. No id in a file contains it.
REPETITION_MARK = "~"


@dataclass(frozen=True, order=True)
class Slot:
    """A weekly time at which an account publishes a post.

    :param weekday: The day of the week; 0 is Monday.
    :param time: The local time, such as ``08:30``.
    :param zone: The name of its time zone.
    """

    weekday: int
    time: str
    zone: str

    def on(self, day: date) -> datetime | None:
        """Return the slot's time on a day of its weekday.

        None if a clock change skips or repeats that time, which ``publish_at`` does not accept either.
        """
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


@dataclass(frozen=True)
class SlotUser:
    """A post of the file that uses slots of its account: for its time, for its repetitions, or for both.

    :param id: Its id.
    :param account: Its account's connection.
    :param line: Its line in the file.
    :param publish_at: The time that the file contains, if any.
    :param repeat_after: After how long it is published again, if at all.
    :param is_valid: Whether it has no problem. One with a problem keeps its times, but no new ones are chosen.
    """

    id: str
    account: str
    line: int
    publish_at: datetime | None
    repeat_after: timedelta | None
    is_valid: bool

    @property
    def key(self) -> str:
        """The key of the post when it is published for the first time."""
        return f"{self.account}/{self.id}"


def repetition_key(key: str, number: int) -> str:
    """Return the key of a repetition.

    :param key: The key, or the id, of the post.
    :param number: The number of the repetition. The first publication has number 1, and the key of the post.
    """
    return f"{key}{REPETITION_MARK}{number}" if number > 1 else key


def split_repetition(key: str) -> tuple[str, int]:
    """Return the key, or the id, of the post, and the number of the repetition."""
    original, mark, number = key.rpartition(REPETITION_MARK)
    return (original, int(number)) if mark and number.isdecimal() else (key, 1)


def read_slots(rows: Row, zone_name: str | None, problems: list[Problem]) -> dict[str, tuple[Slot, ...]]:
    """Read the slots of a calendar.

    :param rows: What the file contains about them: a list by account.
    :param zone_name: The zone of a slot that names none.
    :param problems: The list to which problems are added.
    :return: The slots by account. An account whose slots have a problem has only the valid ones.
    """
    problems += rows.problems
    return {account: _slots_of(account, value, zone_name, problems) for account, value in rows.values.items()}


def _slots_of(account: str, value: Value, zone_name: str | None, problems: list[Problem]) -> tuple[Slot, ...]:
    given = value.value.split(",") if isinstance(value.value, str) else value.value
    if not isinstance(given, list) or len(given) > MAX_SLOTS:
        message = f"slots of {account}: this is not a list of up to {MAX_SLOTS} times."
        problems.append(Problem(value.line, message, f"Write a list: slots: {{{account}: [Mon 08:30, Thu 19:00]}}"))
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
    """Read a slot: ``Mon 08:30``, followed by the name of a zone, if any."""
    found = SLOT.fullmatch(written)
    day = found["day"].lower() if found else ""
    weekday = next((number for number, name in enumerate(DAYS) if day in (name, name[:3])), None)
    if found is None or weekday is None:
        raise InvalidValue(f"{written!r} is not a day of the week and a time.", EXAMPLE)
    hour, minute = map(int, found["time"].split(":"))
    if hour > 23 or minute > 59:
        raise InvalidValue(f"{written!r} has a time that does not exist.", EXAMPLE)
    name = found["zone"] or zone_name
    if name is None:
        raise InvalidValue(
            f"{written!r} has no time zone.", "Add a timezone to the defaults, or Mon 08:30 Europe/Paris."
        )
    return Slot(weekday, f"{hour:02}:{minute:02}", zone(name).key)


def read_repeat_after(written: str) -> timedelta:
    """Read after how long a post is published again: ``30 days``, ``5d``.

    :raises InvalidValue: If it is not a duration, or is shorter than a day.
    """
    span = read_duration("repeat_after", written)
    if span < SHORTEST_REPEAT:
        raise InvalidValue(f"repeat_after is {written!r}, which is less than a day.", "Write it like 30 days.")
    return span
