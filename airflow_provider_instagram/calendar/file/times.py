"""Times as people write them, and durations.

A time that was read is a moment: it has the offset of its zone then, and the zone's name as that of
its ``tzinfo``. Two moments are compared, subtracted and sorted as they follow each other. Python
compares two times of one ``ZoneInfo`` by the clock on the wall, which is wrong in the night of a
clock change.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.utils import arguments

DATE_AND_TIME = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})[T ]+(?P<time>\d{1,2}:\d{2}(?::\d{2})?)"
    r"(?:\s*(?P<offset>Z|[+-]\d{2}:?\d{2}))?(?:\s*(?P<zone>[A-Za-z][\w+\-]*(?:/[\w+\-]+)*))?"
)
EXAMPLE = "2026-12-24 18:00 with timezone: Europe/Berlin"
ADD_ZONE = f"Add one: {EXAMPLE}, or an offset such as +01:00."
MAX_DURATION = timedelta(days=366)
#: Instagram began in the first year. A year after the last is a typing error, and breaks date
#: arithmetic.
YEARS = (2010, 2100)
MAX_OFFSET = timedelta(hours=14)
#: What Python calls a zone of which only the offset is known.
OFFSET = re.compile(r"UTC|(UTC)?[+-].+")


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """Return a time zone by its name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError, RecursionError):
        close = _similar_zone(name)
        remedy = "Use a name of the tz database, such as Europe/Berlin or UTC."
        if close is not None:
            remedy = f"Did you mean {close}?"
        raise InvalidValue(f"{name!r} is not a time zone.", remedy) from None


def _similar_zone(name: str) -> str | None:
    """Return the zone with this name or city, whatever its case and accents, or None."""
    if re.search(r"\d", name):  # GMT+1 is an hour ahead of UTC, and Etc/GMT+1 an hour behind it
        return None
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = ascii_name.strip().lower().replace(" ", "_")
    return _zones().get(plain) or _zones().get(plain.rpartition("/")[2])


@lru_cache(maxsize=1)
def _zones() -> dict[str, str]:
    """Return the names of all time zones by what users write: the full name or only the city, in lower case."""
    by_name = dict[str, str]()
    by_city = dict[str, str]()
    for name in sorted(available_timezones(), reverse=True):
        by_name[name.lower()] = name
        city = name.lower().rpartition("/")[2]
        if not by_city.get(city, "").startswith("Europe/"):
            by_city[city] = name
    return by_city | by_name


@lru_cache(maxsize=256)
def _at_offset(offset: timedelta, name: str) -> timezone:
    return timezone(offset) if OFFSET.fullmatch(name) else timezone(offset, name)


def moment(at: datetime, where: tzinfo | None = None) -> datetime:
    """Return a time as a moment.

    :param where: Another zone in which it is shown.
    """
    local = at if where is None else at.astimezone(where)
    offset = local.utcoffset()
    if offset is None:
        raise ValueError("A time without a time zone is no moment.")
    name = getattr(local.tzinfo, "key", None) or str(local.tzname())
    return local.replace(tzinfo=_at_offset(offset, name), fold=0)


def named_zone(name: str) -> tzinfo:
    """Return the zone that a moment names: of one that was written with an offset, that."""
    found = re.fullmatch(r"(?:UTC)?([+-].+)", name)
    if found is None:
        return zone(name)
    return datetime.strptime(found[1], "%z").tzinfo or timezone.utc


def as_written(at: datetime) -> str:
    """Return a moment as a calendar contains it, with its offset if the clock shows this time twice."""
    local = at.astimezone(named_zone(str(at.tzname())))
    is_twice = local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()
    written = at.strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00")
    return f"{written}{offset_of(at)}" if is_twice else written


def dump_moment(at: datetime) -> str:
    """Return a moment as it is stored."""
    name = str(at.tzname())
    return at.isoformat() if OFFSET.fullmatch(name) else f"{at.isoformat()} {name}"


def load_moment(stored: datetime | str) -> datetime:
    """Return a moment as it was stored."""
    if isinstance(stored, datetime):
        return moment(stored)
    text, _, name = str(stored).partition(" ")
    at = moment(datetime.fromisoformat(text.replace("Z", "+00:00")))
    return at.replace(tzinfo=_at_offset(at.utcoffset() or timedelta(), name)) if name else at


def read_local_time(written: str, zone_name: str | None) -> datetime:
    """Read a local time as a moment: ``2026-12-24 18:00``, followed by the name of a zone or an offset, if any.

    :param zone_name: The zone of a time that names none.
    :raises InvalidValue: If it is not a time, has no zone, or is a time that a clock change skips
        or repeats.
    """
    found = DATE_AND_TIME.fullmatch(written.strip())
    if found is None:
        raise InvalidValue(
            f"publish_at is {written!r}, which is not a date and time.", f"Write it like {EXAMPLE}."
        )
    naive = _naive(written, found["date"], found["time"])
    name = found["zone"] or zone_name
    if found["offset"] is not None:
        return _with_offset(naive, found["offset"], name)
    if name is None:
        raise InvalidValue(f"publish_at {written!r} has no time zone.", ADD_ZONE)
    return _in_zone(naive, zone(name))


def _naive(written: str, date: str, time: str) -> datetime:
    padded = time if time[1].isdigit() else f"0{time}"
    try:
        at = datetime.fromisoformat(f"{date}T{padded}")
    except ValueError as error:
        raise InvalidValue(
            f"publish_at {written!r} does not exist: {error}.", "Correct the date or the time."
        ) from None
    if not YEARS[0] <= at.year <= YEARS[1]:
        raise InvalidValue(
            f"publish_at {written!r} is in the year {at.year}.",
            f"Write a year from {YEARS[0]} to {YEARS[1]}.",
        )
    return at


def _with_offset(naive: datetime, offset: str, name: str | None) -> datetime:
    try:
        at = naive.replace(tzinfo=datetime.strptime(offset, "%z").tzinfo)
    except ValueError:
        at = naive
    if (ahead := at.utcoffset()) is None or abs(ahead) > MAX_OFFSET:
        raise InvalidValue(
            f"publish_at has the offset {offset}, which no zone has.",
            "Write the time and its zone.",
        )
    if name is None:
        return at
    local = moment(at, zone(name))
    if offset != "Z" and local.utcoffset() != at.utcoffset():
        raise InvalidValue(
            f"publish_at has the offset {offset}, but {name} is at {offset_of(local)} then.",
            f"Drop the offset, or write {local.strftime('%Y-%m-%d %H:%M')}.",
        )
    return local


def _in_zone(naive: datetime, where: ZoneInfo) -> datetime:
    first = naive.replace(tzinfo=where, fold=0)
    second = naive.replace(tzinfo=where, fold=1)
    late = moment(first, timezone.utc)
    early = moment(second, timezone.utc)
    if early == late:
        return moment(first)
    shown = naive.strftime("%Y-%m-%d %H:%M")
    if late < early:
        raise InvalidValue(
            f"publish_at {shown} happens twice in {where.key}: the clocks are set back that night.",
            f"Write {shown}{offset_of(first)} for the first, or {shown}{offset_of(second)} for the second.",
        )
    raise InvalidValue(
        f"publish_at {shown} does not exist in {where.key}: the clocks are set forward over it.",
        f"Write {early.astimezone(where):%Y-%m-%d %H:%M} (before the change) or "
        f"{late.astimezone(where):%Y-%m-%d %H:%M} (after).",
    )


def offset_of(at: datetime) -> str:
    """Return the offset of a time as it is written: ``+02:00``."""
    return at.isoformat()[-len("+00:00") :]


def read_duration(name: str, written: str) -> timedelta:
    """Read a duration: ``15 minutes``, ``90s``, ``1h``; a number alone counts minutes."""
    seconds = arguments.seconds_of(written, "m")
    if seconds is None:
        raise InvalidValue(
            f"{name} is {written!r}, which is not a length of time.",
            "Write it like 15 minutes, 90 s or 1 h.",
        )
    if seconds > MAX_DURATION.total_seconds():
        raise InvalidValue(f"{name} is {written!r}.", f"Use at most {MAX_DURATION.days} days.")
    return timedelta(seconds=seconds)


def in_words(span: timedelta) -> str:
    """Return a duration in words: ``1 h 05 min``, ``40 s``."""
    seconds = round(span.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 120:
        return f"{minutes} min {seconds:02} s" if seconds else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} h {minutes:02} min" if minutes else f"{hours} h"
