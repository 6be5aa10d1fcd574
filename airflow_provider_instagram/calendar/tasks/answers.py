"""What a person answered about a post, and the row of the ledger that records it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import Post
    from airflow_provider_instagram.ledger.ledger import StateStore

NOBODY: tuple[str, str] = ("not approved", "Nobody has answered in time.")


@dataclass(frozen=True)
class Answer:
    """What a person answered.

    :param approved: Whether the person approved the post.
    :param person: Their name; None if the answer is the default after the deadline.
    :param caption: The caption as they left it.
    :param reason: Why they rejected the post.
    """

    approved: bool
    person: str | None
    caption: str
    reason: str | None = None

    @property
    def refusal(self) -> tuple[str, str] | None:
        """Why the post is not published, as a mark and a sentence; None if it is."""
        if self.approved:
            return None
        if self.person is None:
            return NOBODY
        reason = self.reason or "no reason given"
        return f"rejected: {reason}"[:80], f"Rejected by {self.person}: {reason}"


def answer_row(post: Post, *, is_dry_run: bool) -> str:
    """Return the key of the row with the latest question about a post.

    A dry run has a row of its own: it may ask while the question of the run that publishes the post is open.
    """
    return f"calendar-approval{'-dry' if is_dry_run else ''}:{post.key}"


def question_name(post: Post, run: str) -> str:
    """Return how the names of a run's questions about this version of a post begin."""
    return f"{run}/{post.version}/"


def recorded_answer(store: StateStore, post: Post, *, is_dry_run: bool) -> Answer | None:
    """Return the answer that the latest question about a post got, or None if its task has recorded none."""
    row = store.get(answer_row(post, is_dry_run=is_dry_run))
    return Answer(**row["answer"]) if row and row["answer"] else None


def refusal_since(store: StateStore, post: Post, run: str, *, is_over: bool) -> tuple[str, str] | None:
    """Return why a post is not published although it was approved, as a mark and a sentence; None if it is.

    A user may clear the approval alone, so that the post is asked about again while its container waits.

    :param store: The rows of the account's ledger.
    :param post: The post.
    :param run: The run that publishes it.
    :param is_over: Whether an open question is not going to be answered in time.
    """
    row = store.get(answer_row(post, is_dry_run=False))
    if not row or not row["of"].startswith(question_name(post, run)):
        return None
    if row["answer"]:
        return Answer(**row["answer"]).refusal
    return NOBODY if is_over else None
