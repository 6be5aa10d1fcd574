"""Which slot each post gets, and where that is stored: beside the plans. What is not stored is not chosen."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import logging
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import cached_property, partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_instagram.calendar.file.parser import read_calendar
from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.calendar.file.slots import (
    FIRST_FREE,
    Choice,
    Slot,
    SlotUser,
    repetition_key,
    split_repetition,
)
from airflow_provider_instagram.calendar.file.times import later, moment, zone
from airflow_provider_instagram.calendar.planning.best_times import BestTimes
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.ledger.reach import Reached, ReachFile, reach_file
from airflow_provider_instagram.utils.locations import shown

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import Calendar, InvalidPost, ScheduledPost
    from airflow_provider_instagram.calendar.file.parser import Rules

MAX_TRIES: Final = 3
#: A time is fixed from so long before it. No run begins earlier, whatever the lead time.
FIXED_FROM: Final = timedelta(hours=24)
#: How far ahead a slot is looked for. A repetition is chosen late, so that a new post finds a free slot.
HORIZON: Final = timedelta(days=366)
REPETITION_HORIZON: Final = timedelta(days=14)
#: How long the time of a repetition is kept that is not the last one of its post.
KEPT: Final = timedelta(days=92)
#: Among the times of so many days, from the first that is free, the best one is chosen.
BEST_WITHIN: Final = timedelta(days=7)

log = logging.getLogger(__name__)


class SlotChoices(BaseModel):
    """The choices of a calendar by post key, as its file contains them."""

    model_config = ConfigDict(frozen=True)

    form: int = 1
    chosen: dict[str, Choice] = {}
    is_stored: bool = Field(default=True, exclude=True)

    @property
    def digest(self) -> str:
        """A digest of the choices."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest() if self.chosen else ""


def choices_file(folder: str, location: str) -> str:
    """Return the file that keeps a calendar's choices.

    Its name depends only on the name of the calendar's file: the choices outlast a renamed DAG and a moved folder, and
    a worker finds them where another version of the calendar is checked out. Calendars of one name share the file,
    which does no harm: a choice belongs to a post key.
    """
    name = PurePosixPath(location.partition("?")[0]).name
    return f"{folder.rstrip('/')}/{hashlib.sha256(f'slots {name}'.encode()).hexdigest()[:32]}.slots.json"


def read_choices(file: str, read: Callable[[str], bytes | None]) -> SlotChoices:
    """Read the stored choices. A file that does not exist, or is damaged, has none."""
    content = read(file)
    try:
        return SlotChoices() if content is None else SlotChoices.model_validate_json(content)
    except ValueError as error:
        log.warning("The slots in %s are damaged: %s", shown(file), shown(str(error)))
        return SlotChoices()


def choose_slots(
    file: str, calendar: Calendar, read: Callable[[str], bytes | None], now: datetime, lead_time: timedelta
) -> SlotChoices:
    """Choose slots for the posts that need one, and store the choices.

    Only the planner does this, when it reads the calendar. All others read what it has stored.

    1. Read the stored choices. A process that dies before step 4 has chosen nothing.
    2. Choose what is missing, and drop what no longer holds. If nothing changed, return the choices.
    3. Read the stored choices again. If another process has changed them meanwhile, start again from these.
    4. Store the choices in one piece. If the process dies now, they hold: the next look finds them. If they cannot be
       stored, return those of step 1, because a task would not find the others.
    5. If two processes store at the same moment, the later one's choices hold, and the other one reads them at its
       next look. The post key does not depend on the slot, so the post is published once in any case.
    """
    for _ in range(MAX_TRIES):
        before = read_choices(file, read)
        chosen = choose(calendar, before.chosen, now, lead_time, partial(_results, file.rpartition("/")[0]))
        if chosen == before.chosen:
            return before
        if read_choices(file, read) == before:
            break
    try:
        storage.write(file, SlotChoices(chosen=chosen).model_dump_json().encode())
    except Exception as error:  # noqa: BLE001 -- each storage has errors of its own
        log.warning("The slots cannot be stored in %s: %s", shown(file), shown(str(error)))
        return before.model_copy(update={"is_stored": False})
    return SlotChoices(chosen=chosen)


def without_slot(calendar: Calendar, choices: SlotChoices) -> Calendar:
    """Return a calendar with a problem for each post for which no slot could be chosen."""
    if choices.is_stored:
        message = f"no slot of its account is free within {HORIZON.days} days."
        remedy = "Add slots at the head of the file, or give the post a publish_at."
    else:
        message = "its slot cannot be stored, so none is chosen."
        remedy = "Make the folder in [instagram] calendar_snapshots writable for Airflow."
    problems = [
        Problem(user.line, message, remedy, user.id)
        for user in calendar.slot_users
        if user.is_valid and user.publish_at is None and user.key not in choices.chosen
    ]
    if not problems:
        return calendar
    ordered = sorted((*calendar.problems, *problems), key=lambda problem: (problem.line, problem.message))
    return replace(calendar, problems=tuple(ordered))


def preview(
    location: str, folder: str, rules: Rules, now: datetime, lead_time: timedelta
) -> tuple[Calendar, frozenset[str]]:
    """Read a calendar with the slots that are stored, and with those that would be chosen now. Nothing is stored.

    :return: The calendar, and the keys of the posts whose slots are stored.
    """
    calendar = read_calendar(location, **rules)
    if not calendar.slot_users:
        return calendar, frozenset()
    file = choices_file(folder, location)
    try:
        stored = read_choices(file, storage.read)
    except Exception as error:  # noqa: BLE001 -- each storage has errors of its own; the author's machine may have none
        log.warning("The slots in %s cannot be read: %s", shown(file), shown(str(error)))
        stored = SlotChoices()
    choices = SlotChoices(chosen=choose(calendar, stored.chosen, now, lead_time, partial(_results, folder)))
    known = frozenset(key for key, choice in choices.chosen.items() if stored.chosen.get(key) == choice)
    chosen: Rules = {**rules, "times": choices.chosen}
    return without_slot(read_calendar(location, **chosen), choices), known


def _results(folder: str, account: str) -> Collection[Reached]:
    """Read what the posts of an account reached. What cannot be read is not known: a post goes out all the same."""
    file = reach_file(folder, account)
    try:
        return ReachFile.of(storage.read(file)).posts.values()
    except Exception as error:  # noqa: BLE001 -- each storage has errors of its own
        log.warning("The results in %s cannot be read: %s", shown(file), shown(str(error)))
        return ()


def choose(
    calendar: Calendar,
    known: Mapping[str, Choice],
    now: datetime,
    lead_time: timedelta,
    results: Callable[[str], Collection[Reached]] = lambda _: (),
) -> dict[str, Choice]:
    """Choose a slot for each post that has none yet, and for each repetition whose turn it is.

    1. Keep each choice that is fixed, because its time is less than 24 hours ahead or has passed. Keep each other
       choice while its slot exists, no other post is too close, and its cooldown is over.
    2. Give a free slot, from a lead time ahead, to each post that has no time, in the order of the file: the first one,
       or, if the file asks for it, the best one of seven days.
    3. Give the slots of the next 14 days that are still free to repetitions: to the one whose cooldown ended first.

    A choice depends only on these parameters, so two processes that look at the same file and the same choices choose
    the same.

    :param known: The choices until now, by post key. Those of posts that the calendar does not have are kept for a
        while, because a file may be half-written at this moment. Their slots are free.
    :param results: Returns what the posts of an account reached. It is called only if a best slot is to be chosen.
    """
    choices = _without_old(calendar, known, now)
    for account in sorted({user.account for user in calendar.slot_users}):
        _AccountPlanner(calendar, account, choices, now, lead_time, results).plan()
    return choices


def _without_old(calendar: Calendar, known: Mapping[str, Choice], now: datetime) -> dict[str, Choice]:
    """Return the choices without those that no longer matter: former repetitions, and posts removed long ago."""
    users = {user.key for user in calendar.slot_users}
    last: dict[str, int] = defaultdict(int)
    for key in known:
        original, number = split_repetition(key)
        last[original] = max(number, last[original])

    def is_kept(key: str, choice: Choice) -> bool:
        original, number = split_repetition(key)
        if original in users and number in (1, last[original]):
            return True
        return choice.at > (now - (KEPT if original in users else HORIZON)).timestamp()

    return {key: choice for key, choice in known.items() if is_kept(key, choice)}


@dataclass
class _AccountPlanner:
    """Chooses the slots of one account."""

    calendar: Calendar
    account: str
    choices: dict[str, Choice]
    now: datetime
    lead_time: timedelta
    results: Callable[[str], Collection[Reached]]
    slots: tuple[Slot, ...] = field(init=False)
    users: list[SlotUser] = field(init=False)
    numbers: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    dropped: dict[str, int] = field(default_factory=dict)
    taken: list[float] = field(default_factory=list)
    ahead: list[datetime] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.slots = self.calendar.slots[self.account]
        users = {user.key: user for user in self.calendar.slot_users if user.account == self.account}
        self.users = list(users.values())
        posts: tuple[ScheduledPost | InvalidPost, ...] = (*self.calendar.posts, *self.calendar.invalid)
        own = (post for post in posts if post.account == self.account and not post.in_slot)
        self.taken = sorted(post.publish_at.timestamp() for post in own)
        for key in self.choices:
            original, number = split_repetition(key)
            if number > 1:
                self.numbers[original].append(number)

    def plan(self) -> None:
        """Keep, drop and add choices."""
        self._keep_fixed()
        # A post that returns may find its slot taken. The slot belongs to the post that was chosen for it later.
        known = [user for user in self.users if user.key in self.choices]
        for user in sorted(known, key=lambda user: self.choices[user.key].chosen_at, reverse=True):
            if user.publish_at is not None or not self._is_kept(self.choices[user.key]):
                del self.choices[user.key]
        for user in self.users:
            self._keep_repetitions(user)
        waiting = [user for user in self.users if self._first(user) is None and user.is_valid]
        for user in waiting:
            self._choose(user, user.key, self._next_free(BEST_WITHIN if user.wants_best else timedelta()))
        if repeating := [user for user in self.users if user.repeat_after is not None and user.is_valid]:
            self._choose_repetitions(repeating, list(self._free_slots(REPETITION_HORIZON)))

    def _first(self, user: SlotUser) -> datetime | None:
        """Return when a post is published for the first time, if that is known."""
        if user.publish_at is not None:
            return moment(user.publish_at, zone(self.slots[0].zone))
        choice = self.choices.get(user.key)
        return choice.local if choice else None

    def _keep_fixed(self) -> None:
        """Record the times that nothing changes any more."""
        for user in self.users:
            for number in (1, *self.numbers.get(user.key, ())):
                choice = self.choices.get(repetition_key(user.key, number))
                if choice is not None and self._is_fixed(choice) and not (number == 1 and user.publish_at):
                    insort(self.taken, choice.at)

    def _keep_repetitions(self, user: SlotUser) -> None:
        before, pause, is_kept = self._first(user), user.repeat_after, True
        for number in sorted(self.numbers.get(user.key, ())):
            key = repetition_key(user.key, number)
            choice = self.choices[key]
            is_rested = before is not None and pause is not None and choice.local >= later(before, pause)
            is_kept = is_kept and (self._is_fixed(choice) or (is_rested and self._is_kept(choice)))
            if is_kept:
                before = choice.local
            else:
                del self.choices[key]
                self.numbers[user.key].remove(number)
                self.dropped.setdefault(user.key, number)

    def _is_fixed(self, choice: Choice) -> bool:
        return choice.at <= (self.now + FIXED_FROM).timestamp()

    def _is_kept(self, choice: Choice) -> bool:
        """Return whether a choice still holds, and record its time if it does."""
        if self._is_fixed(choice):
            return True
        is_slot = any(slot.on(choice.local.date()) == choice.local for slot in self.slots if slot.zone == choice.zone)
        if not (is_slot and self._has_room(choice.at)):
            return False
        insort(self.taken, choice.at)
        return True

    def _has_room(self, at: float) -> bool:
        """Return whether a time keeps its distance to the times that are taken."""
        spacing = max(1.0, self.calendar.min_spacing.total_seconds())
        index = bisect_left(self.taken, at)
        return all(abs(other - at) >= spacing for other in self.taken[max(0, index - 1) : index + 1])

    def _free_slots(self, horizon: timedelta) -> Iterator[datetime]:
        """Yield the times at which a post has room, one by one: a year of many slots takes long to compute."""
        first, last = self.now + self.lead_time, self.now + horizon
        for at in heapq.merge(*(slot.times(first, last) for slot in self.slots)):
            if self._has_room(at.timestamp()):
                yield at

    def _choose_repetitions(self, repeating: list[SlotUser], free: list[datetime]) -> None:
        ready = [turn for place, user in enumerate(repeating) for turn in self._next_turn(place, user)]
        heapq.heapify(ready)
        while ready:
            cooled_s, place, number = heapq.heappop(ready)
            user, begin = repeating[place], bisect_left(free, datetime.fromtimestamp(cooled_s, timezone.utc))
            free_then = (at for at in free[begin:] if self._has_room(at.timestamp()))
            if self._choose(user, repetition_key(user.key, number), free_then):
                self.numbers[user.key].append(number)
                for turn in self._next_turn(place, user):
                    heapq.heappush(ready, turn)

    def _next_turn(self, place: int, user: SlotUser) -> Iterator[tuple[float, int, int]]:
        """Yield when the cooldown of a post ends, its place, and the number of its next repetition, which is new."""
        first, numbers = self._first(user), self.numbers.get(user.key)
        if first is None or user.repeat_after is None:
            return
        if numbers:
            number = max(numbers) + 1
            before = self.choices[repetition_key(user.key, max(numbers))].local
        else:
            number = self.dropped.get(user.key, 2 + max(0, (self.now - first) // user.repeat_after))
            before = first
        yield later(before, user.repeat_after).timestamp(), place, number

    def _next_free(self, span: timedelta) -> list[datetime]:
        """Return the first time at which a post has room, and at least those that follow it within a span.

        While slots are given away, none becomes free. So each time without room is looked at once.
        """
        ahead = self.ahead = [at for at in self.ahead if self._has_room(at.timestamp())]
        while not ahead or ahead[-1] < ahead[0] + span:
            if (at := next(self._all_free, None)) is None:
                break
            ahead.append(at)
        return ahead

    def _choose(self, user: SlotUser, key: str, free: Iterable[datetime]) -> bool:
        if (first := next(times := iter(free), None)) is None:
            return False
        at, why = first, FIRST_FREE
        if user.wants_best:
            week = itertools.takewhile(lambda at: at < first + BEST_WITHIN, times)
            at, why = self._best_times.pick(key, [first, *week])
        slot_zone = next(slot.zone for slot in self.slots if slot.on(at.astimezone(zone(slot.zone)).date()) == at)
        self.choices[key] = Choice(int(at.timestamp()), slot_zone, int(self.now.timestamp()), why)
        insort(self.taken, at.timestamp())
        return True

    @cached_property
    def _all_free(self) -> Iterator[datetime]:
        return self._free_slots(HORIZON)

    @cached_property
    def _best_times(self) -> BestTimes:
        return BestTimes(self.results(self.account), zone(self.slots[0].zone))
