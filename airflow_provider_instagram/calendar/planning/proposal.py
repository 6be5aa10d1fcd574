"""Which slots posts without a time get: a proposal. No Airflow, no files, no calls."""

from __future__ import annotations

import heapq
import re
from bisect import bisect_left, insort
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from itertools import count
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.calendar.file.times import zone_of

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.slots import Slot

#: A slot is at least so far ahead, for the preparation of its post, and at most so far.
AHEAD: Final = timedelta(hours=1)
HORIZON: Final = timedelta(days=366)
FIRST_FREE: Final = "the first free slot"
NO_SLOTS: Final = (
    "{account} has no slots: write slots: {{{account}: [Mon 08:30, Thu 19:00]}} at the head of the file, or give the "
    "command --slots"
)
LONGEST_ID: Final = 100
NUMBERED: Final = re.compile(r"(.+)-([2-9]|[1-9]\d+)")


@dataclass(frozen=True)
class Wanted:
    """A post that needs a time."""

    id: str
    account: str


@dataclass(frozen=True)
class Proposed:
    """A time for a post.

    :param at: The time; None if there is none.
    """

    id: str
    at: datetime | None
    why: str


@dataclass
class AccountSlots:
    """The slots of an account, and the times that are taken.

    :param taken: The times of all its posts, in seconds since the epoch.
    :param is_one_a_day: Whether a day that has a post of the account is taken.
    """

    slots: Sequence[Slot]
    taken: list[float] = field(default_factory=list)
    min_spacing: timedelta = timedelta()
    is_one_a_day: bool = True

    def __post_init__(self) -> None:
        self.taken.sort()

    def first_free(self, after: datetime, until: datetime) -> datetime | None:
        """Return the first free slot between two times; None if there is none."""
        times = heapq.merge(*(slot.times(after, until) for slot in self.slots))
        return next((at for at in times if self.has_room(at)), None)

    def take(self, at: datetime) -> None:
        """Take a time for a post."""
        insort(self.taken, at.timestamp())

    def has_room(self, at: datetime) -> bool:
        """Return whether a time keeps its distance to the others, and its day has room."""
        at_s, spacing_s, local = (
            at.timestamp(),
            max(1.0, self.min_spacing.total_seconds()),
            zone_of(at),
        )
        place = bisect_left(self.taken, at_s)
        if any(
            abs(other - at_s) < spacing_s for other in self.taken[max(0, place - 1) : place + 1]
        ):
            return False
        if not self.is_one_a_day:
            return True
        begin, end = (
            datetime.combine(at.date() + timedelta(days=day), time(), local).timestamp()
            for day in (0, 1)
        )
        return bisect_left(self.taken, end) == bisect_left(self.taken, begin)


def propose(
    wanted: Sequence[Wanted], slots: Mapping[str, AccountSlots], now: datetime
) -> list[Proposed]:
    """Propose times. The same file and the same moment give the same proposal.

    Each post gets a free slot of its account. Posts of one account keep the order of the file.

    :param wanted: The posts without a time, in the order of the file.
    :param slots: The slots by account.
    """
    found = list[Proposed]()
    for account in dict.fromkeys(one.account for one in wanted):
        post_ids = [one.id for one in wanted if one.account == account]
        if account in slots:
            found += _times(post_ids, slots[account], now)
        else:
            why = NO_SLOTS.format(account=account)
            found += [Proposed(post_id, None, why) for post_id in post_ids]
    return found


def _times(post_ids: Sequence[str], slots: AccountSlots, now: datetime) -> list[Proposed]:
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


def next_id(before: str, ids: Collection[str]) -> str:
    """Return an id after another one: ``hours-2`` after ``hours``, and ``hours-3`` after that.

    A number counts only if the file has the post without it: ``tip-3`` may be the third tip.
    """
    numbered = NUMBERED.fullmatch(before)
    name, first = (
        (numbered[1], int(numbered[2]) + 1) if numbered and numbered[1] in ids else (before, 2)
    )
    found = (f"{name[: LONGEST_ID - len(str(number)) - 1]}-{number}" for number in count(first))
    return next(one for one in found if one not in ids)
