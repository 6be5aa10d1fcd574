"""What tasks ask people about a post, and which answer counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_instagram.calendar.tasks.answers import Answer
from airflow_provider_instagram.calendar.tasks.approve import is_about
from airflow_provider_instagram.plugin.board.airflow_rows import asked_by, returned
from airflow_provider_instagram.plugin.board.states import HOLDS, answer_in

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import ScheduledPost


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
