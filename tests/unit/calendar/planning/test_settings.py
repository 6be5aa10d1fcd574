"""What the author of a calendar's DAG may say."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar import content_calendar_dag
from airflow_provider_instagram.calendar.planning.settings import MAX_ACCOUNTS, MAX_LEAD_TIME, CalendarSettings
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.ledger.records import CONTAINER_LIFE, EXPIRY_MARGIN
from tests.unit.calendar.simulated_runs import post

if TYPE_CHECKING:
    from tests.unit.calendar.simulated_runs import SimulatedCalendar


SHEET = "https://docs.google.com/pub"
MANY = [f"brand_{number}" for number in range(MAX_ACCOUNTS + 1)]


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ({"calendar": None}, "path"),
        ({"calendar": " "}, "path"),
        ({"accounts": "other_team"}, "accounts=["),
        ({"accounts": ["other_team", 5]}, "accounts=["),
        ({"accounts": {"other_team": 1}}, "accounts=["),
        ({"accounts": None}, "accounts=["),
        ({"accounts": MANY}, "second calendar"),
        ({"lead_time": "1 hour"}, "timedelta"),
        ({"lead_time": timedelta(hours=23, minutes=30)}, "23 h 29 min"),
        ({"lead_time": timedelta(0)}, "timedelta"),
        ({"prepare_ahead": "7 days"}, "Give a timedelta"),
        ({"prepare_ahead": timedelta(days=300)}, "keep_results_days"),
        ({"max_lateness": 60}, "timedelta"),
        ({"max_lateness": timedelta(seconds=59)}, "at least a minute"),
        ({"min_spacing": "15 min"}, "timedelta"),
        ({"late": "never"}, "'skip'"),
        ({"approval": "requierd"}, "'required'"),
        ({"approval": ["required"]}, "'required'"),
        ({"approval": True}, "'required'"),
        ({"dry_run": "no"}, "False"),
        ({"notify": "slack"}, "callable"),
        ({"notify": [print, 7]}, "callable"),
        ({"columns": {"Clip": "video"}}, "Leave them out"),
        ({"calendar": SHEET, "columns": {"Clip": "vidoe"}}, "vidoe"),
        ({"calendar": SHEET, "columns": {"Clip": f"{SHEET}?sig=secret"}}, "column"),
        ({"calendar": SHEET, "defaults": {"vidoe": f"{SHEET}?sig=secret"}}, "vidoe"),
        ({"calendar": SHEET, "columns": ["Clip"]}, "dict"),
        ({"calendar": SHEET, "defaults": {"zone": "UTC"}}, "zone"),
        ({"calendar": SHEET, "defaults": {"dates": "any"}}, "day-first"),
    ],
)
def test_an_invalid_argument_is_an_import_error_with_its_remedy(given: dict[str, Any], remedy: str) -> None:
    with pytest.raises(ValidationError) as refused:
        content_calendar_dag("content", **{"calendar": "posts.yaml", **given})
    assert [*given][-1] in refused.value.message
    assert remedy in str(refused.value.hint)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("acounts", "'accounts'"),
        ("leadtime", "'lead_time'"),
        ("defualt_args", "'default_args'"),
        ("schedule", "Leave it out"),
        ("catchup", "Leave it out"),
        ("disable_bundle_versioning", "the newest DAG file"),
        ("qqq", "no such argument"),
    ],
)
def test_an_unknown_argument_is_a_type_error_that_names_the_one_that_is_meant(name: str, remedy: str) -> None:
    given: dict[str, Any] = {name: 1}
    with pytest.raises(TypeError, match=name) as refused:
        content_calendar_dag("content", "posts.yaml", **given)
    assert remedy in str(refused.value)


def test_no_run_keeps_the_dag_file_in_which_it_began() -> None:
    """In a versioned bundle, an account that was taken out, or an approval that was not asked for, would count on."""
    dag = content_calendar_dag("content", "posts.yaml")
    assert dag.disable_bundle_versioning is True


def test_the_longest_lead_time_fits_into_the_life_of_a_container() -> None:
    assert MAX_LEAD_TIME < CONTAINER_LIFE - EXPIRY_MARGIN
    assert CalendarSettings.of("content", "posts.yaml", lead_time=MAX_LEAD_TIME).lead_time == MAX_LEAD_TIME


def test_an_approval_that_the_author_demands_cannot_be_lifted_by_the_file(calendar: SimulatedCalendar) -> None:
    calendar.given = {"approval": "required"}
    calendar.write(post("a", 60), post("b", 90, approval="none"), defaults={"approval": "none"})
    calendar.plan(0)
    assert {one.approval for one in calendar.stored().calendar.posts} == {"required"}


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
    ("given", "ahead"), [(timedelta(days=2), timedelta(days=2)), (timedelta(0), timedelta(hours=1))]
)
def test_a_run_begins_never_later_than_the_lead_time(given: timedelta, ahead: timedelta) -> None:
    settings = CalendarSettings.of("content", "posts.yaml", prepare_ahead=given)
    assert settings.work_ahead == ahead


def test_a_calendar_without_posts_is_a_problem_that_the_planner_tells(calendar: SimulatedCalendar) -> None:
    calendar.write()
    assert calendar.plan(0) == []
    assert calendar.report() == ["the calendar has no posts, so nothing is published."]
