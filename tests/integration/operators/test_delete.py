"""A post is deleted after a person's yes, once, whatever interrupts it; or its fate is said to be unknown."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import ANY
from uuid import uuid4

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput

from airflow_provider_instagram.exceptions import (
    OutcomeUnknownError,
    PermissionDeniedError,
    ValidationError,
)
from airflow_provider_instagram.graph.client import GraphClient
from airflow_provider_instagram.ledger.insights import refusals
from airflow_provider_instagram.operators import CreateContainerOperator, DeleteOperator, PublishOperator
from tests.integration.account import DictStore, OpenRows
from tests.integration.tasks import SCOPES, connect_page, keep_questions, task_context

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle

YES = {"chosen_options": ["Approve"], "params_input": {}, "responded_by_user": {"id": "1", "name": "anna"}}
NO = {**YES, "chosen_options": ["Reject"], "params_input": {"reason": "it is good"}}
NOON = "2026-11-01T12:00:00+00:00"
pytestmark = pytest.mark.usefixtures("no_stored_tokens", "quick")


class Killed(BaseException):
    """The process ends here."""


class Airflow:
    """What Airflow keeps of one task: its ledger, its question, and what it returned."""

    def __init__(self, mocker: MockerFixture) -> None:
        self.store = OpenRows(DictStore())
        self.questions = keep_questions(mocker)

    def context(self) -> Any:
        return task_context(self.store.rows)

    def ask(self, **arguments: Any) -> dict[str, Any]:
        """Run a try that asks, and return what Airflow keeps meanwhile."""
        self.asking = self.context()
        with pytest.raises(TaskAwaitingInput) as waiting:
            DeleteOperator(task_id="t", **arguments).execute(self.asking)
        return waiting.value.kwargs or {}

    def answer(self, answer: dict[str, Any], kept: dict[str, Any], **arguments: Any) -> dict[str, Any]:
        """Resume the task with an answer."""
        task = DeleteOperator(task_id="t", **arguments)
        result: dict[str, Any] = task.resume_execution("answered", {"event": answer, **kept}, self.asking)
        return result

    def delete(self, **arguments: Any) -> dict[str, Any]:
        """Run a try with a yes."""
        return self.answer(YES, self.ask(**arguments), **arguments)


@pytest.fixture
def quick(mocker: MockerFixture) -> None:
    """Read again at once, and for a second."""
    mocker.patch("airflow_provider_instagram.graph.listing._PAUSE", timedelta(0))
    mocker.patch("airflow_provider_instagram.publishing.delete.READ_AGAIN_AFTER", timedelta(seconds=0.2))
    mocker.patch("airflow_provider_instagram.publishing.delete.REQUEST_IN_EFFECT_WITHIN", timedelta(seconds=1))


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture, instagram_sandbox: SandboxHandle) -> Airflow:
    """An account of Facebook Login that may delete posts."""
    connect_page(monkeypatch, instagram_sandbox)
    return Airflow(mocker)


@pytest.fixture
def post(airflow: Airflow, instagram_sandbox: SandboxHandle, portrait_video: Path) -> str:
    """A post with the key ``teaser``."""
    instagram_sandbox.process_next(after_s=0)
    create = CreateContainerOperator(
        task_id="t", video=str(portrait_video), post_key="teaser", caption="<b>Old</b> `x`"
    )
    result = PublishOperator(task_id="t", container_id=create.execute(airflow.context())).execute(airflow.context())
    return str(result["media_id"])


def _is_live(sandbox: SandboxHandle, media_id: str) -> bool:
    return any(one.media_id == media_id for one in sandbox.posts)


def test_a_post_is_deleted_after_a_yes_and_its_key_is_not_published_again(
    airflow: Airflow, instagram_sandbox: SandboxHandle, post: str
) -> None:
    kept = airflow.ask(post_key="teaser")
    (question,) = airflow.questions
    assert (question["subject"], question["defaults"]) == ("Delete teaser from instagram_default?", ["Reject"])
    assert "```text\n<b>Old</b> `x`\n```" in question["body"]
    assert instagram_sandbox.calls("delete") == 0
    result = airflow.answer(YES, kept, post_key="teaser")
    assert (result["media_id"], result["post_key"], result["already_deleted"]) == (post, "teaser", False)
    assert not _is_live(instagram_sandbox, post)
    again = DeleteOperator(task_id="t", media_id=post).execute(airflow.context())
    assert again == {**result, "already_deleted": True}
    assert instagram_sandbox.calls("delete") == 1
    container_id, published = airflow.store["done:teaser"]["container_id"], instagram_sandbox.calls("publish")
    with pytest.raises(ValidationError, match=r"was published on .* and deleted on"):
        PublishOperator(task_id="t", container_id=container_id).execute(airflow.context())
    assert instagram_sandbox.calls("publish") == published, "one that was not ready at once counts as well"


@pytest.mark.parametrize("answer", [NO, {**NO, "responded_by_user": None}, {**YES, "responded_by_user": None}])
def test_without_a_yes_of_a_person_nothing_is_sent(
    airflow: Airflow, instagram_sandbox: SandboxHandle, post: str, answer: dict[str, Any]
) -> None:
    with pytest.raises(AirflowSkipException, match="is not deleted"):
        airflow.answer(answer, airflow.ask(post_key="teaser"), post_key="teaser")
    assert instagram_sandbox.calls("delete") == 0
    assert _is_live(instagram_sandbox, post)


def test_a_clear_while_the_answer_is_carried_out_deletes_nothing(
    airflow: Airflow, instagram_sandbox: SandboxHandle, post: str
) -> None:
    """The yes is taken back. Airflow resumes the next try with the answer to the question of the former one."""
    kept, again = airflow.ask(post_key="teaser"), airflow.context()
    again["ti"].id, again["ti"].try_number, again["dag_run"].clear_number = uuid4(), again["ti"].try_number + 1, 1
    with pytest.raises(ValidationError, match="a question that does not count any more"):
        DeleteOperator(task_id="t", post_key="teaser").resume_execution("answered", {"event": YES, **kept}, again)
    assert _is_live(instagram_sandbox, post)


def test_nobody_agrees_to_delete_another_post_than_they_read(
    airflow: Airflow, instagram_sandbox: SandboxHandle, mocker: MockerFixture
) -> None:
    """A user has edited the XCom that names the post, and cleared the task, whose first question Airflow keeps."""
    read, other = (instagram_sandbox.add_foreign_post(caption) for caption in ("An old one", "Our best one"))
    airflow.ask(media_id=read)
    shown = SimpleNamespace(body=airflow.questions[0]["body"])
    mocker.patch("airflow_provider_instagram.operators.approval.send", return_value=shown)
    with pytest.raises(ValidationError, match="which Airflow keeps"):
        DeleteOperator(task_id="t", media_id=other).execute(airflow.context())


def test_a_post_of_the_app_is_deleted_by_its_media_id(airflow: Airflow, instagram_sandbox: SandboxHandle) -> None:
    media_id = instagram_sandbox.add_foreign_post("From the app")
    other = instagram_sandbox.add_foreign_post("Stays")
    assert airflow.delete(media_id=media_id)["post_key"] == f"media-{media_id}"
    assert DeleteOperator(task_id="t", media_id=media_id).execute(airflow.context())["already_deleted"] is True
    assert airflow.ask(media_id=other)["media_id"] == other, "it can still be read"
    assert instagram_sandbox.calls("delete") == 1


@pytest.mark.parametrize(
    ("fault", "deletes"),
    [
        ({"drop": "after"}, 1),  # executed, and the answer lost
        ({"drop": "before"}, 2),  # never arrived
        ({"code": 2, "when": "after"}, 1),
        ({"code": 2}, 2),
        ({"html": True, "when": "after"}, 1),
        ({"code": 4711}, 2),  # an error that nobody documents
    ],
)
def test_a_lost_answer_is_settled_by_reading_the_post(
    airflow: Airflow, instagram_sandbox: SandboxHandle, post: str, fault: dict[str, Any], deletes: int
) -> None:
    instagram_sandbox.fail("delete", **fault)
    kept = airflow.ask(post_key="teaser")
    if deletes == 2:
        with pytest.raises(Exception, match="Cannot delete media"):
            airflow.answer(YES, kept, post_key="teaser")
        assert _is_live(instagram_sandbox, post)
        assert airflow.store[f"deletion:{post}"]["ig_user_id"] is None, (
            "what happens to the post later is not its doing"
        )
        airflow.delete(post_key="teaser")  # the next try asks again
    else:
        assert airflow.answer(YES, kept, post_key="teaser")["already_deleted"] is False
    assert not _is_live(instagram_sandbox, post)
    assert instagram_sandbox.calls("delete") == deletes


@pytest.mark.parametrize(
    "moment", ["before the intent", "before the request", "before the answer", "before the record"]
)
def test_a_kill_leaves_a_post_that_is_asked_about_again_or_one_that_is_known_to_be_gone(
    airflow: Airflow, instagram_sandbox: SandboxHandle, post: str, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, write, send = airflow.ask(post_key="teaser"), DictStore.set, GraphClient.send

    def dying_write(store: DictStore, key: str, value: Any) -> None:
        if (key.startswith("deletion:"), moment) == (True, "before the intent"):
            raise Killed
        if moment == "before the record" and isinstance(value["row"], dict) and value["row"].get("deleted_at"):
            raise Killed
        write(store, key, value)

    def dying_send(client: GraphClient, call: Any) -> Any:
        if call.method == "DELETE" and moment == "before the request":
            raise Killed
        answer = send(client, call)
        if call.method == "DELETE" and moment == "before the answer":
            raise Killed
        return answer

    with monkeypatch.context() as dying:
        dying.setattr(DictStore, "set", dying_write)
        dying.setattr(GraphClient, "send", dying_send)
        with pytest.raises(Killed):
            airflow.answer(YES, kept, post_key="teaser")
    was_executed = moment in ("before the answer", "before the record")
    assert _is_live(instagram_sandbox, post) is not was_executed
    if was_executed:
        assert DeleteOperator(task_id="t", post_key="teaser").execute(airflow.context())["already_deleted"] is True
    else:
        airflow.delete(post_key="teaser")
    assert not _is_live(instagram_sandbox, post)
    assert instagram_sandbox.calls("delete") == 1
    assert airflow.store["done:teaser"]["deleted_by"] == "anna", "also if the try that asked anna has died"


def test_if_nothing_can_be_read_the_outcome_is_unknown_and_the_next_try_settles_it(
    airflow: Airflow, instagram_sandbox: SandboxHandle, post: str
) -> None:
    kept = airflow.ask(post_key="teaser")
    instagram_sandbox.fail("delete", drop="after")
    instagram_sandbox.fail("media", 190, 460, nth=2, times=1)
    with pytest.raises(OutcomeUnknownError, match="its answer was lost"):
        airflow.answer(YES, kept, post_key="teaser")
    assert DeleteOperator(task_id="t", post_key="teaser").execute(airflow.context())["media_id"] == post
    assert instagram_sandbox.calls("delete") == 1


@pytest.mark.parametrize("by", ["post_key", "media_id"])
def test_a_post_that_leaves_after_a_refused_request_was_not_deleted_by_a_task(
    airflow: Airflow, instagram_sandbox: SandboxHandle, post: str, by: str
) -> None:
    arguments = {by: "teaser" if by == "post_key" else post}
    kept = airflow.ask(**arguments)
    instagram_sandbox.fail("delete", 10)
    with pytest.raises(PermissionDeniedError):
        airflow.answer(YES, kept, **arguments)
    instagram_sandbox.fail("media", 100, 33, times=20)
    with pytest.raises(ValidationError, match="no task has deleted it"):
        DeleteOperator(task_id="t", **arguments).execute(airflow.context())
    assert airflow.store["done:teaser"]["deleted_at"] is None


def test_a_refusal_says_nothing_about_an_earlier_request_whose_answer_was_lost(
    airflow: Airflow, instagram_sandbox: SandboxHandle, post: str
) -> None:
    kept = airflow.ask(post_key="teaser")
    airflow.store[f"deletion:{post}"] = {"by": None, "at": NOON, "ig_user_id": instagram_sandbox.user_id}
    instagram_sandbox.fail("delete", 10, when="after")  # refused, while the earlier one takes effect
    assert airflow.answer(YES, kept, post_key="teaser")["media_id"] == post
    assert airflow.store["done:teaser"]["deleted_at"]


def test_a_post_of_another_account_was_not_deleted_by_a_request_on_this_one(
    airflow: Airflow, instagram_sandbox: SandboxHandle
) -> None:
    media_id = "17900000000000009"
    airflow.store[f"deletion:{media_id}"] = {"by": None, "at": NOON, "ig_user_id": "17841400000000099"}
    with pytest.raises(ValidationError, match="no task has deleted it"):
        DeleteOperator(task_id="t", media_id=media_id).execute(airflow.context())


def test_the_record_of_a_deletion_keeps_what_other_tasks_wrote_meanwhile(
    airflow: Airflow, post: str, mocker: MockerFixture
) -> None:
    kept, send = airflow.ask(post_key="teaser"), GraphClient.send
    airflow.store["done:teaser"] |= {"event_pending": True}

    def slow_send(client: GraphClient, call: Any) -> Any:
        answer = send(client, call)
        if call.method == "DELETE":
            airflow.store["done:teaser"] |= {"event_pending": False}
        return answer

    mocker.patch.object(GraphClient, "send", slow_send)
    airflow.answer(YES, kept, post_key="teaser")
    row = airflow.store["done:teaser"]
    assert (row["event_pending"], bool(row["deleted_at"])) == (False, True)


def test_a_key_with_an_unknown_outcome_is_settled_first_and_then_deleted_with_its_media_id(
    airflow: Airflow, instagram_sandbox: SandboxHandle, post: str
) -> None:
    published = airflow.store.pop("done:teaser")
    del airflow.store[f"media:{post}"]
    for arguments in ({"post_key": "teaser"}, {"post_key": "teaser", "media_id": post}):
        with pytest.raises(ValidationError, match=r"started to publish 'teaser'.* ledger settle"):
            DeleteOperator(task_id="t", **arguments).execute(airflow.context())
    airflow.ask(media_id=post)
    assert "unknown outcome" in airflow.questions[-1]["body"]
    airflow.store["done:teaser"] = {**published, "media_id": None, "permalink": None}  # settled as live
    with pytest.raises(ValidationError, match="Set media_id as well"):
        DeleteOperator(task_id="t", post_key="teaser").execute(airflow.context())
    assert airflow.delete(post_key="teaser", media_id=post)["post_key"] == "teaser"
    row = airflow.store["done:teaser"]
    assert (row["media_id"], bool(row["deleted_at"])) == (post, True)
    assert DeleteOperator(task_id="t", media_id=post).execute(airflow.context())["post_key"] == "teaser"
    assert instagram_sandbox.calls("delete") == 1


def test_a_login_and_a_token_that_cannot_delete_are_said_before_anybody_is_asked(
    airflow: Airflow, instagram_sandbox: SandboxHandle, post: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = len(instagram_sandbox.journal())
    connect_page(monkeypatch, instagram_sandbox, [one for one in SCOPES if one != "instagram_manage_contents"])
    with pytest.raises(PermissionDeniedError, match="instagram_manage_contents"):
        DeleteOperator(task_id="t", post_key="teaser").execute(airflow.context())
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(instagram_sandbox.connection))
    with pytest.raises(PermissionDeniedError, match="Instagram Login has no deletion"):
        DeleteOperator(task_id="t", post_key="teaser").execute(airflow.context())
    assert airflow.questions == []
    assert {one.operation for one in instagram_sandbox.journal()[sent:]} <= {"page"}


def test_a_deletion_that_instagram_refuses_is_remembered_until_one_works(
    airflow: Airflow, instagram_sandbox: SandboxHandle, post: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scopes of the token are not known, because Meta does not tell them."""
    allowed = json.loads(os.environ["AIRFLOW_CONN_INSTAGRAM_DEFAULT"])["password"]
    connect_page(monkeypatch, instagram_sandbox, [one for one in SCOPES if one != "instagram_manage_contents"])
    instagram_sandbox.fail("page", code=200, times=0)
    with pytest.raises(PermissionDeniedError, match="Requires instagram_manage_contents permission"):
        airflow.delete(post_key="teaser")
    known = refusals(airflow.store, datetime.now(timezone.utc))
    assert {name: refusal.reason for name, refusal in known.items()} == {"deletion": ANY}
    assert "Requires instagram_manage_contents permission" in known["deletion"].reason
    connection = {**instagram_sandbox.connection, "password": allowed, "login": instagram_sandbox.user_id}
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
    assert airflow.delete(post_key="teaser")["media_id"] == post
    assert refusals(airflow.store, datetime.now(timezone.utc)) == {}


def test_a_post_that_is_not_there_is_no_deletion(airflow: Airflow, instagram_sandbox: SandboxHandle, post: str) -> None:
    for arguments, why in (
        ({"post_key": "nothing"}, "has no post 'nothing'"),
        ({"media_id": "17900000000000009"}, "has no media 17900000000000009"),
        ({"post_key": "teaser", "media_id": "17900000000000009"}, "is media"),
        ({}, "post_key is empty"),
    ):
        with pytest.raises(ValidationError, match=why):
            DeleteOperator(task_id="t", **arguments).execute(airflow.context())
    assert airflow.questions == []
    assert instagram_sandbox.calls("delete") == 0
