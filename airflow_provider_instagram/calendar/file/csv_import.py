"""A spreadsheet's CSV export as a calendar: its column names and dates are converted once."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from airflow_provider_instagram.calendar.file.csv_reader import read_table
from airflow_provider_instagram.calendar.file.model import CALENDAR_FIELDS
from airflow_provider_instagram.calendar.file.post_parser import items_in
from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.file.rows import Row, Rows, Value
from airflow_provider_instagram.calendar.file.times import AM_PM, DATE_AND_TIME
from airflow_provider_instagram.calendar.file.yaml_reader import STAND_INS
from airflow_provider_instagram.posts.kinds import ItemKind, PostKind, kind_by_name
from airflow_provider_instagram.posts.post import MEDIA

#: A column such as "File" may hold a video, a picture or several of them.
ANY_MEDIA = "media"
#: What a post shows, by the word of a sheet for its format. The other words are placements.
SHOWN = {PostKind.PICTURE: ItemKind.PICTURE, PostKind.CAROUSEL: PostKind.CAROUSEL}
FEED = ("feed", "post", "feed post")
#: Titles of columns in such sheets, by field, in lower case and with single spaces.
NAMES = {
    "title": ("title", "name", "post"),
    "date": ("date", "day", "publish date", "publishing date", "datum"),
    "time": ("time", "hour", "publish time", "publishing time", "uhrzeit"),
    ANY_MEDIA: ("media", "file", "files", "asset", "assets", "creative", "link"),
    **{name: about.titles for name, about in CALENDAR_FIELDS.items()},
}
COLUMNS = {title: field for field, titles in NAMES.items() for title in titles}
ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
OTHER = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})")
TIME = re.compile(r"(\d{1,2})[:.h](\d{2})(?::(\d{2}))?(?:\s*(am|pm|uhr)\b)?", re.IGNORECASE)
#: What a spreadsheet adds to a date without a time, and to a time of whole seconds.
MIDNIGHT = re.compile(r"0?0:00(:00)?")
FRACTION = re.compile(r"(?<=:\d\d)\.0+(?!\d)")
BETWEEN = " ,T\t\n"
Order = Literal["day-first", "month-first"]


@dataclass(frozen=True)
class Imported:
    """A calendar that was converted from a sheet.

    :param ignored_columns: Columns that are not fields of a post.
    :param lines_with_dated_id: Lines of the rows whose ids contain their date, because their titles are not unique.
    """

    rows: Rows
    ignored_columns: tuple[str, ...]
    lines_with_dated_id: tuple[int, ...]
    problems: tuple[Problem, ...]

    @property
    def text(self) -> str:
        """The calendar, as YAML."""
        defaults, posts = _texts(self.rows.defaults), [_texts(row) for row in self.rows.rows]
        document: dict[str, Any] = {"defaults": defaults, "posts": posts} if defaults else {"posts": posts}
        return str(yaml.dump(document, Dumper=_Readable, sort_keys=False, allow_unicode=True))


def import_sheet(
    text: str, *, defaults: Mapping[str, str], order: Order | None, columns: Mapping[str, str] | None = None
) -> Imported:
    """Read the CSV export of a spreadsheet.

    :param order: How to read dates such as 3/4/2027.
    :param columns: What columns mean, by their titles. Titles that are missing here mean what :data:`NAMES` says.
    """
    own = {_folded(title): field for title, field in (columns or {}).items()}
    table = read_table(text, lambda title: own.get(_folded(title)) or _column(_folded(title)))
    if not {*MEDIA, ANY_MEDIA} & {*table.names}:
        raise InvalidValue(
            f"no column is named video, image or carousel. The columns are: {', '.join(table.titles) or 'none'}.",
            "Rename one of them.",
        )
    drafts, problems = [], list(table.problems)
    for row in table.rows:
        cells = {name: str(value.value).strip() for name, value in row.values.items()}
        problems += row.problems
        try:
            drafts.append(_Draft(row.line, _publish_at(cells, order), _with_media(cells)))
        except InvalidValue as invalid:
            problems.append(Problem(row.line, invalid.message, invalid.remedy))
    lines_with_dated_id = _assign_ids(drafts)
    rows = Rows([_row(draft.line, draft.post) for draft in drafts], _row(0, defaults))
    titles = zip(table.titles, table.names, strict=True)
    ignored_columns = tuple(title for title, name in titles if name is None and title)
    return Imported(rows, ignored_columns, lines_with_dated_id, tuple(problems))


def _texts(row: Row) -> dict[str, str]:
    return {name: value.value for name, value in row.values.items()}


def _row(line: int, values: Mapping[str, str]) -> Row:
    return Row(line, {name: Value(value, line) for name, value in values.items()})


@dataclass
class _Draft:
    """A row of the sheet that becomes a post, with its time as a calendar contains it."""

    line: int
    at: str
    cells: dict[str, str]
    id: str = ""

    @property
    def post(self) -> dict[str, str]:
        """Return the post in the form of a calendar."""
        rest = {name: cell for name, cell in self.cells.items() if name not in ("id", "title")}
        return {"id": self.id, "publish_at": self.at, **rest}


def _assign_ids(drafts: list[_Draft]) -> tuple[int, ...]:
    """Set the ids, and return the lines of the rows whose ids contain their date.

    No id depends on the position of its row, because the id keeps a post from being published twice. Rows with the
    same title differ in their date, and those of one day in their time. Rows that differ in neither keep one id.
    """
    for draft in drafts:
        given = draft.cells.get("id", "")
        draft.id = _slug(given) or given or _slug(draft.cells.get("title", ""))
    lines_with_dated_id = set()
    for length in (len("2030-12-24"), len("2030-12-24 18:00")):
        times = Counter(draft.id for draft in drafts)
        for draft in drafts:
            if "id" not in draft.cells and (not draft.id or times[draft.id] > 1):
                text = draft.cells.get("title") or draft.cells.get("caption", "")
                draft.id = _slug(f"{draft.at[:length].replace(':', '')} {text}")
                lines_with_dated_id.add(draft.line)
    return tuple(sorted(lines_with_dated_id))


def _folded(title: str) -> str:
    return " ".join(title.lower().split())


def _column(folded: str) -> str | None:
    return COLUMNS.get(folded) or (folded if folded in CALENDAR_FIELDS else COLUMNS.get(folded.replace("_", " ")))


def _with_media(cells: dict[str, str]) -> dict[str, str]:
    """Return a row in which a calendar's fields contain the media, and what was in the field ``media``."""
    word = " ".join(cells.get("placement", "").lower().split())
    kind = next((kind for kind in PostKind if word in (kind, *kind.other_words)), None)
    shown = ItemKind.VIDEO if word == ItemKind.VIDEO else SHOWN.get(kind) if kind else None
    placement = PostKind.PICTURE.placement if word in FEED else kind.placement if kind else None
    row = {name: cell for name, cell in cells.items() if name != ANY_MEDIA}
    if shown is not None:
        del row["placement"]
    elif placement is not None:
        row["placement"] = placement
    if (written := cells.get(ANY_MEDIA)) is not None:
        if given := [name for name in MEDIA if name in row]:
            raise InvalidValue(
                f"the row names {written!r}, and also {row[given[0]]!r} in a column for {given[0]}.",
                "Leave one of the two cells empty.",
            )
        row[str(shown or _field_of(written))] = written
    return row


def _field_of(written: str) -> str:
    """Return the field for a cell by the names in it. A name may contain a comma, as many links do."""
    try:
        kinds = [kind_by_name(str(item)) for item in items_in(written)]
    except InvalidValue:
        return ItemKind.VIDEO
    if len(kinds) > 1 and all(kinds):
        return PostKind.CAROUSEL
    return kind_by_name(written) or ItemKind.VIDEO


def _publish_at(row: dict[str, str], order: Order | None) -> str:
    """Remove the time from a row and return it as a calendar contains it. A time in that form is not changed."""
    whole, day, hour = row.pop("publish_at", ""), row.pop("date", ""), row.pop("time", "")
    if whole and day:
        raise InvalidValue(f"the row has two times: {day!r} and {whole!r}.", "Leave one of the two cells empty.")
    written = FRACTION.sub("", whole or day)
    found = None if hour else DATE_AND_TIME.fullmatch(written)
    if found and (found["zone"] or "").lower() not in AM_PM:
        return written
    date, rest = _date(written, order)
    if hour and not MIDNIGHT.fullmatch(rest):
        _check_nothing_left(written, rest)
    return f"{date} {_time(hour or rest, hour or written)}"


def _date(written: str, order: Order | None) -> tuple[str, str]:
    if found := ISO.search(written):
        year, month, day = (int(part) for part in found.groups())
    elif found := OTHER.search(written):
        first, second, year = (int(part) for part in found.groups())
        if order is None and first <= 12 and second <= 12 and first != second and "." not in found[0]:
            raise InvalidValue(
                f"{written!r} can be read day first or month first.",
                "Give --dates day-first or --dates month-first. In a DAG: defaults={'dates': …}.",
            )
        month_first = order == "month-first" or (order is None and second > 12)
        day, month = (second, first) if month_first else (first, second)
    else:
        raise InvalidValue(f"{written!r} is not a date.", "Write it like 2026-12-24.")
    return f"{year:04}-{month:02}-{day:02}", _without(written, found)


def _time(text: str, written: str) -> str:
    """Read a time of day.

    :param text: The rest of the cell after its date.
    :param written: The cell.
    """
    found = TIME.search(text)
    if found is None:
        raise InvalidValue(f"{written!r} has no time of day.", "Write it like 18:00.")
    _check_nothing_left(written, _without(text, found))
    hour, half = int(found[1]), (found[4] or "").lower()
    if half in AM_PM:
        hour = hour % 12 + (12 if half == "pm" else 0)
    return f"{hour:02}:{found[2]}" + (f":{found[3]}" if found[3] else "")


def _without(text: str, found: re.Match[str]) -> str:
    return f"{text[: found.start()]} {text[found.end() :]}".strip(BETWEEN)


def _check_nothing_left(written: str, more: str) -> None:
    """Check that nothing is left beside the date and the time. It may be the time zone, so it must not be dropped."""
    if more:
        raise InvalidValue(
            f"{written!r} contains more than a date and a time: {more!r}.",
            "Remove it. Put a time zone into a column named timezone, like Europe/Berlin.",
        )


def _slug(text: str) -> str:
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._]+", "-", ascii_text).strip("-._").lower()[:40].rstrip("-._")


class _Readable(yaml.SafeDumper):
    """Writes texts of several lines in YAML's readable form."""


def _text(dumper: yaml.SafeDumper, text: str) -> Any:
    style = '"' if any(chr(sign) in text for sign in STAND_INS) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Readable.add_representer(str, _text)
