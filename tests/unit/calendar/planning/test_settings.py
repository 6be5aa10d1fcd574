"""What the author of a calendar's DAG may say."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.calendar.planning.settings import MAX_LEAD_TIME, CalendarSettings
from airflow_provider_instagram.ledger.records import CONTAINER_LIFE, EXPIRY_MARGIN
from tests.unit.calendar.simulated_runs import post

if TYPE_CHECKING:
    from tests.unit.calendar.simulated_runs import SimulatedCalendar


def test_the_longest_lead_time_fits_into_the_life_of_a_container() -> None:
    assert MAX_LEAD_TIME < CONTAINER_LIFE - EXPIRY_MARGIN
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
    calendar.plan(0)
    assert {one.approval for one in calendar.stored().calendar.posts} == {"required"}
    assert calendar.settings.unanswered == "skip"
    assert "contradicts approval='required'" in calendar.settings.problems[-1].message
    assert len(calendar.settings.problems) == (1 if demand == "required" else 2)


def test_an_approval_that_is_demanded_from_now_on_gives_each_post_another_run(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 60))
    calendar.plan(0)
    had = calendar.prepared()
    calendar.given = {"approval": "required"}
    assert calendar.plan(1) == ["a", "a~v2"]
    assert calendar.step("a", had) == "skipped (edited)"
    assert calendar.step("a~v2") == "wanted"


def test_the_settings_are_the_same_in_each_process_whatever_the_order_of_a_set() -> None:
    one, other = (CalendarSettings.of("content", "posts.yaml", accounts=named) for named in (["a", "b"], ["b", "a"]))
    assert one.digest == other.digest
    assert one.digest != CalendarSettings.of("content", "posts.yaml", accounts=["a"]).digest
    told = CalendarSettings.of("content", "posts.yaml", accounts=["a", "b"], notify=print)
    assert told.digest == one.digest, "whom the tasks tell changes no plan"


@pytest.mark.parametrize(
    ("given", "ahead"),
    [
        (timedelta(days=2), timedelta(days=2)),
        ("7 days", timedelta(days=7)),
        ("90 min", timedelta(minutes=90)),
        (timedelta(0), timedelta(hours=1)),
    ],
)
def test_how_long_ahead_is_a_time_span_or_a_text_and_never_less_than_the_lead_time(
    given: object, ahead: timedelta
) -> None:
    settings = CalendarSettings.of("content", "posts.yaml", prepare_ahead=given)
    assert (settings.problems, settings.work_ahead) == ((), ahead)


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


def test_a_calendar_without_posts_is_a_problem_that_the_planner_tells(calendar: SimulatedCalendar) -> None:
    calendar.write()
    assert calendar.plan(0) == []
    assert calendar.report() == ["the calendar has no posts, so nothing is published."]
