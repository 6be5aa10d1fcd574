"""The state of a post on the Posts page, from what Airflow and the ledger know of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_instagram.calendar.file.columns import InvalidPost, ScheduledPost
from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.calendar.planning.stored_plan import About
from airflow_provider_instagram.exceptions import LedgerRowError
from airflow_provider_instagram.ledger.records import PublishedPost
from airflow_provider_instagram.plugin.board.board import PostCard, first_line, invalid_card, kind_of
from airflow_provider_instagram.plugin.board.detail import acts_in
from airflow_provider_instagram.plugin.board.states import (
    ASKED_AGAIN,
    AT_ONCE,
    ENDED_EARLY,
    Facts,
    PostRun,
    State,
    Status,
    Task,
    status_of,
)

DUE = datetime(2030, 5, 6, 8, 30, tzinfo=timezone.utc)
POST = ScheduledPost(id="hello", publish_at=DUE, account="studio", video="/media/a.mp4", caption="Hello")
DONE = PublishedPost("studio/hello", "c1", "2030-05-06T08:30:01+00:00", "m1", permalink="https://instagram.com/reel/a")
HOUR = timedelta(hours=1)
ABOUT = About(lead_time=HOUR, max_lateness=HOUR, prepare_ahead=72 * HOUR)


def in_run(*, is_dry: bool = False, run_state: str = "running", **states: Task | str | None) -> Facts:
    tasks = {name: task if isinstance(task, Task) else Task(task) for name, task in states.items()}
    return Facts(POST, run=PostRun("hello", run_state, tasks, is_dry=is_dry))


def required(facts: Facts) -> Facts:
    return replace(facts, post=POST.model_copy(update={"approval": "required"}))


def answered(facts: Facts, option: str, person: str | None, **given: Any) -> Facts:
    """Return a post whose question was answered, as Airflow hands that to the task."""
    assert facts.run is not None
    event = {"chosen_options": [option], "params_input": given, "responded_by_user": person and {"name": person}}
    return replace(facts, run=replace(facts.run, event=event))


def state(facts: Facts, at: datetime = DUE - HOUR / 2) -> Status:
    return status_of(facts, at, ABOUT)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (Facts(POST), State.PLANNED),
        (in_run(prepare=None, create=None, publish=None), State.IN_WORK),
        (in_run(prepare="running", create=None, publish=None), State.IN_WORK),
        (in_run(prepare="success", approve="awaiting_input", create=None, publish=None), State.WAITING),
        (in_run(prepare="success", approve="success", create="deferred", publish=None), State.IN_WORK),
        (in_run(prepare="success", approve="success", create="success", publish=None), State.READY),
        (in_run(prepare="success", approve="success", create="success", publish="deferred"), State.READY),
        (in_run(prepare="success", approve="success"), State.IN_WORK),
        (in_run(run_state="queued", prepare=None, create=None), State.PLANNED),  # the calendar is paused
        (in_run(run_state="queued", prepare="success", create=None), State.IN_WORK),  # it was cleared
        (in_run(prepare="success", approve="success", create="success", publish="up_for_retry"), State.READY),
        (
            in_run(prepare="success", approve="success", create="success", publish="running"),
            State.READY,
        ),  # it is about to wait
        (in_run(prepare="success", approve="success", create="success", publish="success", is_dry=True), State.SKIPPED),
        (in_run(prepare="success", approve="skipped", create="skipped", publish="skipped"), State.SKIPPED),
        (in_run(prepare="failed", create="upstream_failed", publish="upstream_failed"), State.FAILED),
        (in_run(prepare="success", approve="success", create="success", publish="success"), State.FAILED),
        (
            in_run(run_state="success", prepare="success", approve="success", create="success", publish="success"),
            State.FAILED,
        ),  # marked by a user
        (
            replace(in_run(prepare="success", approve="success", create="success", publish="success"), done=DONE),
            State.PUBLISHED,
        ),
        (
            replace(in_run(prepare="success", approve="success", create="success", publish="failed"), is_open=True),
            State.UNKNOWN,
        ),
        (
            replace(in_run(prepare="success", approve="success", create="success", publish="running"), is_open=True),
            State.IN_WORK,
        ),
    ],
)
def test_the_first_task_that_did_not_succeed_determines_the_state(facts: Facts, expected: State) -> None:
    assert state(facts).state is expected


@pytest.mark.parametrize("run_state", ["success", "failed"])
@pytest.mark.parametrize("cleared", ["prepare", "approve", "create", "publish"])
def test_a_run_that_has_ended_before_its_tasks_publishes_nothing(run_state: str, cleared: str) -> None:
    """A user may clear a task and leave its run ended, or delete a task: Airflow begins neither."""
    steps = ("prepare", "approve", "create", "publish")
    states: dict[str, Any] = dict.fromkeys(steps[: steps.index(cleared)], "success") | {cleared: None}
    for at in (DAYS_AHEAD, DUE - HOUR / 2):
        found = state(in_run(run_state=run_state, **states), at)
        assert (found.state, found.text) == (State.FAILED, ENDED_EARLY)


@pytest.mark.parametrize("mark", ["edited", "moved to 2026-12-10 12:00", "has a problem", "removed"])
def test_the_run_of_the_present_version_that_says_it_is_outdated_is_skipped(mark: str) -> None:
    """Users may write that. A run that a user started for a post leaves it to its own."""
    outdated = in_run(run_state="success", prepare=Task("skipped", outcome={"state": "skipped", "mark": mark}))
    assert state(outdated, DAYS_AHEAD) == Status(State.SKIPPED, mark)
    assert outdated.run is not None
    assert not outdated.run.is_outdated
    assert replace(outdated.run, by_hand=True).is_outdated


DAYS_AHEAD = DUE - 50 * HOUR
WAITS_FOR_FILE = Task("up_for_reschedule", outcome={"state": "later", "mark": "waits for its file"})
REJECTED = Task("skipped", outcome={"state": "skipped", "mark": "rejected: loud", "reason": "Rejected by Ada: loud"})


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (in_run(prepare="running"), Status(State.IN_WORK)),
        (in_run(prepare="success", approve=Task("awaiting_input", deadline=DUE)), Status(State.WAITING, until=DUE)),
        (replace(in_run(prepare="success", approve=Task("awaiting_input", deadline=DUE)), is_asked_again=True),
         Status(State.WAITING, "asked again", ASKED_AGAIN, until=DUE)),
        (required(in_run(prepare="success", approve="success", create="deferred")), Status(State.READY)),
        (replace(in_run(prepare="success", approve="success", create="deferred"), is_approved=True),
         Status(State.READY, "approved")),
        (in_run(prepare="success", approve="success", create="deferred"), Status(State.READY)),
        (in_run(prepare="success", approve="success", create=None), Status(State.READY)),
        (in_run(prepare="success", approve="success", create=Task("failed", outcome={"reason": "No."})),
         Status(State.FAILED, "No.")),
        (in_run(prepare=Task("failed", outcome={"reason": "No.", "mark": "AuthenticationError"})),
         Status(State.FAILED, "No.", needs_login=True)),
        (in_run(prepare=WAITS_FOR_FILE), Status(State.PLANNED, "waits for its file")),
        (in_run(prepare="success", approve=REJECTED),
         Status(State.SKIPPED, "rejected: loud", "Rejected by Ada: loud")),
        (in_run(prepare=Task("failed", outcome={"reason": "It is damaged."}), approve="upstream_failed"),
         Status(State.FAILED, "It is damaged.")),
        # The planner begins no other run for this version: a user has marked the task, and written what it reports.
        (in_run(prepare=Task("skipped", outcome={"mark": "edited"})), Status(State.SKIPPED, "edited")),
    ],
)  # fmt: skip
def test_a_post_whose_time_is_days_ahead_shows_how_far_its_preparation_is(facts: Facts, expected: Status) -> None:
    assert state(facts, DAYS_AHEAD) == expected


def test_a_row_that_cannot_be_read_leaves_the_outcome_unknown_whatever_the_run_says() -> None:
    error = LedgerRowError("The row has no seal.", hint="Look at the account.")
    facts = replace(in_run(prepare="success", approve="success", create="success", publish="success"), bad_row=error)
    assert state(facts) == Status(State.UNKNOWN, "The row has no seal.", "Look at the account.")
    assert acts_in(Status(State.UNKNOWN), facts) == ["live", "not_live", "retry"]
    assert acts_in(Status(State.UNKNOWN), replace(facts, run=None)) == ["live", "not_live"]


def test_a_publisher_that_waits_its_last_half_minute_is_publishing() -> None:
    waiting = in_run(prepare="success", approve="success", create="success", publish="deferred")
    assert state(waiting, DUE - timedelta(seconds=31)).state is State.READY
    assert state(waiting, DUE - timedelta(seconds=29)).is_going_out
    assert state(replace(waiting, run=replace(waiting.run, at_once=True))).is_going_out  # type: ignore[type-var]


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_post_that_is_too_late_for_good_is_not_said_to_go_out(*, by_hand: bool) -> None:
    """A run cannot begin its first task, such as one that a user has given an id that is too long for a log's name."""
    stuck = in_run(prepare="up_for_retry")
    assert stuck.run is not None
    shown = state(replace(stuck, run=replace(stuck.run, by_hand=by_hand)), DUE + ABOUT.max_lateness + HOUR)
    assert "It goes out as soon as it can" not in shown.hint


def test_reasons_are_those_that_the_tasks_reported() -> None:
    failed = {"state": "failed", "mark": "MediaRejectedError", "reason": "Too long.", "hint": "Cut it."}
    skipped = {"state": "skipped", "mark": "rejected: ugly", "reason": "Rejected by Ada: ugly", "hint": None}
    assert state(in_run(prepare=Task("failed", outcome=failed))) == Status(State.FAILED, "Too long.", "Cut it.")
    found = state(in_run(prepare="success", approve=Task("skipped", outcome=skipped)))
    assert (found.text, found.hint) == ("rejected: ugly", "Rejected by Ada: ugly")
    late = Task("skipped", outcome={**skipped, "mark": "skipped: 6 min late"})
    assert state(in_run(prepare=late)).text == "6 min late", "the state says that it is skipped"
    assert state(in_run(prepare="success", approve=Task("awaiting_input", deadline=DUE))).until == DUE


def test_who_is_asked_about_a_post_that_goes_out_at_once_reads_that() -> None:
    facts = in_run(prepare="success", approve="awaiting_input")
    assert facts.run is not None
    assert state(replace(facts, run=replace(facts.run, at_once=True))) == Status(State.WAITING, AT_ONCE)


def test_a_container_that_is_held_waits_for_an_answer_and_says_why() -> None:
    held = Task("awaiting_input", deadline=DUE, outcome={"state": "held", "reason": "Somebody else's song."})
    facts = in_run(prepare="success", approve="success", create=held, publish=None)
    assert state(facts) == Status(State.WAITING, "Somebody else's song.", until=DUE)
    assert facts.is_held


@pytest.mark.parametrize("task", ["scheduled", "queued", "running"])
@pytest.mark.parametrize(
    ("option", "person", "expected"),
    [
        ("Reject", "Ada", Status(State.SKIPPED, "rejected: ugly", "Rejected by Ada: ugly")),
        ("Reject", None, Status(State.SKIPPED, "not approved", "Nobody has approved the post by its time.")),
        ("Approve", "Ada", Status(State.IN_WORK, "approved by Ada")),
    ],
)
def test_an_answer_counts_as_soon_as_it_is_stored(task: str, option: str, person: str | None, expected: Status) -> None:
    """Its task runs seconds later, or minutes later if no worker is free."""
    facts = in_run(prepare="success", approve=task, create=None, publish=None)
    assert state(answered(facts, option, person, reason="ugly")) == expected


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("/data/posts/2026/cut.mov is not a video, or is damaged.", "cut.mov is not a video, or is damaged."),
        ("Expected 'moov' in '/data/a.mov', and /data/b.mov.", "Expected 'moov' in 'a.mov', and b.mov."),
        ("https://cdn.example/2026/cut.mov: 404. Use 9/16.", "https://cdn.example/2026/cut.mov: 404. Use 9/16."),
        ("s3://renders/2026/cut.mov is missing.", "s3://renders/2026/cut.mov is missing."),
    ],
)
def test_a_reason_names_a_local_file_without_its_folders(reason: str, shown: str) -> None:
    failed = Task("failed", outcome={"state": "failed", "mark": "ValidationError", "reason": reason, "hint": None})
    assert state(in_run(prepare=failed)).text == shown


def test_a_post_that_nothing_publishes_is_skipped_and_says_why() -> None:
    assert state(Facts(POST), DUE + HOUR + timedelta(seconds=1)).text == "no run has published it"
    for at in (DUE + timedelta(minutes=15), DUE + 2 * HOUR):
        over = state(Facts(POST, has_passed=True), at)
        assert (over.state, over.text) == (State.SKIPPED, "its time had passed when Airflow began to follow this file")
        assert over.hint == "Publish it now, or leave it."


SOON = DUE + timedelta(minutes=5)
DEFERRED = in_run(prepare="success", approve="success", create="success", publish="deferred")


STILL = "Airflow stands still"


@pytest.mark.parametrize(
    ("facts", "obstacle", "why"),
    [
        (Facts(POST), "", "its run has not begun"),
        (Facts(POST), STILL, STILL),
        (DEFERRED, "", "its publication has not ended"),
        (DEFERRED, STILL, STILL),
        (in_run(prepare="queued"), "", "its preparation goes on"),
        (in_run(prepare="running"), "", "its preparation goes on"),
        (in_run(prepare=WAITS_FOR_FILE), "", "waits for its file"),
    ],
)
def test_a_post_over_its_time_is_late_from_the_first_minute_with_the_reason(
    facts: Facts, obstacle: str, why: str
) -> None:
    hint = "It goes out as soon as it can. If that takes until 09:30, it is skipped."
    status = status_of(facts, SOON, ABOUT, obstacle)
    assert (status.is_late, status.text, status.hint) == (True, why, hint)
    assert not status_of(facts, DUE + timedelta(seconds=60), ABOUT, obstacle).is_late


def test_a_post_that_may_be_live_or_waits_for_a_person_is_not_late() -> None:
    for facts, expected in (
        (replace(DEFERRED, is_open=True), State.IN_WORK),
        (replace(DEFERRED, done=DONE), State.PUBLISHED),
        (in_run(prepare="success", approve="awaiting_input"), State.WAITING),
        (in_run(prepare="failed"), State.FAILED),
        (replace(DEFERRED, skipped_by="ada"), State.SKIPPED),
    ):
        status = status_of(facts, SOON, ABOUT, STILL)
        assert (status.state, status.is_late) == (expected, False)


def test_a_late_post_is_published_at_once_by_a_user_only_while_its_own_run_does_not_work() -> None:
    late = Status(State.PLANNED, is_late=True)
    assert acts_in(late, Facts(POST)) == ["publish_now", "skip"]
    assert acts_in(late, DEFERRED) == ["skip"]


def test_a_post_that_is_going_out_takes_no_edit_and_no_act() -> None:
    going_out = state(DEFERRED, DUE)
    assert (going_out.state, going_out.is_over, acts_in(going_out, DEFERRED)) == (State.IN_WORK, True, [])
    assert status_of(DEFERRED, SOON, ABOUT).is_over, "also when it is late"


def test_a_skip_by_a_user_holds_until_a_user_publishes_the_post_now() -> None:
    skipped = replace(in_run(prepare="success", approve="success", create="deferred"), skipped_by="ada")
    assert state(skipped) == Status(State.SKIPPED, "by ada")
    assert acts_in(Status(State.SKIPPED), skipped) == ["unskip", "publish_now"]
    assert skipped.run is not None
    by_hand = replace(skipped, run=replace(skipped.run, by_hand=True, at_once=True))
    assert state(by_hand).state is State.IN_WORK
    assert acts_in(Status(State.IN_WORK), by_hand) == [], "it would be published all the same"


def test_an_id_that_was_published_before_is_not_taken_for_this_post() -> None:
    earlier = replace(DONE, published_at="2030-05-01T08:30:00+00:00")
    assert state(Facts(POST, done=earlier)).state is State.SKIPPED
    early = Facts(POST, done=replace(earlier, planned_at=DUE.isoformat()))
    assert state(early).state is State.PUBLISHED, "a user published it early"


def test_a_first_comment_that_failed_leaves_the_post_published_and_is_tried_again() -> None:
    failed = Task("failed", outcome={"reason": "No right to comment.", "hint": "Reconnect."})
    facts = replace(
        in_run(prepare="success", approve="success", create="success", publish="success", comment=failed), done=DONE
    )
    assert state(facts) == Status(State.PUBLISHED, "No right to comment.", "Reconnect.")
    assert acts_in(Status(State.PUBLISHED), facts) == ["retry"]
    assert acts_in(Status(State.PUBLISHED), replace(facts, run=None)) == []


@pytest.mark.parametrize("kind", list(State))
def test_nothing_is_offered_that_could_publish_a_live_post_again(kind: State) -> None:
    assert "publish_now" not in acts_in(Status(kind), Facts(POST, done=DONE))


@pytest.mark.parametrize(
    ("changes", "kind"),
    [({}, "reel"), ({"placement": "feed"}, "feed video"), ({"placement": "story"}, "story")],
)
def test_the_kind_of_a_post_is_in_words(changes: dict[str, Any], kind: str) -> None:
    assert kind_of(POST.model_copy(update=changes)) == kind


def test_a_card_says_what_is_needed_and_leaves_out_what_is_empty() -> None:
    card = PostCard("spring", POST, Status(State.READY)).as_data()
    assert card == {
        "dag": "spring", "id": "hello", "account": "studio", "at": int(DUE.timestamp()), "local": "2030-05-06T08:30",
        "kind": "reel", "title": "Hello", "state": "ready",
    }  # fmt: skip


def test_a_post_with_a_problem_has_a_card_with_its_remedy() -> None:
    problem = Problem(7, "Unknown field 'capton'.", "Did you mean caption?", "hello")
    card = invalid_card("spring", InvalidPost("hello", DUE, "studio", 5), (problem,))
    assert card.status == Status(State.PROBLEM, "Unknown field 'capton'.", "Did you mean caption?")
    assert card.as_data()["problems"][0]["line"] == 7


def test_the_title_is_the_first_line_with_text() -> None:
    assert first_line("\n \nFirst\nSecond") == "First"
    assert len(first_line("x" * 500)) == 121


def test_a_late_post_says_when_it_went_out() -> None:
    """In the zone of the calendar."""
    there = POST.model_copy(update={"publish_at": DUE.astimezone(timezone(2 * HOUR))})
    live = replace(DONE, published_at=(DUE + HOUR / 2).isoformat())
    facts = replace(in_run(publish=Task("success")), post=there, done=live)
    assert state(facts, DUE + HOUR).text == "11:00 instead of 10:30"
    assert state(replace(facts, done=DONE)).text == ""


def test_a_post_whose_id_was_used_before_is_not_shown_as_published_because_a_user_has_marked_its_task() -> None:
    """The post of a week ago had its id. Its own run has found that."""
    before = replace(DONE, published_at="2030-04-29T08:30:01+00:00", run_id="hello")
    facts = in_run(prepare=Task("skipped", outcome={"mark": "id used before"}), create="skipped", publish="success")
    assert facts.run is not None
    facts = replace(facts, done=before, run=replace(facts.run, run_id="hello~v2"))
    assert state(facts).state is not State.PUBLISHED
