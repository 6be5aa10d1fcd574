"""A spreadsheet as a calendar: its CSV export, or an https address that answers CSV and stays the plan."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

import yaml
from airflow.sdk import conf

from airflow_provider_instagram.calendar.file.model import CALENDAR_FIELDS
from airflow_provider_instagram.calendar.file.post_parser import items_in
from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.file.reader import MAX_BYTES, STAND_INS, as_text, read_table
from airflow_provider_instagram.calendar.file.rows import Row, Rows, Value
from airflow_provider_instagram.calendar.file.times import AM_PM, DATE_AND_TIME
from airflow_provider_instagram.exceptions import InstagramError, TransientError, ValidationError
from airflow_provider_instagram.posts.kinds import ItemKind, PostKind, kind_by_name
from airflow_provider_instagram.posts.post import MEDIA
from airflow_provider_instagram.utils.addresses import Origin
from airflow_provider_instagram.utils.locations import shown

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
#: How long a sheet may take to answer. Airflow ends the import of a DAG file after 30 s (``dagbag_import_timeout``).
TIMEOUT_S: Final = 5.0
TEMPORARY: Final = (408, 425, 429)
#: What a column of a sheet may mean.
MEANINGS: Final = frozenset((*COLUMNS.values(), *CALENDAR_FIELDS))
#: The key of ``defaults`` that says how to read dates such as 3/4/2027.
DATES: Final = "dates"


@dataclass(frozen=True)
class SheetForm:
    """How the DAG's author reads a sheet.

    :param columns: The field of each column whose title is not one that ``calendar import`` knows.
    """

    columns: tuple[tuple[str, str], ...] = ()
    defaults: tuple[tuple[str, str], ...] = ()

    def rows(self, text: str) -> Rows:
        """Return the rows of a sheet."""
        defaults = dict(self.defaults)
        order: Any = defaults.pop(DATES, None)
        sheet = import_sheet(text, defaults=defaults, order=order, columns=dict(self.columns))
        unnamed = {*sheet.lines_with_dated_id}
        problems = [
            Problem(line, "its title is not unique, so it has no id that would stay the same.", "Add a column id.")
            for line in sheet.lines_with_dated_id
        ]
        rows = [row for row in sheet.rows.rows if row.line not in unnamed]
        return replace(sheet.rows, rows=rows, problems=[*sheet.problems, *problems])


@dataclass(frozen=True)
class SheetText:
    """The text of a sheet, and what its server says of this version.

    :param headers: The headers that ask the server for another version only.
    """

    text: str
    headers: tuple[tuple[str, str], ...] = ()


def read_sheet(address: str, known: SheetText | None) -> SheetText:
    """Read a sheet, or return the known version if the server says that it has not changed.

    :raises InvalidValue: If it cannot be read, with a message that is the same while its server is down.
    """
    from airflow_provider_instagram.files.download import read_web

    headers = dict(known.headers) if known is not None else {}
    try:
        answer = read_web(address, headers, _check_trusted, max_bytes=MAX_BYTES, total_s=TIMEOUT_S)
    except TransientError as error:
        raise _outage(address, error.message) from None
    except InstagramError as error:
        raise InvalidValue(f"the sheet {shown(address)} is not read: {error.message}", error.hint or "") from None
    if answer.status == 304 and known is not None:
        return known
    if answer.status >= 500 or answer.status in TEMPORARY:
        raise _outage(address, f"It answers {answer.status}.")
    if answer.status != 200 or "html" in answer.headers.get("content-type", ""):
        raise InvalidValue(
            f"the sheet {shown(address)} answers {answer.status}, and no CSV.",
            "Publish it as CSV (in Google Sheets: File, Share, Publish to web), and use that link.",
        )
    sent = {"If-None-Match": "etag", "If-Modified-Since": "last-modified"}
    found = tuple((ours, answer.headers.get(name, "")) for ours, name in sent.items())
    # A header that cannot be sent back would end each later look.
    usable = tuple((ours, value) for ours, value in found if value and value.isascii() and value.isprintable())
    return SheetText(as_text(answer.body), usable)


def _outage(address: str, why: str) -> InvalidValue:
    return InvalidValue(f"the sheet {shown(address)} does not answer.", f"{why} Its posts go out as it was before.")


def _check_trusted(address: str) -> None:
    """Check that the deployment trusts the host of a sheet, or of a redirect."""
    from airflow_provider_instagram.graph.origin import TrustedHost

    origin = Origin.of(address)
    for entry in filter(None, (one.strip() for one in conf.get("instagram", "calendar_hosts", fallback="").split(","))):
        if origin is None:
            break
        if entry.startswith("*."):
            if origin.scheme == "https" and origin.host.endswith(entry[1:].lower()):
                return
        elif TrustedHost.read(entry, "calendar_hosts").covers(origin):
            return
    raise ValidationError(
        f"{origin or 'its address'} is not a host that this Airflow trusts with calendars.",
        hint="Add it to [instagram] calendar_hosts in Airflow's configuration.",
    )


def invalid_form(name: str, value: Any) -> str | None:
    """Return what is wrong with ``columns`` or ``defaults`` of a DAG, as a remedy; None if nothing is."""
    if not isinstance(value, dict) or not all(isinstance(one, str) for pair in value.items() for one in pair):
        return "Give a dict of texts."
    if name == "columns":
        wrong = [field for field in value.values() if field not in MEANINGS]
        return f"{wrong[0]!r} is not what a column can mean: {', '.join(sorted(MEANINGS))}." if wrong else None
    if wrong := [field for field in value if field != DATES and field not in CALENDAR_FIELDS]:
        return f"{wrong[0]!r} is not a field of a post."
    return None if value.get(DATES) in (None, *get_args(Order)) else f"Use one of {', '.join(get_args(Order))}."


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
        defaults, *posts = (
            {name: value.value for name, value in row.values.items()} for row in (self.rows.defaults, *self.rows.rows)
        )
        document = {"defaults": defaults, "posts": posts} if defaults else {"posts": posts}
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
    drafts, problems = dict[int, dict[str, str]](), list(table.problems)
    for row in table.rows:
        cells = {name: str(value.value).strip() for name, value in row.values.items()}
        problems += row.problems
        try:
            drafts[row.line] = {"publish_at": _publish_at(cells, order), **_with_media(cells)}
        except InvalidValue as invalid:
            problems.append(Problem(row.line, invalid.message, invalid.remedy))
    ids, lines_with_dated_id = _ids(drafts)
    posts = [
        _row(line, {"id": ids[line], **{name: cell for name, cell in cells.items() if name not in ("id", "title")}})
        for line, cells in drafts.items()
    ]
    titles = zip(table.titles, table.names, strict=True)
    ignored_columns = tuple(title for title, name in titles if name is None and title)
    return Imported(Rows(posts, _row(0, defaults)), ignored_columns, lines_with_dated_id, tuple(problems))


def _row(line: int, values: Mapping[str, str]) -> Row:
    return Row(line, {name: Value(value, line) for name, value in values.items()})


def _ids(drafts: Mapping[int, Mapping[str, str]]) -> tuple[dict[int, str], tuple[int, ...]]:
    """Return the ids of the posts by line, and the lines of the rows whose ids contain their date.

    No id depends on the position of its row, because the id keeps a post from being published twice. Rows with the
    same title differ in their date, and those of one day in their time. Rows that differ in neither keep one id.
    """
    ids, lines_with_dated_id = {}, set()
    for line, cells in drafts.items():
        given = cells.get("id", "")
        ids[line] = _slug(given) or given or _slug(cells.get("title", ""))
    for length in (len("2030-12-24"), len("2030-12-24 18:00")):
        times = Counter(ids.values())
        for line, cells in drafts.items():
            if "id" not in cells and (not ids[line] or times[ids[line]] > 1):
                text = cells.get("title") or cells.get("caption", "")
                ids[line] = _slug(f"{cells['publish_at'][:length].replace(':', '')} {text}")
                lines_with_dated_id.add(line)
    return ids, tuple(sorted(lines_with_dated_id))


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
        return PostKind.CAROUSEL if written.lstrip().startswith("[") else ItemKind.VIDEO
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
    """Read the time of day in the part ``text`` of a cell."""
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
