"""Dry runs: of a run by hand, and of a DAG."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput

from airflow_provider_instagram.calendar.tasks.approve import ApprovePost
from airflow_provider_instagram.calendar.tasks.create import CreatePost
from airflow_provider_instagram.calendar.tasks.prepare import PreparePost
from airflow_provider_instagram.calendar.tasks.publish import CommentPost, PublishPost
from airflow_provider_instagram.exceptions import TransientError, ValidationError
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.ledger.records import PublishedPost
from tests.unit.calendar.simulated_runs import ACCOUNT, after_noon, post

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from tests.unit.calendar.simulated_runs import SimulatedCalendar


@pytest.mark.parametrize(
    ("of_dag", "of_run", "is_dry"),
    [({}, {}, False), ({"dry_run": True}, {}, True), ({}, {"dry_run": True}, True)],
)
def test_the_dag_and_a_run_by_hand_can_demand_a_dry_run(
    calendar: SimulatedCalendar, of_dag: dict[str, Any], of_run: dict[str, Any], is_dry: bool
) -> None:
    calendar.given = of_dag
    calendar.write(post("a", 60))
    calendar.plan(0)
    step = PreparePost(task_id="step", settings=calendar.settings)
    context = calendar.context("manual__1", post="a", **of_run)
    step.wanted_post(context)
    assert step.is_dry_run(context) is is_dry


def test_a_dry_run_publishes_nothing_when_its_dag_is_not_one_any_more(calendar: SimulatedCalendar) -> None:
    """A worker may read the DAG's new file before the planner does. What was approved was a dry run."""
    calendar.given = {"dry_run": True}
    calendar.write(post("a", 60))
    calendar.plan(0)
    assert calendar.step("a") == "wanted"
    calendar.given = {}
    with pytest.raises(TransientError, match="different values of dry_run"):
        calendar.step("a")
    calendar.plan(1)
    assert calendar.step("a") == "skipped (edited)"
    assert calendar.step("a~v2") == "wanted"


def test_a_run_by_hand_of_an_earlier_version_of_the_dag_publishes_nothing_if_that_makes_dry_runs_now(
    calendar: SimulatedCalendar,
) -> None:
    """Airflow runs a cleared run as it was made, if the bundle of the DAG has versions."""
    calendar.write(post("a", 60))
    calendar.plan(0)
    assert calendar.step("manual__1", post="a") == "wanted"
    calendar.given = {"dry_run": True}
    calendar.plan(1)
    calendar.given = {}
    with pytest.raises(TransientError, match="different values of dry_run"):
        calendar.step("manual__1", post="a")


def test_a_worker_that_has_the_old_dag_file_drops_no_post_that_goes_live(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 60))
    calendar.given = {"dry_run": True}
    calendar.plan(0)
    assert calendar.step("a") == "wanted"
    calendar.given = {}
    calendar.plan(1)
    calendar.given = {"dry_run": True}
    with pytest.raises(TransientError, match="different values of dry_run"):
        calendar.step("a~v2")


def test_a_dry_run_of_a_post_that_is_over_is_skipped_when_it_is_cleared_in_a_dag_that_publishes(
    calendar: SimulatedCalendar,
) -> None:
    """The planner begins no run for it, so to wait for that would last for days."""
    calendar.given = {"dry_run": True}
    calendar.write(post("a", 60))
    calendar.plan(0)
    calendar.given = {}
    assert calendar.plan(1000) == []
    assert calendar.step("a") == "skipped (edited)"


@pytest.fixture
def written(mocker: MockerFixture) -> list[Any]:
    """What is written about comments."""
    found: list[Any] = []
    where = "airflow_provider_instagram.calendar.tasks.publish.write_comment"
    mocker.patch(where, lambda *given: found.append(given))
    return found


def comment_of_live_post(calendar: SimulatedCalendar) -> CommentPost:
    """Return the task of a comment on the post, which is live."""
    calendar.plan(0)
    calendar.prepared()
    key = f"{ACCOUNT}/a"
    calendar.ledger().record_post(PublishedPost(key, "17901", after_noon(0).isoformat(), media_id="180"))
    calendar.states["publish"] = "success"
    return CommentPost(task_id="comment", settings=calendar.settings)


def test_a_dry_run_writes_no_comment_on_a_post_that_is_live(calendar: SimulatedCalendar, written: list[Any]) -> None:
    """The person who approved the comment was told that nothing is published."""
    calendar.write(post("a", 60, first_comment="#first"))
    comment = comment_of_live_post(calendar)
    with pytest.raises(AirflowSkipException, match="is not published"):
        comment.execute(calendar.context("manual__1", post="a", dry_run=True))
    assert written == []


@pytest.mark.parametrize("wanted", [{"comment_enabled": False}, {"first_comment": "#first"}])
def test_who_deletes_the_xcom_of_a_publication_keeps_no_comment_from_being_written_or_switched_off(
    calendar: SimulatedCalendar, written: list[Any], wanted: dict[str, Any]
) -> None:
    calendar.write(post("a", 60, **wanted))
    comment = comment_of_live_post(calendar)
    assert comment.template_fields == ()
    comment.execute(calendar.context())
    assert len(written) == 1


@pytest.mark.parametrize("edit", [{"comment_enabled": False}, {"first_comment": "#other"}])
def test_an_edit_of_a_live_post_that_nobody_has_approved_touches_no_comment(
    calendar: SimulatedCalendar, written: list[Any], edit: dict[str, Any]
) -> None:
    """A run that a user starts for a live post asks nobody."""
    calendar.write(post("a", 60, approval="required", **edit))
    comment = comment_of_live_post(calendar)
    with pytest.raises(ValidationError, match="has no approval"):
        comment.execute(calendar.context("manual__1", post="a"))
    assert written == []


def test_what_a_copyright_check_held_is_not_published_by_the_answer_in_a_dry_run(
    calendar: SimulatedCalendar, mocker: MockerFixture
) -> None:
    mocker.patch("airflow_provider_instagram.graph.readiness.copyright_finding", return_value="A song.")
    mocker.patch("airflow_provider_instagram.calendar.tasks.create.create", return_value="17901")
    mocker.patch.object(InstagramHook, "get_conn", return_value=nullcontext())
    calendar.write(post("a", 60, on_copyright_match="hold"))
    calendar.plan(0)
    calendar.prepared()
    create, context = CreatePost(task_id="create", settings=calendar.settings), calendar.context()
    wanted = create.wanted_post(context)
    yes = {"chosen_options": ["Approve"], "responded_by_user": {"id": "1", "name": "anna"}}
    for one in (calendar.context("manual__1", post="a", dry_run=True), context):
        assert create.prepared(context, wanted).container_id is None
        with pytest.raises(TaskAwaitingInput):
            create.execute(one)
        create.answered(one, yes, "17901", wanted.version)
    assert create.prepared(context, wanted).container_id == "17901"


def test_the_question_of_a_dry_run_is_not_answered_for_one_that_publishes(calendar: SimulatedCalendar) -> None:
    """The DAG is no dry run any more, and the run is cleared: Airflow keeps its first question, *nothing is sent*."""
    calendar.given = {"dry_run": True}
    calendar.write(post("a", 60, approval="required"))
    calendar.plan(0)
    calendar.prepared()
    approve, context = (
        ApprovePost(task_id="approve", settings=calendar.settings),
        calendar.context("manual__1", post="a"),
    )
    with pytest.raises(TaskAwaitingInput):
        approve.execute(context)
    calendar.given = {}
    calendar.plan(1)
    approve = ApprovePost(task_id="approve", settings=calendar.settings)
    with pytest.raises(ValidationError, match="has changed since this run asked"):
        approve.execute(context)


def test_a_parameter_of_a_run_makes_no_dry_run_of_a_publication_that_has_begun(calendar: SimulatedCalendar) -> None:
    """A user has made the run of the post anew. It is replaced while its task waits for another run of the post.

    The answers about a dry run are others, so none would have been looked for.
    """
    calendar.write(post("a", 60, approval="required"))
    calendar.plan(0)
    calendar.prepared()
    step = PublishPost(task_id="publish", settings=calendar.settings)
    context = calendar.context("a", post="a", dry_run=True)
    step.wanted_post(context)
    calendar.write(post("a", 60, approval="required", caption="better"))
    calendar.plan(1)
    calendar.prepared()
    with pytest.raises(AirflowSkipException, match="The run a~v2 publishes the new version"):
        step.publication_time(context)
