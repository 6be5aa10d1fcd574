"""What tasks ask people about a post, and which answer counts."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.calendar.planning.begin_runs import DRY_MARK
from airflow_provider_instagram.calendar.tasks.answers import Answer, PostRecords, PreparedPost
from airflow_provider_instagram.calendar.tasks.approve import is_about
from airflow_provider_instagram.calendar.tasks.create import is_held
from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.ledger.database import open_ledger
from airflow_provider_instagram.plugin.board.queries import asked_by, event_in
from airflow_provider_instagram.plugin.board.states import ENDED_BADLY, HOLDS

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.columns import ScheduledPost
    from airflow_provider_instagram.calendar.tasks.answers import Approval
    from airflow_provider_instagram.plugin.board.states import Facts, PostRun

#: The states of a task that no longer acts on an answer.
ENDED: Final = ("success", "skipped", *ENDED_BADLY)


def is_asked_about(dag_id: str, post: ScheduledPost, run_id: str, step: str) -> bool:
    """Return whether a task has asked about this version of a post, by Airflow's record of the question."""
    row = asked_by(dag_id, run_id, step)
    if row is None or row.subject is None:
        return False
    if step == HOLDS:
        return is_held(post, row.subject)
    return is_about(post, row.subject, row.body)


def last_question(post: ScheduledPost, run: PostRun) -> Approval | None:
    """Return the last question about a post, whatever run has asked it. Only an answer to that one counts."""
    with suppress(InstagramError), open_ledger(post.account) as store:
        return PostRecords(store, post.key, run.is_dry).approval()
    return None


def counted_answer(dag_id: str, post: ScheduledPost, run: PostRun) -> tuple[Answer | None, str]:
    """Return a person's answer about this version of a post and its time, or None and an empty text.

    If two API server processes receive two answers at one moment, Airflow 3.3.2 accepts both and
    stores the second one as the answer of the question. The task continues with the first one. That
    one is in its task instance until the task has recorded it in the ledger. If the task ends
    without recording it, a user has marked the task, and the answer does not count.
    """
    row = asked_by(dag_id, run.run_id, "approve")
    if row is None or row.subject is None or not is_about(post, row.subject, row.body):
        return None, ""  # a run that was deleted and made anew has no question yet
    at = row.responded_at.isoformat() if row.responded_at is not None else ""
    has_ended = run.task("approve").state in ENDED
    event = None if has_ended else event_in(row.kwargs)
    if event is not None:
        return Answer.read(event, post.caption), at
    approval = approval_of(dag_id, post, run)
    if approval is not None and approval.answer is not None:
        return approval.answer, approval.answered_at
    if approval is None or has_ended or not row.responded_by:
        return None, ""
    stored = {"chosen_options": row.chosen_options, "params_input": row.params_input}
    return Answer.read({**stored, "responded_by_user": row.responded_by}, post.caption), at


def approval_of(dag_id: str, post: ScheduledPost, run: PostRun) -> Approval | None:
    """Return the last question about this version of a post, if this run has asked it."""
    approval = last_question(post, run)
    if approval is None or approval.question.dag_id != dag_id:
        return None
    return approval if is_of_run(approval, post, run) else None


def is_of_run(approval: Approval, post: ScheduledPost, run: PostRun) -> bool:
    """Return whether a question is about this version of a post, and was asked in this run, not in a deleted one.

    A user may give a run the id and the date of a deleted one, and mark its task, but that then has
    begun later.
    """
    task = run.task("approve")
    question = approval.question
    is_later = task.started is not None and task.started > question.began
    if task.state == "success" and (is_later or task.try_number != question.try_number):
        return False
    asked = (approval.version, question.run_id, question.run_after)
    return asked == (post.version, run.run_id, run.run_after)


def version_asked_about(facts: Facts) -> str:
    """Return what an answer on the page is about: the version of a post, and whether its run is a dry run."""
    return f"{facts.post.version}{DRY_MARK if facts.is_dry else ''}"


def prepared_of(facts: Facts) -> PreparedPost:
    """Return what was made of this version of a post."""
    post = facts.post
    prepared = None
    with suppress(InstagramError), open_ledger(post.account) as store:
        prepared = PostRecords(store, post.key, facts.is_dry).prepared(post.version)
    return prepared or PreparedPost(media=[], reports=[])
