"""Dry runs: of a run by hand, and of a DAG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.tasks.prepare import PreparePost
from airflow_provider_instagram.exceptions import TransientError
from tests.unit.calendar.simulated_runs import post

if TYPE_CHECKING:
    from tests.unit.calendar.simulated_runs import SimulatedCalendar


@pytest.mark.parametrize(
    ("of_dag", "of_run", "is_dry"),
    [({}, {}, False), ({"dry_run": True}, {}, True), ({}, {"dry_run": True}, True)],
)
def test_the_dag_and_a_run_by_hand_can_demand_a_dry_run(
    calendar: SimulatedCalendar, of_dag: dict[str, Any], of_run: dict[str, Any], is_dry: bool
) -> None:
    calendar.given = of_dag
    calendar.write(post("a", 60))
    calendar.plan(0)
    step = PreparePost(task_id="step", settings=calendar.settings)
    context = calendar.context("manual__1", post="a", **of_run)
    step.wanted_post(context)
    assert step.is_dry_run(context) is is_dry


def test_a_dry_run_publishes_nothing_when_its_dag_is_not_one_any_more(calendar: SimulatedCalendar) -> None:
    """A worker may read the DAG's new file before the planner does. What was approved was a dry run."""
    calendar.given = {"dry_run": True}
    calendar.write(post("a", 60))
    calendar.plan(0)
    assert calendar.step("a") == "wanted"
    calendar.given = {}
    with pytest.raises(TransientError, match="different values of dry_run"):
        calendar.step("a")
    calendar.plan(1)
    assert calendar.step("a") == "skipped (edited)"
    assert calendar.step("a~v2") == "wanted"


def test_a_worker_that_has_the_old_dag_file_drops_no_post_that_goes_live(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 60))
    calendar.given = {"dry_run": True}
    calendar.plan(0)
    assert calendar.step("a") == "wanted"
    calendar.given = {}
    calendar.plan(1)
    calendar.given = {"dry_run": True}
    with pytest.raises(TransientError, match="different values of dry_run"):
        calendar.step("a~v2")


def test_a_dry_run_of_a_post_that_is_over_is_skipped_when_it_is_cleared_in_a_dag_that_publishes(
    calendar: SimulatedCalendar,
) -> None:
    """The planner begins no run for it, so to wait for that would last for days."""
    calendar.given = {"dry_run": True}
    calendar.write(post("a", 60))
    calendar.plan(0)
    calendar.given = {}
    assert calendar.plan(1000) == []
    assert calendar.step("a") == "skipped (edited)"
