"""The task that publishes a post at its time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.calendar.file.times import in_words
from airflow_provider_instagram.calendar.planning.assignments import run_name
from airflow_provider_instagram.calendar.planning.late_slot import choose_late_time
from airflow_provider_instagram.calendar.planning.schedule import PUNCTUAL
from airflow_provider_instagram.calendar.tasks.answers import NOBODY, answer_row, unsealed
from airflow_provider_instagram.calendar.tasks.base import PostStep
from airflow_provider_instagram.calendar.tasks.outcome import reports_failure
from airflow_provider_instagram.calendar.tasks.run_request import is_requested_now
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.operators.publish import WAKE_UP_AHEAD, PublishOperator
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.locations import shown
from airflow_provider_instagram.utils.server_clock import CLOCK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_instagram.calendar.file.model import ScheduledPost
    from airflow_provider_instagram.exceptions import QuotaExhaustedError
    from airflow_provider_instagram.ledger.records import PublishedPost

#: How long before a post's time its last look begins, at most.
LAST_LOOK = WAKE_UP_AHEAD + timedelta(minutes=1)


class PublishPost(PostStep, PublishOperator):
    """Publish a post of a calendar at its time. Late posts are published one after the other, or not at all."""

    template_fields: Sequence[str] = ("post", "container_id")
    #: The post's version in the snapshot. None if the snapshot does not have the post as it is, or if it had another
    #: version for a while that is gone again: the wait then ends at its time, and never again and again before.
    _version_seen: str | None = None
    _was_resumed = False

    @reports_failure
    def execute(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Publish the post, unless the calendar no longer contains it in this version.

        If an earlier try left its outcome open, the outcome is settled first, whatever the calendar contains now.

        :param event: The event that ended a wait.
        """
        post, self._was_resumed = self.as_post(), event is not None
        self.post_key, self.publish_at, self.is_dry_run = post.key, post.publish_at, self.dry_run_requested(context)
        self.calendar = shown(self.settings.calendar)
        if self.is_dry_run:
            self.mark(context, "dry run")
        return super().execute(context, event)

    def check_publisher(self, context: Context, post: PublishedPost) -> None:
        """Skip the post if another calendar published its id meanwhile."""
        self.skip_if_published_by_another(context, self.as_post(), post)

    def publication_time(self, context: Context) -> datetime:
        """Return the time of the post in the calendar, or the next free time for a late post.

        :raises AirflowSkipException: If the calendar no longer contains the post in this version, or it is too late.
        """
        post, plan = self.still_wanted(context)
        if post.id in plan.seen and not self._was_resumed:
            self._version_seen = plan.seen[post.id].version
        now = CLOCK.now()
        if self.is_dry_run:
            return post.publish_at
        is_now = is_requested_now(context, post)
        self._skip_if_refused(context, post, is_last_look=is_now or post.publish_at - now <= LAST_LOOK)
        if now - post.publish_at <= PUNCTUAL and not is_now:
            return post.publish_at
        self.skip_if_too_late(context, post, now, now)
        assignments = self.assignments(context)
        at = choose_late_time(post, plan.calendar, assignments, clock=CLOCK.now)
        if self.too_late(context, post, now, at) is not None:
            assignments.forget_late_time(post)
        self.skip_if_too_late(context, post, now, at)
        self.mark(context, f"{in_words(at - post.publish_at)} late" if at > post.publish_at else "published early")
        return at

    def _skip_if_refused(self, context: Context, post: ScheduledPost, *, is_last_look: bool) -> None:
        """Skip an approved post that is not approved any more, because a user has cleared the approval alone.

        The state of the task that asks is Airflow's own record: who may edit the ledger's rows cannot change it.

        :param is_last_look: Whether an answer would come too late.
        :raises AirflowSkipException: If the post is rejected by now, or nobody has answered.
        :raises ValidationError: If the container is that of another post.
        """
        if post.approval == "none":
            return
        container_id = arguments.required_text("container_id", self.container_id)
        made = Ledger.of(context, self.instagram_conn_id).container(container_id)
        if made is None or made.post_key != post.key:  # users may edit the XCom with its id
            raise ValidationError(
                f"Container {container_id} was not created for {post.id}, so nobody has approved what is in it.",
                hint="Clear create with all downstream tasks.",
            )
        ti, asks = context["ti"], f"{post.account}.approve"
        states = ti.get_task_states(ti.dag_id, ti.map_index, [asks], run_ids=[ti.run_id]).get(ti.run_id, {})
        state = states.get(f"{asks}_{ti.map_index}")
        if state not in ("success", "skipped"):  # the question is open again
            refusal = NOBODY if is_last_look and self.settings.unanswered == "skip" else None
        else:
            row = Ledger.of(context, self.instagram_conn_id).store.get(answer_row(post, is_dry_run=False))
            answer = unsealed(row, post.version, run_name(context), InstagramHook(self.instagram_conn_id).sign)
            refusal = (answer and answer.refusal) or (NOBODY if state == "skipped" else None)
        if refusal is not None:
            self.skip_post(context, *refusal)

    def wait_trigger(self, moment: datetime) -> BaseTrigger:
        """Return the trigger that ends a wait, also soon after an edit of the post, so that the run does not stay."""
        if self._version_seen is None:
            return super().wait_trigger(moment)
        from airflow_provider_instagram.calendar.tasks.post_time import PostTimeTrigger

        return PostTimeTrigger(moment, self.settings.snapshot, self.as_post().id, self._version_seen)

    def before_quota_wait(self, context: Context, available_at: datetime, error: QuotaExhaustedError) -> None:
        """Skip the post if it will be too late once the account has free quota.

        :param available_at: When the account has free quota.
        :param error: The reason for the wait.
        :raises AirflowSkipException: If it will be too late.
        """
        if (reason := self.too_late(context, self.as_post(), available_at, available_at)) is not None:
            at = available_at.isoformat(timespec="seconds")
            why = f"{error.message} The account has free quota from {at} on, which is too late for this post."
            self.skip_post(context, reason[0], why)
