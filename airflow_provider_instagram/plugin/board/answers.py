"""Which answer to the question of an approval counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_provider_instagram.calendar.tasks.approve import Answer, recorded_answer
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.ledger.database import open_ledger

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import Post
    from airflow_provider_instagram.plugin.board.states import PostRun


def counted_answer(dag_id: str, post: Post, run: PostRun) -> Answer | None:
    """Return the answer with which the task of an approval continues, or None if it has none.

    If two API server processes receive two answers at one moment, Airflow 3.3.2 accepts both and stores the second one
    as the answer of the question. The task continues with the first one. That one is in its task instance until the
    task has ended, and in the ledger after that.

    :param dag_id: The calendar's DAG.
    :param post: The post.
    :param run: The run that asked.
    """
    with create_session(scoped=False) as session:
        given = session.scalar(
            select(TaskInstance.next_kwargs).where(
                TaskInstance.dag_id == dag_id,
                TaskInstance.run_id == run.run_id,
                TaskInstance.task_id == f"{post.account}.approve",
                TaskInstance.map_index == run.map_index,
            )
        )
    event = given.get("event") if isinstance(given, dict) else None
    if isinstance(event, dict) and "chosen_options" in event:
        return _answer_in(event, post)
    try:
        with open_ledger(post.account) as store:
            return recorded_answer(store, post)
    except ValidationError:  # Airflow does not have the ledger any more
        return None


def _answer_in(event: dict[str, Any], post: Post) -> Answer:
    person = (event.get("responded_by_user") or {}).get("name")
    given = event.get("params_input") or {}
    caption = given.get("caption", post.caption) or ""
    return Answer(event["chosen_options"] == ["Approve"], person, caption, given.get("reason"))
