"""Which runs the planner of a calendar starts: one for each post, and one for each later version of it.

Airflow keeps the first question of a task instance, also when its run begins anew: so an edited
post is asked about in another run. The id of a run is never used again. No Airflow, no files, no
calls.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import StringConstraints

from airflow_provider_instagram.calendar.file.columns import ID, Calendar
from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.publishing.use_case import Skipped

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.columns import ScheduledPost

#: How long a run is remembered after its post's time. Airflow keeps the run itself.
KEPT = timedelta(days=30)
#: What separates the number of a later version from the id of its post, in the id of its run. No id
#: in a file has it.
VERSION_MARK: Final = "~v"
#: After so many ids that users have taken, a version gets a number that nobody foresees.
MOST_TAKEN: Final = 10
MOST_NUMBERS: Final = 10**9
#: The version of a run that was begun for a post, and that does not count any more.
ENDED: Final = ""
#: What is added to the version of a post that its DAG publishes in dry runs only.
DRY_MARK: Final = " dry run"
#: Why a run that a user has started publishes nothing.
NOT_ITS_RUN: Final = Skipped(
    "not its run",
    "The planner has not started this run. To publish a post yourself, trigger the DAG with its id as post.",
)
#: The id of a run that the planner starts: that of its post, with the number of a later version.
RunId = Annotated[str, StringConstraints(pattern=f"^{ID}({VERSION_MARK}[0-9]+)?$")]


@dataclass(frozen=True)
class Begun:
    """A post whose run was started.

    :param version: The version that the run was started for.
    :param due: When that is to be published, in seconds since the epoch.
    :param key: Its post key.
    :param run: The id of the run.
    """

    version: str
    due: float
    key: str
    run: RunId

    @property
    def is_dry(self) -> bool:
        """Whether the run only makes a dry run."""
        return self.version.endswith(DRY_MARK)

    def is_of(self, post: ScheduledPost) -> bool:
        """Return whether the run is for the present version of a post."""
        return self.version.removesuffix(DRY_MARK) == post.version


@dataclass(frozen=True)
class Passed:
    """A post whose time had passed when the planner first saw it with this time. No run is started for it.

    :param is_mistake: Whether it was added to the calendar, or moved, with this time. If not, the
        calendar was new.
    """

    due: float
    is_mistake: bool


@dataclass(frozen=True)
class Plan:
    """A calendar, and what its planner remembers of it.

    :param calendar: Its posts and problems. If the file cannot be read, those of its last readable
        version.
    :param begun: The posts whose run was started, by id.
    :param passed: The posts whose time had passed when they came, by id.
    :param pending: The ids of runs that are to be started, or to end. It is not certain yet that
        each of them was.
    :param readable: Whether the file could be read.
    :param unsettled: Whether a change waits until it is known whether a post is live.
    """

    calendar: Calendar
    begun: dict[str, Begun] = field(default_factory=dict)
    passed: dict[str, Passed] = field(default_factory=dict)
    pending: tuple[RunId, ...] = ()
    readable: bool = True
    unsettled: bool = False

    @cached_property
    def timely(self) -> Calendar:
        """The calendar. A post added with a past time, or moved to one, is a problem."""
        problems = {
            post.id: Problem(
                post.line,
                f"its time, {post.publish_at:%Y-%m-%d %H:%M}, had passed when Airflow read it in the file, so "
                "no run publishes it.",
                "If it has been published, leave or remove it. If not, give it a time in the future.",
                post.id,
            )
            for post in self.calendar.posts
            if post.id in self.passed and self.passed[post.id].is_mistake
        }
        return self.calendar.without(problems)

    def times(self) -> dict[str, float]:
        """Return when each post of the calendar is due, also one with a problem, in seconds since the epoch."""
        invalid = {post.id: post.publish_at.timestamp() for post in self.calendar.invalid}
        return invalid | {post.id: post.publish_at.timestamp() for post in self.calendar.posts}


@dataclass(frozen=True)
class Records:
    """What the ledgers say of posts by their keys, and Airflow of runs by their ids.

    :param is_live: Returns whether a post is published. Its run is left alone.
    :param is_open: Returns whether a request to publish a post may have been sent. Its run settles
        that.
    :param runs: Returns the versions of a post by the runs that a planner has begun for them, also
        of a renamed DAG.
    :param exists: Returns whether Airflow has a run with this id, whoever started it.
    :param stands: Returns whether the row of a post names this run, and Airflow has it, and it has
        not failed.
    :param lost: Returns which of the runs that were begun Airflow does not have any more, or has under
        another date.
    """

    is_live: Callable[[str], bool] = lambda _: False
    is_open: Callable[[str], bool] = lambda _: False
    runs: Callable[[str], Mapping[str, str]] = lambda _: {}
    exists: Callable[[str], bool] = lambda _: False
    stands: Callable[[str, str], bool] = lambda *_: False
    lost: Callable[[Collection[str]], Collection[str]] = lambda _: ()


NO_RECORDS: Final = Records()


def decide(
    calendar: Calendar,
    before: Plan | None,
    now: datetime,
    *,
    begins_ahead: timedelta,
    max_lateness: timedelta,
    came_at: datetime | None = None,
    knows_no_runs: bool = False,
    is_dry: bool = False,
    records: Records = NO_RECORDS,
) -> Plan:
    """Decide which runs to start, or to begin anew, for the posts of a calendar as it is now.

    A version has a run of its own, and another one if that was deleted. The run of a version that
    does not count any more begins anew, and skips itself: its question is closed, and what it was
    about to do is not done.

    :param before: The plan of the last look. None if the calendar is new.
    :param came_at: When the triggerer woke the planner. What was to come then is in time, also if
        its run had to wait.
    :param begins_ahead: How long before its post's time a run begins.
    :param knows_no_runs: Whether the planner does not know all runs that it has begun: the calendar is new,
        or its last plan was lost.
    :param is_dry: Whether the DAG only makes dry runs. That it no longer does is an edit of each
        post.
    :return: The plan, whose ``pending`` names the runs.
    """
    decision = _Decision(
        before or Plan(Calendar("")),
        now,
        begins_ahead,
        max_lateness,
        came_at=min(came_at or now, now),
        knows_no_runs=knows_no_runs or before is None,
        dry_mark=DRY_MARK if is_dry else "",
        records=records,
    )
    for post in calendar.posts:
        decision.decide_on(post)
    listed = {post.id: post for post in calendar.posts}
    for post_id in sorted(decision.begun.keys() - listed):
        decision.let_go(post_id)
    decision.end_overtaken(listed)
    # A post with a problem keeps what was found of its time until it can be read again.
    with_problem = decision.last.passed.keys() & calendar.left_out
    passed = {post_id: decision.last.passed[post_id] for post_id in with_problem}
    return Plan(
        calendar,
        decision.begun,
        passed | decision.passed,
        tuple(dict.fromkeys(decision.pending)),
        unsettled=decision.unsettled,
    )


@dataclass
class _Decision:
    """What is decided about the posts of a calendar at one look, one after the other."""

    last: Plan
    now: datetime
    begins_ahead: timedelta
    max_lateness: timedelta
    came_at: datetime
    knows_no_runs: bool
    dry_mark: str
    records: Records
    passed: dict[str, Passed] = field(default_factory=dict)
    unsettled: bool = False

    def __post_init__(self) -> None:
        self.known = self.last.times()
        #: The posts whose time could not be read at the last look, for example because of a
        #: default.
        self.untimed = self.last.calendar.left_out - self.known.keys()
        # What is not certain to have been started is tried again.
        self.pending = list(self.last.pending)
        self.begun = dict(self.last.begun)
        started = [
            one.run
            for one in self.begun.values()
            if self._is_in_time(one) and one.run not in self.pending
        ]
        self.lost = frozenset(self.records.lost(started) if started else ())

    def decide_on(self, post: ScheduledPost) -> None:
        """Decide what becomes of a post."""
        begun = self.begun.get(post.id)
        due = post.publish_at.timestamp()
        version = f"{post.version}{self.dry_mark}"
        begins_later = post.publish_at - self.begins_ahead > self.now
        if begun is None:
            if not self._note_if_passed(post, due) and not begins_later:
                self._begin(post, version, None)
            return
        if begun.version == version:
            if begun.run in self.lost and not self.records.is_live(post.key):
                self._begin(post, version, begun)
            return
        if self._note_if_unsettled(begun):
            return
        is_used_again = begun.due <= self.now.timestamp() < due
        if not is_used_again and self.records.is_live(post.key):
            return
        if self._note_if_passed(post, due):
            self.let_go(post.id)
            return
        if post.publish_at + self.max_lateness < self.now:
            return  # edited long after its time
        if not self.records.is_live(begun.key):
            self._restart_to_end(begun)
        if begins_later:
            del self.begun[post.id]
        else:
            self._begin(post, version, begun)

    def _begin(self, post: ScheduledPost, version: str, before: Begun | None) -> None:
        """Choose the run of a version of a post, and start one unless a run goes on."""
        known = dict(self.records.runs(post.key))
        if before is not None:
            known[before.run] = before.version
        run_id = self._run_of_lost_plan(post.key, known, version)
        if run_id is None:
            run_id = self._free_run_id(post.id, known)
            self.pending.append(run_id)
        self.begun[post.id] = Begun(version, post.publish_at.timestamp(), post.key, run_id)

    def _run_of_lost_plan(self, key: str, known: Mapping[str, str], version: str) -> str | None:
        """Return the run of a version if the plan was lost. A run whose post was rejected has not failed."""
        if not self.knows_no_runs:
            return None
        for run_id, its_version in known.items():
            if its_version == version and self.records.stands(key, run_id):
                return run_id
        return None

    def _free_run_id(self, post_id: str, known: Collection[str]) -> str:
        """Return an id that no run of a post has or had. Users may take many of those that are next."""
        taken = 0
        number = 0
        while True:
            number += 1
            if taken >= MOST_TAKEN:
                number = secrets.randbelow(MOST_NUMBERS) + MOST_NUMBERS
            run_id = f"{post_id}{VERSION_MARK}{number}" if number > 1 else post_id
            if run_id in known:
                continue
            if not self.records.exists(run_id):
                return run_id
            taken += 1

    def _restart_to_end(self, begun: Begun) -> None:
        """Start a run anew, which then skips itself."""
        if begun.run not in self.lost:
            self.pending.append(begun.run)

    def let_go(self, post_id: str) -> None:
        """End the run of a post that none is to publish any more: removed, with a problem, or moved to the past.

        A run that is over is remembered for a while: the post may come back.
        """
        begun = self.begun[post_id]
        if self._note_if_unsettled(begun):
            return
        may_publish = self._is_in_time(begun) and not self.records.is_live(begun.key)
        if may_publish:
            self._restart_to_end(begun)
        if may_publish or begun.due + KEPT.total_seconds() < self.now.timestamp():
            del self.begun[post_id]

    def end_overtaken(self, posts: Mapping[str, ScheduledPost]) -> None:
        """Name no version for a run whose post is another one by now, and that has to end or to settle first.

        Then it is not taken up again if the edit is undone meanwhile.
        """
        for post_id, begun in self.begun.items():
            post = posts.get(post_id)
            if post is None or not begun.is_of(post):
                self.begun[post_id] = replace(begun, version=ENDED)

    def _note_if_unsettled(self, begun: Begun) -> bool:
        """Return whether the run of a post has to find out first whether the post is live, and record that."""
        is_unsettled = self._is_in_time(begun) and self.records.is_open(begun.key)
        self.unsettled |= is_unsettled
        return is_unsettled

    def _is_in_time(self, begun: Begun) -> bool:
        return begun.due + self.max_lateness.total_seconds() > self.now.timestamp()

    def _note_if_passed(self, post: ScheduledPost, due: float) -> bool:
        """Return whether the time of a post had passed when it came, and record that."""
        before = self.last.passed.get(post.id)
        if before is not None and before.due == due:
            self.passed[post.id] = before
            return True
        begun = self.begun.get(post.id)
        # What was to come when the planner was woken is in time, unless it went out as it was.
        has_gone_out = begun is not None and self.records.is_live(begun.key)
        if due > (self.now if has_gone_out else self.came_at).timestamp():
            return False
        may_be_late = post.publish_at + self.max_lateness >= self.now
        # It was in the file before its time, or nobody could read its time then.
        is_known = self.known.get(post.id) == due or (may_be_late and post.id in self.untimed)
        # under another connection, which may be one of the same account, it is a new post
        if is_known and (begun is None or begun.key == post.key):
            return False
        # A run of the lost plan has begun for it, so it was in the file before its time.
        if (
            self.knows_no_runs
            and may_be_late
            and self._has_begun(post.key)
            and not self.records.is_live(post.key)
        ):
            return False
        # Of a time that could not be read, its author has been told: it is no further mistake.
        is_mistake = not self.knows_no_runs and post.id not in self.untimed
        self.passed[post.id] = Passed(due, is_mistake)
        return True

    def _has_begun(self, key: str) -> bool:
        """Return whether a run was begun for a post, for publication or as a dry run as the DAG does now."""
        begun = [version for version in self.records.runs(key).values() if version != ENDED]
        return any(version.endswith(DRY_MARK) == bool(self.dry_mark) for version in begun)


def post_of(run_id: str) -> str:
    """Return the id of the post that a run is about."""
    post_id, mark, number = run_id.rpartition(VERSION_MARK)
    return post_id if mark and number.isdecimal() else run_id


def replaced_by(run_id: str, post_id: str) -> Skipped:
    """Return why a run publishes nothing any more: another one does."""
    return Skipped("edited", f"{post_id} was edited. The run {run_id} publishes the new version.")


def reason_to_end(plan: Plan, post_id: str, begins_ahead: timedelta) -> Skipped:
    """Return why the former run of a post publishes nothing any more."""
    begun = plan.begun.get(post_id)
    if begun is not None:
        return replaced_by(begun.run, post_id)
    calendar = plan.timely
    post = calendar.post(post_id)
    if post is not None:
        begins = post.publish_at - begins_ahead
        word = f"moved to {post.publish_at:%Y-%m-%d %H:%M}"
        return Skipped(
            word, f"{post_id} was {word}. A run begins for it at {begins:%Y-%m-%d %H:%M}."
        )
    if post_id in calendar.left_out:
        problem = " ".join(calendar.why_left_out(post_id))
        return Skipped(
            "has a problem", f"The post has a problem: {problem} Then another run begins."
        )
    was = "was removed from the calendar"
    draft = calendar.draft(post_id)
    if draft is not None:
        was = f"is a draft now, with {draft.lacks}"
    return Skipped("removed", f"{post_id} {was}, so it is not published.")


def next_moment(plan: Plan, begins_ahead: timedelta) -> datetime | None:
    """Return when the next run is to be started, or None. This has passed if a post has come near since the look."""
    to_come = (
        post.publish_at - begins_ahead
        for post in plan.calendar.posts
        if post.id not in plan.begun and post.id not in plan.passed
    )
    return min(to_come, default=None)
