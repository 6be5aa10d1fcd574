"""The running try of a task, and whether the owner of a claim or an intent may still publish, according to Airflow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from airflow_provider_instagram.ledger.records import Owner

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

#: States of a task instance that may still send a request, now or in a later try.
AT_WORK = frozenset(
    {"scheduled", "queued", "running", "restarting", "deferred", "up_for_retry", "up_for_reschedule", "awaiting_input"}
)


@dataclass(frozen=True)
class Try:
    """The running try of a task.

    :param is_alive: Returns whether another task instance may still be at work.
    :param round: The name of its round: of the tries since the task was last cleared.
    :param number: Which try of its round this is, from 1.
    :param is_last: Whether no retry follows.
    """

    owner: Owner
    is_alive: Callable[[Owner], bool]
    round: str = ""
    number: int = 1
    is_last: bool = False

    @classmethod
    def of(cls, task: BaseOperator, context: Context) -> Try:
        """Return the try that runs. A Clear raises ``max_tries`` by the retries of the task."""
        ti, owner = context["ti"], Owner.of(context)
        number = max(1, int(ti.try_number) - int(ti.max_tries) + (task.retries or 0))
        return cls(owner, partial(is_at_work, ti), f"{owner}/{ti.max_tries}", number, ti.try_number > ti.max_tries)


def is_at_work(ti: RuntimeTaskInstanceProtocol, owner: Owner) -> bool:
    """Return whether a task instance may still publish, now or in a later try."""
    if owner.loop_index is not None:
        return _is_pass_at_work(ti, owner)
    mapped = owner.map_index >= 0
    states = ti.get_task_states(
        owner.dag_id, map_index=owner.map_index if mapped else None, task_ids=[owner.task_id], run_ids=[owner.run_id]
    )
    name = f"{owner.task_id}_{owner.map_index}" if mapped else owner.task_id
    return any(tasks.get(name) in AT_WORK for tasks in states.values())


def _is_pass_at_work(ti: RuntimeTaskInstanceProtocol, owner: Owner) -> bool:
    """Return whether a pass of a loop may still publish.

    For a task in a loop, ``get_task_states`` returns the state of the latest pass only, and an earlier pass may have
    been cleared since. So a pass is at work until Airflow reports that the pass or its whole run has ended.
    """
    if not ti.get_dr_count(owner.dag_id, run_ids=[owner.run_id], states=["queued", "running"]):
        return False  # also if the run is deleted
    if owner.map_index >= 0:
        return True  # Airflow does not report the pass of an ended instance of a mapped task
    ended = cast("RuntimeTaskInstance", ti).get_task_breadcrumbs(owner.dag_id, owner.run_id)
    passes = ((one["task_id"], one["map_index"], one.get("region_index")) for one in ended)
    return (owner.task_id, -1, owner.loop_index) not in passes
