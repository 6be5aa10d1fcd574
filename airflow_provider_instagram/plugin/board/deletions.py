"""The deletions of posts that users ask for on the page: runs of the DAG that ``[instagram] deletion_dag`` names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from airflow.configuration import conf
from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import and_, select

from airflow_provider_instagram.calendar.deletion import ACCOUNT, POST_KEY, DeleteForPage

if TYPE_CHECKING:
    from airflow_provider_instagram.plugin.board.states import Facts

#: How the ids of these runs begin. What follows is the account, the post and a number. Which post a run deletes is only
#: in its parameters: who may start runs gives them any id.
PREFIX: Final = "delete~"
ENDED: Final = ("success", "failed", "upstream_failed", "skipped", "removed")


@dataclass(frozen=True)
class Deletion:
    """The last run that deletes a post, or asks whether to.

    :param until: Until when a person can answer.
    """

    run_id: str
    state: str | None
    outcome: Mapping[str, Any] | None = None
    until: datetime | None = None

    @property
    def is_active(self) -> bool:
        """Whether it has not ended."""
        return self.state not in ENDED

    @property
    def asks(self) -> bool:
        """Whether it waits for a person's yes."""
        return self.state == "awaiting_input"

    @property
    def is_unknown(self) -> bool:
        """Whether it could not be determined if the post is gone."""
        return self.state == "failed" and (self.outcome or {}).get("mark") == "OutcomeUnknownError"


def deletion_dag() -> str:
    """Return the id of the DAG that deletes posts; empty if nobody can delete on the page."""
    return conf.get("instagram", "deletion_dag", fallback="").strip()


def new_run_id(account: str, post_id: str, taken: Collection[str]) -> str:
    """Return an id for a run that deletes a post. Of two requests with one id, Airflow refuses one."""
    run_ids = (f"{PREFIX}{account}~{post_id}~{number}" for number in count(1))
    return next(run_id for run_id in run_ids if run_id not in taken)


@dataclass(frozen=True)
class Question:
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


def parameters_of(account: str, post_key: str) -> dict[str, str]:
    """Return the parameters of a run that deletes a post."""
    return {ACCOUNT: account, POST_KEY: post_key}
