"""Dry runs of a calendar: each post is rehearsed once, and none keeps it from going out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.calendar.simulated_runs import ids, post

if TYPE_CHECKING:
    from tests.unit.calendar.simulated_runs import Stage


def test_a_dry_dag_rehearses_each_version_of_a_post_once(stage: Stage) -> None:
    stage.given = {"dry_run": True}
    stage.write(*(post(f"p{number}", 60 + number) for number in range(3)))
    begin = stage.parse(-5)
    assert [ids(stage.run(f"content/{slot}", slot)) for slot in begin] == [["p0"], ["p1"], ["p2"]]

    stage.write(*(post(f"p{number}", 60 + number, caption=f"{number // 2}") for number in range(3)))
    stage.parse(3)
    assert ids(stage.run("content/3", 3)) == ["p0", "p1", "p2"]
    assert ids(stage.run("content/4", 4)) == []
    assert ids(stage.run("another/4", 4)) == ["p0", "p1", "p2"]


def test_a_dry_post_is_rehearsed_once_and_goes_out_when_it_is_dry_no_more(stage: Stage) -> None:
    stage.write(post("a", 60, dry_run=True), post("b", 65))
    stage.parse(-5)
    (rehearsed,) = stage.run("content/0", 0)
    assert ids(stage.run("content/5", 5)) == ["b"]
    assert stage.step(rehearsed, "content/0") == "wanted"
    stage.write(post("a", 60), post("b", 65))
    stage.parse(6)
    assert stage.step(rehearsed, "content/0") == "skipped (edited)"
    assert ids(stage.run("content/6", 6)) == ["a"]
    assert ids(stage.run("content/7", 7)) == []


def test_a_dag_that_goes_live_within_a_posts_lead_time_brings_what_it_has_rehearsed(stage: Stage) -> None:
    stage.given = {"dry_run": True}
    stage.write(post("over", -180), post("a", 60), post("b", 300))
    stage.parse(-200)
    (rehearsed,) = stage.run("content/0", 0)
    stage.given = {}
    assert stage.parse(5) == [5, 240]
    assert ids(stage.run("content/5", 5)) == ["a"]
    assert stage.step(rehearsed, "content/0") == "skipped (taken over)"


def test_a_run_started_as_a_dry_run_rehearses_again_and_takes_nothing(stage: Stage) -> None:
    stage.write(post("a", 60))
    stage.parse(-5)
    for run in ("content/one", "content/two"):
        (rehearsed,) = stage.run(run, 0, dry_run=True)
        assert stage.step(rehearsed, run, dry_run=True) == "wanted"
    (taken,) = stage.run("content/0", 0)
    assert stage.step(taken, "content/0") == "wanted"
    assert stage.step(rehearsed, "content/two", dry_run=True) == "wanted"


def test_a_rehearsal_by_one_dag_keeps_no_other_from_bringing_the_post(stage: Stage) -> None:
    stage.write(post("a", 60))
    stage.given = {"dry_run": True}
    (rehearsed,) = stage.run("staging/0", 0)
    stage.given = {}
    (taken,) = stage.run("content/0", 0)
    assert stage.step(taken, "content/0") == "wanted"
    stage.given = {"dry_run": True}
    assert stage.step(rehearsed, "staging/0") == "wanted"
