"""The date and the time of a post, as people write them in the cells of a spreadsheet, in English and German."""

from __future__ import annotations

import re
from datetime import date
from typing import Final, Literal, NamedTuple

from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.calendar.file.times import DATE_AND_TIME

DateOrder = Literal["day-first", "month-first"]


def _numbers(rows: tuple[str, ...], first: int) -> dict[str, int]:
    """Return the number of each word: that of its row."""
    found = {}
    for number, words in enumerate(rows, first):
        found.update(dict.fromkeys(words.split(), number))
    return found


#: The names of the months from January on, also shortened.
MONTHS: Final = (
    "january januar jänner jan",
    "february februar feb",
    "march märz maerz mar mär mrz",
    "april apr",
    "may mai",
    "june juni jun",
    "july juli jul",
    "august aug",
    "september sept sep",
    "october oktober oct okt",
    "november nov",
    "december dezember dec dez",
)
BY_NAME: Final = _numbers(MONTHS, 1)
NAME: Final = "|".join(sorted(BY_NAME, key=len, reverse=True))
ISO: Final = re.compile(r"(?<!\d)(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)")
OTHER: Final = re.compile(r"(?<!\d)(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?!\d)")
DAY_FIRST: Final = re.compile(
    rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th|\.)?\s*({NAME})\b[.,]?\s*(\d{{4}})", re.IGNORECASE
)
MONTH_FIRST: Final = re.compile(
    rf"\b({NAME})\b\.?\s*(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})", re.IGNORECASE
)
TIME: Final = re.compile(
    r"(\d{1,2})(?:[:.h](\d{2})(?::(\d{2}))?)?(?:\s*(am|pm|a\.m\.|p\.m\.|uhr)(?!\w))?(?![\d:])",
    re.IGNORECASE,
)
#: The names of the days of the week from Monday on, also shortened.
DAYS: Final = (
    "monday mon montag mo",
    "tuesday tue dienstag di",
    "wednesday wed mittwoch mi",
    "thursday thu donnerstag do",
    "friday fri freitag fr",
    "saturday sat samstag sonnabend sa",
    "sunday sun sonntag so",
)
WEEKDAYS: Final = _numbers(DAYS, 0)
WEEKDAY: Final = re.compile(rf"\b(?:{'|'.join(WEEKDAYS)})\b", re.IGNORECASE)
#: Words beside a date that are not a part of it: the day of the week, *at* and *um*.
BESIDE: Final = re.compile(rf"(?:{WEEKDAY.pattern}|\bat\b|\bum\b)[.,]?", re.IGNORECASE)
#: What a spreadsheet adds to a date without a time, and to a time of whole seconds.
MIDNIGHT: Final = re.compile(r"0?0:00(:00)?")
FRACTION: Final = re.compile(r"(?<=:\d\d)\.0+(?!\d)")
AM_PM: Final = ("am", "pm")
BETWEEN: Final = " ,T\t\n"
SAY_THE_ORDER: Final = (
    "Say whether the day or the month is first. In a DAG: defaults={'dates': 'day-first'}."
)


class AskedFor(InvalidValue):
    """A cell that does not say enough, so that its author is asked.

    :param what: ``dates``, their order, or ``time``, the time of day.
    """

    def __init__(self, what: Literal["dates", "time"], message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.what = what


class ContradictedDates(AskedFor):
    """A date that contradicts the order of the dates, so that the other dates of its sheet are in doubt, too."""

    def __init__(self, message: str) -> None:
        super().__init__(
            "dates", message, f"Correct it. If another order is meant: {SAY_THE_ORDER}"
        )


class TimeCells(NamedTuple):
    """The cells of a row that say when."""

    whole: str = ""
    day: str = ""
    hour: str = ""


def read_time_cells(cells: TimeCells, order: DateOrder | None, time: str = "") -> str:
    """Return the time of a row as a calendar contains it. A time in that form is not changed; no time is empty.

    :param time: The time of day of a date without one.
    """
    whole, day, hour = cells
    if whole and day and not hour and TIME.fullmatch(whole):
        whole, hour = "", whole
    if whole and day:
        raise InvalidValue(
            f"the row has two times: {day!r} and {whole!r}.", "Leave one of the two cells empty."
        )
    if hour and not (whole or day):
        whole = hour
        hour = ""
    written = FRACTION.sub("", whole or day)
    if not written:
        return ""
    found = None if hour else DATE_AND_TIME.fullmatch(written)
    if found and (found["zone"] or "").lower() not in (*AM_PM, "uhr"):
        return written
    at, rest = _date(written, order, " ".join(cells))
    if hour and not MIDNIGHT.fullmatch(rest):
        _check_nothing_left(written, rest)
    if not (hour or rest):
        hour = time
    return f"{at} {_time(hour or rest, hour or written)}"


def _date(written: str, order: DateOrder | None, row: str) -> tuple[str, str]:
    """Return the date in a cell, and what else is in it.

    :param row: All that the row says of its time: the day of the week must be that of the date.
    """
    if found := ISO.search(written):
        year = int(found[1])
        month = int(found[3])
        day = int(found[4])
    elif found := OTHER.search(written):
        year = int(found[4]) + (2000 if len(found[4]) == 2 else 0)
        month, day = _month_and_day(
            written, int(found[1]), int(found[3]), "day-first" if found[2] == "." else order
        )
    elif found := DAY_FIRST.search(written):
        day = int(found[1])
        month = BY_NAME[found[2].lower()]
        year = int(found[3])
    elif found := MONTH_FIRST.search(written):
        month = BY_NAME[found[1].lower()]
        day = int(found[2])
        year = int(found[3])
    else:
        raise InvalidValue(f"{written!r} is not a date.", "Write it like 2026-12-24.")
    if another := _another_weekday(row, year, month, day):
        message = f"{written!r} is read as {year:04}-{month:02}-{day:02}, which is not a {another}."
        if found.re is OTHER:
            raise ContradictedDates(message)
        raise InvalidValue(message, "Correct the date or the day of the week.")
    return f"{year:04}-{month:02}-{day:02}", _without(written, found)


def _month_and_day(
    written: str, first: int, second: int, order: DateOrder | None
) -> tuple[int, int]:
    """Return the month and the day of a date, given its numbers.

    :param order: The order of all dates, if that is known. If not, the numbers must say it.
    """
    orders: set[DateOrder] = set()
    if second <= 12:
        orders.add("day-first")
    if first <= 12:
        orders.add("month-first")
    if order is not None and orders and order not in orders:
        raise ContradictedDates(f"{written!r} is not a date if dates are {order}.")
    if order is None and len(orders) == 2 and first != second:
        raise AskedFor("dates", f"{written!r} can be read day first or month first.", SAY_THE_ORDER)
    is_month_first = order == "month-first" or "day-first" not in orders
    return (first, second) if is_month_first else (second, first)


def _another_weekday(row: str, year: int, month: int, day: int) -> str | None:
    """Return a day of the week that a row names and its date is not on, if there is one."""
    try:
        weekday = date(year, month, day).weekday()
    except ValueError:
        return None  # the calendar says that there is no such date
    return next((word for word in WEEKDAY.findall(row) if WEEKDAYS[word.lower()] != weekday), None)


def _time(text: str, written: str) -> str:
    """Read the time of day in the part ``text`` of a cell."""
    found = next((one for one in TIME.finditer(text) if one[2] or one[4]), None)
    if found is None:
        raise AskedFor("time", f"{written!r} has no time of day.", "Write it like 18:00.")
    _check_nothing_left(written, _without(text, found))
    hour = int(found[1])
    half = (found[4] or "").lower().replace(".", "")
    if half in AM_PM:
        hour = _hour_of_day(written, hour, half)
    return f"{hour:02}:{found[2] or '00'}" + (f":{found[3]}" if found[3] else "")


def _hour_of_day(written: str, hour: int, half: str) -> int:
    """Return the hour from 0 to 23 of one with ``am`` or ``pm``. Some programs write 13:00 pm and 00:30 am."""
    if hour > 23 or (hour > 12 and half == "am") or (hour == 0 and half == "pm"):
        raise InvalidValue(
            f"{written!r} is not a time of day.", f"Write it without {half}, like 18:00."
        )
    return hour % 12 + (12 if half == "pm" else 0)


def _without(text: str, found: re.Match[str]) -> str:
    return BESIDE.sub("", f"{text[: found.start()]} {text[found.end() :]}").strip(BETWEEN)


def _check_nothing_left(written: str, more: str) -> None:
    """Check that nothing is left beside the date and the time. It may be the time zone, so it must not be dropped."""
    if more:
        raise InvalidValue(
            f"{written!r} contains more than a date and a time: {more!r}.",
            "Remove it. Put a time zone into a column named timezone, like Europe/Berlin.",
        )
