"""The choices of slots as they are stored, beside the snapshots. What is not stored is not chosen."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_instagram.calendar.file.parser import read_calendar
from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.calendar.file.slots import Choice
from airflow_provider_instagram.calendar.planning.slot_planner import HORIZON, choose
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.ledger.reach import Reached, ReachFile, reach_file
from airflow_provider_instagram.utils.locations import shown

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import Calendar
    from airflow_provider_instagram.calendar.file.parser import Rules

MAX_TRIES: Final = 3

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
    file: str, calendar: Calendar, read: Callable[[], SlotChoices], now: datetime, lead_time: timedelta
) -> SlotChoices:
    """Choose slots for the posts that need one, and store the choices.

    Only the DAG processor does this, when it reads the calendar. All others read what it has stored.

    1. Read the stored choices. A process that dies before step 4 has chosen nothing.
    2. Choose what is missing, and drop what no longer holds. If nothing changed, return the choices.
    3. Read the stored choices again. If another process has changed them meanwhile, start again from these.
    4. Store the choices in one piece. If the process dies now, they hold: the next look finds them. If they cannot be
       stored, return those of step 1, because a task would not find the others.
    5. If two processes store at the same moment, the later one's choices hold, and the other one reads them at its
       next look. The post key does not depend on the slot, so the post is published once in any case.
    """
    for _ in range(MAX_TRIES):
        before = read()
        chosen = choose(calendar, before.chosen, now, lead_time, partial(_results, file.rpartition("/")[0]))
        if chosen == before.chosen:
            return before
        if read() == before:
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
