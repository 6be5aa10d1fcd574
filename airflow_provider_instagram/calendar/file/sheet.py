"""A table as a calendar: a CSV file, or an https address of a spreadsheet that answers CSV and stays the plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, get_args

from airflow.sdk import conf

from airflow_provider_instagram.calendar.file.model import CALENDAR_FIELDS
from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.file.reader import MAX_BYTES, as_text, read_table
from airflow_provider_instagram.calendar.file.sheet_import import (
    MEANINGS,
    SheetReading,
    import_sheet,
)
from airflow_provider_instagram.calendar.file.sheet_times import DateOrder
from airflow_provider_instagram.exceptions import InstagramError, TransientError, ValidationError
from airflow_provider_instagram.utils.urls import Origin, shown

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.rows import Rows

#: How long a sheet may take to answer. Airflow ends the import of a DAG file after 30 s
#: (``dagbag_import_timeout``).
TIMEOUT_S: Final = 5.0
TEMPORARY: Final = (408, 425, 429)
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
        defaults.pop(DATES, None)
        sheet = import_sheet(text, defaults=defaults, reading=self._reading)
        unnamed = {*sheet.lines_with_dated_id}
        problems = [
            Problem(
                line,
                "its title is not unique, so it has no id that would stay the same.",
                "Add a column id.",
            )
            for line in sheet.lines_with_dated_id
        ]
        rows = [row for row in sheet.rows.rows if row.line not in unnamed]
        return replace(sheet.rows, rows=rows, problems=[*sheet.problems, *problems])

    def check_columns(self, text: str, before: str) -> None:
        """Check that a sheet has each column that its posts were read from.

        :param before: The last text of the sheet that could be read.
        :raises InvalidValue: If it lacks one, as after its title was changed.
        """
        known, found = (read_table(one, self._reading.field_of) for one in (before, text))
        used = {name for row in known.rows for name in row.values}
        titles = zip(known.titles, known.names, strict=True)
        missing = [title for title, name in titles if name in used and name not in found.names]
        if not missing:
            return
        new = [title for title in found.titles if title.strip() and title not in known.titles]
        message = f"the sheet has no column {', '.join(map(repr, missing))} any more."
        if new:
            message += f" New in it: {', '.join(map(repr, new))}."
        raise InvalidValue(
            message,
            "Give the column its title back, or name the new one in columns={…} in the DAG file. If the sheet is to be "
            "without it, start the DAG that plans it by hand.",
        )

    @property
    def _reading(self) -> SheetReading:
        order: Any = dict(self.defaults).get(DATES)
        return SheetReading(dict(self.columns), order)


@dataclass(frozen=True)
class SheetText:
    """The text of a sheet, and what its server says of this version.

    :param headers: The headers that ask the server for another version only.
    """

    text: str
    headers: tuple[tuple[str, str], ...] = ()


def read_sheet(address: str, known: SheetText | None) -> SheetText:
    """Read a sheet, or return the known version if the server says that it has not changed.

    :raises InvalidValue: If it cannot be read, with a message that is the same while its server is
        down.
    """
    from airflow_provider_instagram.files.download import read_web

    headers = dict(known.headers) if known is not None else {}
    try:
        answer = read_web(address, headers, _check_trusted, max_bytes=MAX_BYTES, total_s=TIMEOUT_S)
    except TransientError as error:
        raise _outage(address, error.message) from None
    except InstagramError as error:
        raise InvalidValue(
            f"the sheet {shown(address)} is not read: {error.message}", error.hint or ""
        ) from None
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
    usable = tuple(
        (ours, value) for ours, value in found if value and value.isascii() and value.isprintable()
    )
    return SheetText(as_text(answer.body), usable)


def _outage(address: str, why: str) -> InvalidValue:
    return InvalidValue(
        f"the sheet {shown(address)} does not answer.", f"{why} Its posts go out as it was before."
    )


def _check_trusted(address: str) -> None:
    """Check that the deployment trusts the host of a sheet, or of a redirect."""
    from airflow_provider_instagram.graph.origin import TrustedHost

    origin = Origin.of(address)
    for entry in filter(
        None,
        (one.strip() for one in conf.get("instagram", "calendar_hosts", fallback="").split(",")),
    ):
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
    if not isinstance(value, dict) or not all(
        isinstance(one, str) for pair in value.items() for one in pair
    ):
        return "Give a dict of texts."
    if name == "columns":
        wrong = [field for field in value.values() if field not in MEANINGS]
        return (
            f"{wrong[0]!r} is not what a column can mean: {', '.join(sorted(MEANINGS))}."
            if wrong
            else None
        )
    if wrong := [field for field in value if field != DATES and field not in CALENDAR_FIELDS]:
        return f"{wrong[0]!r} is not a field of a post."
    return (
        None
        if value.get(DATES) in (None, *get_args(DateOrder))
        else f"Use one of {', '.join(get_args(DateOrder))}."
    )
