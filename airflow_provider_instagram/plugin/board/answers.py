"""Which answer to the question of an approval counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.utils.session import create_session
from sqlalchemy import ColumnElement, select

from airflow_provider_instagram.calendar.tasks.answers import Answer, answer_row, unsealed
from airflow_provider_instagram.calendar.tasks.approve import answer_in, is_about
from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.ledger.database import open_ledger
from airflow_provider_instagram.plugin.board.source import answer_kwargs
from airflow_provider_instagram.plugin.board.states import HOLDS

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import ScheduledPost
    from airflow_provider_instagram.plugin.board.states import PostRun


def is_approval_of(
    dag_id: str, post: ScheduledPost, run: PostRun, step: str = "approve"
) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions for the task instance that asks about a post, with :func:`counted_answer`'s parameters."""
    yield TaskInstance.dag_id == dag_id
    yield TaskInstance.run_id == run.run_id
    yield TaskInstance.task_id == f"{post.account}.{step}"
    yield TaskInstance.map_index == run.map_index


def is_asked_about(dag_id: str, post: ScheduledPost, run: PostRun, step: str) -> bool:
    """Return whether a task instance has asked about this post, by Airflow's record of the question.

    Which map index a post has is read from an XCom, which users may edit.
    """
    asked, ours = HITLDetail, is_approval_of(dag_id, post, run, step)
    with create_session(scoped=False) as session:
        found = select(asked.subject, asked.body).join(TaskInstance, TaskInstance.id == asked.ti_id).where(*ours)
        row = session.execute(found).first()
    return row is not None and is_about(post, row.subject, row.body, is_held=step == HOLDS)


def answer_on_its_way(next_kwargs: Any, post: ScheduledPost) -> Answer | None:
    """Return the answer with which the task of an approval continues, or None if it has none or has ended."""
    event = next_kwargs.get("event") if isinstance(next_kwargs, dict) else None
    return answer_in(event, post.caption) if isinstance(event, dict) and "chosen_options" in event else None


def counted_answer(dag_id: str, post: ScheduledPost, run: PostRun) -> Answer | None:
    """Return the answer with which the task of an approval continues, or None if it has none.

    After a run that only prepares the post, the run that publishes it continues with what Airflow has stored.

    If two API server processes receive two answers at one moment, Airflow 3.3.2 accepts both and stores the second one
    as the answer of the question. The task continues with the first one. That one is in its task instance until the
    task has ended, and in the ledger after that.
    """
    with create_session(scoped=False) as session:
        ours, asked = [*is_approval_of(dag_id, post, run)], HITLDetail
        if run.has_asked:
            stored = select(asked.responded_by, asked.chosen_options, asked.params_input, asked.subject, asked.body)
            row = session.execute(stored.join(TaskInstance, TaskInstance.id == asked.ti_id).where(*ours)).first()
            is_ours = row is not None and is_about(post, row.subject, row.body)
            return answer_on_its_way(answer_kwargs(row), post) if is_ours else None
        running = select(TaskInstance.next_kwargs, asked.subject, asked.body)
        row = session.execute(running.outerjoin(asked, TaskInstance.id == asked.ti_id).where(*ours)).first()
    # a task that reads the answer to an earlier question has asked none
    is_ours = row is not None and (row.subject is None or is_about(post, row.subject, row.body))
    given = row.next_kwargs if row is not None and is_ours else None
    if (answer := answer_on_its_way(given, post)) is not None:
        return answer
    try:
        with open_ledger(post.account) as store:
            record = store.get(key := answer_row(post, is_dry_run=run.is_dry))
        return unsealed(record, key, post.version, f"{dag_id}/{run.run_id}", InstagramHook(post.account).sign)
    except (InstagramError, AirflowNotFoundException):  # Airflow does not have the ledger or the connection any more
        return None
