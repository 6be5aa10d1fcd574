"""If the copyright check finds another's work, a task publishes, asks a person, or fails. Nothing is sent again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from airflow.sdk.exceptions import TaskAwaitingInput

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator
from tests.integration.account import DictStore
from tests.integration.tasks import keep_questions, task_context

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle

FOUND = "has found the work of somebody else"
YES = {"chosen_options": ["Approve"], "params_input": {}, "responded_by_user": {"id": "1", "name": "anna"}}
NO = {**YES, "chosen_options": ["Reject"], "params_input": {"reason": "the song"}}
SILENCE: dict[str, Any] = {"chosen_options": ["Reject"], "params_input": {}, "responded_by_user": None}
pytestmark = pytest.mark.usefixtures("no_stored_tokens")


@pytest.fixture
def questions(mocker: MockerFixture) -> list[dict[str, Any]]:
    """The questions that were written to Airflow's database."""
    return keep_questions(mocker)


@pytest.fixture
def context() -> Any:
    """The context of tasks of one run."""
    return task_context(DictStore())


def create(video: Path, **arguments: Any) -> CreateContainerOperator:
    return CreateContainerOperator(task_id="t", video=str(video), post_key="song", deferrable=False, **arguments)


def kept(waiting: pytest.ExceptionInfo[TaskAwaitingInput]) -> dict[str, Any]:
    """Return what Airflow keeps while a task waits for an answer."""
    return waiting.value.kwargs or {}


@pytest.fixture
def song(instagram_sandbox: SandboxHandle) -> None:
    """Each of the next videos is processed at once, and contains a song that belongs to somebody."""
    instagram_sandbox.process_next(after_s=0, copyright="match")


@pytest.mark.usefixtures("song")
def test_a_match_stops_nothing_by_default(
    instagram_sandbox: SandboxHandle, context: Any, portrait_video: Path, questions: list[Any]
) -> None:
    assert create(portrait_video, wait_for_completion=True).execute(context)
    assert questions == []


@pytest.mark.usefixtures("song")
def test_a_held_container_is_published_after_a_yes_and_not_sent_again(
    instagram_sandbox: SandboxHandle, context: Any, portrait_video: Path, questions: list[Any]
) -> None:
    task = create(portrait_video, on_copyright_match="hold")
    with pytest.raises(TaskAwaitingInput) as waiting:
        task.execute(context)
    (question,) = questions
    assert FOUND in question["body"]
    assert "song" in question["subject"]
    assert (question["options"], question["defaults"]) == (["Approve", "Reject"], ["Reject"])
    assert isinstance(waiting.value.timeout, timedelta)
    assert waiting.value.timeout.total_seconds() == pytest.approx(23.5 * 3600, abs=120)
    container_id = task.resume_execution("answered", {"event": YES, **kept(waiting)}, context)
    result = PublishOperator(task_id="t", container_id=container_id).execute(context)
    assert [post.media_id for post in instagram_sandbox.posts] == [result["media_id"]]
    assert (instagram_sandbox.calls("create"), instagram_sandbox.calls("upload")) == (1, 1)
    assert create(portrait_video, on_copyright_match="hold").execute(context) == container_id
    assert len(questions) == 1, "of a post that is live, nothing is asked"


@pytest.mark.usefixtures("song")
@pytest.mark.parametrize(("answer", "why"), [(NO, "rejected by anna: the song"), (SILENCE, "nobody has answered")])
def test_a_no_and_silence_stop_the_post_and_a_clear_asks_about_the_same_container(
    instagram_sandbox: SandboxHandle, context: Any, portrait_video: Path, questions: list[Any], answer: Any, why: str
) -> None:
    task = create(portrait_video, on_copyright_match="hold")
    with pytest.raises(TaskAwaitingInput) as waiting:
        task.execute(context)
    with pytest.raises(ValidationError, match=why):
        task.resume_execution("answered", {"event": answer, **kept(waiting)}, context)
    context["ti"].max_tries += 1  # as a Clear does
    with pytest.raises(TaskAwaitingInput) as again:
        create(portrait_video, on_copyright_match="hold").execute(context)
    assert again.value.kwargs == waiting.value.kwargs
    assert len(questions) == 2
    assert (instagram_sandbox.calls("create"), instagram_sandbox.calls("upload")) == (1, 1)


@pytest.mark.usefixtures("song")
def test_a_retry_goes_on_with_the_answer_that_airflow_has(
    context: Any, portrait_video: Path, questions: list[Any]
) -> None:
    """The task failed when it resumed. To write the question again would delete its answer."""
    with pytest.raises(TaskAwaitingInput) as waiting:
        create(portrait_video, on_copyright_match="hold").execute(context)
    context["ti"].try_number, context["ti"].id = 2, uuid4()
    with pytest.raises(TaskAwaitingInput) as again:
        create(portrait_video, on_copyright_match="hold").execute(context)
    assert again.value.kwargs == waiting.value.kwargs
    assert len(questions) == 1


def test_fail_names_the_finding_and_publishes_nothing(
    instagram_sandbox: SandboxHandle, context: Any, portrait_video: Path, questions: list[Any]
) -> None:
    for found, why in (("match", FOUND), ("error", "has failed")):
        instagram_sandbox.process_next(after_s=0, copyright=found)
        task = CreateContainerOperator(
            task_id="t", video=str(portrait_video), post_key=found, deferrable=False, on_copyright_match="fail"
        )
        with pytest.raises(ValidationError, match=why) as failure:
            task.execute(context)
        assert "nothing is uploaded again" in (failure.value.hint or "")
    assert questions == []


def test_a_video_without_a_finding_is_not_asked_about(
    instagram_sandbox: SandboxHandle, context: Any, portrait_video: Path, questions: list[Any]
) -> None:
    instagram_sandbox.process_next(after_s=0)
    assert create(portrait_video, on_copyright_match="hold").execute(context)
    assert questions == []


def test_a_picture_has_no_check(
    instagram_sandbox: SandboxHandle, context: Any, gallery: Any, questions: list[Any]
) -> None:
    instagram_sandbox.process_next(after_s=0, copyright="match")
    story = CreateContainerOperator(
        task_id="t", image=gallery.link("one"), placement="story", on_copyright_match="hold", deferrable=False
    )
    assert story.execute(context)
    assert questions == []


def test_a_container_of_another_key_is_not_published(
    instagram_sandbox: SandboxHandle, context: Any, portrait_video: Path
) -> None:
    """A user has edited the XCom of the task that created one. A container that no row names is a hook's."""
    song = create(portrait_video, wait_for_completion=True).execute(context)
    with pytest.raises(ValidationError, match=f"Container {song} was created for 'song', not for 'own'"):
        PublishOperator(task_id="t", container_id=song, post_key="own").execute(context)
    assert instagram_sandbox.calls("publish") == 0
    unknown = task_context(DictStore())
    assert PublishOperator(task_id="t", container_id=song, post_key="own").execute(unknown)["media_id"]
