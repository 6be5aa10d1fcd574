"""Fill times into the text of a calendar: what is proposed for it, and what a person reads of that.

Nothing but this chooses times, and what is chosen stands in the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.calendar.file.edits import Fill, digest, zone_of_new
from airflow_provider_instagram.calendar.file.parser import Rules, parse_rows
from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.calendar.file.reader import read_rows
from airflow_provider_instagram.calendar.file.rows import Row, Rows, Value
from airflow_provider_instagram.calendar.file.slots import Slot, read_slots, slots_of
from airflow_provider_instagram.calendar.file.times import as_written, moment, named_zone
from airflow_provider_instagram.calendar.planning.proposal import (
    AHEAD,
    AccountSlots,
    Proposed,
    Wanted,
    propose,
)
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
    from airflow_provider_instagram.calendar.file.model import AnyPost, Calendar

#: Where a draft that is put on a day looks for a time, if no slot is free: each quarter of an hour
#: from noon on.
QUARTER: Final = timedelta(minutes=15)
QUARTERS: Final = 48


@dataclass(frozen=True)
class Proposal:
    """What is to be written into a file, and a line for each post.

    :param fill: None if nothing is to be written.
    :param still_open: How many posts stay without a time.
    """

    fill: Fill | None
    lines: tuple[str, ...]
    still_open: int


def proposal_for(
    text: str,
    location: str,
    files: CalendarFiles,
    now: datetime,
    rules: Rules,
    *,
    more_slots: str = "",
) -> Proposal:
    """Propose times for a calendar's text.

    :param more_slots: The slots of accounts that have none in the file, such as ``Mon 08:30, Thu
        19:00``.
    :raises InvalidValue: If the text cannot be read.
    """
    rows = read_rows(text, location)
    calendar = parse_rows(rows, location, files, **rules)
    wanted = [*_wanted(rows, calendar)]
    slots = _slots(rows, {one.account for one in wanted}, more_slots)
    free = {
        account: AccountSlots(own, _taken(calendar, account), calendar.min_spacing)
        for account, own in slots.items()
    }
    by_id = {row.text("id"): row for row in rows.rows}
    found = propose(wanted, free, now)
    times = {one.id: _written(one.at, by_id[one.id], rows) for one in found if one.at is not None}
    fill = Fill(digest(text), times) if times else None
    still_open = sum(one.at is None for one in found)
    return Proposal(fill, tuple(map(_line, found)), still_open)


def time_on(
    day: date,
    post_id: str,
    text: str,
    location: str,
    files: CalendarFiles,
    now: datetime,
    rules: Rules,
) -> str:
    """Return the time that a draft gets on a day: the first free slot of its account, or else one from noon on.

    :return: The local time, as an edit of the page has it.
    :raises InvalidValue: If the day has no free time.
    """
    rows = read_rows(text, location)
    calendar = parse_rows(rows, location, files, **rules)
    if (draft := calendar.draft(post_id)) is None:
        raise InvalidValue(f"{post_id} is no draft any more.", "Look at the calendar again.")
    row = next(row for row in rows.rows if row.text("id") == post_id)
    local = named_zone(row.text("timezone") or zone_of_new(calendar, text))
    slots = _slots(rows, {draft.account}, "").get(draft.account, ())
    of = AccountSlots(
        slots, _taken(calendar, draft.account), calendar.min_spacing, is_one_a_day=False
    )
    begin = datetime.combine(day, time(), local)
    end = begin + timedelta(days=1) - timedelta(minutes=1)
    if (free := of.first_free(max(begin, now + AHEAD), end)) is not None:
        return f"{free.astimezone(local):%Y-%m-%dT%H:%M}"
    quarters = (begin.replace(hour=12) + number * QUARTER for number in range(QUARTERS))
    at = next(
        (
            at
            for at in quarters
            if at.date() == day and at > now + AHEAD and of.has_room(moment(at))
        ),
        None,
    )
    if at is None:
        raise InvalidValue(
            f"{day:%Y-%m-%d} has no free time from noon on.",
            "Choose another day, or edit the time.",
        )
    return f"{at:%Y-%m-%dT%H:%M}"


def _taken(calendar: Calendar, account: str) -> list[float]:
    """Return the times that posts and drafts of an account have, in seconds since the epoch."""
    times: tuple[AnyPost, ...] = (*calendar.posts, *calendar.invalid, *calendar.drafts)
    return [
        one.publish_at.timestamp()
        for one in times
        if one.account == account and one.publish_at is not None
    ]


def _wanted(rows: Rows, calendar: Calendar) -> Iterator[Wanted]:
    """Yield the posts that need a time."""
    ids = Counter(row.text("id") for row in rows.rows)
    without_file = {draft.id for draft in calendar.drafts if not draft.has_file}
    for row in rows.rows:
        post_id, written = row.text("id"), row.values.get("publish_at")
        has_time = written is not None and bool(str(written.value or "").strip())
        if post_id and ids[post_id] == 1 and not has_time and post_id not in without_file:
            yield Wanted(post_id, _own_or_shared("account", row, rows) or DEFAULT_CONN_ID)


def _slots(rows: Rows, accounts: set[str], more_slots: str) -> dict[str, tuple[Slot, ...]]:
    """Return the slots of some accounts.

    :raises InvalidValue: If the slots as a whole, or those of the command, cannot be read.
    """
    problems, zone_name = [*rows.slots.problems], rows.defaults.text("timezone") or None
    slots = {
        account: own for account, own in read_slots(rows, []).items() if own and account in accounts
    }
    for account in sorted(accounts - slots.keys()) if more_slots else ():
        slots[account] = slots_of(account, Value(more_slots, 0), zone_name, problems)
    if problems:
        raise InvalidValue(problems[0].message, problems[0].remedy)
    return slots


def _own_or_shared(name: str, row: Row, rows: Rows) -> str:
    return (row if name in row.values else rows.defaults).text(name)


def _written(at: datetime, row: Row, rows: Rows) -> str:
    """Return a time as a post contains it: with a zone, unless that is the one of the post."""
    is_own = _own_or_shared("timezone", row, rows) == at.tzname()
    return as_written(at) if is_own else f"{as_written(at)} {at.tzname()}"


def _line(one: Proposed) -> str:
    """Return what a person reads of a post."""
    at = "no time" if one.at is None else f"{one.at:%a %Y-%m-%d %H:%M}"
    return f"{one.id}: {at}, {one.why}."
