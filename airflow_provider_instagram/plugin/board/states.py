"""The state of a post, from everything that is known about it. Decisions only: no database, no files, no calls."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.calendar.planning.lateness import CLOCKS_DIFFER
from airflow_provider_instagram.calendar.tasks.answers import Answer
from airflow_provider_instagram.calendar.tasks.base import used_before
from airflow_provider_instagram.exceptions import AuthenticationError

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.columns import ScheduledPost
    from airflow_provider_instagram.calendar.planning.stored_plan import About
    from airflow_provider_instagram.exceptions import LedgerRowError
    from airflow_provider_instagram.ledger.records import PublishedPost

#: The tasks of a post, in order.
STEPS: Final = ("prepare", "approve", "create", "publish")
#: The task that asks whether to publish a post of which the copyright check has found something.
HOLDS: Final = "create"
#: The task after them, which leaves the post published if it fails.
COMMENT: Final = "comment"
#: The folders of a local path.
FOLDERS: Final = re.compile(r"(?<![\w:/.])/(?:[^/\s]+/)+(?=[^/\s])")
SEE_LOG: Final = "See the log of its task."
NO_RECORD: Final = "its publication has ended, and the ledger does not have the post"
ENDED_EARLY: Final = "its run has ended before its tasks"
LOST_RUN: Final = "its run was deleted"
NO_APPROVAL: Final = (
    "its approval does not count: another run has asked about it since, or nobody has approved it"
)
NO_COMMENT: Final = "its first comment is not written"
ASKED_AGAIN: Final = (
    "A person was asked about this post before. An answer to that question does not count."
)
AT_ONCE: Final = "it is published at once, not at its time"
ENDED_BADLY: Final = ("failed", "upstream_failed")
AT_WORK: Final = ("running", "scheduled", "queued", "deferred", "restarting")
#: A post whose time passed longer ago is late. Instagram answers within seconds.
LATE_AFTER: Final = timedelta(minutes=1)
#: How the mark of a post begins that a person has rejected.
REJECTED: Final = ("rejected", "copyright: rejected")
#: A publisher no longer looks at the calendar after this: it waits for the second in which it
#: publishes.
LAST_MOMENT: Final = timedelta(seconds=30)
#: How the marks of runs by hand begin that have another version than the plan. The run of the
#: planner has that one.
OUTDATED: Final = ("edited", "has a problem", "moved to ", "removed")


class State(str, Enum):
    """The state of a post, as a card shows it, in the words of static/state.js."""

    #: It has no time or no file yet.
    DRAFT = "draft"
    PLANNED = "planned"
    IN_WORK = "in_work"
    WAITING = "waiting"
    #: It is prepared, and approved if it requires that. It waits for its time.
    READY = "ready"
    PUBLISHED = "published"
    #: It is not on Instagram, and nothing is done for it any more.
    SKIPPED = "skipped"
    FAILED = "failed"
    #: A request to publish the post was sent, and nothing but a person can determine whether it is
    #: live.
    UNKNOWN = "unknown"
    #: The calendar's file has to be corrected before the post can be published.
    PROBLEM = "problem"

    @property
    def in_words(self) -> str:
        """The state as a message names it."""
        return self.value.replace("_", " ")


#: Why a post is late of whose delay nothing else is known. In every other state, it is over, or a
#: person decides first.
NOT_BEGUN: Final = {
    State.PLANNED: "its run has not begun",
    State.IN_WORK: "its preparation goes on",
    State.READY: "its publication has not begun",
}
GOING_OUT: Final = "Instagram is asked to publish it"
NOT_ENDED: Final = "its publication has not ended"


@dataclass(frozen=True)
class Task:
    """A task instance of a post.

    :param deadline: Until when it waits, if it waits for an answer.
    :param outcome: What it reported in its latest try.
    """

    state: str | None
    started: datetime | None = None
    ended: datetime | None = None
    deadline: datetime | None = None
    try_number: int = 0
    outcome: Mapping[str, Any] = field(default_factory=dict)

    def said(self, name: str) -> str:
        """Return a part of what it reported, or an empty text."""
        return str(self.outcome.get(name) or "")


@dataclass(frozen=True)
class PostRun:
    """A run of a post: that of its id, or one that a user started for it.

    :param queued_at: When it was to begin, or to begin anew.
    :param by_hand: Whether a user started it.
    :param at_once: Whether it publishes the post whatever its time.
    :param event: The answer to the approval's question, as Airflow hands it to the task, until the
        task has ended.
    :param run_after: When it may begin, which a user may choose.
    :param logical_date: Its date, which a user may choose, too. Airflow begins no task before it.
    """

    run_id: str
    state: str = "running"
    tasks: Mapping[str, Task] = field(default_factory=dict)
    queued_at: datetime | None = None
    by_hand: bool = False
    at_once: bool = False
    is_dry: bool = False
    event: Mapping[str, Any] | None = None
    run_after: datetime | None = None
    logical_date: datetime | None = None

    def is_dated_ahead(self, now: datetime) -> bool:
        """Return whether a user has started it with a date to come: until then, it does nothing."""
        dates = filter(None, (self.run_after, self.logical_date))
        return self.is_active and max(dates, default=now) > now + CLOCKS_DIFFER

    @property
    def is_active(self) -> bool:
        """Whether it has not ended."""
        return self.state in ("queued", "running")

    @property
    def has_begun(self) -> bool:
        """Whether one of its tasks has begun. The runs of a calendar that is paused do not begin."""
        return self.state != "queued" or any(task.state is not None for task in self.tasks.values())

    def task(self, name: str) -> Task:
        """Return a task, also one that Airflow has not created yet."""
        return self.tasks.get(name) or Task(None)

    @property
    def is_outdated(self) -> bool:
        """Whether a user started it for another version than that of the plan, as it says: it tells nothing of that."""
        marks = (task.said("mark") for task in map(self.task, STEPS) if task.state == "skipped")
        return self.by_hand and next(marks, "").startswith(OUTDATED)

    def is_wanted_at_once(self, post: ScheduledPost) -> bool:
        """Return whether it goes on, and a user has started it to publish a post at once, as its tasks see it."""
        was_late = self.run_after is not None and self.run_after >= post.publish_at
        return self.is_active and self.by_hand and (self.at_once or was_late)


@dataclass(frozen=True)
class Facts:
    """Everything that is known about a post.

    :param published_by: Who published its id, if another calendar did.
    :param bad_row: Why a row about it cannot be read.
    :param is_open: Whether an attempt to publish it has an open outcome.
    :param skipped_by: Who decided that this version is not published.
    :param run: The run that works on it, or worked on it last.
    :param has_lost_run: Whether Airflow does not have the run any more that the planner has begun
        for it.
    :param has_passed: Whether its time had passed when Airflow began to follow the calendar.
    :param is_asked_again: Whether its run asks about it, and a person was asked before.
    :param is_approved: Whether the ledger has a yes to the last question about it.
    :param lacks_approval: Whether its run has gone on with a yes that it needs, and that does not
        count any more.
    """

    post: ScheduledPost
    done: PublishedPost | None = None
    published_by: str | None = None
    bad_row: LedgerRowError | None = None
    is_open: bool = False
    skipped_by: str | None = None
    run: PostRun | None = None
    has_lost_run: bool = False
    has_passed: bool = False
    is_asked_again: bool = False
    is_approved: bool = False
    lacks_approval: bool = False

    def task(self, name: str) -> Task:
        """Return a task of the post's run, also if there is no run."""
        return Task(None) if self.run is None else self.run.task(name)

    @property
    def failed_step(self) -> str | None:
        """The first task of its run that failed, or could not begin because one before it failed."""
        failed = (name for name in (*STEPS, COMMENT) if self.task(name).state in ENDED_BADLY)
        return next(failed, None)

    @property
    def is_held(self) -> bool:
        """Whether a person is asked to publish the post in spite of its copyright check."""
        return self.task(HOLDS).state == "awaiting_input"

    @property
    def is_dry(self) -> bool:
        """Whether its run does everything except the publication."""
        return self.run is not None and self.run.is_dry

    @property
    def is_wanted_at_once(self) -> bool:
        """Whether a user has started the run to publish the post at once, whoever has skipped it before."""
        return self.run is not None and self.run.is_wanted_at_once(self.post)

    @property
    def is_rejected(self) -> bool:
        """Whether a person has rejected the post in its run."""
        if self.skipped_by is not None:
            return False
        answer = self.answer
        if answer is not None and not answer.approved and answer.person is not None:
            return True
        tasks = (self.task("approve"), self.task(HOLDS))
        return any(
            one.state == "skipped" and one.said("mark").startswith(REJECTED) for one in tasks
        )

    @property
    def answer(self) -> Answer | None:
        """The answer to the post's approval, until its task has carried it out."""
        if self.run is None or self.run.event is None:
            return None
        return Answer.read(self.run.event, self.post.caption)


@dataclass(frozen=True)
class Status:
    """The state of a post, with its reason, and what a user can do about it.

    :param needs_login: Whether it failed because Instagram no longer accepts the account's token.
    :param is_late: Whether its time has passed, and it is published as soon as that is possible.
    :param is_going_out: Whether its publisher waits for no calendar any more.
    """

    state: State
    text: str = ""
    hint: str = ""
    until: datetime | None = None
    needs_login: bool = False
    is_late: bool = False
    is_going_out: bool = False

    @property
    def is_over(self) -> bool:
        """Whether the post takes no edit any more: it is live, or may be."""
        return self.is_going_out or self.state in (State.PUBLISHED, State.UNKNOWN)


def status_of(facts: Facts, now: datetime, about: About, obstacle: str = "") -> Status:
    """Return the state of a post.

    :param obstacle: What keeps all posts of its calendar from going on.
    """
    status = _status_of(facts, now, about)
    due = facts.post.publish_at
    if status.state not in NOT_BEGUN or facts.is_open or now - due <= LATE_AFTER:
        return status
    run = facts.run or PostRun("", "queued")
    if not obstacle and (run.at_once or run.task("publish").state == "success"):
        return status
    until = due + about.max_lateness
    hint = f"It goes out as soon as it can. If that takes until {until:%H:%M}, it is skipped."
    if now > until:
        hint = "It is too late by now, and is skipped once its run goes on."
    known = status.text if status.text != GOING_OUT else NOT_ENDED
    reason = obstacle or known or NOT_BEGUN[status.state]
    return replace(status, text=reason, hint=status.hint or hint, is_late=True)


def _status_of(facts: Facts, now: datetime, about: About) -> Status:
    """Return the state of a post, as if it were on time."""
    run = facts.run
    if facts.bad_row is not None:
        return Status(State.UNKNOWN, facts.bad_row.message, facts.bad_row.hint or "")
    if facts.published_by is not None:
        text = f"{facts.published_by} has published the id {facts.post.id}"
        return Status(State.SKIPPED, text, "Give this post another id in the calendar.")
    if facts.done is not None:
        return _published(facts, facts.done)
    if facts.is_open:
        return _undecided(facts.task("publish"))
    if facts.skipped_by is not None and not facts.is_wanted_at_once:
        return Status(State.SKIPPED, f"by {facts.skipped_by}")
    if run is None or not (run.has_begun or run.at_once):
        return _without_run(facts, now, about)
    return _in_run(facts, run, now, about)


def _undecided(publish: Task) -> Status:
    """Return the state of a post of which an attempt to publish it has an open outcome."""
    if publish.state in AT_WORK:
        return Status(State.IN_WORK, GOING_OUT, is_going_out=True)
    text = (
        publish.said("reason")
        or "The task that was about to publish it has recorded no answer of Instagram."
    )
    return Status(
        State.UNKNOWN, text, publish.said("hint") or "Look at the account on Instagram first."
    )


def _published(facts: Facts, done: PublishedPost) -> Status:
    """Return the state of a post whose id has been published: by this post, or by an earlier one."""
    if done.deleted_at is not None:
        by = f" by {done.deleted_by}" if done.deleted_by else ""
        return Status(
            State.SKIPPED,
            f"deleted from Instagram on {done.deleted_at[:16].replace('T', ' ')} UTC{by}",
        )
    published_at = datetime.fromisoformat(done.published_at)
    due = facts.post.publish_at
    if used_before(facts.post, done):
        text = f"id used before: {facts.post.id} was published on {done.published_at[:16].replace('T', ' ')}"
        return Status(State.SKIPPED, text, "Give this post another id in the calendar.")
    comment = facts.task(COMMENT)
    if comment.state == "failed":
        return Status(State.PUBLISHED, comment.said("reason") or NO_COMMENT, comment.said("hint"))
    if published_at - due > CLOCKS_DIFFER and facts.task("publish").state == "success":
        at = published_at.astimezone(due.tzinfo)
        return Status(State.PUBLISHED, f"{at:%H:%M} instead of {due:%H:%M}")
    return Status(State.PUBLISHED)


def _without_run(facts: Facts, now: datetime, about: About) -> Status:
    if now <= facts.post.publish_at + about.max_lateness:
        if facts.has_lost_run:
            hint = "Another run begins when the planner looks again, or if you try again."
            return Status(State.FAILED, LOST_RUN, hint)
        if not facts.has_passed:
            return Status(State.PLANNED)
    began = "its time had passed when Airflow began to follow this file"
    why = began if facts.has_passed else "no run has published it"
    return Status(State.SKIPPED, why, "Publish it now, or leave it.")


def _in_run(facts: Facts, run: PostRun, now: datetime, about: About) -> Status:
    """Return the state of a post from its tasks: the first one that did not succeed determines it."""
    due = facts.post.publish_at
    answer = facts.answer
    for name in STEPS:
        task = run.task(name)
        if task.state == "success":
            continue
        if task.state == "up_for_reschedule" and run.is_active and task.said("state") == "later":
            return Status(State.PLANNED, task.said("mark"))
        if task.state == "skipped":
            mark = task.said("mark") or "see the log of its task"
            return Status(State.SKIPPED, mark.removeprefix("skipped: "), task.said("reason"))
        if task.state in ENDED_BADLY:
            reason = without_folders(task.said("reason") or SEE_LOG)
            needs_login = task.said("mark") == AuthenticationError.__name__
            return Status(State.FAILED, reason, task.said("hint"), needs_login=needs_login)
        # a user has cleared or deleted a task, and Airflow begins nothing in this run
        if not run.is_active:
            return Status(State.FAILED, ENDED_EARLY, "Try again, or publish it now.")
        if name in ("create", "publish") and facts.lacks_approval:
            return Status(
                State.FAILED, NO_APPROVAL, "Try again: its run then asks for an approval."
            )
        if name == "approve" and answer is not None and answer.refusal is not None:
            return Status(State.SKIPPED, *answer.refusal)
        if name == "approve" and answer is not None:
            return Status(State.IN_WORK, f"approved by {answer.person or 'default'}")
        waits_for_lead_time = (
            name == "create" and task.state in (None, *AT_WORK) and not run.at_once
        )
        if waits_for_lead_time and now < due - about.lead_time:
            return Status(State.READY, "approved" if facts.is_approved else "")
        if name == "approve" and task.state == "awaiting_input":
            reason, hint = ("asked again", ASKED_AGAIN) if facts.is_asked_again else ("", "")
            return Status(State.WAITING, AT_ONCE if run.at_once else reason, hint, task.deadline)
        return _at_work(name, task, is_near=run.at_once or now >= due - LAST_MOMENT)
    if run.is_dry:
        return Status(State.SKIPPED, "dry run: everything was done except the publication")
    # a user has marked a task as a success, or a row was deleted
    hint = "Look at the account on Instagram before you try again."
    return Status(State.FAILED, NO_RECORD, hint)


def without_folders(text: str) -> str:
    """Return a text without the folders of local paths: the name of a file says more to a content lead, and fits."""
    return FOLDERS.sub("", text)


def _at_work(name: str, task: Task, *, is_near: bool) -> Status:
    if task.state == "awaiting_input":
        return Status(State.WAITING, task.said("reason"), until=task.deadline)
    again = ""
    if task.state == "up_for_retry" and task.outcome:
        again = f"tried again: {without_folders(task.said('reason'))}"
    if name == "publish":
        if is_near and task.state in AT_WORK:
            return Status(State.IN_WORK, GOING_OUT, is_going_out=True)
        return Status(State.READY, again)
    return Status(State.IN_WORK, again)
