"""The state of a post, from everything that is known about it. Decisions only: no database, no files, no calls."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.calendar.file.times import in_words
from airflow_provider_instagram.calendar.planning.plan import Arrival
from airflow_provider_instagram.calendar.planning.schedule import CLOCKS_DIFFER

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import ScheduledPost
    from airflow_provider_instagram.calendar.planning.assignments import Assignment, LateTime
    from airflow_provider_instagram.calendar.tasks.answers import Answer
    from airflow_provider_instagram.exceptions import LedgerRowError
    from airflow_provider_instagram.ledger.records import PublishedPost

#: The tasks of a post, in order.
STEPS: Final = ("transcode", "approve", "create", "publish")
#: Those of a run that only prepares the post.
PREPARATION: Final = STEPS[:2]
#: The task that asks whether to publish a post of which the copyright check has found something.
HOLDS: Final = "create"
#: The task after them, which some posts have.
COMMENT: Final = "comment"
#: The last task of a post of an account with first comments, which decides the state of its run.
END: Final = "end"
#: The folders of a local path.
FOLDERS: Final = re.compile(r"(?<![\w:/.])/(?:[^/\s]+/)+(?=[^/\s])")
SEE_LOG: Final = "See the log of its task."
#: Why is in what the deletion's task reported, which only those see who may read its DAG.
NOT_DELETED: Final = "not deleted"
NO_COMMENT: Final = "its first comment is not written"
IN_WORDS: Final = {
    "transcode": "the video is transcoded",
    "approve": "its approval is looked for",
    "create": "Instagram processes it",
}
#: What Airflow has recorded of a task that began or ended after the post's time. What it waited for is not recorded.
LATE_BY: Final = {
    "due": "its first task began",
    "transcode": "its file was ready",
    "approve": "its task approve ended",
    "create": "its task create ended",
}
#: What a task waits for that has not begun, as far as its state says.
WAITS_FOR: Final = {
    "scheduled": "waits for a slot",
    "queued": "waits for a worker",
    "up_for_retry": "waits for its next try",
    "restarting": "waits for its next try",
}
ENDED_BADLY: Final = ("failed", "upstream_failed")
#: A publisher no longer looks at the calendar after this: it waits for the second in which it publishes.
LAST_MOMENT: Final = timedelta(seconds=30)


class State(str, Enum):
    """The state of a post, as a card shows it."""

    PLANNED = "planned"
    #: A run has transcoded the post ahead, and a person has approved it if it requires that.
    PREPARED = "prepared"
    PREPARING = "preparing"
    WAITING = "waiting"
    READY = "ready"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    DRY_RUN = "dry_run"
    SKIPPED = "skipped"
    DELETED = "deleted"
    FAILED = "failed"
    #: A request to publish the post was sent, and nothing but a person can determine whether it is live. Or one to
    #: delete it was sent, and nothing can be read that shows whether it is gone.
    UNKNOWN = "unknown"
    #: The calendar's file has to be corrected before the post can be published.
    PROBLEM = "problem"


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
    percent: int | None = None

    def said(self, name: str) -> str:
        """Return a part of what it reported, or an empty text."""
        return str(self.outcome.get(name) or "")


@dataclass(frozen=True)
class Deletion(Task):
    """The task instance that deleted a post last, or asks whether to."""

    run_id: str = ""

    @property
    def is_active(self) -> bool:
        """Whether it has not ended."""
        return self.state not in ("success", "failed", "upstream_failed", "skipped", "removed")

    @property
    def asks(self) -> bool:
        """Whether it waits for a person's yes."""
        return self.state == "awaiting_input"


@dataclass(frozen=True)
class PostRun:
    """The run that works on a post.

    :param map_index: The post's map index; -1 if the run has not selected its posts.
    :param tasks: The tasks of the post by name, and ``due``, which selects the posts.
    :param at_once: Whether the run publishes the post whatever its time.
    :param has_asked: Whether its task of the approval has asked and ended, so that a later run reads the answer.
    :param answer: The answer to the post's approval, until its task, or that of the later run, has carried it out.
    """

    run_id: str
    map_index: int
    tasks: Mapping[str, Task] = field(default_factory=dict)
    is_dry: bool = False
    at_once: bool = False
    only_prepares: bool = False
    has_asked: bool = False
    answer: Answer | None = None

    def has_failed(self, step: str) -> bool:
        """Return whether a task of the post failed, or could not begin because one before it failed."""
        return step in self.tasks and self.tasks[step].state in ENDED_BADLY


@dataclass(frozen=True)
class Facts:
    """Everything that is known about a post.

    :param published_by: Who published its id, if another calendar did.
    :param bad_row: Why a row about it cannot be read.
    :param is_open: Whether an attempt to publish it has an open outcome.
    :param arrival: How this version came into the calendar.
    :param late: The time that its publisher chose when its own had passed, and why.
    """

    post: ScheduledPost
    done: PublishedPost | None = None
    published_by: str | None = None
    bad_row: LedgerRowError | None = None
    is_open: bool = False
    assignment: Assignment | None = None
    run: PostRun | None = None
    arrival: Arrival | None = None
    late: LateTime | None = None
    deletion: Deletion | None = None

    @property
    def why_not_deleted(self) -> dict[str, str]:
        """What the task reported that was to delete the post."""
        task = self.deletion or Deletion(None)
        return {"why": f"{NOT_DELETED}: {task.said('reason') or SEE_LOG}", "hint": task.said("hint")}

    @property
    def is_held(self) -> bool:
        """Whether a person is asked to publish the post in spite of its copyright check."""
        return self.run is not None and HOLDS in self.run.tasks and self.run.tasks[HOLDS].state == "awaiting_input"


@dataclass(frozen=True)
class Status:
    """The state of a post, with its reason, and what a user can do about it."""

    state: State
    text: str = ""
    hint: str = ""
    percent: int | None = None
    until: datetime | None = None


def status_of(facts: Facts, now: datetime, max_lateness: timedelta) -> Status:
    """Return the state of a post."""
    tasks = {} if facts.run is None else facts.run.tasks
    publish = tasks.get("publish", Task(None))
    if facts.bad_row is not None:
        return Status(State.UNKNOWN, facts.bad_row.message, facts.bad_row.hint or "")
    if facts.published_by is not None:
        text = f"{facts.published_by} has published the id {facts.post.id}"
        return Status(State.SKIPPED, text, "Give this post another id in the calendar.")
    if facts.done is not None:
        return _published(facts, facts.done, publish, tasks.get(COMMENT, Task(None)))
    if facts.is_open:
        return _undecided(publish)
    if facts.assignment is not None and facts.assignment.is_skip_of(facts.post):
        return Status(State.SKIPPED, f"by {facts.assignment.skipped_by}")
    if facts.run is None:
        return _without_run(facts, now, max_lateness)
    status = _in_run(facts.post, facts.run, now)
    if facts.late is not None and facts.late.at is not None and status.state in (State.READY, State.PUBLISHING):
        return replace(status, text=_late(facts, facts.late.at))
    return status


def _late(facts: Facts, at: datetime) -> str:
    """Return when a late post is published, and what is recorded of why not at its time."""
    due = facts.post.publish_at
    return f"{at.astimezone(due.tzinfo):%H:%M} instead of {due:%H:%M}{_why_late(facts, at)}"


def _why_late(facts: Facts, at: datetime) -> str:
    """Return what Airflow and the publisher have recorded: nothing else is known of why a post is late."""
    due, tasks, reasons = facts.post.publish_at, facts.run.tasks if facts.run is not None else {}, list[str]()
    for name, what in LATE_BY.items():
        task = tasks.get(name, Task(None))
        ready = task.started if name == "due" else task.ended
        if ready is not None and ready > due:
            reasons.append(f"because {what} at {ready.astimezone(due.tzinfo):%H:%M}")
            break
    late = facts.late
    if late is not None and late.at is not None and abs(at - late.at) <= CLOCKS_DIFFER:  # no later try was another one
        if not reasons and late.chosen_at is not None and late.chosen_at > due:
            reasons.append(f"because its task publish went on at {late.chosen_at.astimezone(due.tzinfo):%H:%M}")
        if late.distance_to is not None:
            reasons.append(f"to keep the distance to {late.distance_to}")
    return "".join(f", {reason}" for reason in reasons)


def _undecided(publish: Task) -> Status:
    """Return the state of a post of which an attempt to publish it has an open outcome."""
    if publish.state in ("running", "scheduled", "queued", "deferred", "restarting"):
        return Status(State.PUBLISHING)
    text = publish.said("reason") or "The task that was about to publish it has recorded no answer of Instagram."
    return Status(State.UNKNOWN, text, publish.said("hint") or "Look at the account on Instagram first.")


def _published(facts: Facts, done: PublishedPost, publish: Task, comment: Task) -> Status:
    """Return the state of a post whose id has been published: by this post, or by an earlier one."""
    if done.deleted_at is not None:
        by = f" by {done.deleted_by}" if done.deleted_by else ""
        return Status(State.DELETED, f"on {done.deleted_at[:16].replace('T', ' ')} UTC{by}")
    is_earlier = datetime.fromisoformat(done.published_at) + CLOCKS_DIFFER < facts.post.publish_at
    if is_earlier and publish.state != "success":
        text = f"id used before: {facts.post.id} was published on {done.published_at[:16].replace('T', ' ')}"
        return Status(State.SKIPPED, text, "Give this post another id in the calendar.")
    if facts.deletion is not None and (status := _in_deletion(facts.deletion)) is not None:
        return status
    if comment.state == "failed":
        return Status(State.PUBLISHED, comment.said("reason") or NO_COMMENT, comment.said("hint"))
    published_at = datetime.fromisoformat(done.published_at)
    is_late = published_at - facts.post.publish_at > CLOCKS_DIFFER and publish.state == "success"
    return Status(State.PUBLISHED, _late(facts, published_at) if is_late else "")


def _in_deletion(deletion: Deletion) -> Status | None:
    """Return the state of a live post that a user wants to delete, or None if its deletion has ended with a no."""
    if deletion.asks:
        return Status(State.PUBLISHED, "a person is asked whether to delete it", until=deletion.deadline)
    if deletion.is_active:
        return Status(State.PUBLISHED, "its deletion is in progress")
    if deletion.state != "failed":
        return None
    if deletion.said("mark") == "OutcomeUnknownError":
        hint = "Delete it again: the post is read first, and you are asked if it is there."
        return Status(State.UNKNOWN, "It is not known whether this post is deleted.", hint)
    return Status(State.PUBLISHED, NOT_DELETED)


def _without_run(facts: Facts, now: datetime, max_lateness: timedelta) -> Status:
    due = facts.post.publish_at
    is_over = facts.arrival is Arrival.ALREADY_OVER
    if now <= due + max_lateness and not is_over:
        return Status(State.PLANNED, "" if now <= due else f"{in_words(now - due)} late")
    why = "its time had passed when Airflow began to follow this file" if is_over else "no run has published it"
    return Status(State.SKIPPED, why, "Publish it now, or leave it.")


def _in_run(post: ScheduledPost, run: PostRun, now: datetime) -> Status:
    """Return the state of a post from its tasks: the first one that did not succeed determines it."""
    due = run.tasks.get("due")
    if run.map_index < 0:
        if due is not None and due.state in ENDED_BADLY:
            return _failed(due)
        return Status(State.PREPARING, "its run has begun")
    for name in PREPARATION if run.only_prepares else STEPS:
        task = run.tasks.get(name)
        if task is None and name == "approve":
            continue  # no post of the account requires an approval
        task = task or Task(None)  # Airflow has not created it yet
        if name == "approve" and task.state == "skipped" and run.has_asked:
            waits = Status(State.WAITING, until=post.publish_at)
            return waits if run.answer is None else _answered(run.answer, Status(State.PREPARED, "approved"))
        if task.state in ("skipped", "up_for_reschedule") and task.said("state") == "later":
            return Status(State.PLANNED, task.said("mark"))
        if task.state == "skipped":
            mark = task.said("mark") or "see the log of its task"
            return Status(State.SKIPPED, mark.removeprefix("skipped: "), task.said("reason"))
        if task.state == "failed":
            return _failed(task)
        if name == "approve" and task.state != "success" and run.answer is not None:
            return _answered(run.answer, Status(State.PREPARING, f"approved by {run.answer.person or 'default'}"))
        if task.state != "success":
            return _at_work(name, task, is_near=run.at_once or now >= post.publish_at - LAST_MOMENT)
    if run.only_prepares:
        return Status(State.PREPARED, "approved" if post.approval == "required" else "")
    if run.is_dry:
        return Status(State.DRY_RUN, "everything was done except the publication")
    return Status(State.PUBLISHING)  # the ledger has the post in a moment


def _answered(answer: Answer, approved: Status) -> Status:
    """Return the state of a post whose approval has been answered, as its task will decide it."""
    return approved if answer.refusal is None else Status(State.SKIPPED, *answer.refusal)


def without_folders(text: str) -> str:
    """Return a text without the folders of local paths: the name of a file says more to a content lead, and fits."""
    return FOLDERS.sub("", text)


def _failed(task: Task) -> Status:
    return Status(State.FAILED, without_folders(task.said("reason") or SEE_LOG), task.said("hint"))


def _at_work(name: str, task: Task, *, is_near: bool) -> Status:
    if name == "approve" and task.state == "awaiting_input":
        return Status(State.WAITING, until=task.deadline)
    if name == HOLDS and task.state == "awaiting_input":
        return Status(State.WAITING, task.said("reason"), until=task.deadline)
    again = ""
    if task.state == "up_for_retry" and task.outcome:
        again = f"tried again: {without_folders(task.said('reason'))}"
    if name == "publish":
        if is_near and task.state in ("running", "queued", "scheduled", "deferred"):
            return Status(State.PUBLISHING, again)
        return Status(State.READY, again)
    if task.state not in ("running", "deferred", "up_for_reschedule"):
        return Status(State.PREPARING, again or WAITS_FOR.get(task.state or "", ""))
    return Status(State.PREPARING, IN_WORDS[name], percent=task.percent)
