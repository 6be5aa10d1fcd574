"""A look at a calendar's file by its planner, whatever state the file is in."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import Any, Final

from airflow_provider_instagram.calendar.file.columns import Calendar
from airflow_provider_instagram.calendar.file.edits import digest
from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.file.parser import Rules, parse_rows
from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.file.reader import read_rows, read_text
from airflow_provider_instagram.calendar.file.sheet import read_sheet
from airflow_provider_instagram.calendar.planning.begin_runs import (
    NO_RECORDS,
    Plan,
    Records,
    decide,
    next_moment,
)
from airflow_provider_instagram.calendar.planning.settings import CalendarSettings, planner_id
from airflow_provider_instagram.calendar.planning.stored_plan import Due, StoredPlan
from airflow_provider_instagram.utils.urls import is_web

#: Tokens expire, files of the next posts may be missing, and users delete runs: the planner looks
#: again after so long.
LOOK_AGAIN_AFTER: Final = timedelta(hours=6)
#: When the planner looks again if it is not certain that all runs were started, or whether a post
#: is live.
START_AGAIN_AFTER: Final = timedelta(minutes=2)
#: A file that has lost fewer posts to come was edited, unless it has lost both of two.
FEWEST_LOST: Final = 3
#: A problem names at most so many of the lost posts.
MOST_NAMED: Final = 3
MOST_ARE_LOST: Final = "most of its posts to come have vanished at once."

log = logging.getLogger(__name__)


def look(
    settings: CalendarSettings,
    stored: StoredPlan | None,
    now: datetime,
    *,
    came_at: datetime | None = None,
    by_hand: bool = False,
    records: Records = NO_RECORDS,
) -> tuple[StoredPlan, Due]:
    """Look at a calendar, and return its new plan, and when to look again. Nothing is stored.

    :param stored: The plan of the last look, if there is one.
    :param came_at: When the triggerer woke the planner. What the last look has not seen came after
        that, whatever date a user has given the planner's run.
    :param by_hand: Whether a person has started the planner, since a problem has named the lost
        posts of the file if there is one. Then the file counts as it is.
    """
    reading = _Reading(settings, stored, now, by_hand=by_hand)
    found = reading.found()
    before = None
    mark = ""
    # Until its file could be read for the first time, a calendar is new.
    if stored is not None and (stored.text or stored.plan.begun):
        before = stored.plan
        # Nobody could end a run while the DAG did not name its account.
        if set(settings.accounts) <= set(stored.about.accounts):
            mark = stored.mark
    if came_at is not None and stored is not None:
        came_at = max(came_at, stored.at)
    plan = decide(
        found.plan.calendar,
        before,
        now,
        begins_ahead=settings.work_ahead,
        max_lateness=settings.max_lateness,
        came_at=came_at,
        knows_no_runs=not (stored and stored.mark),
        is_dry=settings.dry_run,
        records=records,
    )
    plan = replace(plan, readable=found.plan.readable)
    planned = found.model_copy(update={"plan": plan, "mark": mark})
    return planned, reading.due(planned)


class _Reading:
    """One reading of a calendar's file."""

    def __init__(
        self,
        settings: CalendarSettings,
        stored: StoredPlan | None,
        now: datetime,
        *,
        by_hand: bool,
    ) -> None:
        self.settings = settings
        self.now = now
        self.by_hand = by_hand
        #: The last plan, also if the calendar was at another location then.
        self.last = stored
        #: The last plan, if it is of this location.
        self.stored: StoredPlan | None = None
        pin = None
        if stored is not None and stored.location == settings.location:
            self.stored = stored
            # The file must be where it was when the calendar was new.
            pin = stored.plan.calendar.pin
        self.files = CalendarFiles(settings.calendar, pin)
        #: The digest of the text, once it was read.
        self.content: str | None = None

    def found(self) -> StoredPlan:
        """Return the posts of the file as it is now, or those of its last readable version, in a plan."""
        try:
            return self._plan()
        except InvalidValue as invalid:
            return self._last_readable(invalid)
        except Exception as error:
            # not even a defect of the provider may keep posts from being published
            log.exception("The calendar %s cannot be understood", self.settings.location)
            why = f"the file cannot be understood ({type(error).__name__})."
            return self._last_readable(InvalidValue(why, "Please report this."))

    def due(self, plan: StoredPlan) -> Due:
        """Return when the planner has to look again."""
        at = next_look(self.settings, plan, self.now)
        return Due(
            calendar=self.settings.calendar,
            pin=plan.plan.calendar.pin,
            settings=self.settings.digest,
            content=self.content,
            at=at,
        )

    def _plan(self) -> StoredPlan:
        stored = self.stored
        settings = self.settings
        text = self._read()
        made_of = f"{self.content} {settings.digest}"
        if (
            stored is not None
            and stored.plan.calendar.pin == self.files.pin
            and stored.made_of == made_of
        ):
            plan = replace(stored.plan, readable=True)
            update = {"plan": plan, "at": self._at, "about": settings.about()}
            return stored.model_copy(update=update)
        if settings.sheet is not None and stored is not None and stored.text and not self.by_hand:
            settings.sheet.check_columns(text, stored.text)
        calendar = self._parse(text)
        self._check_lost(calendar)
        return self._new(Plan(calendar), text=text, made_of=made_of)

    def _new(self, plan: Plan, **more: Any) -> StoredPlan:
        about = self.settings.about()
        return StoredPlan(
            location=self.settings.location, at=self._at, plan=plan, about=about, **more
        )

    def _check_lost(self, calendar: Calendar) -> None:
        """Check that the file has not lost most of the posts to come, as an empty sheet and half a file have.

        The file does not say whether a person wanted that. After such a loss, it counts only when
        all of these posts are back, or when a person who was told starts the planner.
        """
        if self.stored is None:
            return
        plan = self.stored.plan
        now = self.now
        is_told = self.stored.lost_at is not None
        to_come = [post.id for post in plan.calendar.posts if post.publish_at > now]
        if is_told:  # a post that became late since then still has to go out
            oldest = (now - self.settings.max_lateness).timestamp()
            runs = plan.begun.items()
            late = [post_id for post_id, run in runs if oldest < run.due <= now.timestamp()]
            to_come = late + to_come
        listed = {post.id for post in calendar.posts} | calendar.left_out
        lost = [post_id for post_id in to_come if post_id not in listed]
        if is_told and (self.by_hand or not lost):
            return
        if not is_told and not are_most(len(lost), len(to_come)):
            return
        named = ", ".join(lost[:MOST_NAMED])
        if len(lost) > MOST_NAMED:
            named += f" and {len(lost) - MOST_NAMED} more"
        raise InvalidValue(
            MOST_ARE_LOST,
            f"Bring back {named}. If they are to go, start the DAG {planner_id(self.settings.dag_id)}.",
        )

    def _last_readable(self, invalid: InvalidValue) -> StoredPlan:
        """Return the plan of the last text that could be read, and add the problem of the text as it is now."""
        stored = self.last
        if stored is None:
            problem = Problem(0, invalid.message, invalid.remedy)
            calendar = Calendar(self.settings.location, problems=(problem,), pin=self.files.pin)
            return self._new(Plan(calendar, readable=False))
        used = f"Until then, its version of {stored.at:%Y-%m-%d %H:%M} UTC is used."
        problem = Problem(0, invalid.message, f"{invalid.remedy} {used}")
        calendar = stored.plan.calendar
        if stored is self.stored and stored.text:
            calendar = self._parse(stored.text)  # the settings may have changed
        others = [one for one in calendar.problems if one != problem]
        calendar = replace(calendar, problems=(problem, *others))
        # Without `made_of`, the next look at a readable file reads it again. `at` stays that of the
        # text.
        update = {
            "plan": Plan(calendar, readable=False),
            "made_of": None,
            "about": self.settings.about(),
            # also while the file cannot be read for another reason
            "lost_at": stored.lost_at or (self.now if invalid.message == MOST_ARE_LOST else None),
        }
        return stored.model_copy(update=update)

    @cached_property
    def _at(self) -> datetime:
        return self.now.astimezone(timezone.utc).replace(microsecond=0)

    def _read(self) -> str:
        """Return the text of the file or the sheet."""
        text = _text_of(self.settings.calendar, self.files)
        self.content = digest(text)
        return text

    def _parse(self, text: str) -> Calendar:
        """Read the posts of a text."""
        of = self.settings
        rows = of.sheet.rows(text) if of.sheet is not None else read_rows(text, of.calendar)
        rules = Rules(min_spacing=of.min_spacing, accounts=of.accounts, approval=of.approval)
        return parse_rows(rows, of.location, self.files, **rules)


def are_most(lost: int, to_come: int) -> bool:
    """Return whether a file has lost at least half of the posts to come, and too many for an edit."""
    if to_come == 2:
        return lost == to_come
    return lost >= FEWEST_LOST and 2 * lost >= to_come


def next_look(settings: CalendarSettings, plan: StoredPlan, now: datetime) -> float:
    """Return when the planner looks again although nothing has changed, in seconds since the epoch."""
    moments = [now + LOOK_AGAIN_AFTER, next_moment(plan.plan, settings.work_ahead)]
    if plan.plan.pending or plan.plan.unsettled:
        moments.append(now + START_AGAIN_AFTER)
    return min(moment.timestamp() for moment in moments if moment is not None)


def change_since(due: Due) -> str:
    """Return what tells one change of the calendar's file since a look from the next, or an empty text.

    That is the digest of the file, or ``unreadable`` if it can no longer be read.
    """
    try:
        content = digest(_text_of(due.calendar, CalendarFiles(due.calendar, due.pin)))
    except InvalidValue:
        return "" if due.content is None else "unreadable"
    return "" if content == due.content else content


def _text_of(location: str, files: CalendarFiles) -> str:
    return read_sheet(location) if is_web(location) else read_text(location, files)
