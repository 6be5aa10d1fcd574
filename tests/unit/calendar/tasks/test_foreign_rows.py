"""Rows of a calendar's account that no task of this version has written: they stop one post, and no neighbour."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_instagram.calendar.planning.post_rows import PostRows
from airflow_provider_instagram.calendar.tasks.planner import PlanPosts
from airflow_provider_instagram.exceptions import LedgerRowError
from airflow_provider_instagram.ledger.records import PublishedPost
from tests.unit.calendar.simulated_runs import ACCOUNT, LEDGER, SimulatedCalendar, after_noon, post

ROWS: dict[str, Any] = {
    "an earlier form": {"post_key": f"{ACCOUNT}/a", "media": "180"},
    "a later form": {"form": 7, "row": 1},
    "forged": {"form": 1, "row": {"version": "x", "user": None}, "seal": "0" * 64},
}


@pytest.mark.parametrize("kind", ["done", "skip"])
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_foreign_row_stops_its_own_post_only(calendar: SimulatedCalendar, kind: str, row: Any) -> None:
    calendar.write(post("a", 60), post("b", 60))
    assert calendar.plan(0) == ["a", "b"]
    calendar.ledgers[LEDGER][f"{kind}:{ACCOUNT}/a"] = row
    assert calendar.step("b") == "wanted"
    with pytest.raises(LedgerRowError, match=f"The row '{kind}:{ACCOUNT}/a' of connection '{ACCOUNT}'"):
        calendar.step("a")
    assert calendar.ledgers[LEDGER][f"{kind}:{ACCOUNT}/a"] == row, "what a person has to see is not overwritten"


@pytest.mark.parametrize("row", [{"version": "x", "by": "anna"}, {"version": "x", "user": None, "until": 1}, ["x"]])
def test_a_decision_in_a_form_that_this_version_does_not_know_stops_the_post(
    calendar: SimulatedCalendar, row: Any
) -> None:
    """Another version has sealed it. What would count as none is that a person has skipped the post."""
    calendar.write(post("a", 60))
    calendar.plan(0)
    for key in (f"skip:{ACCOUNT}/a", f"prepared:{ACCOUNT}/a/{calendar.prepared()}"):
        calendar.rows().set(key, row)
        with pytest.raises(LedgerRowError, match="written by another version of the provider") as error:
            calendar.step("a", prepared="")
        assert f"forget --conn-id {ACCOUNT} -- {key}" in str(error.value)
        del calendar.ledgers[LEDGER][key]


@pytest.mark.parametrize("kind", ["done", "begun"])
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_planner_starts_the_runs_of_a_calendar_with_a_foreign_row(
    calendar: SimulatedCalendar, monkeypatch: pytest.MonkeyPatch, kind: str, row: Any
) -> None:
    """The run of that post says what is wrong. An edit of it is no reason for the planner to stop."""
    calendar.write(post("a", 60), post("b", 60))
    calendar.plan(0)
    calendar.ledgers[LEDGER][f"{kind}:{ACCOUNT}/a"] = row
    calendar.write(post("a", 90), post("b", 60), post("c", 90))
    for run_id in ("a", "b"):
        calendar.airflow.add(run_id)
    PlanPosts(task_id="plan", settings=calendar.settings).execute(calendar.context())
    assert calendar.airflow.started() == ["a", "a~v2", "c"]


def test_a_forged_time_of_another_post_moves_no_late_post(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 60))
    calendar.plan(0)
    (one,) = calendar.stored().calendar.posts
    forged = {"at": "2999-01-01T00:00:00+00:00", "version": one.version}
    calendar.ledgers[LEDGER][f"late:{ACCOUNT}/a"] = {"form": 1, "row": forged, "seal": "0" * 64}
    assert PostRows(calendar.rows()).late_time(one) is None


def test_a_post_whose_record_was_swapped_with_that_of_another_stops(calendar: SimulatedCalendar) -> None:
    """Both rows are real, and stand under each other's key."""
    calendar.write(post("a", 60), post("b", 60))
    calendar.plan(0)
    for name in ("a", "x"):
        live = PublishedPost(f"{ACCOUNT}/{name}", "17", after_noon(60).isoformat(), dag_id="content")
        calendar.ledger().record_post(live)
    rows = calendar.ledgers[LEDGER]
    rows[f"done:{ACCOUNT}/b"] = rows[f"done:{ACCOUNT}/x"]
    with pytest.raises(LedgerRowError, match=f"done:{ACCOUNT}/b"):
        calendar.step("b")
