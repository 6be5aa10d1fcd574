"""The last task of a post, which tells people what went wrong with it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.calendar.file.times import in_words
from airflow_provider_instagram.calendar.planning.schedule import CLOCKS_DIFFER
from airflow_provider_instagram.calendar.tasks.alerts import (
    Told,
    is_last_try,
    notifier_failed,
    tell_post,
)
from airflow_provider_instagram.calendar.tasks.answers import NOBODY
from airflow_provider_instagram.calendar.tasks.base import PostTask, other_publisher
from airflow_provider_instagram.calendar.tasks.outcome import OUTCOME
from airflow_provider_instagram.exceptions import LedgerRowError
from airflow_provider_instagram.ledger.ledger import Ledger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.file.model import ScheduledPost

#: The tasks of a post, in order.
STEPS = ("prepare", "approve", "create", "publish", "comment")
#: How the marks of posts that are too late begin. No mark that contains what a person wrote begins
#: like this.
LATE = "skipped:"
#: A user has marked the task as a success, or has deleted a row.
NO_RECORD = "its run has ended, and the ledger does not have the post."


class TellPost(PostTask):
    """Report to people if a post failed, is late, or may or may not be live.

    It is a teardown: it runs whatever became of the post, and decides nothing about the state of
    the run. If a notifier fails, the task is retried, and calls all of them again.
    """

    tells = True

    def __init__(self, *, retries: int = 5, **kwargs: Any) -> None:
        super().__init__(retries=retries, **kwargs)

    def execute(self, context: Context) -> None:
        """Report what went wrong with the post, if anything did."""
        calendar = self.settings.stored().plan.calendar
        if (post := calendar.post(self.post_id(context))) is None:
            return  # it was removed, or has a problem, which the planner tells
        self.use_account(post)
        told = self._told(context, post)
        # it keeps nothing of the post's own run from being told
        if told is not None and self.requested_post(context):
            told = told._replace(once=f"{told.event} by hand")
        if (
            told is not None
            and not tell_post(context, self.settings, post, told)
            and not is_last_try(context)
        ):
            raise notifier_failed()

    def _told(self, context: Context, post: ScheduledPost) -> Told | None:
        """Return what there is to tell: the ledger decides first, then the first task that did not succeed."""
        ti, ledger = context["ti"], Ledger.of(context, post.account)
        states = ti.get_task_states(ti.dag_id, task_ids=list(STEPS), run_ids=[ti.run_id]).get(
            ti.run_id, {}
        )
        try:
            done, intents = ledger.post(post.key), ledger.open_intents(post.key)
        except LedgerRowError as error:
            # the task that failed has said so; if none did, this one does
            return Told("unknown", error.message, error.hint or "")
        if (
            done is not None
            and states.get("publish") == "success"
            and other_publisher(done, self.settings) is None
        ):
            if states.get("comment") == "failed":
                return self._failed(context, "comment")
            late = datetime.fromisoformat(done.published_at) - post.publish_at
            is_late = late > CLOCKS_DIFFER and not self.is_requested_now(context, post)
            return (
                Told("late", f"was published {in_words(late)} after its time.") if is_late else None
            )
        failed = next((step for step in STEPS if states.get(step) == "failed"), None)
        if failed is not None and done is None and intents:
            return self._failed(context, failed)._replace(event="unknown")
        if failed is not None:
            return self._failed(context, failed)
        if states.get("publish") == "success" and done is None and not self.is_dry_run(context):
            return Told("unknown" if intents else "failed", NO_RECORD, "Look at the account first.")
        return self._skipped(
            context, next((step for step in STEPS if states.get(step) == "skipped"), None)
        )

    def _failed(self, context: Context, step: str) -> Told:
        reported = self._outcome(context, step)
        reason = reported.get("reason") or f"The task {step} failed. Its log says why."
        return Told("failed", str(reason), str(reported.get("hint") or ""))

    def _skipped(self, context: Context, step: str | None) -> Told | None:
        """Return what there is to tell of a post that was skipped: not what a person has decided."""
        reported = {} if step is None else self._outcome(context, step)
        mark, reason = (
            str(reported.get("mark") or ""),
            f"is not published: {reported.get('reason')}",
        )
        if mark.startswith(LATE) or mark == NOBODY.mark:
            return Told("late", reason)
        return Told("problem", reason) if mark.startswith("id used") else None

    def _outcome(self, context: Context, step: str) -> dict[str, Any]:
        """Return why a task did not succeed, as it reported it. Users may have edited that."""
        ti = context["ti"]
        reported = ti.xcom_pull(step, key=OUTCOME)
        return reported if isinstance(reported, dict) else {}
