"""What the task that creates a container makes of a refusal."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.tasks import create as module
from airflow_provider_instagram.calendar.tasks.create import CreatePost
from airflow_provider_instagram.exceptions import MediaNotFetchedError, MediaRejectedError, ValidationError
from tests.unit.calendar.simulated_runs import post

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from tests.unit.calendar.simulated_runs import SimulatedCalendar


@pytest.mark.parametrize(
    ("refusal", "raised"),
    [
        (MediaRejectedError("unfit"), MediaRejectedError),
        (MediaNotFetchedError("no link", retry_after=timedelta(minutes=5)), MediaNotFetchedError),
        (MediaNotFetchedError("no link", retry_after=timedelta(hours=3)), MediaRejectedError),
    ],
    ids=["of the file", "of a link that is fetched again", "of a link when the post would be too late"],
)
def test_a_refusal_ends_the_task_with_one_error(
    calendar: SimulatedCalendar, mocker: MockerFixture, refusal: MediaRejectedError, raised: type
) -> None:
    def refuse(*_: Any, **__: Any) -> str:
        raise refusal

    mocker.patch.object(module, "create", refuse)
    calendar.write(post("a", 30))
    calendar.plan(0)
    calendar.prepared()
    task = CreatePost(task_id="create", settings=calendar.settings)
    with pytest.raises(MediaRejectedError) as ended:
        task.execute(calendar.context())
    assert (type(ended.value), ended.value.__cause__) == (raised, None)


@pytest.mark.parametrize(
    ("approval", "again"),
    [("none", "clear prepare with all downstream tasks"), ("required", "trigger the DAG with the post a")],
)
def test_a_refused_file_is_replaced_in_the_run_unless_a_person_has_to_see_the_other_one(
    calendar: SimulatedCalendar, mocker: MockerFixture, approval: str, again: str
) -> None:
    def refuse(*_: Any, **__: Any) -> str:
        raise MediaRejectedError("unfit", code=352, subcode=2207026)

    mocker.patch.object(module, "create", refuse)
    mocker.patch.object(CreatePost, "_approval", return_value=None)
    calendar.write(post("a", 30, approval=approval))
    calendar.plan(0)
    calendar.prepared()
    task = CreatePost(task_id="create", settings=calendar.settings)
    with pytest.raises(MediaRejectedError) as ended:
        task.execute(calendar.context())
    assert again in str(ended.value.hint)


def test_a_post_that_nobody_has_approved_does_not_wait_for_its_lead_time(calendar: SimulatedCalendar) -> None:
    """Its task approve was marked as a success: the page would say for days that the post waits for its time."""
    calendar.given = {"lead_time": timedelta(minutes=10)}
    calendar.write(post("a", 600, approval="required"))
    calendar.plan(0)
    calendar.prepared()
    task = CreatePost(task_id="create", settings=calendar.settings)
    with pytest.raises(ValidationError, match="a needs an approval"):
        task.execute(calendar.context())


def test_a_clear_while_create_resumes_makes_no_container_of_the_file_before_that_of_the_file_after(
    calendar: SimulatedCalendar, mocker: MockerFixture
) -> None:
    """Airflow ends the task, and hands the event of the former try to the next one, after prepare has run again."""
    mocker.patch.object(module, "create", lambda task, context, event, *_: "17901" if event else "17902")
    calendar.write(post("a", 30))
    calendar.plan(0)
    calendar.prepared()
    step = CreatePost(task_id="create", settings=calendar.settings)
    former, event = str(calendar.context()["ti"].id), {"error": None, "known": None, "container_id": "17901"}
    assert step.processed(calendar.context(), event, former) == "17901"
    calendar.try_number = 2
    assert step.processed(calendar.context(), event, former) == "17902"
