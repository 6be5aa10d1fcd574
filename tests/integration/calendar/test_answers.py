"""Questions about posts, answered in Airflow's database as its API does, in runs that users have tampered with."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.calendar.tasks.approve import ApprovePost
from airflow_provider_instagram.calendar.tasks.base import PostTask
from airflow_provider_instagram.calendar.tasks.create import CreatePost
from airflow_provider_instagram.calendar.tasks.prepare import PreparePost
from airflow_provider_instagram.calendar.tasks.publish import PublishPost
from airflow_provider_instagram.exceptions import TransientError
from airflow_provider_instagram.ledger.database import open_ledger
from airflow_provider_instagram.ledger.ledger import Ledger
from tests.integration.calendar.runs import ACCOUNT, made, planned, play_run, run_by_hand, run_post

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle


@contextmanager
def person(*options: str) -> Iterator[list[str]]:
    """Answer each question that is open, as Airflow's API does: one option after the other, and then with a no.

    :return: What was asked.
    """
    asked: list[str] = []
    ended = Event()

    def answer_all() -> None:
        while not ended.wait(0.2):
            answer(options, asked)

    thread = Thread(target=answer_all, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        ended.set()
        thread.join()


def answer(options: tuple[str, ...], asked: list[str]) -> None:
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import handle_event_submit
    from airflow.sdk.timezone import utcnow
    from airflow.triggers.base import TriggerEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        for ti in session.scalars(select(TaskInstance).where(TaskInstance.state == "up_for_retry")).all():
            ti.clear_next_method_args()  # Airflow's API has done so, and dag.test() has written it back
        for ti in session.scalars(select(TaskInstance).where(TaskInstance.state == "awaiting_input")).all():
            detail = session.scalars(select(HITLDetail).where(HITLDetail.ti_id == ti.id)).one()
            if detail.responded_at is None:  # else dag.test() has written back the state before the answer
                detail.responded_at, detail.responded_by = utcnow(), {"id": "1", "name": "anna"}
                detail.chosen_options, detail.params_input = [[*options, "Reject"][min(len(asked), len(options))]], {}
                asked.append(detail.subject)
            handle_event_submit(TriggerEvent(detail.as_resume_event_payload()), task_instance=ti, session=session)


def test_a_retry_publishes_with_the_answer_that_there_is(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], mocker: MockerFixture
) -> None:
    """The ledger does not answer when the task resumes."""
    mocker.patch("airflow_provider_instagram.operators.base.FIRST_DELAY", timedelta(seconds=3))
    dag = made(calendar({"asked-twice": 40}, **{"asked-twice": {"approval": "required"}}))
    planned(dag)
    read_row = PostTask._read_row
    failures: list[float] = []

    def refused(self: PostTask, context: Any) -> Any:
        if asked and len(failures) < 1:
            failures.append(time.monotonic())
            raise TransientError("503", hint="Later.")
        return read_row(self, context)

    mocker.patch.object(PostTask, "_read_row", refused)
    with person("Approve") as asked:
        result = run_post(run_dag, dag, "asked-twice")
    assert (len(failures), len(asked)) == (1, 1)
    assert result.state == "success"
    assert len(instagram_sandbox.posts) == 1


def test_a_yes_counts_after_a_clear_because_airflow_still_has_the_try_that_asked(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], mocker: MockerFixture
) -> None:
    execute = CreatePost.execute

    def cleared(task: CreatePost, context: Any, event: Any = None) -> Any:
        context["dag_run"].clear_number = 1
        return execute(task, context, event)

    mocker.patch.object(CreatePost, "execute", cleared)
    dag = made(calendar({"cleared": 40}, cleared={"approval": "required"}))
    planned(dag)
    with person("Approve") as asked:
        run_by_hand(run_dag, dag, "cleared", now=True)
    assert (len(asked), len(instagram_sandbox.posts)) == (1, 1)


def test_the_answer_of_a_dry_run_publishes_nothing_in_a_run_of_the_same_id(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], mocker: MockerFixture
) -> None:
    """What its task returned is written into the other run, whose task is marked as a success."""
    file = calendar({"asked-dry": 3600}, **{"asked-dry": {"approval": "required"}})
    planned(made(file))
    with person("Approve") as asked:
        dry = play_run(run_dag, made(file), "same", post="asked-dry", now=True, dry_run=True)
    assert "(dry run)" in asked[0]
    assert dry.state == "success"
    saved = dry.xcom("approve")
    mocker.patch.object(ApprovePost, "execute", return_value=saved)
    play_run(run_dag, made(file, default_args={"retries": 0}), "same", post="asked-dry", now=True)
    assert instagram_sandbox.calls("publish") == 0


def test_which_container_is_published_is_not_read_from_an_xcom(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], mocker: MockerFixture
) -> None:
    """A user writes the container of another post into the result of create, or marks create as a success."""
    posts = {"next-year": 365 * 86400, "today": 20, "marked": 20}
    captions = {name: {"caption": name} for name in posts}
    dag = made(calendar(posts, **captions), default_args={"retries": 0})
    run_by_hand(run_dag, dag, "next-year", now=True, dry_run=True)
    (other,) = instagram_sandbox.containers
    execute = CreatePost.execute

    def edited(task: CreatePost, context: Any, event: Any = None) -> str:
        if context["ti"].run_id == "today":
            execute(task, context, event)
        return other.container_id

    mocker.patch.object(CreatePost, "execute", edited)
    assert run_post(run_dag, dag, "today").state == "success"
    result = run_post(run_dag, dag, "marked")
    assert result.states()["publish"] == "failed"
    assert "No container was made" in result.xcom("publish", key="outcome")["reason"]
    assert [post.caption for post in instagram_sandbox.posts] == ["today"]


def test_what_is_sent_is_not_read_from_an_xcom(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    calendar: Callable[..., Path],
    portrait_video: Path,
    mocker: MockerFixture,
) -> None:
    """The result of the preparation names another file, which the calendar might name as well."""
    other = portrait_video.with_name("of-another-post.mp4")
    other.write_bytes(portrait_video.read_bytes() + bytes(8))
    prepare = PreparePost.execute

    def edited(task: PreparePost, context: Any) -> dict[str, Any]:
        return {**prepare(task, context), "media": [str(other)]}

    mocker.patch.object(PreparePost, "execute", edited)
    dag = made(calendar({"edited-xcom": 20}), default_args={"retries": 0})
    assert run_post(run_dag, dag, "edited-xcom").state == "success"
    received = sum(entry.received_bytes or 0 for entry in instagram_sandbox.journal("upload"))
    assert received == portrait_video.stat().st_size


def test_a_post_of_last_year_with_the_same_caption_is_not_taken_for_that_of_a_run_that_a_user_has_dated_then(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], mocker: MockerFixture
) -> None:
    """The user clears publish, which then looks for what the run may have posted before. A person has to decide."""
    instagram_sandbox.add_foreign_post("Happy Monday", age_s=200 * 86400)
    execute = PublishPost.execute

    def cleared(task: PublishPost, context: Any, event: Any = None) -> Any:
        context["ti"].max_tries += 1
        context["dag_run"].run_after = datetime.now(timezone.utc) - timedelta(days=365)
        return execute(task, context, event)

    mocker.patch.object(PublishPost, "execute", cleared)
    dag = made(calendar({"last-year": 30}, **{"last-year": {"caption": "Happy Monday"}}))
    planned(dag)
    assert run_by_hand(run_dag, dag, "last-year").state == "failed"
    with open_ledger(ACCOUNT) as store:
        ledger = Ledger(store, ACCOUNT)
        assert ledger.post(f"{ACCOUNT}/last-year") is None
        (intent,) = ledger.open_intents(f"{ACCOUNT}/last-year")
    assert intent.needs_manual_resolution
