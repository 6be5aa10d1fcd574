"""The task of a calendar's planner: it reads the file, and starts one run for each post.

1. It looks at the file, and decides. Nothing has changed yet.
2. If the runs change, it records the mark of the new plan. If the process dies before that plan is
   stored, the next look begins anew. It records each run that it is about to start or to end in the
   ledger of its post, with the post, in a row that no user can write or read. The tasks of the run
   read that row.
3. It stores the plan, in which the runs to start are *pending*.
4. It starts them, and stores the plan again. The next look, two minutes later, tries again what is
   pending still.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from airflow.sdk.exceptions import AirflowFailException, AirflowRuntimeError

from airflow_provider_instagram.calendar.planning.begin_runs import (
    ENDED,
    NOT_ITS_RUN,
    Begun,
    Records,
    post_of,
    reason_to_end,
)
from airflow_provider_instagram.calendar.planning.look import look, next_look
from airflow_provider_instagram.calendar.planning.post_rows import PlannedPost, PostRows
from airflow_provider_instagram.calendar.planning.settings import BY_HAND, SHORTEST_DELAY
from airflow_provider_instagram.calendar.planning.stored_plan import StoredPlan, due_file, store
from airflow_provider_instagram.calendar.planning.told import LAST_PLAN, LastPlan, events_asset
from airflow_provider_instagram.calendar.tasks.alerts import tell_failed_run
from airflow_provider_instagram.calendar.tasks.base import CalendarTask
from airflow_provider_instagram.calendar.tasks.post_runs import PostRuns
from airflow_provider_instagram.exceptions import LedgerRowError, own_words
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.seal import SealedStore
from airflow_provider_instagram.operators.base import PLAN
from airflow_provider_instagram.utils.clock import CLOCK

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.planning.begin_runs import Plan
    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
    from airflow_provider_instagram.calendar.planning.stored_plan import Due

T = TypeVar("T")
#: A file that breaks, or loses a post whose run has begun, is read again.
SECOND_LOOK_AFTER_S = 2.0
#: After so many runs that Airflow has not started, the others wait for the next look: Airflow
#: answers nothing now.
MOST_FAILURES: Final = 3


class PlanPosts(CalendarTask):
    """Read the calendar, store its plan, and start the runs of posts. If that fails, people are told."""

    weight = PLAN
    #: Each post that comes near waits for the planner, in addition to the delays of its own tasks.
    longest_delay = SHORTEST_DELAY
    #: What a failure means.
    failed: ClassVar[str] = "no run begins, and no edit counts."

    def __init__(
        self, *, settings: CalendarSettings, on_failure_callback: Any = None, **kwargs: Any
    ) -> None:
        given = on_failure_callback
        if not isinstance(given, (list, tuple)):
            given = [given]
        callbacks = [*filter(None, given)]
        if settings.notify:
            callbacks.append(self._tell)
        inlets = [events_asset(settings.dag_id), *map(ledger_asset, settings.accounts)]
        super().__init__(settings=settings, on_failure_callback=callbacks, inlets=inlets, **kwargs)

    def execute(self, context: Context) -> None:
        """Look at the calendar, and start the runs that its posts need.

        :raises AirflowFailException: If some were not started.
        """
        settings = self.settings
        stored = StoredPlan.read(settings.plan_file)
        posts = PlannedPosts(context, settings)
        if stored is not None and stored.mark != posts.last_plan().mark:
            # an earlier one was put back, or the row was deleted
            stored = stored.model_copy(update={"mark": ""})
        runs = PostRuns(context["ti"], settings.dag_id)
        planned, due = self._look(posts, stored, runs)
        listed = {post.id for post in planned.plan.calendar.posts}
        if not planned.plan.readable or not listed.issuperset(map(post_of, planned.plan.pending)):
            time.sleep(SECOND_LOOK_AFTER_S)  # the file may be half-written at this moment
            planned, due = self._look(posts, stored, runs)
        plan = planned.plan
        self.log.info(
            "%s: %s posts, %s runs to start",
            settings.location,
            len(plan.calendar.posts),
            len(plan.pending),
        )
        planned = self._record(posts, planned, stored, CLOCK.now())
        store(settings.plan_file, planned)
        store(due_file(settings.plan_file), due)
        if plan.pending:
            self._start(posts, planned, due, runs)

    def _look(
        self, posts: PlannedPosts, stored: StoredPlan | None, runs: PostRuns
    ) -> tuple[StoredPlan, Due]:
        """Look at the calendar once. Nothing is stored."""
        run = posts.context["dag_run"]
        is_of_user = run.run_type != "asset_triggered"
        # The time of the first event since the last run. A user may give a run of a new calendar
        # any date.
        came_at: datetime | None = None if is_of_user and stored is None else run.run_after
        by_hand = is_of_user and (run.conf or {}).get(BY_HAND, True)
        lost_at = stored.lost_at if stored is not None else None
        if lost_at is not None and run.run_after <= lost_at:
            by_hand = False
        return look(
            self.settings,
            stored,
            CLOCK.now(),
            came_at=came_at,
            by_hand=by_hand,
            records=posts.records(runs),
        )

    def _record(
        self, posts: PlannedPosts, planned: StoredPlan, stored: StoredPlan | None, now: datetime
    ) -> StoredPlan:
        """Record what the tasks of posts read, and return the plan as the last one."""
        plan = planned.plan
        before = stored.plan.begun if stored is not None else {}
        is_changed = plan.begun != before
        begins_anew = not planned.mark and bool(is_changed or plan.readable or plan.calendar.posts)
        last = posts.last_plan()
        generation = last.taken + begins_anew
        if is_changed or begins_anew:
            # If the process dies before the new plan is stored, the next look begins anew.
            last = last.model_copy(update={"mark": secrets.token_hex(8), "taken": generation})
            posts.record_last(last)
            planned = planned.model_copy(update={"mark": last.mark})
        self._record_runs(posts, plan, before, generation, now)
        if begins_anew:
            posts.record_last(last.model_copy(update={"generation": generation}))
        return planned

    def _record_runs(
        self,
        recorded: PlannedPosts,
        plan: Plan,
        before: Mapping[str, Begun],
        generation: int,
        now: datetime,
    ) -> None:
        """Record which runs publish the posts to come, whatever the ledger says of them now, and which end."""
        runs = {one.run for one in plan.begun.values()}
        keys = {one.key for one in plan.begun.values()}
        for post_id, begun in before.items():
            # also a run that Airflow has lost: a user may make one with its id
            if begun.run in runs or recorded.is_live(begun.key):
                continue
            recorded.record_run(begun, ENDED)
            key = begun.key
            if key.partition("/")[0] not in self.settings.accounts:
                # its tasks read the rows of the accounts that the DAG has now
                key = f"{next(iter(self.settings.accounts), '')}/{post_id}"
            if key not in keys:
                why = reason_to_end(plan, post_id, self.settings.work_ahead)
                recorded.record(key, PlannedPost(why=why))
        for post_id, begun in plan.begun.items():
            if begun != before.get(post_id):
                recorded.record_run(begun, begun.version)
        posts = {post.id: post for post in plan.calendar.posts}
        oldest = (now - self.settings.max_lateness).timestamp()
        for post_id, own in plan.begun.items():
            if own.due <= oldest:
                continue
            post = posts.get(post_id)
            if post is None or not own.is_of(post):
                recorded.overtake(own.key)
                continue
            row = PlannedPost(
                run=own.run,
                is_dry=own.is_dry,
                post=post,
                location=self.settings.location,
                pin=plan.calendar.pin,
                generation=generation,
            )
            recorded.record(own.key, row)

    def _start(self, posts: PlannedPosts, planned: StoredPlan, due: Due, runs: PostRuns) -> None:
        """Start what is pending, and store the plan and the next look without it.

        A run that a user has started with the id of a post counts for nothing: the next look gives
        the post another id.

        :raises AirflowFailException: If Airflow has not started some.
        """
        plan = planned.plan
        current = {one.run for one in plan.begun.values()}
        done: set[str] = set()
        taken: set[str] = set()
        failed: list[str] = []
        for run_id in plan.pending:
            if len(failed) == MOST_FAILURES:
                break
            try:
                if run_id not in current:
                    runs.end(run_id)
                elif not runs.start(run_id):
                    taken.add(run_id)
                done.add(run_id)
            except AirflowRuntimeError:
                self.log.exception("The run %s was not started", run_id)
                failed.append(run_id)
        for one in plan.begun.values():
            if one.run in taken:
                posts.record_run(one, ENDED)
                posts.record(one.key, PlannedPost(why=NOT_ITS_RUN))
        begun = {post_id: one for post_id, one in plan.begun.items() if one.run not in taken}
        left = tuple(run_id for run_id in plan.pending if run_id not in done)
        started = planned.model_copy(update={"plan": replace(plan, begun=begun, pending=left)})
        store(self.settings.plan_file, started)
        at = next_look(self.settings, started, CLOCK.now())
        store(due_file(self.settings.plan_file), due.model_copy(update={"at": at}))
        if failed:
            raise AirflowFailException(
                f"Not started, and started again in two minutes: {', '.join(left)}"
            )

    def _tell(self, context: Context) -> None:
        """Report that the planner failed. A task that fails emits no event of an asset."""
        error = context.get("exception")
        why = f"{own_words(error) if isinstance(error, Exception) else ''} Its log says more.".lstrip()
        tell_failed_run(context, self.settings, f"its planner failed: {self.failed}", why)


@dataclass(frozen=True)
class PlannedPosts:
    """The rows of a calendar's posts, by their keys, and that of its last plan.

    If the row of a post is not good, its run says so.
    """

    context: Context
    settings: CalendarSettings

    def ask(self, key: str, ask: Callable[[PostRows], T]) -> T | None:
        """Read or write rows. None if the DAG does not name the account, or if a row is not good."""
        account = key.partition("/")[0]
        if account in self.settings.accounts:
            with suppress(LedgerRowError):
                return ask(PostRows(Ledger.of(self.context, account).store))
        return None

    def records(self, runs: PostRuns) -> Records:
        """Return what the planner asks of posts and their runs."""
        return Records(
            is_live=self.is_live,
            is_open=self.is_open,
            runs=lambda key: self.ask(key, lambda rows: rows.runs(key)) or {},
            exists=runs.exists,
            stands=lambda key, run_id: self.names(key, run_id) and runs.stands(run_id),
            lost=runs.lost,
        )

    def is_live(self, key: str) -> bool:
        """Return whether a post is published."""
        return bool(self.ask(key, lambda rows: Ledger(rows.store, key).post(key)))

    def is_open(self, key: str) -> bool:
        """Return whether a request to publish a post may have been sent."""
        intents = self.ask(key, lambda rows: Ledger(rows.store, key).open_intents(key))
        return bool(intents) and not self.is_live(key)

    def names(self, key: str, run_id: str) -> bool:
        """Return whether the row of a post names a run that has no reason to end."""
        about = (self.settings.dag_id, key, run_id, self.last_plan().generation)
        row = self.ask(key, lambda rows: rows.row_in_force(*about))
        return row is not None and row.run == run_id and row.why is None

    def record_run(self, begun: Begun, version: str) -> None:
        """Record which version of a post a run is for."""
        self.ask(begun.key, lambda rows: rows.record_run(begun.key, begun.run, version))

    def overtake(self, key: str) -> None:
        """Record that the run of a post sends no more requests, and only finds out whether it is live."""
        self.ask(key, lambda rows: rows.record_overtaken(self.settings.dag_id, key))

    def record(self, key: str, planned: PlannedPost) -> None:
        """Record which run publishes a post."""
        self.ask(key, lambda rows: rows.record_planned(self.settings.dag_id, key, planned))

    def last_plan(self) -> LastPlan:
        """Return what tells the last plan from all earlier ones."""
        return LastPlan.of(self._own_rows.get(LAST_PLAN))

    def record_last(self, last: LastPlan) -> None:
        """Record which plan is the last one. Rows of an earlier generation do not count any more."""
        self._own_rows.set(LAST_PLAN, last.model_dump())

    @property
    def _own_rows(self) -> SealedStore:
        return SealedStore.of(self.context, events_asset(self.settings.dag_id))
