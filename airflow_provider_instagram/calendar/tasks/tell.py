"""The last task of a post, which tells people what went wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.calendar.file.times import in_words
from airflow_provider_instagram.calendar.planning.lateness import CLOCKS_DIFFER
from airflow_provider_instagram.calendar.tasks.alerts import (
    Told,
    is_last_try,
    notifier_failed,
    tell_post,
)
from airflow_provider_instagram.calendar.tasks.answers import NOBODY
from airflow_provider_instagram.calendar.tasks.base import PostTask, other_publisher, task_states
from airflow_provider_instagram.calendar.tasks.outcome import OUTCOME, Outcome, known_texts
from airflow_provider_instagram.exceptions import LedgerRowError
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.operators.approval import NO_ANSWER

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.file.columns import ScheduledPost
    from airflow_provider_instagram.ledger.records import PublishedPost

#: The tasks of a post, in order.
STEPS = ("prepare", "approve", "create", "publish", "comment")
#: How the marks of posts that are too late begin. No mark that contains what a person wrote begins
#: like this.
LATE = "skipped:"
#: A user has marked the task as a success, or has deleted a row.
NO_RECORD = "its publication has ended, and the ledger does not have the post."


class TellPost(PostTask):
    """Report to people if a post failed, is late, or may or may not be live.

    It is a teardown: it runs whatever became of the post, and decides nothing about the state of
    the run. If a notifier fails, the task is retried, and calls all of them again.
    """

    emits = True

    def __init__(self, *, retries: int = 5, **kwargs: Any) -> None:
        super().__init__(retries=retries, **kwargs)

    def execute(self, context: Context) -> None:
        """Report what went wrong with the post, if anything did."""
        self._row = None
        if self.requested_id(context):
            post = self.settings.stored().plan.calendar.post(self.requested_id(context))
            if post is None and (opened := self.open_request(context)) is not None:
                post = opened[0]
        else:
            row = self.row(context)
            post = row.post if row.run == context["ti"].run_id else None
        if post is None:
            return  # another run publishes it, or the planner tells why none does
        self.use_account(post)
        told = self._told(context, post)
        if told is None:
            return
        told = self.told_of_run(context, told)
        if not tell_post(context, self.settings, post, told) and not is_last_try(context):
            raise notifier_failed()

    def _told(self, context: Context, post: ScheduledPost) -> Told | None:
        """Return what there is to tell: the ledger decides first, then the first task that did not succeed."""
        ledger = Ledger.of(context, post.account)
        states = task_states(context)
        try:
            done = ledger.post(post.key)
            intents = ledger.open_intents(post.key)
        except LedgerRowError as error:
            # the task that failed has said so; if none did, this one does
            return Told("unknown", error.message, error.hint or "")
        is_of_run = done is not None and done.run_id == context["ti"].run_id
        if done and is_of_run and not other_publisher(done, self.settings):
            return self._published(context, post, done, states)
        for step in STEPS:
            if states.get(step) == "failed":
                failed = self._failed(context, step)
                return failed._replace(event="unknown") if done is None and intents else failed
        if states.get("publish") == "success" and done is None and not self.is_dry_run(context):
            return Told("unknown" if intents else "failed", NO_RECORD, "Look at the account first.")
        for step in STEPS:
            if states.get(step) == "skipped":
                return self._skipped(context, step, is_live=done is not None)
        return None

    def _published(
        self,
        context: Context,
        post: ScheduledPost,
        done: PublishedPost,
        states: Mapping[str, str],
    ) -> Told | None:
        """Return what there is to tell of a post that this run has published."""
        if states.get("comment") == "failed":
            return self._failed(context, "comment")
        late = datetime.fromisoformat(done.published_at) - post.publish_at
        if late > CLOCKS_DIFFER and not self.is_wanted_at_once(context, post):
            return Told("late", f"was published {in_words(late)} after its time.")
        return None

    def _failed(self, context: Context, step: str) -> Told:
        reported = self._outcome(context, step)
        reason = reported.get("reason") or f"The task {step} failed. Its log says why."
        return Told("failed", str(reason), str(reported.get("hint") or ""))

    def _skipped(self, context: Context, step: str, *, is_live: bool) -> Told | None:
        """Return what there is to tell of a post that was skipped: not what a person has decided.

        :param is_live: Whether another run has published it, or another post with its id.
        """
        reported = self._outcome(context, step)
        mark = str(reported.get("mark") or "")
        reason = f"is not published: {reported.get('reason')}"
        is_late = mark.startswith(LATE) or mark in (NOBODY.mark, f"copyright: {NO_ANSWER}")
        if is_late and not is_live:
            return Told("late", reason)
        return Told("problem", reason) if mark.startswith("id used") else None

    def _outcome(self, context: Context, step: str) -> Outcome:
        """Return why a task did not succeed, as it reported it. Users may have edited that."""
        try:
            reported = context["ti"].xcom_pull(step, key=OUTCOME)
        except Exception:  # such as a list in a list in a list, and so on
            self.log.exception("What %s has reported cannot be read", step)
            return {}
        return known_texts(reported)
