"""Fill times into the text of a calendar: what is proposed for it, and what a person reads of that.

Nothing but this chooses times, and what is chosen stands in the file.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.calendar.file.edits import Fill, digest, zone_of_new
from airflow_provider_instagram.calendar.file.parser import Rules, parse_rows
from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.calendar.file.reader import read_rows
from airflow_provider_instagram.calendar.file.slots import read_slots
from airflow_provider_instagram.calendar.file.times import as_written, moment, named_zone
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.columns import AnyPost, Calendar
    from airflow_provider_instagram.calendar.file.entries import Row, Rows
    from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
    from airflow_provider_instagram.calendar.file.slots import Slot

#: A slot is at least so far ahead, for the preparation of its post, and at most so far.
AHEAD: Final = timedelta(hours=1)
HORIZON: Final = timedelta(days=366)
#: Where a draft that is put on a day looks for a time, if no slot is free: each quarter of an hour
#: from noon on.
QUARTER: Final = timedelta(minutes=15)
DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Proposed:
    """A time for a post.

    :param at: The time; None if there is none.
    """

    id: str
    at: datetime | None
    why: str

    def __str__(self) -> str:
        at = "no time" if self.at is None else f"{self.at:%a %Y-%m-%d %H:%M}"
        return f"{self.id}: {at}, {self.why}."


@dataclass
class AccountSlots:
    """The slots of an account, and the times that are taken.

    :param taken: The times of all its posts, in seconds since the epoch.
    """

    slots: Sequence[Slot]
    taken: list[float] = field(default_factory=list)
    min_spacing: timedelta = timedelta()

    def __post_init__(self) -> None:
        self.taken.sort()

    def first_free(self, after: datetime, until: datetime) -> datetime | None:
        """Return the first free slot between two times; None if there is none."""
        times = heapq.merge(*(slot.times(after, until) for slot in self.slots))
        return next(filter(self.has_room, times), None)

    def take(self, at: datetime) -> None:
        """Take a time for a post."""
        insort(self.taken, at.timestamp())

    def has_room(self, at: datetime) -> bool:
        """Return whether a time keeps its distance to the others."""
        at_s = at.timestamp()
        spacing_s = max(1.0, self.min_spacing.total_seconds())
        place = bisect_left(self.taken, at_s)
        beside = self.taken[max(0, place - 1) : place + 1]
        return all(abs(other - at_s) >= spacing_s for other in beside)


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
    text: str, location: str, files: CalendarFiles, now: datetime, rules: Rules
) -> Proposal:
    """Propose times for a calendar's text.

    :raises InvalidValue: If the text cannot be read.
    """
    rows = read_rows(text, location)
    calendar = parse_rows(rows, location, files, **rules)
    slots = {
        account: AccountSlots(own, _taken(calendar, account), calendar.min_spacing)
        for account, own in _slots(rows).items()
    }
    by_id = {row.text("id"): row for row in rows.rows}
    found = propose(dict(_wanted(rows, calendar)), slots, now)
    times = {one.id: _written(one.at, by_id[one.id], rows) for one in found if one.at is not None}
    fill = Fill(digest(text), times) if times else None
    return Proposal(fill, tuple(map(str, found)), len(found) - len(times))


def propose(
    wanted: Mapping[str, str], slots: Mapping[str, AccountSlots], now: datetime
) -> list[Proposed]:
    """Propose times. The same file and the same moment give the same proposal.

    Each post gets a free slot of its account. Posts of one account keep the order of the file.

    :param wanted: The accounts of the posts without a time, by post id in the order of the file.
    :param slots: The slots by account.
    """
    found = list[Proposed]()
    last = dict[str, datetime]()
    for post_id, account in wanted.items():
        own = slots.get(account)
        at = None
        if own is None:
            example = f"slots: {{{account}: [Mon 08:30, Thu 19:00]}}"
            why = f"{account} has no slots: write {example} at the head of the file"
        else:
            at = own.first_free(last.get(account, now + AHEAD), now + HORIZON)
            why = f"no slot is free within {HORIZON.days} days"
        if own is not None and at is not None:
            own.take(at)
            last[account] = at
            why = "the first free slot"
        found.append(Proposed(post_id, at, why))
    return found


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
    draft = calendar.draft(post_id)
    row = rows.of(post_id)
    if draft is None or row is None:
        raise InvalidValue(f"{post_id} is no draft any more.", "Look at the calendar again.")
    local = named_zone(row.text("timezone") or zone_of_new(calendar, text))
    begin = datetime.combine(day, time(), local)
    slots = _slots(rows).get(draft.account, ())
    taken = _taken(calendar, draft.account)
    own = AccountSlots(slots, taken, calendar.min_spacing)
    earliest = max(begin, now + AHEAD)
    at = own.first_free(earliest, begin + DAY - timedelta(minutes=1))
    quarter = begin.replace(hour=12)
    while at is None and quarter.date() == day:
        if quarter > earliest and own.has_room(moment(quarter)):
            at = quarter
        quarter += QUARTER
    if at is None:
        raise InvalidValue(
            f"{day:%Y-%m-%d} has no free time from noon on.",
            "Choose another day, or edit the time.",
        )
    return f"{at.astimezone(local):%Y-%m-%dT%H:%M}"


def _taken(calendar: Calendar, account: str) -> list[float]:
    """Return the times that posts and drafts of an account have, in seconds since the epoch."""
    posts: tuple[AnyPost, ...] = (*calendar.posts, *calendar.invalid, *calendar.drafts)
    times = [post.publish_at for post in posts if post.account == account]
    return [at.timestamp() for at in times if at is not None]


def _wanted(rows: Rows, calendar: Calendar) -> Iterator[tuple[str, str]]:
    """Yield the posts that need a time, each with its account."""
    ids = Counter(row.text("id") for row in rows.rows)
    without_file = {draft.id for draft in calendar.drafts if not draft.has_file}
    for row in rows.rows:
        post_id = row.text("id")
        written = row.values.get("publish_at")
        has_time = written is not None and bool(str(written.value or "").strip())
        if post_id and ids[post_id] == 1 and not has_time and post_id not in without_file:
            yield post_id, _own_or_shared("account", row, rows) or DEFAULT_CONN_ID


def _slots(rows: Rows) -> dict[str, tuple[Slot, ...]]:
    """Return the slots of the accounts that have any.

    :raises InvalidValue: If the slots as a whole cannot be read.
    """
    if rows.slots.problems:
        problem = rows.slots.problems[0]
        raise InvalidValue(problem.message, problem.remedy)
    return {account: own for account, own in read_slots(rows, []).items() if own}


def _own_or_shared(name: str, row: Row, rows: Rows) -> str:
    return (row if name in row.values else rows.defaults).text(name)


def _written(at: datetime, row: Row, rows: Rows) -> str:
    """Return a time as a post contains it: with a zone, unless that is the one of the post."""
    is_own = _own_or_shared("timezone", row, rows) == at.tzname()
    return as_written(at) if is_own else f"{as_written(at)} {at.tzname()}"
