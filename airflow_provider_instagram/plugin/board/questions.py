"""What tasks ask people about a post, and which answer counts: whether to publish it, and whether to delete it.

Posts are deleted by runs of the DAG that ``[instagram] deletion_dag`` names.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_instagram.calendar.deletion import DeleteForPage, deletion_dag
from airflow_provider_instagram.calendar.tasks.answers import Answer
from airflow_provider_instagram.calendar.tasks.approve import is_about
from airflow_provider_instagram.plugin.board.airflow_rows import asked_by, deletion_conf, returned
from airflow_provider_instagram.plugin.board.states import HOLDS, answer_in

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import ScheduledPost
    from airflow_provider_instagram.plugin.board.states import Facts


def is_asked_about(dag_id: str, post: ScheduledPost, run_id: str, step: str) -> bool:
    """Return whether a task has asked about this version of a post, by Airflow's record of the question."""
    row = asked_by(dag_id, run_id, step)
    return row is not None and row.subject is not None and is_about(post, row.subject, row.body, is_held=step == HOLDS)


def counted_answer(dag_id: str, post: ScheduledPost, run_id: str) -> tuple[Answer | None, str]:
    """Return a person's answer about this version of a post with its time. Neither if nobody has answered.

    If two API server processes receive two answers at one moment, Airflow 3.3.2 accepts both and stores the second one
    as the answer of the question. The task continues with the first one. That one is in its task instance until the
    task has ended, and in what it returns after that.
    """
    row = asked_by(dag_id, run_id, "approve")
    if row is None or (row.subject is not None and not is_about(post, row.subject, row.body)):
        return None, ""
    at = row.responded_at.isoformat() if row.responded_at is not None else ""
    event = row.kwargs.get("event") if isinstance(row.kwargs, dict) else None
    if isinstance(event, dict) and "chosen_options" in event:
        return answer_in(event, post), at
    if (answer := Answer.read(returned(dag_id, run_id, "approve"), dag_id, run_id, post)) is not None:
        return answer, at
    if not row.responded_by:
        return None, ""
    stored = {"chosen_options": row.chosen_options, "params_input": row.params_input}
    return answer_in({**stored, "responded_by_user": row.responded_by}, post), at


class Question(NamedTuple):
    """What a task asks before it deletes a post.

    :param digest: What an answer carries, so that it is about this text and this try of the task.
    """

    text: str
    digest: str


def question_about(facts: Facts) -> Question | None:
    """Return what a run asks before it deletes a post, or None if it does not ask about this post now."""
    row = None if facts.deletion is None else asked_by(deletion_dag(), facts.deletion.run_id, facts.post.account)
    if row is None or (row.operator, row.state) != (DeleteForPage.__name__, "awaiting_input") or row.subject is None:
        return None
    if row.conf != deletion_conf(facts.post.account, facts.post.key):
        return None
    text = f"{row.subject}\n\n{row.body or ''}"
    return Question(text, sha256(f"{row.id}\n{text}".encode()).hexdigest())
