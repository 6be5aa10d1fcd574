"""Whether another task instance may still publish, according to Airflow."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest

from airflow_provider_instagram.exceptions import LedgerRowError
from airflow_provider_instagram.ledger.database import rows_of, settle
from airflow_provider_instagram.ledger.events import emit_post_event
from airflow_provider_instagram.ledger.ledger import Ledger, row_key
from airflow_provider_instagram.ledger.records import Claim, Owner, PublishedPost, is_at_work
from tests.integration.account import OTHER, OWNER, DictStore


class Airflow:
    """Answers as Airflow's execution API does: a mapped task instance is named ``<task>_<index>``."""

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
        ({"publish_0": "running"}, -1, False),  # the task has been mapped since
        ({"publish": "running"}, 0, False),  # or is no longer mapped
    ],
)
def test_only_the_owner_itself_counts(states: dict[str, str], map_index: int, at_work: bool) -> None:
    owner = Owner("calendar", "run-1", "publish", map_index)
    assert is_at_work(Airflow(**states), owner) is at_work  # type: ignore[arg-type]


class AirflowWithLoops(Airflow):
    """Answers as Airflow 3.4 does: the state of the latest pass, and which tasks of all passes have ended."""

    def __init__(self, *ended: dict[str, Any], runs: int = 1, **latest: str) -> None:
        super().__init__(**latest)
        self.ended, self.runs = ended, runs

    def get_dr_count(self, dag_id: str, *, run_ids: list[str], states: list[str]) -> int:
        del dag_id, run_ids
        assert states == ["queued", "running"]
        return self.runs

    def get_task_breadcrumbs(self, dag_id: str, run_id: str) -> Any:
        del dag_id, run_id
        return iter(self.ended)


def ended(task_id: str = "publish", map_index: int = -1, **region: Any) -> dict[str, Any]:
    return {"task_id": task_id, "map_index": map_index, "state": "failed", "operator": "", "duration": 1.0, **region}


@pytest.mark.parametrize(
    ("airflow", "map_index", "at_work"),
    [
        (AirflowWithLoops(publish="running"), -1, True),
        (AirflowWithLoops(publish="failed"), -1, True),  # another pass has failed; this one may have been cleared
        (AirflowWithLoops(ended(region_id="a", region_index=0)), -1, False),
        (AirflowWithLoops(ended(region_id="a", region_index=1)), -1, True),
        (AirflowWithLoops(ended("create", region_id="a", region_index=0)), -1, True),
        (AirflowWithLoops(ended()), -1, True),  # the task has been moved out of the loop since
        (AirflowWithLoops(ended(map_index=0, region_id="b", region_index=0)), -1, True),  # or mapped it
        (AirflowWithLoops(ended(map_index=0, region_id="b", region_index=0)), 0, True),  # the pass is not reported
        (AirflowWithLoops(ended(region_id="a", region_index=0)), 0, True),  # it ended before the task was mapped
        (AirflowWithLoops(publish_0="running", runs=0), 0, False),  # its run has ended, or is deleted
        (AirflowWithLoops(runs=0), -1, False),
    ],
)
def test_a_pass_of_a_loop_is_at_work_until_airflow_says_that_it_has_ended(
    airflow: AirflowWithLoops, map_index: int, at_work: bool
) -> None:
    owner = Owner("calendar", "run-1", "publish", map_index, loop_index=0)
    assert is_at_work(airflow, owner) is at_work  # type: ignore[arg-type]


def test_an_event_that_another_task_has_emitted_is_not_emitted_again() -> None:
    """It was emitted while this task read the permalink."""

    class Ti(Airflow):
        dag_id, run_id, task_id, map_index = OTHER.dag_id, OTHER.run_id, OTHER.task_id, OTHER.map_index

    ledger = Ledger(DictStore(), "studio")
    ledger.record_intent("post-1", "179", Claim(OWNER, "theirs"))
    pending = PublishedPost("post-1", "179", ledger.now(), "180", event_pending=True)
    ledger.record_post(replace(pending, event_pending=False))
    events: defaultdict[Any, Mock] = defaultdict(Mock)
    context: Any = {"ti": Ti(), "outlet_events": events}
    emit_post_event(context, ledger, pending)
    assert not events


def test_the_record_of_an_event_keeps_that_its_post_was_deleted_meanwhile() -> None:
    class Ti(Airflow):
        dag_id, run_id, task_id, map_index = OWNER.dag_id, OWNER.run_id, OWNER.task_id, OWNER.map_index

    ledger = Ledger(DictStore(), "studio")
    pending = PublishedPost("post-1", "179", ledger.now(), "180", event_pending=True)
    deleted = replace(pending, deleted_at=ledger.now())
    ledger.record_post(deleted)
    inlets: defaultdict[Any, Mock] = defaultdict(lambda: Mock(limit=lambda _: [1]))
    context: Any = {"ti": Ti(), "outlet_events": defaultdict(Mock), "inlet_events": inlets}
    emit_post_event(context, ledger, pending)
    assert ledger.post("post-1") == replace(deleted, event_pending=False)


class Rows(DictStore):
    """The rows of an account in Airflow's database."""

    def rows(self) -> dict[str, Any]:
        return dict(self)

    def delete(self, key: str) -> None:
        self.pop(key, None)


def test_what_a_person_settles_is_no_post_whose_key_begins_alike() -> None:
    """The request for the other one may have made a post, and would be sent again."""
    store: Any = Rows()
    ledger = Ledger(store, "studio")
    for key in ("launch", "launch:2"):
        ledger.record_intent(key, "17901", Claim(OWNER, "n"))
    settle(store, "studio", "launch", live=False)
    assert ledger.open_intents("launch", OWNER) == []
    assert len(ledger.open_intents("launch:2", OWNER)) == 1
    bad = {key: LedgerRowError("bad") for key in store}
    own = {row_key("intent", "launch"), row_key("intent", "launch", OWNER)}
    assert rows_of(Rows(bad), "launch").keys() == own  # type: ignore[arg-type]
