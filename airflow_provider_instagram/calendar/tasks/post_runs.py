"""The runs of a calendar's DAG, which its planner starts through Airflow's API for tasks.

Airflow's ``TriggerDagRunOperator`` is mapped over an XCom, which users may edit, and Airflow
renders what comes out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

from airflow_provider_instagram.calendar.planning.lateness import CLOCKS_DIFFER
from airflow_provider_instagram.operators.base import send
from airflow_provider_instagram.utils.clock import CLOCK

#: The type of a run that a task has started, and no user.
STARTED_BY_TASK: Final = "operator_triggered"
#: The states of a run that Airflow has begun, or that has ended.
BEGUN: Final = ("running", "success", "failed")
STANDING: Final = ("queued", "running", "success")
#: So many runs are asked for at once: their ids are parts of one address.
AT_ONCE: Final = 100
#: Later than any run.
LAST_DATE: Final = datetime.max.replace(tzinfo=timezone.utc)
#: So many runs that users have dated ahead are looked for: each is a request.
MOST_AHEAD: Final = 50


@dataclass(frozen=True)
class PostRuns:
    """The runs of a calendar's DAG.

    :param ti: The task instance that asks.
    """

    ti: Any
    dag_id: str

    def exists(self, run_id: str) -> bool:
        """Return whether Airflow has a run with this id, whoever started it."""
        return self._count([run_id]) > 0

    def stands(self, run_id: str) -> bool:
        """Return whether Airflow has a run that the planner has started, and it has not failed."""
        run = self._run(run_id)
        return _is_own(run) and run.state in STANDING and not _is_dated_ahead(run)

    def lost(self, run_ids: Collection[str]) -> list[str]:
        """Return which of these runs Airflow does not have any more, or has with a date that a user has chosen."""
        ordered = sorted(run_ids)
        found = self._dated_ahead(ordered)
        for first in range(0, len(ordered), AT_ONCE):
            some = ordered[first : first + AT_ONCE]
            if self._count(some, BEGUN) < len(some):
                found += filter(self._is_lost, some)
        return found

    def start(self, run_id: str) -> bool:
        """Start a run, without any parameters. Return whether it is one that the planner has started.

        :raises AirflowRuntimeError: If Airflow refuses that.
        """
        from airflow.sdk.execution_time.comms import ErrorResponse

        if not isinstance(self._trigger(run_id, is_reset=False), ErrorResponse):
            return True
        return _is_own(self._run(run_id))

    def end(self, run_id: str) -> None:
        """Start a run of an earlier version anew, if Airflow has it: its tasks find that, and skip themselves.

        :raises AirflowRuntimeError: If Airflow refuses that.
        """
        if self.exists(run_id):
            self._trigger(run_id, is_reset=True)

    def _dated_ahead(self, run_ids: Sequence[str]) -> list[str]:
        """Return those with a logical date to come, which a user has chosen: Airflow begins no task of them.

        A user may have dated thousands of other runs ahead. Then these are looked at one by one.
        """
        from airflow.sdk.execution_time.comms import GetPreviousDagRun

        found: set[str] = set()
        before = LAST_DATE
        for _ in range(MOST_AHEAD):
            asked = GetPreviousDagRun(dag_id=self.dag_id, logical_date=before, state="running")
            run = send(asked).dag_run
            if run is None or not _is_dated_ahead(run):
                return sorted(found.intersection(run_ids))
            found.add(run.run_id)
            before = run.logical_date
        return [run_id for run_id in run_ids if self._is_ahead(run_id)]

    def _is_ahead(self, run_id: str) -> bool:
        run = self._run(run_id)
        return run is not None and run.state == "running" and _is_dated_ahead(run)

    def _is_lost(self, run_id: str) -> bool:
        run = self._run(run_id)
        return run is None or (run.state == "queued" and _is_dated_ahead(run))

    def _count(self, run_ids: Sequence[str], states: Sequence[str] | None = None) -> int:
        number: int = self.ti.get_dr_count(
            self.dag_id, run_ids=list(run_ids), states=states and list(states)
        )
        return number

    def _run(self, run_id: str) -> Any:
        """Return what Airflow says of a run, or None if Airflow does not have it."""
        from airflow.sdk.execution_time.comms import GetDagRun

        if not self.exists(run_id):
            return None
        return send(GetDagRun(dag_id=self.dag_id, run_id=run_id))

    def _trigger(self, run_id: str, *, is_reset: bool) -> Any:
        from airflow.sdk.execution_time.comms import TriggerDagRun

        now = CLOCK.now()
        return send(
            TriggerDagRun(
                dag_id=self.dag_id, run_id=run_id, logical_date=now, reset_dag_run=is_reset
            )
        )


def _is_own(run: Any) -> bool:
    """Return whether a task has started a run, and no user."""
    return run is not None and run.run_type == STARTED_BY_TASK


def _is_dated_ahead(run: Any) -> bool:
    """Return whether a run is to begin later than any that the planner starts."""
    dates = filter(None, (run.run_after, run.logical_date))
    is_ahead: bool = max(dates) > CLOCK.now() + CLOCKS_DIFFER
    return is_ahead
