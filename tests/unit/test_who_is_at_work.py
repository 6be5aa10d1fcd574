"""Whether another task instance may still publish, by what Airflow says of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest

from airflow_provider_instagram.ledger import Claim, Ledger, Owner, Post
from airflow_provider_instagram.operators import PublishOperator
from airflow_provider_instagram.operators.publish import _is_at_work
from tests.integration.account import OTHER, OWNER, DictStore


class Airflow:
    """Answers as Airflow 3.3.2's execution API does: a mapped task instance is named ``<task>_<index>``."""

    def __init__(self, **states: str) -> None:
        self.states = states

    def get_task_states(self, dag_id: str, *, map_index: int | None, task_ids: list[str], run_ids: list[str]) -> Any:
        del dag_id, task_ids
        named = {
            name: state for name, state in self.states.items() if map_index is None or name.endswith(f"_{map_index}")
        }
        return {run_id: named for run_id in run_ids if named}


@pytest.mark.parametrize(
    ("states", "map_index", "at_work"),
    [
        ({"publish": "running"}, -1, True),
        ({"publish": "deferred"}, -1, True),
        ({"publish": "failed"}, -1, False),
        ({"publish_1": "up_for_retry"}, 1, True),
        ({"publish_0": "running", "publish_1": "failed"}, 1, False),
        ({}, -1, False),  # its run is deleted
        ({"publish_0": "running"}, -1, False),  # its author has mapped the task since
        ({"publish": "running"}, 0, False),  # or maps it no longer
    ],
)
def test_only_the_owner_itself_counts(states: dict[str, str], map_index: int, at_work: bool) -> None:
    owner = Owner("calendar", "run-1", "publish", map_index)
    assert _is_at_work(Airflow(**states), owner) is at_work  # type: ignore[arg-type]


def test_a_post_that_its_maker_has_told_of_and_ended_is_not_told_of_again() -> None:
    """Who waited for it read the row before that, and was slow to read the permalink."""

    class Ti(Airflow):
        dag_id, run_id, task_id, map_index = OTHER.dag_id, OTHER.run_id, OTHER.task_id, OTHER.map_index

    ledger = Ledger(DictStore(), "studio")
    ledger.record_intent("post-1", "179", Claim(OWNER, "his"))
    untold = Post("post-1", "179", ledger.now(), "180", untold=True)
    ledger.record_post(replace(untold, untold=False))
    publish = PublishOperator(task_id="publish", container_id="179")
    events: defaultdict[Any, Mock] = defaultdict(Mock)
    context: Any = {"ti": Ti(), "outlet_events": events}
    publish._tell(context, ledger, untold)
    assert not events
