"""What the author of a calendar's DAG may say, and what a run that is started by hand is asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_instagram.calendar.planning.schedule import run_time_of
from airflow_provider_instagram.calendar.planning.settings import MAX_LEAD_TIME, CalendarSettings
from airflow_provider_instagram.ledger.records import CONTAINER_LIFE, EXPIRY_MARGIN
from tests.unit.calendar.simulated_runs import after_noon, post

if TYPE_CHECKING:
    from tests.unit.calendar.simulated_runs import SimulatedCalendar


def test_the_longest_lead_time_fits_into_the_life_of_a_container_at_any_second() -> None:
    due_s = after_noon(0.75).timestamp()
    assert due_s - run_time_of(due_s, MAX_LEAD_TIME) < (CONTAINER_LIFE - EXPIRY_MARGIN).total_seconds()
    assert not CalendarSettings.of("content", "posts.yaml", lead_time=MAX_LEAD_TIME).problems
    (problem,) = CalendarSettings.of("content", "posts.yaml", lead_time=timedelta(hours=23, minutes=30)).problems
    assert "up to 23 h 29 min" in problem.remedy


def test_an_unanswered_post_cannot_go_out_where_late_ones_are_skipped() -> None:
    settings = CalendarSettings.of("content", "posts.yaml", late="skip", unanswered="publish")
    assert (settings.late, settings.unanswered) == ("skip", "skip")
    (problem,) = settings.problems
    assert problem.message == "in the DAG file, unanswered='publish' contradicts late='skip'."


@pytest.mark.parametrize("demand", ["required", "requierd", "none", True, ["required"]])
def test_an_approval_that_the_author_demands_cannot_be_lifted(demand: object, calendar: SimulatedCalendar) -> None:
    """Neither by the file, nor by a mistake in the demand, nor by the time."""
    calendar.given = {"approval": demand, "unanswered": "publish"}
    calendar.write(post("a", 60), post("b", 90, approval="none"), defaults={"approval": "none"})
    calendar.parse(0)
    (first, *_) = calendar.run("content/scheduled", 0)
    assert first["approval"] == "required"
    assert {one.approval for one in calendar.settings.plan().calendar.posts} == {"required"}
    assert calendar.settings.unanswered == "skip"
    assert "contradicts approval='required'" in calendar.settings.problems[-1].message
    assert len(calendar.settings.problems) == (1 if demand == "required" else 2)


def test_an_approval_that_is_demanded_from_now_on_concerns_posts_that_a_run_has_selected(
    calendar: SimulatedCalendar,
) -> None:
    calendar.write(post("a", 60))
    calendar.parse(0)
    (selected,) = calendar.run("content/scheduled", 0)
    calendar.given = {"approval": "required"}
    calendar.parse(1)
    assert calendar.step(selected, "content/scheduled") == "skipped (edited)"
    assert calendar.runs.keys() == {1.0}


def test_a_run_started_for_posts_that_it_cannot_bring_names_them(calendar: SimulatedCalendar) -> None:
    calendar.write(post("monday", 60, video="https://example.com/a.mp4"))
    calendar.report("content/manual", 0, posts=[" monday", ""])
    with pytest.raises(AirflowFailException, match="started for 'mondya', which is not in the calendar"):
        calendar.report("content/manual", 0, posts=["monday", "mondya"])

    calendar.write(post("monday", 60, captoin="x"))
    with pytest.raises(AirflowFailException, match="started for 'monday', which has a problem"):
        calendar.report("content/manual", 0, posts=["monday"])


@pytest.mark.parametrize("notify", ["slack", [print, 7], {"a": print}])
def test_what_cannot_be_called_for_a_problem_is_a_problem(notify: object) -> None:
    settings = CalendarSettings.of("content", "posts.yaml", notify=notify)
    assert [problem.remedy for problem in settings.problems] == [
        "Give a notifier, a callable, or a list of them. The default is used."
    ]
    assert settings.notify is None


@pytest.mark.parametrize("name", ["accounts", "lead_time", "notify"])
def test_a_mistake_in_the_dag_file_is_the_same_problem_at_each_parse(name: str) -> None:
    value: object = {"accounts": iter(["studio"]), "notify": [object()]}.get(name, object())
    (problem,) = CalendarSettings.of("content", "posts.yaml", **{name: value}).problems
    assert "0x" not in problem.message


def test_a_calendar_without_posts_is_a_problem_that_a_run_tells(calendar: SimulatedCalendar) -> None:
    calendar.write()
    assert calendar.parse(0) == [0.0]
    assert calendar.report() == ["the calendar has no posts, so nothing is published."]
