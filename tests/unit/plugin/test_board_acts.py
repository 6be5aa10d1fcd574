"""What a user may enter on the Posts page."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import HTTPException
from pydantic import ValidationError

from airflow_provider_instagram.calendar.file.columns import ScheduledPost
from airflow_provider_instagram.plugin.board import acts, questions
from airflow_provider_instagram.plugin.board.acts import Act, ActRequest
from airflow_provider_instagram.plugin.board.states import Facts, PostRun, State, Status, Task

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

POST = ScheduledPost(id="hello", publish_at=datetime(2030, 5, 6, tzinfo=timezone.utc), account="studio", video="/a.mp4")


def asked(act: str, **given: Any) -> ActRequest:
    return ActRequest.model_validate({"dag_id": "content", "post_id": "hello", "act": act, **given})


def test_a_reason_is_text_with_any_character_of_a_keyboard() -> None:
    assert asked("reject", reason="Zu dunkel 🌚\nund schief").reason == "Zu dunkel 🌚\nund schief"


@pytest.mark.parametrize("reason", ["x" * 501, {"a": 1}, ["a"], 7, "half \ud83d", "none \0"])
def test_a_reason_that_cannot_be_stored_is_refused(reason: Any) -> None:
    with pytest.raises(ValidationError, match="reason"):
        asked("reject", reason=reason)


@pytest.mark.parametrize(
    ("states", "first"),
    [
        ({"prepare": "success", "create": "refused", "publish": "upstream_failed"}, "prepare"),
        ({"publish": "failed", "comment": "upstream_failed"}, "publish"),
        ({"publish": "success", "comment": "failed"}, "comment"),
    ],
)
def test_the_task_that_failed_is_tried_again_or_those_before_it_that_the_repair_needs(
    mocker: MockerFixture, states: dict[str, str], first: str
) -> None:
    """The transcode, too, if the file has to be another one."""
    mocker.patch.object(acts, "_container_is_old", return_value=False)
    refused = Task("failed", outcome={"mark": "MediaRejectedError"})
    tasks = {"create": "success"} | states
    run = PostRun("r", tasks={step: refused if one == "refused" else Task(one) for step, one in tasks.items()})
    nothing: Any = None
    retry = Act(nothing, Facts(POST, run=run), nothing, nothing, asked("retry"))
    assert acts._first_to_clear(retry, run) == first


def test_what_was_shown_of_a_dry_run_is_not_what_is_asked_about_a_run_that_publishes() -> None:
    """The DAG ceases to make dry runs while a panel is open, and its next run asks."""
    dry, live = (Facts(POST, run=PostRun("r", is_dry=is_dry)) for is_dry in (True, False))
    assert questions.version_asked_about(dry) != questions.version_asked_about(live) == POST.version


@pytest.mark.parametrize(
    ("name", "given", "refused"),
    [
        ("approve", {"held": True}, None),
        ("reject", {"held": True}, None),
        ("approve", {"held": False}, 409),  # the page showed the approval, which a colleague has answered since
        ("reject", {}, 409),
        ("approve", {"held": True, "caption": "Another one"}, 422),
        ("approve", {"held": True, "version": f"{POST.version} dry run"}, 409),  # the DAG publishes since
    ],
)
def test_an_answer_about_a_held_container_goes_to_the_task_that_asked(
    mocker: MockerFixture, name: str, given: dict[str, Any], refused: int | None
) -> None:
    """An answer about the post itself does not count for it, nor a caption, which the container has already."""
    sent: list[Any] = []

    async def call(_: Act, method: str, path: str, body: Any) -> None:
        sent.append((method, path, body["chosen_options"]))

    mocker.patch.object(acts, "_call", call)
    prepared = SimpleNamespace(digests=(None,))
    mocker.patch.object(questions, "prepared_of", return_value=prepared)
    for module_function in ("may_act", "_log"):
        mocker.patch.object(acts, module_function, return_value=True)
    mocker.patch.object(questions, "is_asked_about", return_value=True)
    mocker.patch.object(Act, "dag_id", "content")
    run = PostRun("hello", tasks={"approve": Task("success"), "create": Task("awaiting_input")})
    nothing: Any = None
    board: Any = SimpleNamespace(cards={"content/hello": SimpleNamespace(status=Status(State.WAITING))})
    shown = {"version": POST.version, "sha256": [None], **given}
    answer = Act(board, Facts(POST, run=run), nothing, nothing, asked(name, **shown))
    if refused is not None:
        with pytest.raises(HTTPException) as error:
            asyncio.run(acts.perform(answer))
        assert (error.value.status_code, sent) == (refused, [])
        return
    asyncio.run(acts.perform(answer))
    path = "/dagRuns/hello/taskInstances/create/-1/hitlDetails"
    assert sent == [("PATCH", path, [name.capitalize()])]
