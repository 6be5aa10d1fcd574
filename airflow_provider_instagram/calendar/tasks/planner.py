"""The tasks of a calendar's planner: they read the file, and start one run for each post.

1. The task ``plan`` looks at the file, decides, and stores the plan, in which the runs to start are *pending*. If the
   process dies before that, nothing has changed.
2. The mapped task ``start`` is Airflow's own ``TriggerDagRunOperator``. It starts a run, or begins it anew.
3. The task ``started`` records which of them are pending still. The next look, two minutes later, starts those again.
   If ``started`` does not run, that is all of them: a run that begins anew finds its work done, but asks again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import conf
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_instagram.calendar.planning.look import look, next_look
from airflow_provider_instagram.calendar.planning.plan import Records, post_of
from airflow_provider_instagram.calendar.planning.rows import PostRows
from airflow_provider_instagram.calendar.planning.settings import SHORTEST_DELAY
from airflow_provider_instagram.calendar.planning.stored_plan import due_file, read_due, read_plan, store
from airflow_provider_instagram.calendar.tasks.alerts import tell_failed_run
from airflow_provider_instagram.calendar.tasks.base import CalendarTask
from airflow_provider_instagram.exceptions import LedgerRowError, own_words
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.operators.base import PLAN
from airflow_provider_instagram.utils.server_clock import CLOCK

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings

#: The id of the mapped task that starts the runs.
START = "start"
#: A file that breaks, or loses a post whose run has begun, is read again.
SECOND_LOOK_AFTER_S = 2.0


class PlannerTask(CalendarTask):
    """Base class of the planner's tasks that start runs. If one fails, people are told."""

    weight = PLAN
    #: Each post that comes near waits for the planner, in addition to the delays of its own tasks.
    longest_delay = SHORTEST_DELAY
    #: What that means.
    failed: ClassVar[str]

    def __init__(self, *, settings: CalendarSettings, on_failure_callback: Any = None, **kwargs: Any) -> None:
        given = on_failure_callback if isinstance(on_failure_callback, (list, tuple)) else [on_failure_callback]
        callbacks = [*filter(None, given), *([self._tell] if settings.notify else [])]
        super().__init__(settings=settings, on_failure_callback=callbacks, **kwargs)

    def _tell(self, context: Context) -> None:
        """Report that the planner failed. A task that fails emits no event of an asset."""
        error = context.get("exception")
        why = f"{own_words(error) if isinstance(error, Exception) else ''} Its log says more.".lstrip()
        tell_failed_run(context, self.settings, f"its planner failed: {self.failed}", why)


class PlanPosts(PlannerTask):
    """Read the calendar, store its plan, and return which runs to start: arguments of ``TriggerDagRunOperator``.

    They consist of ids alone. What a person writes does not belong there, because Airflow renders them.
    """

    failed = "no run begins, and no edit counts."

    def __init__(self, *, settings: CalendarSettings, **kwargs: Any) -> None:
        inlets = [ledger_asset(one) for one in settings.accounts]
        super().__init__(settings=settings, inlets=inlets, **kwargs)

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return the runs to start."""
        settings, stored = self.settings, read_plan(self.settings.plan_file)
        came_at = context["dag_run"].run_after  # the time of the first event since the last run
        records = Records(
            is_live=partial(self._asked, context, lambda ledger, key: ledger.post(key) is not None, False),
            is_open=partial(self._asked, context, lambda ledger, key: bool(ledger.open_intents(key)), False),
            runs=partial(self._asked, context, lambda ledger, key: PostRows(ledger.store).runs(key), {}),
            exists=lambda run_id: context["ti"].get_dr_count(settings.dag_id, run_ids=[run_id]) > 0,
        )
        by_hand = context["dag_run"].run_type == "manual"
        planned, due = look(settings, stored, CLOCK.now(), came_at=came_at, by_hand=by_hand, records=records)
        listed = {post.id for post in planned.plan.calendar.posts}
        if not planned.plan.readable or not listed.issuperset(map(post_of, planned.plan.pending)):
            time.sleep(SECOND_LOOK_AFTER_S)  # the file may be half-written at this moment
            planned, due = look(settings, stored, CLOCK.now(), came_at=came_at, by_hand=by_hand, records=records)
        store(settings.plan_file, planned)
        store(due_file(settings.plan_file), due)
        plan = planned.plan
        self.log.info("%s: %s posts, %s runs to start", settings.location, len(plan.calendar.posts), len(plan.pending))
        return [{"trigger_run_id": run_id} for run_id in plan.pending[: most_at_once()]]

    def _asked(self, context: Context, question: Callable[[Ledger, str], Any], default: Any, key: str) -> Any:
        """Return the answer of a post's ledger. If a row of it is not good, the run of the post says so."""
        account = key.partition("/")[0]
        try:
            return question(Ledger.of(context, account), key) if account in self.settings.accounts else default
        except LedgerRowError:
            return default


class RecordStarts(PlannerTask):
    """Record which runs were started. One that was not keeps no other one from going on.

    :param runs: What this run of the planner had to start: the plan may name others, after a Clear or a retry.
    """

    failed = "a run was not started."
    template_fields: Sequence[str] = ("runs",)

    def __init__(self, *, runs: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.runs = runs

    def execute(self, context: Context) -> None:
        """Write the plan and the next look without the runs of which Airflow reports that they were started.

        :raises AirflowFailException: If some were not.
        """
        stored, due = read_plan(self.settings.plan_file), read_due(due_file(self.settings.plan_file))
        if stored is None or due is None or not stored.plan.pending:
            return
        ti = context["ti"]
        states = ti.get_task_states(ti.dag_id, task_ids=[START], run_ids=[ti.run_id]).get(ti.run_id, {})
        tried = [one["trigger_run_id"] for one in self.runs or ()]
        begun = {one for place, one in enumerate(tried) if states.get(f"{START}_{place}") == "success"}
        left = tuple(one for one in stored.plan.pending if one not in begun)
        started = stored.model_copy(update={"plan": replace(stored.plan, pending=left)})
        store(self.settings.plan_file, started)
        at = next_look(self.settings, started, CLOCK.now())
        store(due_file(self.settings.plan_file), due.model_copy(update={"at": at}))
        if failed := [one for one in left if one in tried]:
            raise AirflowFailException(f"Not started, and started again in two minutes: {', '.join(failed)}")


def most_at_once() -> int:
    """Return how many runs one run of the planner starts: Airflow maps a task over no longer list."""
    return conf.getint("core", "max_map_length", fallback=1024)
