"""Slots: the weekly times at which an account publishes posts that have no time of their own, and their repetitions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.file.rows import Row, Value, without_secrets
from airflow_provider_instagram.calendar.file.times import moment, read_duration, read_local_time, zone

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SLOT = re.compile(r"(?P<day>[A-Za-z]+)\s+(?P<time>\d{1,2}:\d{2})(?:\s+(?P<zone>[A-Za-z][\w+\-]*(?:/[\w+\-]+)*))?")
#: Whole hours among which the best one is chosen for each post.
AUTO = re.compile(
    r"auto(?:\s+(?P<first>[A-Za-z]+)-(?P<last>[A-Za-z]+))?(?:\s+(?P<begin>\d{1,2}):00-(?P<end>\d{1,2}):00)?"
    r"(?:\s+(?P<zone>[A-Za-z][\w+\-]*(?:/[\w+\-]+)*))?"
)
#: What a post has as its time to get the best slot of its account.
BEST = "best"
EXAMPLE = "Write it like Mon 08:30, or auto Mon-Sat 09:00-20:00."
MAX_SLOTS = 100
MOST_HOURS = 24 * 7 + MAX_SLOTS
#: The same post more often than this looks like a mistake, and a number without a unit counts minutes.
SHORTEST_REPEAT = timedelta(days=1)
#: What separates the number of a repetition from the id of its post. No id in a file contains it.
REPETITION_MARK = "~"
FIRST_FREE = "the first free slot"


@dataclass(frozen=True)
class Choice:
    """The time of a post that was chosen among the slots of its account.

    :param at: The time, in seconds since the epoch.
    :param chosen_at: When it was chosen, in seconds since the epoch.
    """

    at: int
    zone: str
    chosen_at: int
    why: str = FIRST_FREE

    @property
    def local(self) -> datetime:
        """The time, in the zone of the slot."""
        return moment(datetime.fromtimestamp(self.at, zone(self.zone)))


@dataclass(frozen=True, order=True)
class Slot:
    """A weekly time at which an account publishes a post.

    :param weekday: The day of the week; 0 is Monday.
    :param time: The local time, such as ``08:30``.
    :param is_auto: Whether the file leaves the choice of the hour to what posts reached.
    """

    weekday: int
    time: str
    zone: str
    is_auto: bool = False

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


@dataclass(frozen=True)
class SlotUser:
    """A post of the file that uses slots of its account: for its time, for its repetitions, or for both.

    :param is_valid: Whether it has no problem. One with a problem keeps its times, but no new ones are chosen.
    :param wants_best: Whether it gets the slot in which it is expected to reach most, and not the first free one.
    """

    id: str
    account: str
    line: int
    publish_at: datetime | None
    repeat_after: timedelta | None
    is_valid: bool
    wants_best: bool = False

    @property
    def key(self) -> str:
        """The key of the post when it is published for the first time."""
        return f"{self.account}/{self.id}"


def repetition_key(key: str, number: int) -> str:
    """Return the key, or the id, of a repetition. The first publication has number 1, and that of the post."""
    return f"{key}{REPETITION_MARK}{number}" if number > 1 else key


def split_repetition(key: str) -> tuple[str, int]:
    """Return the key, or the id, of the post, and the number of the repetition."""
    original, mark, number = key.rpartition(REPETITION_MARK)
    return (original, int(number)) if mark and number.isdecimal() else (key, 1)


def read_slots(rows: Row, zone_name: str | None, problems: list[Problem]) -> dict[str, tuple[Slot, ...]]:
    """Read the slots of a calendar.

    :param zone_name: The zone of a slot that names none.
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
            found.update(_slots(str(written).strip(), zone_name))
        except InvalidValue as invalid:  # noqa: PERF203 -- each slot is reported
            message = without_secrets(f"slots of {account}: {invalid.message}", value)
            problems.append(Problem(value.line_of_item(index), message, invalid.remedy))
    if len(found) > MOST_HOURS:
        message = f"slots of {account}: these are {len(found)} times in a week."
        problems.append(Problem(value.line, message, f"Leave at most {MOST_HOURS}: a week of hours in one time zone."))
        return ()
    return tuple(sorted(found))


def _slots(written: str, zone_name: str | None) -> list[Slot]:
    """Read a slot, or the hours of ``auto``: ``Mon 08:30``, ``auto Mon-Sat 09:00-20:00``, with a zone if any."""
    found = SLOT.fullmatch(written) or AUTO.fullmatch(written)
    if found is None:
        raise InvalidValue(f"{written!r} is not a day of the week and a time.", EXAMPLE)
    name = found["zone"] or zone_name
    if name is None:
        raise InvalidValue(
            f"{written!r} has no time zone.", "Add a timezone to the defaults, or Mon 08:30 Europe/Paris."
        )
    key = zone(name).key
    if found.re is SLOT:
        return [Slot(_weekday(found["day"], written), _time(found["time"], written), key)]
    first, last = (_weekday(found[part] or day, written) for part, day in (("first", "monday"), ("last", "sunday")))
    times = [_time(f"{found[part] or hour}:00", written) for part, hour in (("begin", "0"), ("end", "23"))]
    hours = [f"{hour:02}:00" for hour in range(24) if times[0] <= f"{hour:02}:00" <= times[1]]
    if not hours:
        raise InvalidValue(f"{written!r} ends before it begins.", EXAMPLE)
    days = [(first + more) % 7 for more in range((last - first) % 7 + 1)]
    return [Slot(day, hour, key, is_auto=True) for day in days for hour in hours]


def _weekday(day: str, written: str) -> int:
    for number, name in enumerate(DAYS):
        if day.lower() in (name, name[:3]):
            return number
    raise InvalidValue(f"{written!r} is not a day of the week and a time.", EXAMPLE)


def _time(text: str, written: str) -> str:
    hour, minute = map(int, text.split(":"))
    if hour > 23 or minute > 59:
        raise InvalidValue(f"{written!r} has a time that does not exist.", EXAMPLE)
    return f"{hour:02}:{minute:02}"


def read_repeat_after(written: str) -> timedelta:
    """Read after how long a post is published again: ``30 days``, ``5d``."""
    span = read_duration("repeat_after", written)
    if span < SHORTEST_REPEAT:
        raise InvalidValue(f"repeat_after is {written!r}, which is less than a day.", "Write it like 30 days.")
    return span
