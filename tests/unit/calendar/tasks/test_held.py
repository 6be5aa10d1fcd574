"""A post of a calendar of which the copyright check has found something."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput

from airflow_provider_instagram.calendar.tasks import create as module
from airflow_provider_instagram.calendar.tasks.create import CreatePost
from airflow_provider_instagram.calendar.tasks.tell import TellPost
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.graph import readiness
from airflow_provider_instagram.hooks.instagram import InstagramHook
from tests.unit.calendar.simulated_runs import post

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from tests.unit.calendar.simulated_runs import SimulatedCalendar

YES = {"chosen_options": ["Approve"], "params_input": {}, "responded_by_user": {"id": "1", "name": "anna"}}

SILENCE = {**YES, "chosen_options": ["Reject"], "responded_by_user": None}


@pytest.fixture
def asked(calendar: SimulatedCalendar, mocker: MockerFixture) -> list[dict[str, Any]]:
    """The questions. Each container is processed, and has a finding."""
    mocker.patch.object(readiness, "copyright_finding", return_value="A song.")
    mocker.patch.object(module, "create", return_value="17901")
    mocker.patch.object(InstagramHook, "get_conn", return_value=nullcontext())
    return calendar.airflow.questions


def task(calendar: SimulatedCalendar, run_id: str = "a", **more: Any) -> tuple[CreatePost, Any]:
    """Return the task of a post that is due at 13:00, and its context."""
    calendar.write(post("a", 60, **more))
    calendar.plan(0)
    step = CreatePost(task_id="create", settings=calendar.settings)
    calendar.prepared()
    return step, calendar.context(run_id, **({"post": "a", "now": True} if run_id != "a" else {}))


def waits(step: CreatePost, context: Any) -> dict[str, Any]:
    """Run the task until it asks, and return what Airflow keeps until the answer."""
    with pytest.raises(TaskAwaitingInput) as waiting:
        step.execute(context)
    return waiting.value.kwargs or {}


def published_container(calendar: SimulatedCalendar, step: CreatePost, context: Any) -> str | None:
    """Return the container that the task publish takes."""
    wanted = calendar.stored().calendar.post("a")
    assert wanted is not None
    return step.prepared(context, wanted).container_id


def test_a_held_post_asks_until_its_time_and_says_why_on_the_page(
    calendar: SimulatedCalendar, asked: list[dict[str, Any]]
) -> None:
    step, context = task(calendar, on_copyright_match="hold")
    with pytest.raises(TaskAwaitingInput) as waiting:
        step.execute(context)
    assert "**A song.**" in asked[0]["body"]
    held = {"state": "held", "mark": "copyright", "reason": "A song.", "hint": None, "try": 1}
    assert calendar.pushed == {"outcome": held}
    assert waiting.value.kwargs == {"container_id": "17901", "version": calendar.stored().calendar.posts[0].version}
    assert published_container(calendar, step, context) is None, "whoever marks create as success publishes nothing"
    assert step.resume_execution("answered", {"event": YES, **waiting.value.kwargs}, context) == "17901"
    assert published_container(calendar, step, context) == "17901"


@pytest.mark.parametrize("found", ["A song.", "Another song."])
def test_nobody_answers_about_another_finding_than_they_read(
    calendar: SimulatedCalendar, asked: list[dict[str, Any]], mocker: MockerFixture, found: str
) -> None:
    """The file was replaced, and create cleared. Airflow keeps the first question of a task."""
    step, context = task(calendar, on_copyright_match="hold")
    with pytest.raises(TaskAwaitingInput):
        step.execute(context)
    mocker.patch.object(readiness, "copyright_finding", return_value=found)
    mocker.patch.object(module, "create", return_value="17902")
    calendar.clear_number, calendar.try_number, calendar.max_tries = 1, 2, 4
    expected = TaskAwaitingInput if found == "A song." else ValidationError
    with pytest.raises(expected):
        step.execute(calendar.context())


@pytest.mark.parametrize("answer", [{"params_input": {"reason": "no"}}, {"responded_by_user": None}])
def test_a_no_and_silence_skip_the_post(
    calendar: SimulatedCalendar, asked: list[dict[str, Any]], answer: dict[str, Any]
) -> None:
    step, context = task(calendar, on_copyright_match="hold")
    event = {**YES, "chosen_options": ["Reject"], **answer}
    kept = waits(step, context)
    with pytest.raises(AirflowSkipException, match="The copyright check held the post"):
        step.resume_execution("answered", {"event": event, **kept}, context)
    assert calendar.pushed["outcome"]["mark"].startswith("copyright: ")


def test_a_post_is_not_held_unless_its_calendar_says_so(
    calendar: SimulatedCalendar, asked: list[dict[str, Any]]
) -> None:
    step, context = task(calendar)
    assert step.execute(context) == "17901"
    assert asked == []


@pytest.mark.parametrize("waits", ["for its upload", "for Instagram", "for an answer"])
def test_a_run_by_hand_makes_no_container_of_an_earlier_version_that_of_a_later_one(
    calendar: SimulatedCalendar, asked: list[dict[str, Any]], mocker: MockerFixture, waits: str
) -> None:
    """The post is edited while the run waits, and the new version's own run has prepared that."""
    hold: dict[str, Any] = {"on_copyright_match": "hold"} if waits == "for an answer" else {}
    step, context = task(calendar, "manual__1", **hold)

    def edit(*_: Any) -> str:
        calendar.write(post("a", 60, caption="new", **hold))
        calendar.plan(1)
        calendar.prepared()
        return "17901"

    if waits == "for an answer":
        with pytest.raises(TaskAwaitingInput) as waiting:
            step.execute(context)
        edit()
        with pytest.raises(AirflowSkipException, match="was edited"):
            step.resume_execution("answered", {"event": YES, **(waiting.value.kwargs or {})}, context)
    elif waits == "for its upload":
        mocker.patch.object(module, "create", edit)
        with pytest.raises(AirflowSkipException, match="was edited"):
            step.execute(context)
    else:
        edit()
        mocker.patch.object(module, "create", lambda task, context, event, *_: "17901" if event else "17902")
        assert step.execute(context, {"error": None, "known": None, "container_id": "17901"}) == "17902"
    assert published_container(calendar, step, context) != "17901"


@pytest.mark.parametrize(("later", "counts"), [("a no", False), ("silence", True)])
def test_a_later_no_in_another_run_makes_a_yes_void(
    calendar: SimulatedCalendar, asked: list[dict[str, Any]], later: str, *, counts: bool
) -> None:
    """A user has started a run for the post, so two questions about the same container are open."""
    own, of_own = task(calendar, on_copyright_match="hold")
    by_hand, of_by_hand = CreatePost(task_id="create", settings=calendar.settings), calendar.context("m__1", post="a")
    kept, kept_by_hand = waits(own, of_own), waits(by_hand, of_by_hand)
    by_hand.resume_execution("answered", {"event": YES, **kept_by_hand}, of_by_hand)
    event = {**YES, "chosen_options": ["Reject"]} if later == "a no" else SILENCE
    with pytest.raises(AirflowSkipException):
        own.resume_execution("answered", {"event": event, **kept}, of_own)
    assert published_container(calendar, by_hand, of_by_hand) == ("17901" if counts else None)


def test_a_clear_while_the_answer_is_carried_out_asks_again(
    calendar: SimulatedCalendar, asked: list[dict[str, Any]]
) -> None:
    """Airflow ends the task, and resumes its next try with the answer to the question of the former one."""
    step, context = task(calendar, on_copyright_match="hold")
    kept = waits(step, context)
    calendar.clear_number, calendar.try_number = 1, 2
    again = calendar.context()
    with pytest.raises(ValidationError, match="a question that does not count any more"):
        step.resume_execution("answered", {"event": YES, **kept}, again)
    assert published_container(calendar, step, again) is None


def test_an_answer_to_a_question_that_a_clear_has_closed_breaks_no_wait(
    calendar: SimulatedCalendar, asked: list[dict[str, Any]]
) -> None:
    """The task was cleared, and waits for another container. Airflow resumes it with the answer all the same."""
    step, context = task(calendar, on_copyright_match="hold")
    waits(step, context)
    calendar.clear_number, calendar.try_number = 1, 2
    again = calendar.context()
    with pytest.raises(TaskAwaitingInput):
        step.resume_execution("processed", {"event": YES, "ti_id": str(again["ti"].id)}, again)


def test_people_are_told_of_a_held_post_that_nobody_answered_in_time(
    calendar: SimulatedCalendar, asked: list[dict[str, Any]]
) -> None:
    told: list[str] = []
    calendar.given["notify"] = lambda context: told.append(context["event"].event)
    step, context = task(calendar, on_copyright_match="hold")
    kept = waits(step, context)
    with pytest.raises(AirflowSkipException, match="nobody has answered in time"):
        step.resume_execution("answered", {"event": SILENCE, **kept}, context)
    calendar.states |= {"prepare": "success", "approve": "success", "create": "skipped", "publish": "skipped"}
    of_tell = calendar.context()
    of_tell["ti"].xcom_pull = lambda _, key: calendar.pushed[key]
    TellPost(task_id="tell", settings=calendar.settings).execute(of_tell)
    assert told == ["held", "late"]


def test_people_are_told_again_that_a_post_is_held_if_their_answer_does_not_count_any_more(
    calendar: SimulatedCalendar, asked: list[dict[str, Any]]
) -> None:
    """The task was cleared after a yes."""
    told: list[str] = []
    calendar.given["notify"] = lambda context: told.append(context["event"].event)
    step, context = task(calendar, on_copyright_match="hold")
    step.resume_execution("answered", {"event": YES, **waits(step, context)}, context)
    calendar.clear_number, calendar.try_number, calendar.max_tries = 1, 2, 4
    with pytest.raises(TaskAwaitingInput):
        CreatePost(task_id="create", settings=calendar.settings).execute(calendar.context())
    assert told == ["held", "held"]
    assert calendar.pushed["outcome"]["reason"] == "A song. An answer that was given before does not count."
