"""Rows of a calendar's account that no task of this version has written: they stop one post, and no neighbour."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_instagram.exceptions import LedgerRowError
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import PublishedPost
from tests.unit.calendar.simulated_runs import ACCOUNT, LEDGER, SimulatedCalendar, after_noon, ids, post

ROWS: dict[str, Any] = {
    "an earlier form": {"post_key": f"{ACCOUNT}/a", "media": "180"},
    "a later form": {"form": 7, "row": 1},
    "forged": {"form": 1, "row": {"post_key": f"{ACCOUNT}/a", "settled": True, "run": "x/y"}, "seal": "0" * 64},
}


@pytest.mark.parametrize("kind", ["done", "calendar"])
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_foreign_row_stops_its_own_post_only(calendar: SimulatedCalendar, kind: str, row: Any) -> None:
    calendar.write(post("a", 60), post("b", 60))
    calendar.parse(0)
    calendar.ledgers[LEDGER][f"{kind}:{ACCOUNT}/a"] = row
    a, b = calendar.run("content/own", 0)
    assert [a["id"], b["id"]] == ["a", "b"]
    assert calendar.step(b, "content/own") == "wanted"
    with pytest.raises(LedgerRowError, match=f"The row '{kind}:{ACCOUNT}/a' of connection '{ACCOUNT}'"):
        calendar.step(a, "content/own")
    assert calendar.ledgers[LEDGER][f"{kind}:{ACCOUNT}/a"] == row, "what a person has to see is not overwritten"


def test_a_post_that_is_moved_although_its_row_has_another_form_keeps_the_others_going(
    calendar: SimulatedCalendar,
) -> None:
    calendar.write(post("a", 60), post("b", 60))
    calendar.parse(0)
    calendar.run("content/own", 0)
    calendar.ledgers[LEDGER][f"done:{ACCOUNT}/a"] = {"form": 0, "key": "a"}
    calendar.write(post("a", 90), post("b", 60), post("c", 90))
    calendar.parse(10)
    assert ids(calendar.run("content/later", 30)) == ["a", "c"]


def test_only_the_own_run_of_such_a_post_fails_it(calendar: SimulatedCalendar) -> None:
    """Runs that begin within the lead time after it do not try it again, and none prepares it."""
    calendar.write(post("a", 60), post("b", 70))
    calendar.parse(0)
    calendar.ledgers[LEDGER][f"calendar:{ACCOUNT}/a"] = ROWS["forged"]
    assert ids(calendar.run("content/next", 10)) == ["b"]
    assert ids(calendar.run("content/own", 0)) == ["a"]


def test_a_forged_time_of_another_post_moves_no_late_post(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 60))
    calendar.parse(0)
    (had,) = calendar.run("content/own", 0)
    forged = {"post_key": f"{ACCOUNT}/a", "at": "2999-01-01T00:00:00+00:00", "version": had.get("known_version")}
    for key in ("calendar-late-blind", f"calendar-late:{ACCOUNT}/a"):
        calendar.ledgers[LEDGER][key] = {"form": 1, "row": forged, "seal": "0" * 64}
    assert calendar.rows().get("calendar-late-blind") is None
    assert calendar.rows().get(f"calendar-late:{ACCOUNT}/a") is None


def test_a_post_whose_record_was_swapped_with_that_of_another_stops(calendar: SimulatedCalendar) -> None:
    """Both rows are real, and stand under each other's key."""
    calendar.write(post("a", 60), post("b", 60))
    calendar.parse(0)
    ledger = Ledger(calendar.rows(), ACCOUNT)
    for name in ("a", "x"):
        ledger.record_post(PublishedPost(f"{ACCOUNT}/{name}", "17", after_noon(60).isoformat(), dag_id="content"))
    rows = calendar.ledgers[LEDGER]
    rows[f"done:{ACCOUNT}/b"] = rows[f"done:{ACCOUNT}/x"]
    (b,) = calendar.run("content/own", 0)
    with pytest.raises(LedgerRowError, match=f"done:{ACCOUNT}/b"):
        calendar.step(b, "content/own")
