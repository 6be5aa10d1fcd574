"""A table as a calendar: a CSV file, or an https address of a spreadsheet that answers CSV and stays the plan."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, get_args

from airflow.sdk import conf

from airflow_provider_instagram.calendar.file.columns import CALENDAR_FIELDS
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
    from collections.abc import Mapping

    import httpx

    from airflow_provider_instagram.calendar.file.entries import Rows

#: How long a sheet may take to answer. Airflow ends the import of a DAG file after 30 s
#: (``dagbag_import_timeout``).
TIMEOUT_S: Final = 5.0
#: The key of ``defaults`` that says how to read dates such as 3/4/2027.
DATES: Final = "dates"


@dataclass(frozen=True)
class SheetForm:
    """How the DAG's author reads a sheet.

    :param columns: The field of each column whose title is not in :data:`COLUMNS`.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)

    def rows(self, text: str) -> Rows:
        """Return the rows of a sheet."""
        defaults = {name: value for name, value in self.defaults.items() if name != DATES}
        sheet = import_sheet(text, self._reading, defaults)
        unnamed = sheet.lines_with_dated_id
        message = "its title is not unique, so it has no id that would stay the same."
        problems = [Problem(line, message, "Add a column id.") for line in unnamed]
        rows = [row for row in sheet.rows.rows if row.line not in unnamed]
        return replace(sheet.rows, rows=rows, problems=[*sheet.problems, *problems])

    def check_columns(self, text: str, before: str) -> None:
        """Check that a sheet has each column that its posts were read from.

        :param before: The last text of the sheet that could be read.
        :raises InvalidValue: If it lacks one, as after its title was changed.
        """
        known = read_table(before, self._reading.field_of)
        found = read_table(text, self._reading.field_of)
        used = set[str]().union(*(row.values for row in known.rows))
        missing = [
            title
            for title, name in zip(known.titles, known.names, strict=True)
            if name in used and name not in found.names
        ]
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
        order: Any = self.defaults.get(DATES)
        return SheetReading(self.columns, order)


def read_sheet(address: str) -> str:
    """Read a sheet.

    :raises InvalidValue: If it cannot be read, with a message that is the same while its server is
        down.
    """
    from airflow_provider_instagram.files.download import is_temporary, read_web

    try:
        answer = read_web(address, _trusted, max_bytes=MAX_BYTES, total_s=TIMEOUT_S)
    except TransientError as error:
        raise _outage(address, error.message) from None
    except InstagramError as error:
        raise InvalidValue(
            f"the sheet {shown(address)} is not read: {error.message}", error.hint or ""
        ) from None
    if is_temporary(answer.status):
        raise _outage(address, f"It answers {answer.status}.")
    if answer.status != 200 or "html" in answer.headers.get("content-type", ""):
        raise InvalidValue(
            f"the sheet {shown(address)} answers {answer.status}, and no CSV.",
            "Publish it as CSV (in Google Sheets: File, Share, Publish to web), and use that link.",
        )
    return as_text(answer.body)


def _outage(address: str, why: str) -> InvalidValue:
    return InvalidValue(
        f"the sheet {shown(address)} does not answer.", f"{why} Its posts go out as it was before."
    )


def _trusted(address: httpx.URL) -> httpx.URL:
    """Return the address of a sheet, or of a redirect, if the deployment trusts its host."""
    origin = Origin.of(str(address))
    hosts = conf.get("instagram", "calendar_hosts", fallback="").split(",")
    if origin is not None and any(_covers(host.strip(), origin) for host in hosts if host.strip()):
        return address
    raise ValidationError(
        f"{origin or 'its address'} is not a host that this Airflow trusts with calendars.",
        hint="Add it to [instagram] calendar_hosts in Airflow's configuration.",
    )


def _covers(host: str, origin: Origin) -> bool:
    from airflow_provider_instagram.graph.origin import TrustedHost

    if host.startswith("*."):
        return origin.scheme == "https" and origin.host.endswith(host[1:].lower())
    return TrustedHost.read(host, "calendar_hosts").covers(origin)


def wrong_column(columns: Mapping[str, str]) -> str | None:
    """Return the remedy for ``columns`` of a DAG; None if they are valid."""
    for meaning in columns.values():
        if meaning not in MEANINGS:
            return f"{meaning!r} is not what a column can mean: {', '.join(sorted(MEANINGS))}."
    return None


def wrong_default(defaults: Mapping[str, str]) -> str | None:
    """Return the remedy for ``defaults`` of a DAG; None if they are valid."""
    for name in defaults:
        if name != DATES and name not in CALENDAR_FIELDS:
            return f"{name!r} is not a field of a post."
    if defaults.get(DATES) not in (None, *get_args(DateOrder)):
        return f"Use one of {', '.join(get_args(DateOrder))}."
    return None
