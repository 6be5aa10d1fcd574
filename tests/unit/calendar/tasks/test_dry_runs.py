"""Dry runs of a calendar: each post has one, and none keeps it from being published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.calendar.simulated_runs import ids, post

if TYPE_CHECKING:
    from tests.unit.calendar.simulated_runs import SimulatedCalendar


def test_a_dag_that_is_a_dry_run_selects_each_version_of_a_post_once(calendar: SimulatedCalendar) -> None:
    calendar.given = {"dry_run": True}
    calendar.write(*(post(f"p{number}", 60 + number) for number in range(3)))
    begin = calendar.parse(-5)
    assert [ids(calendar.run(f"content/{slot}", slot)) for slot in begin] == [["p0"], ["p1"], ["p2"]]

    calendar.write(*(post(f"p{number}", 60 + number, caption=f"{number // 2}") for number in range(3)))
    calendar.parse(3)
    assert ids(calendar.run("content/3", 3)) == ["p0", "p1", "p2"]
    assert ids(calendar.run("content/4", 4)) == []
    assert ids(calendar.run("another/4", 4)) == ["p0", "p1", "p2"]


def test_a_post_has_one_dry_run_and_is_published_when_it_is_no_longer_dry(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 60, dry_run=True), post("b", 65))
    calendar.parse(-5)
    (selected,) = calendar.run("content/0", 0)
    assert ids(calendar.run("content/5", 5)) == ["b"]
    assert calendar.step(selected, "content/0") == "wanted"
    calendar.write(post("a", 60), post("b", 65))
    calendar.parse(6)
    assert calendar.step(selected, "content/0") == "skipped (edited)"
    assert ids(calendar.run("content/6", 6)) == ["a"]
    assert ids(calendar.run("content/7", 7)) == []


def test_a_dag_that_goes_live_within_a_posts_lead_time_publishes_what_had_a_dry_run(
    calendar: SimulatedCalendar,
) -> None:
    calendar.given = {"dry_run": True}
    calendar.write(post("over", -180), post("a", 60), post("b", 300))
    calendar.parse(-200)
    (selected,) = calendar.run("content/0", 0)
    calendar.given = {}
    assert calendar.parse(5) == [5, 240]
    assert ids(calendar.run("content/5", 5)) == ["a"]
    assert calendar.step(selected, "content/0") == "skipped (taken over)"


def test_a_run_started_as_a_dry_run_repeats_it_and_is_assigned_nothing(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 60))
    calendar.parse(-5)
    for run in ("content/one", "content/two"):
        (selected,) = calendar.run(run, 0, dry_run=True)
        assert calendar.step(selected, run, dry_run=True) == "wanted"
    (taken,) = calendar.run("content/0", 0)
    assert calendar.step(taken, "content/0") == "wanted"
    assert calendar.step(selected, "content/two", dry_run=True) == "wanted"


def test_a_dry_run_of_one_dag_keeps_no_other_from_publishing_the_post(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 60))
    calendar.given = {"dry_run": True}
    (selected,) = calendar.run("staging/0", 0)
    calendar.given = {}
    (taken,) = calendar.run("content/0", 0)
    assert calendar.step(taken, "content/0") == "wanted"
    calendar.given = {"dry_run": True}
    assert calendar.step(selected, "staging/0") == "wanted"
