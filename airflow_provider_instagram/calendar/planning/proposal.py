"""Which slots posts without a time get, and when posts are repeated: a proposal. No Airflow, no files, no calls."""

from __future__ import annotations

import heapq
import re
from bisect import bisect_left, insort
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from airflow_provider_instagram.calendar.file.times import in_words, later, zone_of

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.slots import Slot

#: A slot is at least so far ahead, for the preparation of its post, and at most so far.
AHEAD: Final = timedelta(hours=1)
HORIZON: Final = timedelta(days=366)
#: How far ahead the next entries of posts that repeat are written.
REPEATS_WITHIN: Final = timedelta(days=14)
FIRST_FREE: Final = "the first free slot"
NO_SLOTS: Final = (
    "{account} has no slots: write slots: {{{account}: [Mon 08:30, Thu 19:00]}} at the head of the file, or give the "
    "command --slots"
)
LONGEST_ID: Final = 100
NUMBERED: Final = re.compile(r"(.+)-([2-9]|[1-9]\d+)")


@dataclass(frozen=True)
class Wanted:
    """A post that needs a time, or that is repeated.

    :param at: Its time; None if it has none.
    """

    id: str
    account: str
    at: datetime | None = None
    repeat_after: timedelta | None = None


@dataclass(frozen=True)
class Proposed:
    """A time for a post, or for a new entry that repeats one.

    :param at: The time; None if there is none.
    :param repeats: The id of the post in the file that a new entry repeats.
    """

    id: str
    at: datetime | None
    why: str
    repeats: str = ""


@dataclass
class AccountSlots:
    """The slots of an account, and the times that are taken.

    :param taken: The times of all its posts, in seconds since the epoch.
    :param per_day: How many posts a day the account has at most.
    """

    slots: Sequence[Slot]
    taken: list[float] = field(default_factory=list)
    min_spacing: timedelta = timedelta()
    per_day: int = 1

    def __post_init__(self) -> None:
        self.taken.sort()

    def first_free(self, after: datetime, until: datetime) -> datetime | None:
        """Return the first free slot between two times; None if there is none."""
        times = heapq.merge(*(slot.times(after, until) for slot in self.slots))
        return next((at for at in times if self.has_room(at)), None)

    def take(self, at: datetime) -> None:
        """Let a post have a time."""
        insort(self.taken, at.timestamp())

    def has_room(self, at: datetime) -> bool:
        """Return whether a time keeps its distance to the others, and its day has room."""
        at_s, spacing_s, local = at.timestamp(), max(1.0, self.min_spacing.total_seconds()), zone_of(at)
        place = bisect_left(self.taken, at_s)
        if any(abs(other - at_s) < spacing_s for other in self.taken[max(0, place - 1) : place + 1]):
            return False
        begin, end = (datetime.combine(at.date() + timedelta(days=day), time(), local).timestamp() for day in (0, 1))
        return bisect_left(self.taken, end) - bisect_left(self.taken, begin) < self.per_day


def propose(
    wanted: Sequence[Wanted],
    slots: Mapping[str, AccountSlots],
    now: datetime,
    ids: Collection[str],
    repeats_within: timedelta = REPEATS_WITHIN,
) -> list[Proposed]:
    """Propose times. The same file and the same moment give the same proposal.

    1. Each post without a time gets a free slot of its account. Posts of one account keep the order of the file.
    2. Posts that repeat get the slots that are still free: of two, the one whose pause has ended first.

    :param wanted: The posts, in the order of the file.
    :param slots: The slots by account.
    :param ids: The ids that the file has already.
    """
    found, until, known = list[Proposed](), now + repeats_within, {*ids}
    for account in dict.fromkeys(one.account for one in wanted):
        own = [one for one in wanted if one.account == account]
        open_ids = [one.id for one in own if one.at is None]
        times = {one.id: one.at for one in own if one.at is not None}
        if (of := slots.get(account)) is None:
            due = [turn.post.id for turn in _turns(own, times) if turn.due <= until]
            why = NO_SLOTS.format(account=account)
            found += [Proposed(post_id, None, why) for post_id in open_ids]
            found += [Proposed(post_id, None, why, post_id) for post_id in due]
            continue
        firsts = _first_times(open_ids, of, now)
        times |= {one.id: one.at for one in firsts if one.at is not None}
        found += [*firsts, *_repetitions(_turns(own, times), of, now, until, known)]
    return found


def _first_times(post_ids: Sequence[str], slots: AccountSlots, now: datetime) -> list[Proposed]:
    found, after = list[Proposed](), now + AHEAD
    for post_id in post_ids:
        at = slots.first_free(after, now + HORIZON)
        if at is None:
            found.append(Proposed(post_id, None, f"no slot is free within {HORIZON.days} days"))
            continue
        slots.take(at)
        found.append(Proposed(post_id, at, FIRST_FREE))
        after = at
    return found


class _Turn(NamedTuple):
    """When a post is repeated again; of two at one time, the one that comes first in the file."""

    due: datetime
    place: int
    before: str
    post: Wanted
    span: timedelta


def _turns(own: Sequence[Wanted], times: Mapping[str, datetime]) -> list[_Turn]:
    return [
        _Turn(later(times[one.id], one.repeat_after), place, one.id, one, one.repeat_after)
        for place, one in enumerate(own)
        if one.repeat_after is not None and one.id in times
    ]


def _repetitions(
    turns: list[_Turn], slots: AccountSlots, now: datetime, until: datetime, ids: set[str]
) -> Iterator[Proposed]:
    """Yield the next entries of posts that repeat, up to a time."""
    heapq.heapify(turns)
    while turns and turns[0].due <= until:
        due, place, before, post, span = heapq.heappop(turns)
        at = slots.first_free(max(due, now + AHEAD), until)
        if at is None:
            yield Proposed(before, None, f"no slot is free until {until:%Y-%m-%d}", post.id)
            continue
        ids.add(post_id := next_id(before, ids))
        slots.take(at)
        yield Proposed(post_id, at, f"{in_words(span)} after {before}, {FIRST_FREE}", post.id)
        heapq.heappush(turns, _Turn(later(at, span), place, post_id, post, span))


def next_id(before: str, ids: Collection[str]) -> str:
    """Return the id of the entry that repeats another one: ``hours-2`` after ``hours``, and ``hours-3`` after that.

    A number counts only if the file has the post without it: ``tip-3`` may be the third tip.
    """
    numbered = NUMBERED.fullmatch(before)
    name, first = (numbered[1], int(numbered[2]) + 1) if numbered and numbered[1] in ids else (before, 2)
    found = (f"{name[: LONGEST_ID - len(str(number)) - 1]}-{number}" for number in count(first))
    return next(one for one in found if one not in ids)
