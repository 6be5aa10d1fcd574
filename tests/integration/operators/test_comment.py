"""The first comment of a post, as a task: what it takes, what it checks, and that it is written once."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.operators import (
    CommentOperator,
    HideCommentOperator,
    PrivateReplyOperator,
    SwitchOffCommentsOperator,
)

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from instagram_sandbox.testing.handle import SandboxHandle

TEXT = "Filmed in Lisbon"
PUBLISHING = ["instagram_business_basic", "instagram_business_content_publish"]
pytestmark = pytest.mark.usefixtures("no_stored_tokens")


@pytest.fixture
def media_id(instagram_sandbox: SandboxHandle) -> str:
    return instagram_sandbox.add_foreign_post("A post")


def texts(sandbox: SandboxHandle) -> list[str]:
    return [comment.text for comment in sandbox.comments()]


def one_task(dag_id: str, **arguments: Any) -> DAG:
    """Return a DAG with a single task."""
    return comments(dag_id, {"comment": arguments})


def comments(dag_id: str, tasks: dict[str, dict[str, Any]]) -> DAG:
    """Return a DAG of tasks, whose arguments are known in the run only, as those of other tasks are."""
    from airflow.sdk import DAG

    with DAG(dag_id, schedule=None, default_args={"retries": 0}) as dag:
        for task_id, arguments in tasks.items():
            data = {name: arguments[name] for name in CommentOperator.template_fields if name in arguments}
            others = {name: value for name, value in arguments.items() if name not in data}
            task = CommentOperator(task_id=task_id, media_id="{{ '' }}", message="{{ '' }}", **others)
            for name, value in data.items():
                setattr(task, name, value)
    return dag


def published(media_id: str | None, published_at: str | None = "2026-11-26T05:00:00+00:00") -> dict[str, Any]:
    """Return what PublishOperator returns."""
    names = ("permalink", "container_id", "post_key")
    return {"media_id": media_id, **dict.fromkeys(names), "published_at": published_at, "already_published": False}


def test_the_output_of_publish_is_enough(instagram_sandbox: SandboxHandle, run_dag: Any, media_id: str) -> None:
    from airflow.sdk import DAG, task

    with DAG("comment_on_output", schedule=None) as dag:

        @task
        def publish() -> dict[str, Any]:
            return published(media_id)

        done: Any = publish()
        CommentOperator(task_id="by_result", media_id=done, message="{{ ti.task_id }}", retries=0)
        CommentOperator(task_id="by_key", media_id=done["media_id"], message="by_key", retries=0)
        template = "{{ ti.xcom_pull('publish')['media_id'] }}"
        by_template = CommentOperator(task_id="by_template", media_id=template, message="by_template", retries=0)
        done >> by_template

    result = run_dag(dag)
    assert set(result.states().values()) == {"success"}, result.states()
    assert sorted(texts(instagram_sandbox)) == ["by_key", "by_result", "by_template"]
    ids = {str(result.xcom(task_id)) for task_id in ("by_key", "by_result", "by_template")}
    assert ids == {comment.comment_id for comment in instagram_sandbox.comments()}


def test_a_key_that_is_done_is_not_written_again_in_another_run(
    instagram_sandbox: SandboxHandle, run_dag: Any, media_id: str
) -> None:
    dag = one_task("comment_by_key", media_id=media_id, message=TEXT, comment_key="the-first-comment")
    first, second = run_dag(dag), run_dag(dag)
    ids = {str(result.xcom("comment")) for result in (first, second)}
    assert ids == {instagram_sandbox.comments()[0].comment_id}
    assert texts(instagram_sandbox) == [TEXT]


def test_without_a_key_each_task_comments_once_on_each_post_in_whatever_run(
    instagram_sandbox: SandboxHandle, run_dag: Any, media_id: str
) -> None:
    """The order of the posts of a mapped task does not matter."""
    from airflow.sdk import DAG

    media_ids = [media_id, instagram_sandbox.add_foreign_post("Another post")]
    for order in (media_ids, media_ids[::-1]):
        with DAG("comments_mapped", schedule=None) as dag:
            comment = CommentOperator.partial(task_id="comment", message=TEXT).expand(media_id=order)
            CommentOperator(task_id="another", media_id=media_id, message=TEXT)
        assert comment.retries == 8
        assert run_dag(dag).state == "success"
    written = [comment.media_id for comment in instagram_sandbox.comments()]
    assert sorted(written) == sorted([media_id, *media_ids])


def test_two_texts_of_one_task_on_one_post_need_keys(
    instagram_sandbox: SandboxHandle, run_dag: Any, media_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without keys, the log says which text is not written."""
    from airflow.sdk import DAG

    with DAG("comments_without_keys", schedule=None) as dag:
        CommentOperator.partial(task_id="comment", media_id=media_id, retries=0).expand(message=["one", "two"])
    assert run_dag(dag).state == "success"
    assert len(texts(instagram_sandbox)) == 1
    assert "has a comment with another text, so this message is not written" in caplog.text

    texts_of_it = [{"message": "one", "comment_key": "one"}, {"message": "two", "comment_key": "two"}]
    with DAG("comments_with_keys", schedule=None) as dag:
        CommentOperator.partial(task_id="comment", media_id=media_id, retries=0).expand_kwargs(texts_of_it)
    assert [run_dag(dag).state for _ in range(2)] == ["success", "success"]
    assert sorted(texts(instagram_sandbox)[1:]) == ["one", "two"]


def test_clear_writes_nothing_again(instagram_sandbox: SandboxHandle, run_dag: Any, media_id: str) -> None:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import clear_task_instances
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from sqlalchemy import select

    from tests.reliability.in_process import _go_on

    dag = one_task("comment_cleared", media_id=media_id, message=TEXT)
    result = run_dag(dag)
    comment_id = result.xcom("comment")
    with create_session() as session:
        run = session.scalars(select(DagRun).where(DagRun.run_id == result.run.run_id)).one()
        clear_task_instances(run.get_task_instances(session=session), session, dag_run_state=DagRunState.RUNNING)
    assert str(_go_on(dag, result.run.run_id).state) == "success"
    assert result.xcom("comment") == comment_id
    assert texts(instagram_sandbox) == [TEXT]
    assert instagram_sandbox.calls("comment") == 1


def test_text_that_is_data_is_written_as_it_is(
    instagram_sandbox: SandboxHandle, run_dag: Any, media_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk import DAG, task

    monkeypatch.setenv("AIRFLOW_VAR_BANK", "s3cret")
    stolen = "From a sheet: {{ var.value.bank }}"
    with DAG("comment_from_data", schedule=None) as dag:

        @task
        def sheet() -> list[dict[str, str]]:
            return [{"message": stolen}]

        CommentOperator.partial(task_id="comment", media_id=media_id, retries=0).expand_kwargs(sheet())
    assert run_dag(dag).state == "success"
    assert texts(instagram_sandbox) == [stolen]


def test_what_cannot_be_written_sends_nothing(instagram_sandbox: SandboxHandle, run_dag: Any, media_id: str) -> None:
    skipped: dict[str, dict[str, Any]] = {
        "empty": {"message": ""},
        "blank": {"message": "  "},
        "the_none_of_a_template": {"message": "None"},
        "dry_run": {"media_id": published(None, None)},
    }
    failed: dict[str, dict[str, Any]] = {
        "not_told_apart": {"media_id": published(None)},
        "no_media_id": {"media_id": "None"},
        "a_dict_as_text": {"media_id": "{'media_id': '1'}"},
        "no_id": {"media_id": "1/../me"},
        "hashtags": {"message": "#a #b #c #d #e"},
        "both": {"reply_to": "18012345678901234"},
        "no_comment": {"media_id": None, "reply_to": "me"},
    }
    valid: dict[str, Any] = {"media_id": media_id, "message": TEXT}
    result = run_dag(comments("refused", {name: valid | given for name, given in (skipped | failed).items()}))
    assert result.states() == {**dict.fromkeys(skipped, "skipped"), **dict.fromkeys(failed, "failed")}
    assert [entry.operation for entry in instagram_sandbox.journal()] == []


def connect(sandbox: SandboxHandle, scopes: list[str]) -> None:
    """Record a token of these scopes as a login does."""
    from airflow_provider_instagram.hooks import InstagramHook

    manager = InstagramHook("instagram_default").token_manager()
    token = manager.current_token()
    manager.store.save(
        replace(token, access_token=sandbox.add_token(sandbox.user_id, scopes=scopes), scopes=tuple(scopes))
    )


def test_a_scope_that_is_known_to_be_missing_is_said_before_anything_is_sent(
    instagram_sandbox: SandboxHandle, run_dag: Any, media_id: str
) -> None:
    connect(instagram_sandbox, PUBLISHING)
    assert run_dag(one_task("comment_without_scope", media_id=media_id, message=TEXT)).state == "failed"
    assert [entry.operation for entry in instagram_sandbox.journal()] == []


def test_a_scope_that_is_not_known_is_asked_of_instagram(
    instagram_sandbox: SandboxHandle, run_dag: Any, media_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token was pasted. Instagram refuses it, and the task says which scope is needed and how to grant it."""
    token = instagram_sandbox.add_token(instagram_sandbox.user_id, scopes=PUBLISHING)
    connection = {**instagram_sandbox.connection, "password": token}
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
    errors: list[BaseException] = []
    dag = one_task(
        "comment_refused_by_instagram",
        media_id=media_id,
        message=TEXT,
        on_failure_callback=lambda context: errors.append(context["exception"]),
    )
    assert run_dag(dag).state == "failed"
    assert "Add comments to the field Scopes of the connection" in str(errors[0])
    assert "instagram_business_manage_comments" in str(errors[0])
    assert texts(instagram_sandbox) == []


def test_a_page_comments_with_the_scope_of_its_login(
    instagram_sandbox: SandboxHandle, run_dag: Any, media_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Facebook Login: its scopes are read from Meta, and have names of their own."""
    from airflow_provider_instagram.exceptions import PermissionDeniedError
    from airflow_provider_instagram.graph.capabilities import COMMENTS
    from airflow_provider_instagram.hooks.scopes import known_scopes

    instagram_sandbox.switch(login="facebook")
    granted = ["instagram_basic", "instagram_content_publish", "pages_read_engagement"]
    for scopes, state in ((granted, "failed"), ([*granted, "instagram_manage_comments"], "success")):
        token = instagram_sandbox.add_token(instagram_sandbox.user_id, kind="page", scopes=scopes)
        connection = {**instagram_sandbox.connection, "password": token}
        monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
        known = known_scopes("instagram_default")
        assert known.granted == frozenset(scopes)
        if state == "failed":
            with pytest.raises(PermissionDeniedError, match="did not grant instagram_manage_comments"):
                known.require(COMMENTS)
        assert run_dag(one_task("comment_of_a_page", media_id=media_id, message=TEXT)).state == state
    assert texts(instagram_sandbox) == [TEXT]


def test_a_reply_is_written_once_to_each_comment_of_the_events_of_any_run(
    instagram_sandbox: SandboxHandle, run_dag: Any, media_id: str
) -> None:
    """An event may come twice. The id of the comment is the key, not the run and not the position in a list."""
    from airflow.sdk import DAG, task

    asked = [instagram_sandbox.add_comment(media_id, text) for text in ("Where?", "When?", "Who?")]
    payloads = [{"comment_id": one.comment_id, "media_id": media_id, "text": one.text} for one in asked]
    with DAG("replies", schedule=None, params={"first": 0}) as dag:

        @task
        def comments(params: Any = None) -> list[dict[str, str]]:
            return payloads[params["first"] :]

        CommentOperator.partial(task_id="reply", message="Soon: see our story").expand(reply_to=comments())
    for first in (0, 1):
        result = run_dag(dag, first=first)
        assert result.state == "success", result.states()
    replies = [(one.parent_id, one.comment_id) for one in instagram_sandbox.comments() if one.parent_id]
    assert sorted(to for to, _ in replies) == sorted(one.comment_id for one in asked)  # tasks end in any order
    assert str(result.xcom("reply", map_index=0)) == dict(replies)[asked[1].comment_id]


def of_a_comment(dag_id: str, comment: Any, **more: Any) -> DAG:
    """Return a DAG that hides a comment, and answers it privately."""
    from airflow.sdk import DAG

    with DAG(dag_id, schedule=None, default_args={"retries": 0, **more}) as dag:
        HideCommentOperator(task_id="hide", comment_id=comment)
        PrivateReplyOperator(task_id="answer", comment_id=comment, message="Sent you the link")
        PrivateReplyOperator(task_id="say_nothing", comment_id=comment, message="")
    return dag


def test_a_comment_is_hidden_and_answered_privately_once_in_two_runs(
    instagram_sandbox: SandboxHandle, run_dag: Any, media_id: str
) -> None:
    asked = instagram_sandbox.add_comment(media_id, "LINK").comment_id
    dag = of_a_comment("hide_and_answer", {"comment_id": asked, "media_id": media_id})
    for _ in range(2):
        result = run_dag(dag)
        assert result.states() == {"hide": "success", "answer": "success", "say_nothing": "skipped"}
    (message,) = instagram_sandbox.messages()
    assert (message.comment_id, message.text) == (asked, "Sent you the link")
    assert (str(result.xcom("hide")), result.xcom("answer")) == (asked, message.message_id)
    assert [instagram_sandbox.calls(name) for name in ("moderate", "message")] == [1, 1]
    assert instagram_sandbox.comments()[0].hidden


def test_comments_are_switched_off_once_in_two_runs(
    instagram_sandbox: SandboxHandle, run_dag: Any, media_id: str
) -> None:
    from airflow.sdk import DAG

    with DAG("switch_off", schedule=None, default_args={"retries": 0}) as dag:
        SwitchOffCommentsOperator(task_id="off", media_id=media_id)
    for _ in range(2):
        result = run_dag(dag)
        assert (result.state, str(result.xcom("off"))) == ("success", media_id)
    sent = [entry.parameters for entry in instagram_sandbox.journal("moderate")]
    assert [one["comment_enabled"] for one in sent] == ["false"]


@pytest.mark.parametrize(("kind", "state"), [("page", "success"), ("system", "failed")])
def test_a_page_answers_privately_and_unified_login_says_that_it_cannot(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    media_id: str,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    state: str,
) -> None:
    instagram_sandbox.switch(login="facebook")
    token = instagram_sandbox.add_token(instagram_sandbox.user_id, kind=kind)
    extra = {"login_type": "facebook" if kind == "page" else "unified"}
    connection = {**instagram_sandbox.connection, "password": token, "login": instagram_sandbox.user_id, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
    asked = instagram_sandbox.add_comment(media_id, "LINK").comment_id
    errors: list[BaseException] = []
    dag = of_a_comment(
        f"answer_of_{kind}", asked, on_failure_callback=lambda context: errors.append(context["exception"])
    )
    states = run_dag(dag).states()
    assert (states["hide"], states["answer"]) == ("success", state)
    assert len(instagram_sandbox.messages()) == (state == "success")
    assert [str(error) for error in errors if "has no private replies. Nothing was sent." not in str(error)] == []
