"""What tasks ask people about a post, and which answer counts: whether to publish it, and whether to delete it.

Posts are deleted by runs of the DAG that ``[instagram] deletion_dag`` names.
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.utils.session import create_session
from sqlalchemy import and_, select

from airflow_provider_instagram.calendar.deletion import ACCOUNT, POST_KEY, DeleteForPage, deletion_dag
from airflow_provider_instagram.calendar.tasks.answers import Answer, answer_row, unsealed
from airflow_provider_instagram.calendar.tasks.approve import answer_in, is_about
from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.ledger.database import open_ledger
from airflow_provider_instagram.plugin.board.states import HOLDS

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import ScheduledPost
    from airflow_provider_instagram.plugin.board.states import Facts, PostRun

#: How the ids of runs begin that delete posts. What follows is the account, the post and a number. Which post a run
#: deletes is only in its parameters: who may start runs gives them any id.
PREFIX: Final = "delete~"


def asked_about(dag_id: str, post: ScheduledPost, run: PostRun, step: str = "approve") -> Any:
    """Return the row of the task instance that asks about a post, with its question and the answer, or None.

    Without a question, ``subject`` is None.
    """
    task, asked = TaskInstance, HITLDetail
    answer = (asked.responded_at, asked.responded_by, asked.chosen_options, asked.params_input)
    ours = (task.dag_id == dag_id, task.run_id == run.run_id, task.map_index == run.map_index)
    with create_session(scoped=False) as session:
        return session.execute(
            select(task.next_kwargs, asked.subject, asked.body, *answer)
            .outerjoin(asked, task.id == asked.ti_id)
            .where(*ours, task.task_id == f"{post.account}.{step}")
        ).first()


def is_asked_about(dag_id: str, post: ScheduledPost, run: PostRun, step: str) -> bool:
    """Return whether a task instance has asked about this post, by Airflow's record of the question.

    Which map index a post has is read from an XCom, which users may edit.
    """
    row = asked_about(dag_id, post, run, step)
    return row is not None and row.subject is not None and is_about(post, row.subject, row.body, is_held=step == HOLDS)


def answer_kwargs(asked: Any) -> dict[str, Any] | None:
    """Return a person's answer, from the row of a question, in the form in which Airflow resumes a task with it."""
    if asked is None or not asked.responded_by:
        return None
    given = {"chosen_options": asked.chosen_options, "params_input": asked.params_input}
    return {"event": {**given, "responded_by_user": asked.responded_by}}


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
    row = asked_about(dag_id, post, run)
    if row is not None and row.subject is not None and not is_about(post, row.subject, row.body):
        row = None
    if run.has_asked:
        return answer_on_its_way(answer_kwargs(row), post)
    # a task that reads the answer to an earlier question has asked none
    if row is not None and (answer := answer_on_its_way(row.next_kwargs, post)) is not None:
        return answer
    try:
        with open_ledger(post.account) as store:
            record = store.get(key := answer_row(post, is_dry_run=run.is_dry))
        return unsealed(record, key, post.version, f"{dag_id}/{run.run_id}", InstagramHook(post.account).sign)
    except (InstagramError, AirflowNotFoundException):  # Airflow does not have the ledger or the connection any more
        return None


def new_run_id(account: str, post_id: str, taken: Collection[str]) -> str:
    """Return an id for a run that deletes a post. Of two requests with one id, Airflow refuses one."""
    run_ids = (f"{PREFIX}{account}~{post_id}~{number}" for number in count(1))
    return next(run_id for run_id in run_ids if run_id not in taken)


def parameters_of(account: str, post_key: str) -> dict[str, str]:
    """Return the parameters of a run that deletes a post."""
    return {ACCOUNT: account, POST_KEY: post_key}


class Question(NamedTuple):
    """What a task asks before it deletes a post.

    :param digest: What an answer carries, so that it is about this text and this try of the task.
    """

    text: str
    digest: str


def question_about(facts: Facts) -> Question | None:
    """Return what a run asks before it deletes a post, or None if it does not ask about this post now."""
    if facts.deletion is None:
        return None
    run, task, asked, post = DagRun, TaskInstance, HITLDetail, facts.post
    with create_session(scoped=False) as session:
        row = session.execute(
            select(run.conf, asked.ti_id, asked.subject, asked.body)
            .join(task, task.id == asked.ti_id)
            .join(run, and_(run.dag_id == task.dag_id, run.run_id == task.run_id))
            .where(run.dag_id == deletion_dag(), run.run_id == facts.deletion.run_id, task.task_id == post.account)
            .where(task.operator == DeleteForPage.__name__, task.state == "awaiting_input")
        ).first()
    if row is None or row.conf != parameters_of(post.account, post.key):
        return None
    text = f"{row.subject}\n\n{row.body or ''}"
    return Question(text, sha256(f"{row.ti_id}\n{text}".encode()).hexdigest())
