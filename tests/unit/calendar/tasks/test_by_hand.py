"""What a run that somebody starts brings, and what becomes of a post when it does not."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_provider_instagram.calendar.file.model import ScheduledPost
from airflow_provider_instagram.calendar.planning.assignments import Assignments
from airflow_provider_instagram.calendar.planning.schedule import utc_now
from airflow_provider_instagram.calendar.tasks.approve import ApprovePost
from airflow_provider_instagram.calendar.tasks.run_request import is_requested_now, requested_posts
from airflow_provider_instagram.calendar.tasks.transcode import TranscodePost
from tests.unit.calendar.simulated_runs import ACCOUNT, ids, minutes_after_noon, post

if TYPE_CHECKING:
    from tests.unit.calendar.simulated_runs import SimulatedCalendar

HOUR = 60.0
DAY = 24 * HOUR


def test_a_post_whose_run_by_hand_fails_is_brought_by_its_own_run(calendar: SimulatedCalendar) -> None:
    """Its token was dead, somebody marked it failed, or deleted it: the post went missing in a green run."""
    calendar.write(post("a", 10 * HOUR))
    calendar.parse(-5)
    (had,) = calendar.run("content/manual", 0, posts=["a"])
    assert calendar.run("content/own", 9 * HOUR) == []
    calendar.failed.add("content/manual")
    assert calendar.run("content/of another post", 9 * HOUR + 1) == []
    assert calendar.run("content/own", 9 * HOUR) == [had]
    assert calendar.step(had, "content/manual") == "skipped (taken over)"
    assert calendar.run("content/own, too", 9 * HOUR) == []


def test_a_post_whose_run_is_gone_is_brought_by_a_run_that_somebody_starts(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", HOUR))
    calendar.parse(-5)
    calendar.run("content/own", 0)
    assert calendar.run("content/manual", 10) == []
    calendar.failed.add("content/own")
    assert ids(calendar.run("content/manual", 10)) == ["a"]


def test_what_a_run_by_hand_let_go_of_for_good_does_not_come_back(calendar: SimulatedCalendar) -> None:
    """A person rejected it, and the run failed for another reason: nobody is asked again, but who names it is."""
    calendar.write(post("a", 10 * HOUR))
    calendar.parse(-5)
    (had,) = calendar.run("content/manual", 0, posts=["a"])
    step = TranscodePost(task_id="step", post=had, settings=calendar.settings, instagram_conn_id=ACCOUNT)
    with pytest.raises(AirflowSkipException):
        step.skip_post(calendar.context("content/manual", 0), "rejected: no", "Rejected by Ada: no")
    calendar.failed.add("content/manual")
    assert calendar.run("content/own", 9 * HOUR) == []
    assert ids(calendar.run("content/manual again", 9 * HOUR, posts=["a"])) == ["a"]


def test_a_post_that_is_named_more_than_a_containers_life_ahead_is_refused_and_not_taken(
    calendar: SimulatedCalendar,
) -> None:
    """But a dry run is made: no container has to last for that."""
    calendar.write(post("a", 3 * DAY, video="https://example.com/a.mp4"))
    calendar.parse(-5)
    assert calendar.run("content/manual", 0, posts=["a"]) == []
    with pytest.raises(AirflowFailException, match=r"more than 23\.5 hours before its time, 2026-12-04 12:00"):
        calendar.report("content/manual", 0, posts=["a"])
    assert ids(calendar.run("content/manual", 3 * DAY - 23.5 * HOUR, posts=["a"])) == ["a"]
    calendar.report("content/manual", 3 * DAY - 23.5 * HOUR, posts=["a"])

    assert ids(calendar.run("content/manual dry", 0, posts=["a"], dry_run=True)) == ["a"]
    calendar.report("content/manual dry", 0, posts=["a"], dry_run=True)
    calendar.given = {"dry_run": True}
    assert ids(calendar.run("content/manual dry", 0, posts=["a"])) == ["a"]


def test_a_post_that_came_after_its_time_is_brought_when_somebody_names_it(calendar: SimulatedCalendar) -> None:
    calendar.write(post("b", 5 * HOUR))
    calendar.parse(-5)
    calendar.write(post("b", 5 * HOUR), post("a", -30))
    calendar.parse(0)
    assert len(calendar.problems()) == 1
    (named,) = calendar.run("content/manual", 0, posts=["a"])
    assert calendar.step(named, "content/manual", posts=["a"]) == "wanted"


@pytest.mark.parametrize(
    ("run_type", "ago", "names", "wants_now"),
    [
        ("manual", timedelta(hours=23), True, True),
        ("operator_triggered", timedelta(0), True, True),
        ("manual", timedelta(days=2), True, False),
        ("backfill", timedelta(0), False, False),
        ("scheduled", timedelta(0), False, False),
    ],
)
def test_who_names_a_post_today_wants_it_now(
    calendar: SimulatedCalendar, run_type: str, ago: timedelta, names: bool, wants_now: bool
) -> None:
    """Not who clears a run of long ago, and not who fills gaps."""
    run = SimpleNamespace(run_type=run_type, run_after=utc_now() - ago, data_interval_end=None)
    context: Any = {"dag_run": run, "params": {"posts": [" a", ""]}}
    over, to_come, unnamed = (
        ScheduledPost(id=post_id, publish_at=run.run_after + timedelta(minutes=at), account=ACCOUNT, video="a.mp4")
        for post_id, at in (("a", -300), ("a", 1), ("b", -300))
    )
    step = ApprovePost(task_id="step", post={}, settings=calendar.settings, instagram_conn_id=ACCOUNT)
    now = utc_now()
    assert (step.answer_by(context, over) > now) is wants_now, "a person has time to approve it"
    assert requested_posts(context) == ["a"] * names
    assert [is_requested_now(context, one) for one in (over, to_come, unnamed)] == [wants_now, False, False]


def skip(calendar: SimulatedCalendar, had: dict[str, Any], user: str = "ada") -> Assignments:
    """Skip a post, as the page Posts does."""
    assignments = Assignments(calendar.rows(), "content")
    assignments.skip(ScheduledPost.model_validate(had), user)
    return assignments


def test_a_post_that_a_user_skipped_is_brought_by_no_run_until_it_is_brought_back(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", HOUR))
    calendar.parse(-5)
    (had,) = calendar.run("content/own", 0)
    assignments = skip(calendar, had)
    assert calendar.step(had, "content/own") == "skipped (skipped)"
    assert calendar.run("content/own", 0) == []
    assert calendar.run("renamed/own", 0) == [], "also in a DAG with another name"
    assignments.bring_back(ScheduledPost.model_validate(had))
    assert calendar.run("content/own", 0) == [had]


def test_a_skip_holds_for_one_version_and_not_for_who_names_the_post(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", HOUR))
    calendar.parse(-5)
    (had,) = calendar.run("content/own", 0)
    skip(calendar, had)
    assert calendar.run("content/manual", 1, posts=["a"]) == [had]
    skip(calendar, had)
    calendar.write(post("a", HOUR, caption="better"))
    calendar.parse(2)
    assert ids(calendar.run("content/edited", 2)) == ["a"]


def test_a_run_may_publish_at_once_what_is_days_ahead(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 3 * DAY, video="https://example.com/a.mp4"))
    calendar.parse(-5)
    started = minutes_after_noon(utc_now().timestamp())
    assert calendar.run("content/manual", started, posts=["a"]) == []
    (had,) = calendar.run("content/manual", started, posts=["a"], now=True)
    one = ScheduledPost.model_validate(had)
    assert is_requested_now(calendar.context("content/manual", started, posts=["a"], now=True), one)
    assert not is_requested_now(calendar.context("content/manual", started, posts=["a"]), one)
    assert not is_requested_now(calendar.context("content/manual", started, posts=["b"], now=True), one)
    assert not is_requested_now(calendar.context("content/manual", started - 2 * DAY, posts=["a"], now=True), one)
