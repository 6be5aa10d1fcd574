"""The plan of a calendar from its file and its snapshot, whatever state either of them is in."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from typing import TYPE_CHECKING

from airflow.sdk import conf

from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.file.model import DEFAULT_SPACING, Calendar
from airflow_provider_instagram.calendar.file.parser import Rules, parse_rows
from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.file.reader import read_rows, read_text
from airflow_provider_instagram.calendar.file.sheet import SheetText, read_sheet
from airflow_provider_instagram.calendar.planning.plan import Plan
from airflow_provider_instagram.calendar.planning.schedule import utc_now
from airflow_provider_instagram.calendar.planning.slot_choices import (
    SlotChoices,
    choices_file,
    choose_slots,
    read_choices,
    without_slot,
)
from airflow_provider_instagram.calendar.planning.stored_snapshot import (
    Snapshot,
    problems_seen_now,
    seen_now,
    unchanged_seen,
)
from airflow_provider_instagram.exceptions import TransientError, ValidationError
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.utils.locations import shown

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings

#: A text without this word has no slots.
SLOTS = "slots"
#: How often slots are chosen again while the file is unchanged, because the time of a repetition comes nearer.
CHOOSE_AGAIN_AFTER = timedelta(hours=1)
#: Why a snapshot cannot be read until a person changes something. Until then, the calendar works without it.
LASTING = (PermissionError, NotADirectoryError, IsADirectoryError, ValidationError)

log = logging.getLogger(__name__)


def read_plan(settings: CalendarSettings, now: datetime | None = None) -> Plan:
    """Read a calendar, whatever state its file is in.

    :param now: The current time, in the DAG processor, which records what it sees. A task passes None and records
        nothing, because it may be the first on its machine to see an edit that is old.
    :raises TransientError: If the DAG processor cannot reach the snapshot, without which each post would count as
        new. If a storage fails that has caption files, or the choices of slots.
    """
    stored, at = _load(settings.snapshot, may_be_missing=now is None), now or utc_now()
    if stored is not None and now is not None:
        stored = _with_lead(stored, settings, now)
    pin = stored.plan.calendar.pin if stored is not None else None
    # The file must be where the DAG processor found it when the calendar was new. A task also requires the very folder
    # that the DAG processor saw last: a person may have put another in its place.
    files = CalendarFiles(settings.calendar, pin if pin is None or now is None else replace(pin, machine=""))
    parser = _Parser(settings, now, files)
    try:
        read = _read(settings, files, stored, now)
        made_of = _fingerprint(read.text, settings)
        if stored and stored.is_current(made_of + parser.read_for(read.text).digest, now, files.pin):
            return stored.plan_at(at)
        calendar, choices = parser.choose(read.text)
    except InvalidValue as invalid:
        return _last_readable(stored, invalid, parser, at)
    except TransientError:
        raise
    except Exception as error:  # not even a defect of the provider may keep posts from being published
        log.exception("The calendar %s cannot be understood", settings.location)
        defect = InvalidValue(f"the file cannot be understood ({type(error).__name__}).", "Please report this.")
        return _last_readable(stored, defect, parser, at)
    removed = _removed_accounts(calendar, stored, at)
    if now is None:
        outage = (stored.outage,) if stored and stored.outage else ()
        calendar = replace(calendar, problems=(*outage, *calendar.problems))
        return Plan(calendar, unchanged_seen(calendar, stored, settings.dry_run), removed)
    seen = seen_now(calendar, stored, settings.max_lateness, now, settings.dry_run, choices)
    plan = Plan(calendar, seen, removed, since=(stored and stored.plan.since) or int(now.timestamp()))
    snapshot = _snapshot_of(plan, read, choices, made_of, settings.lead_time, now)
    return _recorded(plan, snapshot, stored, settings.snapshot, now)


def _snapshot_of(
    plan: Plan, read: SheetText, choices: SlotChoices, made_of: str, lead_time: timedelta, now: datetime
) -> Snapshot:
    calendar = plan.calendar
    # A calendar with caption files is parsed again each time, as they may change. So is one whose slots are not stored.
    may_reuse = calendar.is_self_contained and choices.is_stored
    return Snapshot(
        form=1,
        text=read.text,
        headers=read.headers,
        at=now.astimezone(timezone.utc).replace(microsecond=0),
        plan=plan,
        accounts=tuple(calendar.accounts),
        lead_s=lead_time.total_seconds(),
        made_of=made_of + choices.digest if may_reuse else None,
        choose_again_at=int((now + CHOOSE_AGAIN_AFTER).timestamp()) if calendar.slot_users else None,
    )


def _with_lead(stored: Snapshot, settings: CalendarSettings, now: datetime) -> Snapshot:
    """Return a snapshot with the DAG's present lead time, which is stored first, also if the file cannot be read."""
    lead_time, at, seen = settings.lead_time, int(now.timestamp()), stored.plan.seen
    if (lead_s := lead_time.total_seconds()) == stored.lead_s:
        return stored
    if lead_s > stored.lead_s:
        seen = {name: one.with_longer_lead(lead_time, settings.max_lateness, at) for name, one in seen.items()}
    planned = stored.model_copy(update={"plan": replace(stored.plan, seen=seen), "lead_s": lead_s})
    # What cannot be stored would be new at each look, and each look would make a run.
    return planned if _store(settings.snapshot, planned) else stored


def _read(settings: CalendarSettings, files: CalendarFiles, stored: Snapshot | None, now: datetime | None) -> SheetText:
    """Return the text of a calendar. Only the DAG processor asks the server of a sheet; a task uses its last copy."""
    if settings.sheet is None:
        return SheetText(read_text(settings.calendar, files))
    known = SheetText(stored.text, stored.headers) if stored is not None else None
    if now is not None:
        return read_sheet(settings.calendar, known)
    if known is None:
        raise InvalidValue(
            f"this worker has no copy of the sheet {settings.location}.",
            "Set [instagram] calendar_snapshots to a folder that all machines share.",
        )
    return known


@dataclass(frozen=True)
class _Parser:
    """Reads the posts of a calendar's text. The DAG processor, which passes the time, also chooses their slots."""

    settings: CalendarSettings
    now: datetime | None
    files: CalendarFiles

    @property
    def file(self) -> str:
        """The file that keeps the choices."""
        return choices_file(self.settings.snapshot.rpartition("/")[0], self.settings.calendar)

    def read(self) -> SlotChoices:
        """Read the stored choices."""
        return read_choices(self.file, _read_file)

    def read_for(self, text: str) -> SlotChoices:
        """Read the choices of a calendar, if its text can contain slots."""
        return self.read() if SLOTS in text else SlotChoices()

    def parse(self, text: str, slots: SlotChoices) -> Calendar:
        """Read the posts of a text, with the slots that were chosen."""
        of = self.settings
        rows = of.sheet.rows(text) if of.sheet is not None else read_rows(text, of.calendar)
        rules = Rules(min_spacing=of.min_spacing, accounts=of.accounts, approval=of.approval, times=slots.chosen)
        return parse_rows(rows, of.location, self.files, **rules)

    def choose(self, text: str) -> tuple[Calendar, SlotChoices]:
        """Read the posts of a text. In the DAG processor, choose the slots that are missing."""
        before = self.read_for(text)
        calendar = self.parse(text, before)
        if self.now is None or not calendar.slot_users:
            return calendar, before
        choices = choose_slots(self.file, calendar, self.read, self.now, self.settings.lead_time)
        if choices.chosen != before.chosen:
            calendar = self.parse(text, choices)
        return without_slot(calendar, choices), choices


def snapshot_file(folder: str, dag_id: str, location: str) -> str:
    """Return the file that keeps a DAG's snapshot, in a folder or below a prefix of object storage."""
    return f"{folder.rstrip('/')}/{hashlib.sha256(f'{dag_id} {location}'.encode()).hexdigest()[:32]}.json"


def snapshot_problems(file: str) -> list[Problem]:
    """Return a problem if the snapshot cannot be written, or an empty list."""
    folder = file.rpartition("/")[0]
    if (reason := storage.unwritable_because(folder)) is None:
        return []
    what = f"the folder {shown(folder)} cannot be written to ({reason})"
    remedy = "Make it writable for Airflow, or name another in [instagram] calendar_snapshots."
    return [Problem(0, f"{what}: edits made within the lead time are not published.", remedy)]


def _fingerprint(text: str, settings: CalendarSettings) -> str:
    """Return a digest of everything on which the posts and problems of a calendar depend."""
    roots = conf.get("instagram", "media_roots")
    given = (
        settings.calendar,
        repr(settings.sheet),
        str(settings.min_spacing),
        str(settings.dry_run),
        str(settings.approval),
        *settings.accounts,
    )
    parts = (text, *given, roots, version("airflow-provider-instagram"))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _recorded(plan: Plan, snapshot: Snapshot, stored: Snapshot | None, file: str, now: datetime) -> Plan:
    """Store a snapshot, and return a plan, both with when the plan's problems were first seen.

    What cannot be stored would be new at each look. Each look would make a run, and a version of the DAG.
    """
    seen = problems_seen_now(plan.timely, stored, now)
    if _store(file, snapshot.model_copy(update={"plan": replace(snapshot.plan, problems_seen=seen)})):
        return replace(plan, problems_seen=seen)
    problems_seen, since = (stored.plan.problems_seen, stored.plan.since) if stored else ({}, None)
    return replace(plan, problems_seen=problems_seen, since=since)


def _last_readable(stored: Snapshot | None, invalid: InvalidValue, parser: _Parser, now: datetime) -> Plan:
    if stored is None:
        problem = Problem(0, invalid.message, invalid.remedy)
        given = parser.settings.min_spacing
        spacing = DEFAULT_SPACING if given is None else given
        return Plan(Calendar(parser.settings.location, problems=(problem,), min_spacing=spacing), readable=False)
    used = f"Until then, its version of {stored.at.isoformat()} is used."
    problem = Problem(0, invalid.message, f"{invalid.remedy} {used}")
    calendar = parser.parse(stored.text, parser.read_for(stored.text))
    calendar = replace(calendar, problems=(problem, *calendar.problems))
    plan = replace(stored.plan_at(now), calendar=calendar, readable=False)
    if parser.now is None or problems_seen_now(plan.timely, stored, now) == stored.plan.problems_seen:
        return plan
    # Without `made_of`, the next look at a readable file reads it again, and finds this problem corrected.
    outage = problem if parser.settings.sheet is not None else None
    snapshot = stored.model_copy(update={"made_of": None, "outage": outage})
    return _recorded(plan, snapshot, stored, parser.settings.snapshot, now)


def _removed_accounts(calendar: Calendar, stored: Snapshot | None, now: datetime) -> dict[str, int]:
    """Return the accounts that had posts until recently, and since when they have none."""
    if stored is None:
        return {}
    since = stored.recently_removed(now)
    return {
        account: since.get(account, int(now.timestamp()))
        for account in sorted({*stored.accounts, *since})
        if account not in calendar.accounts
    }


def _load(file: str, *, may_be_missing: bool) -> Snapshot | None:
    """Read a snapshot. A damaged one counts as none, and must not break the DAG.

    :param may_be_missing: Whether a snapshot whose storage does not answer counts as none, too.
    :raises TransientError: If its storage does not answer.
    """
    content = _read_file(file, may_be_missing=may_be_missing)
    try:
        return None if content is None else Snapshot.read(content)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        log.warning("The snapshot %s is damaged: %s", shown(file), shown(str(error)))
        return None


def _read_file(file: str, *, may_be_missing: bool = False) -> bytes | None:
    """Read a snapshot, or the choices of slots. None if the file does not exist. The parameters are those of _load."""
    try:
        return storage.read(file)
    except Exception as error:  # each storage has errors of its own
        why = f"{type(error).__name__}: {shown(str(error))}"
        if may_be_missing or isinstance(error, LASTING):
            log.warning("The snapshot %s cannot be read (%s)", shown(file), why)
            return None
        raise TransientError(
            f"The snapshot {shown(file)} cannot be read ({why}).",
            hint="Check the storage that [instagram] calendar_snapshots names. The DAG goes on when it answers again.",
        ) from error


def _store(file: str, snapshot: Snapshot) -> bool:
    """Store a snapshot. Return whether it is stored: what is not is new at the next look again."""
    try:
        storage.write(file, snapshot.as_content())
    except Exception as error:  # noqa: BLE001 -- each storage has errors of its own; the task "calendar" reports them
        log.warning("The snapshot %s cannot be written: %s", shown(file), shown(str(error)))
        return False
    return True
