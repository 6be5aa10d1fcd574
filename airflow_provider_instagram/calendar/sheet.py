"""A spreadsheet's CSV export as a calendar: its own column names and dates, made ours once."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from airflow_provider_instagram.calendar.faults import Fault, Refusal
from airflow_provider_instagram.calendar.model import KEYS
from airflow_provider_instagram.calendar.times import HALVES, WRITTEN

#: What people call the columns of such sheets, folded to small letters and single spaces.
NAMES = {
    "id": ("id", "post", "post id", "name", "title"),
    "date": ("date", "day", "publish date", "publishing date", "datum"),
    "time": ("time", "hour", "publish time", "publishing time", "uhrzeit"),
    "publish_at": ("publish at", "publish_at", "date and time", "date & time", "date/time", "datetime", "scheduled"),
    "timezone": ("timezone", "time zone", "tz"),
    "video": ("video", "file", "video file", "media", "asset", "link"),
    "caption": ("caption", "text", "copy", "post text"),
    "placement": ("placement", "format", "type"),
    "account": ("account", "channel", "profile", "connection"),
    "approval": ("approval", "approve"),
    "tags": ("tags", "labels", "campaign"),
}
COLUMNS = {name: ours for ours, names in NAMES.items() for name in names}
ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
OTHER = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})")
TIME = re.compile(r"(\d{1,2})[:.h](\d{2})(?::(\d{2}))?(?:\s*(am|pm|uhr)\b)?", re.IGNORECASE)
#: What a spreadsheet adds to a date that has no time of its own, and to a time of whole seconds.
MIDNIGHT = re.compile(r"0?0:00(:00)?")
FRACTION = re.compile(r"(?<=:\d\d)\.0+(?!\d)")
BETWEEN = " ,T\t\n"
Order = Literal["day-first", "month-first"]


@dataclass(frozen=True)
class Imported:
    """A calendar made of a sheet.

    :param text: The calendar, as YAML.
    :param posts: How many posts it has.
    :param left_out: Columns that no post has a place for.
    :param faults: Rows that no post can be made of.
    """

    text: str
    posts: int
    left_out: tuple[str, ...]
    faults: tuple[Fault, ...]


def imported(text: str, *, timezone: str | None, account: str | None, order: Order | None) -> Imported:
    """Read the CSV export of a spreadsheet.

    :param text: The CSV.
    :param timezone: The zone of times that name none.
    :param account: The connection of posts that name none.
    :param order: How dates such as 3/4/2027 are meant.
    :raises Refusal: When nothing of it can be read.
    """
    separator = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    titles = next(reader, [])
    columns = [_column(title) for title in titles]
    if "video" not in columns:
        raise Refusal(f"no column of {', '.join(titles) or 'the sheet'} holds the videos.", "Name one of them video.")
    posts, ids, faults, line = [], set[str](), [], reader.line_num + 1
    for cells in reader:
        row = {ours: cell.strip() for ours, cell in zip(columns, cells, strict=False) if ours and cell.strip()}
        try:
            if row:
                posts.append(_post(row, ids, order))
        except Refusal as refusal:
            faults.append(Fault(line, refusal.message, refusal.remedy))
        line = reader.line_num + 1
    defaults = {name: value for name, value in (("timezone", timezone), ("account", account)) if value}
    document: dict[str, Any] = {"defaults": defaults, "posts": posts} if defaults else {"posts": posts}
    body = yaml.dump(document, Dumper=_Readable, sort_keys=False, allow_unicode=True)
    left_out = tuple(title for title, ours in zip(titles, columns, strict=True) if ours is None and title)
    return Imported(body, len(posts), left_out, tuple(faults))


def _column(title: str) -> str | None:
    folded = " ".join(title.lower().split())
    return COLUMNS.get(folded) or (folded if folded in KEYS else COLUMNS.get(folded.replace("_", " ")))


def _post(row: dict[str, str], ids: set[str], order: Order | None) -> dict[str, str]:
    at = _publish_at(row, order)
    given = row.pop("id", "") or f"{at[:10]}-{row.get('caption', '')}"
    post_id = base = _slug(given) or "post"
    number = 2
    while post_id in ids:
        post_id, number = f"{base}-{number}", number + 1
    ids.add(post_id)
    return {"id": post_id, "publish_at": at, **row}


def _publish_at(row: dict[str, str], order: Order | None) -> str:
    """Take the time out of a row and write it as a calendar does; what is written so already stays as it is."""
    whole, day, hour = row.pop("publish_at", ""), row.pop("date", ""), row.pop("time", "")
    if whole and day:
        raise Refusal(f"both {day!r} and {whole!r} say when.", "Leave one of the two cells empty.")
    written = FRACTION.sub("", whole or day)
    found = None if hour else WRITTEN.fullmatch(written)
    if found and (found["zone"] or "").lower() not in HALVES:
        return written
    date, rest = _date(written, order)
    if hour and not MIDNIGHT.fullmatch(rest):
        _refuse_more(written, rest)
    return f"{date} {_time(hour or rest, hour or written)}"


def _date(written: str, order: Order | None) -> tuple[str, str]:
    """Read a date, and give what stands beside it."""
    if found := ISO.search(written):
        year, month, day = (int(part) for part in found.groups())
    elif found := OTHER.search(written):
        first, second, year = (int(part) for part in found.groups())
        if order is None and first <= 12 and second <= 12 and first != second and "." not in found[0]:
            raise Refusal(
                f"{written!r} may be either day or month first.", "Say --dates day-first or --dates month-first."
            )
        month_first = order == "month-first" or (order is None and second > 12)
        day, month = (second, first) if month_first else (first, second)
    else:
        raise Refusal(f"{written!r} is no date.", "Write it like 2026-12-24.")
    return f"{year:04}-{month:02}-{day:02}", _without(written, found)


def _time(text: str, written: str) -> str:
    """Read a time of day.

    :param text: What is left of the cell when its date is read.
    :param written: The cell.
    """
    found = TIME.search(text)
    if found is None:
        raise Refusal(f"{written!r} says no time of day.", "Write it like 18:00.")
    _refuse_more(written, _without(text, found))
    hour, half = int(found[1]), (found[4] or "").lower()
    if half in HALVES:
        hour = hour % 12 + (12 if half == "pm" else 0)
    return f"{hour:02}:{found[2]}" + (f":{found[3]}" if found[3] else "")


def _without(text: str, found: re.Match[str]) -> str:
    return f"{text[: found.start()]} {text[found.end() :]}".strip(BETWEEN)


def _refuse_more(written: str, more: str) -> None:
    """Drop nothing that stands beside date and time: it may be the zone."""
    if more:
        raise Refusal(
            f"{written!r} says more than a date and a time: {more!r}.",
            "Take it out; a zone belongs into a column timezone, like Europe/Berlin.",
        )


def _slug(text: str) -> str:
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._]+", "-", ascii_text).strip("-._").lower()[:40].rstrip("-._")


class _Readable(yaml.SafeDumper):
    """Writes texts of several lines as people would."""


def _text(dumper: yaml.SafeDumper, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _text)
