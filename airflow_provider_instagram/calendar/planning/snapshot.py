"""The plan of a calendar from its file and its snapshot, whatever state either of them is in."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
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
from airflow_provider_instagram.calendar.planning.vanished import Vanished, kept_for, removed_on_page, vanished_now
from airflow_provider_instagram.exceptions import TransientError, ValidationError
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.utils.locations import shown
from airflow_provider_instagram.utils.server_clock import CLOCK

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
    look = _Look(settings, now)
    try:
        return look.plan()
    except InvalidValue as invalid:
        return look.last_readable(invalid)
    except TransientError:
        raise
    except Exception as error:  # not even a defect of the provider may keep posts from being published
        log.exception("The calendar %s cannot be understood", settings.location)
        why = f"the file cannot be understood ({type(error).__name__})."
        return look.last_readable(InvalidValue(why, "Please report this."))


class _Look:
    """A look at a calendar, which the DAG processor records. A task passes no time, and records nothing."""

    def __init__(self, settings: CalendarSettings, now: datetime | None) -> None:
        self.settings, self.now, self.at = settings, now, now or CLOCK.now()
        self.stored = _load(settings.snapshot, may_be_missing=now is None)
        if self.stored is not None and now is not None:
            self.stored = self._with_lead(self.stored)
        pin = self.stored.plan.calendar.pin if self.stored is not None else None
        # The file must be where the DAG processor found it when the calendar was new. A task also requires the very
        # folder that the DAG processor saw last: a person may have put another in its place.
        self.files = CalendarFiles(settings.calendar, pin if pin is None or now is None else replace(pin, machine=""))
        self.choices_file = choices_file(settings.snapshot.rpartition("/")[0], settings.calendar)

    def plan(self) -> Plan:
        """Return the plan of the file as it is now.

        :raises InvalidValue: If the file cannot be read as a calendar.
        """
        read, stored, settings = self._read(), self.stored, self.settings
        made_of, choices = _fingerprint(read.text, settings), self._choices(read.text)
        if stored and stored.is_current(made_of + choices.digest, self.now, self.files.pin):
            return stored.plan_at(self.at)
        calendar = self._parse(read.text, choices)
        if (kept := self._kept(calendar)) is not None:
            return kept
        if self.now is None:
            outage = (stored.outage,) if stored and stored.outage else ()
            calendar = replace(calendar, problems=(*outage, *calendar.problems))
            seen = unchanged_seen(calendar, stored, settings)
            return Plan(calendar, seen, self._removed_accounts(calendar))
        if calendar.slot_users:
            chosen = choose_slots(self.choices_file, calendar, _read_file, self.now, settings.lead_time)
            calendar = calendar if chosen.chosen == choices.chosen else self._parse(read.text, chosen)
            calendar, choices = without_slot(calendar, chosen), chosen
        seen = seen_now(calendar, stored, settings, choices, self.now)
        since = (stored and stored.plan.since) or int(self.now.timestamp())
        plan = Plan(calendar, seen, self._removed_accounts(calendar), since=since)
        # A calendar with caption files is parsed again each time, as they may change. So is one without stored slots.
        may_reuse = calendar.is_self_contained and choices.is_stored
        snapshot = Snapshot(
            form=1,
            text=read.text,
            headers=read.headers,
            at=self.now.astimezone(timezone.utc).replace(microsecond=0),
            plan=plan,
            accounts=tuple(calendar.accounts),
            lead_s=settings.lead_time.total_seconds(),
            made_of=made_of + choices.digest if may_reuse else None,
            choose_again_at=int((self.now + CHOOSE_AGAIN_AFTER).timestamp()) if calendar.slot_users else None,
        )
        return self._recorded(plan, snapshot)

    def _kept(self, calendar: Calendar) -> Plan | None:
        """Return the plan of the last version, for a while, if the file has lost most of the posts to come.

        A task also keeps a post whose time has just passed. When the while is over, the DAG processor alone decides.
        """
        stored, keeps_for = self.stored, kept_for()
        if stored is None or not keeps_for:
            return None
        at = self.at if self.now is not None else self.at - self.settings.max_lateness
        removed = partial(removed_on_page, self.settings.snapshot, self.at)
        vanished = vanished_now(stored.vanished, stored.plan.calendar, calendar, at, removed)
        if vanished is None:
            return None
        if self.now is None:
            return replace(self._last_version(stored, stored.outage), readable=True)
        until = datetime.fromtimestamp(vanished.since, timezone.utc) + keeps_for
        if self.at >= until:
            return None
        zone = calendar.posts[-1].publish_at.tzinfo if (calendar := stored.plan.calendar).posts else None
        return self._last_version(stored, vanished.problem(until.astimezone(zone)), vanished)

    def last_readable(self, invalid: InvalidValue) -> Plan:
        """Return the plan of the last text that could be read, with the problem of the present one."""
        settings, stored = self.settings, self.stored
        if stored is None:
            problem = Problem(0, invalid.message, invalid.remedy)
            spacing = DEFAULT_SPACING if settings.min_spacing is None else settings.min_spacing
            return Plan(Calendar(settings.location, problems=(problem,), min_spacing=spacing), readable=False)
        used = f"Until then, its version of {stored.at.isoformat()} is used."
        problem = Problem(0, invalid.message, f"{invalid.remedy} {used}")
        return self._last_version(stored, problem, stored.vanished)

    def _last_version(self, stored: Snapshot, problem: Problem | None, vanished: Vanished | None = None) -> Plan:
        """Return the plan of the last text that counts, with the problem of the present one. A task records nothing."""
        calendar = self._parse(stored.text, self._choices(stored.text))
        calendar = replace(calendar, problems=(*filter(None, (problem,)), *calendar.problems))
        plan = replace(stored.plan_at(self.at), calendar=calendar, readable=False)
        is_known = problems_seen_now(plan.timely, stored, self.at) == stored.plan.problems_seen
        if self.now is None or (is_known and vanished == stored.vanished):
            return plan
        # Without `made_of`, the next look at a readable file reads it again, and finds this problem corrected.
        outage = problem if self.settings.sheet is not None or vanished is not None else None
        update = {"made_of": None, "outage": outage, "vanished": vanished}
        return self._recorded(plan, stored.model_copy(update=update))

    def _with_lead(self, stored: Snapshot) -> Snapshot:
        """Return a snapshot with the DAG's present lead time, stored first, also if the file cannot be read."""
        lead_time, at, seen = self.settings.lead_time, int(self.at.timestamp()), stored.plan.seen
        if (lead_s := lead_time.total_seconds()) == stored.lead_s:
            return stored
        if lead_s > stored.lead_s:
            lateness = self.settings.max_lateness
            seen = {name: one.with_longer_lead(lead_time, lateness, at) for name, one in seen.items()}
        planned = stored.model_copy(update={"plan": replace(stored.plan, seen=seen), "lead_s": lead_s})
        # What cannot be stored would be new at each look, and each look would make a run.
        return planned if _store(self.settings.snapshot, planned) else stored

    def _read(self) -> SheetText:
        """Return the text. Only the DAG processor asks the server of a sheet; a task uses its last copy."""
        if self.settings.sheet is None:
            return SheetText(read_text(self.settings.calendar, self.files))
        known = SheetText(self.stored.text, self.stored.headers) if self.stored is not None else None
        if self.now is not None:
            return read_sheet(self.settings.calendar, known)
        if known is None:
            raise InvalidValue(
                f"this worker has no copy of the sheet {self.settings.location}.",
                "Set [instagram] calendar_snapshots to a folder that all machines share.",
            )
        return known

    def _choices(self, text: str) -> SlotChoices:
        """Read the stored choices, if a text can contain slots."""
        return read_choices(self.choices_file, _read_file) if SLOTS in text else SlotChoices()

    def _parse(self, text: str, slots: SlotChoices) -> Calendar:
        """Read the posts of a text, with the slots that were chosen."""
        of = self.settings
        rows = of.sheet.rows(text) if of.sheet is not None else read_rows(text, of.calendar)
        rules = Rules(min_spacing=of.min_spacing, accounts=of.accounts, approval=of.approval, times=slots.chosen)
        return parse_rows(rows, of.location, self.files, **rules)

    def _recorded(self, plan: Plan, snapshot: Snapshot) -> Plan:
        """Store a snapshot, and return a plan, both with when the plan's problems were first seen.

        What cannot be stored would be new at each look. Each look would make a run, and a version of the DAG.
        """
        seen, stored = problems_seen_now(plan.timely, self.stored, self.at), self.stored
        planned = snapshot.model_copy(update={"plan": replace(snapshot.plan, problems_seen=seen)})
        if _store(self.settings.snapshot, planned):
            return replace(plan, problems_seen=seen)
        problems_seen, since = (stored.plan.problems_seen, stored.plan.since) if stored else ({}, None)
        return replace(plan, problems_seen=problems_seen, since=since)

    def _removed_accounts(self, calendar: Calendar) -> dict[str, int]:
        """Return the accounts that had posts until recently, and since when they have none."""
        if self.stored is None:
            return {}
        since = self.stored.recently_removed(self.at)
        return {
            account: since.get(account, int(self.at.timestamp()))
            for account in sorted({*self.stored.accounts, *since})
            if account not in calendar.accounts
        }


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
