"""Runs that a user starts for a post, and posts that a user skips."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.planning.post_rows import PostRows
from airflow_provider_instagram.calendar.tasks.approve import ApprovePost
from airflow_provider_instagram.calendar.tasks.publish import PublishPost
from airflow_provider_instagram.calendar.tasks.tell import TellPost
from airflow_provider_instagram.ledger.records import Claim, Owner
from tests.unit.calendar.simulated_runs import ACCOUNT, after_noon, post

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from tests.unit.calendar.simulated_runs import SimulatedCalendar

HOUR, DAY = 60, 24 * 60


@pytest.mark.parametrize(
    ("due", "params", "started_ago", "at_once"),
    [
        (-300, {"post": "a"}, 0, True),
        (1, {"post": "a"}, 0, False),
        (3 * DAY, {"post": "a"}, 0, False),
        (3 * DAY, {"post": " a ", "now": True}, 0, True),
        (-300, {}, 0, False),
        (-300, {"post": "a"}, 2 * DAY, False),
    ],
)
def test_who_names_a_post_today_wants_it_now(
    calendar: SimulatedCalendar, due: float, params: dict[str, Any], started_ago: float, at_once: bool
) -> None:
    """Not who clears a run of long ago."""
    calendar.write(post("a", due))
    calendar.plan(-10 * DAY)
    calendar.plan(0)
    context = calendar.context("manual__1" if params else "a", **params)
    context["dag_run"].run_after = after_noon(-started_ago)
    one = calendar.stored().calendar.posts[0]
    step = ApprovePost(task_id="step", settings=calendar.settings)
    assert step.is_wanted_at_once(context, one) is at_once
    if at_once:
        assert step.answer_deadline(context, one) == after_noon(HOUR), "a person has time to approve it"


def test_a_run_that_is_started_for_a_post_that_is_not_there_says_so(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", HOUR), post("bad", HOUR, captoin="x"))
    calendar.plan(0)
    assert calendar.step("manual__1", post="a") == "wanted"
    assert calendar.step("manual__1", post="mondya").startswith("failed: ")
    assert "has no post 'mondya'" in calendar.step("manual__1", post="mondya")
    assert calendar.step("manual__1", post="bad").startswith("failed: The post has a problem: Unknown field 'captoin'")


@pytest.mark.parametrize(
    ("by_hand", "then"),
    [(False, "The run a~v2 publishes the new version."), (True, "Trigger the DAG again for the new version.")],
)
def test_an_edit_ends_each_run_and_says_which_one_publishes_the_new_version(
    calendar: SimulatedCalendar, by_hand: bool, then: str
) -> None:
    calendar.write(post("a", HOUR))
    calendar.plan(0)
    had, run = calendar.prepared(), {"run_id": "manual__1", "post": "a"} if by_hand else {"run_id": "a"}
    calendar.write(post("a", HOUR, caption="better"))
    calendar.plan(1)
    assert calendar.step(prepared=had, **run) == "skipped (edited)"
    assert calendar.pushed["outcome"]["reason"] == f"a was edited. {then}"


def test_a_run_by_hand_without_a_post_says_what_is_missing(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", HOUR))
    calendar.plan(0)
    assert calendar.step("manual__2026-12-01T12:00:00+00:00") == "failed: This run names no post."


@pytest.mark.parametrize("post_id", ["../a", "{{ 1 }}", "a b", "a" * 500, "A"])
def test_a_run_for_something_that_is_no_id_finds_nothing(calendar: SimulatedCalendar, post_id: str) -> None:
    calendar.write(post("a", HOUR))
    calendar.plan(0)
    assert "has no post" in calendar.step("manual__1", post=post_id)


def test_a_post_that_came_after_its_time_is_published_when_somebody_names_it(calendar: SimulatedCalendar) -> None:
    calendar.write()
    calendar.plan(0)
    calendar.write(post("a", -5))
    assert calendar.plan(1) == []
    assert calendar.step("a") == "skipped (not its run)"
    assert calendar.step("manual__1", post="a") == "wanted"


def test_a_post_that_a_user_skipped_is_published_by_no_run_of_its_own_until_it_is_brought_back(
    calendar: SimulatedCalendar,
) -> None:
    calendar.write(post("a", HOUR))
    calendar.plan(0)
    one, rows = calendar.stored().calendar.posts[0], PostRows(calendar.ledger().store)
    rows.record_skip(one, "ada")
    assert calendar.step() == "skipped (skipped)"
    assert calendar.step("manual__1", post="a") == "skipped (skipped)"
    assert calendar.step("manual__1", post="a", now=True) == "wanted", "who wants it now has not forgotten the skip"
    rows.record_skip(one, None)
    assert calendar.step() == "wanted"
    rows.record_skip(one, "ada")
    calendar.write(post("a", HOUR, caption="better"))
    assert calendar.plan(2) == ["a", "a~v2"]
    assert calendar.step("a~v2") == "wanted", "it was another version"


def test_a_run_that_began_before_a_clock_that_is_slow_is_not_too_early(calendar: SimulatedCalendar) -> None:
    calendar.given = {"prepare_ahead": timedelta(hours=2)}
    calendar.write(post("a", 180))
    assert calendar.plan(60) == ["a"]
    calendar.now = 58.5
    assert calendar.step() == "wanted"


def test_a_skip_counts_for_a_run_by_hand_that_was_started_before_it(calendar: SimulatedCalendar) -> None:
    """It waits for the post's time. Who skips the post afterwards reads that no run publishes it."""
    calendar.write(post("a", 5 * DAY))
    calendar.plan(0)
    assert calendar.step("manual__1", post="a") == "wanted"
    had = calendar.prepared()
    assert calendar.plan(3 * DAY) == ["a"]
    one, rows = calendar.stored().calendar.posts[0], PostRows(calendar.ledger().store)
    rows.record_skip(one, "ada")
    assert calendar.step("a", had) == "skipped (skipped)"
    calendar.run_after = after_noon(0)
    assert calendar.step("manual__1", had, post="a").startswith("skipped")


@pytest.mark.parametrize("edit", [[], [post("a", DAY, captoin="x")]], ids=["removed", "with a problem"])
def test_a_run_by_hand_settles_a_request_that_may_have_been_sent_whatever_became_of_the_post(
    calendar: SimulatedCalendar, mocker: MockerFixture, edit: list[dict[str, Any]]
) -> None:
    """Its publisher was killed after it had set out. The post's own run does so."""
    calendar.write(post("a", DAY), post("b", DAY))
    calendar.plan(0)
    calendar.prepared(container_id="17901")
    context, key = calendar.context("manual__1", post="a", now=True), f"{ACCOUNT}/a"
    context["ti"].task_id = "publish"
    calendar.ledger().record_intent(key, "17901", Claim(Owner.of(context), "nonce"))
    calendar.write(*edit, post("b", DAY))
    calendar.plan(1)
    live: dict[str, Any] = {"permalink": None, "media_id": None}
    settle = mocker.patch("airflow_provider_instagram.calendar.tasks.publish.publish", return_value=live)
    PublishPost(task_id="publish", settings=calendar.settings).execute(context)
    assert settle.call_args.args[2] == key
    told: list[Any] = []
    calendar.given = {"notify": [told.append]}
    calendar.states = {"prepare": "success", "approve": "success", "create": "success", "publish": "failed"}
    TellPost(task_id="tell", settings=calendar.settings).execute(context)
    assert [one["event"].event for one in told] == ["unknown"]
