"""The task that publishes a post at its time."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.calendar.file.times import in_words
from airflow_provider_instagram.calendar.planning.late_slot import choose_late_time
from airflow_provider_instagram.calendar.planning.schedule import PUNCTUAL
from airflow_provider_instagram.calendar.tasks.base import PostStep
from airflow_provider_instagram.calendar.tasks.outcome import reports_failure
from airflow_provider_instagram.calendar.tasks.run_request import is_requested_now
from airflow_provider_instagram.files.locations import shown
from airflow_provider_instagram.operators.publish import PublishOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_provider_instagram.exceptions import QuotaExhaustedError


class PublishPost(PostStep, PublishOperator):
    """Publish a post of a calendar at its time. Late posts are published one after the other, or not at all."""

    template_fields: Sequence[str] = ("post", "container_id")

    @reports_failure
    def execute(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Publish the post, unless the calendar no longer contains it in this version.

        If an earlier try left its outcome open, the outcome is settled first, whatever the calendar contains now.

        :param context: The task's context.
        :param event: The event that ended a wait.
        """
        post = self.as_post()
        self.post_key, self.publish_at, self.is_dry_run = post.key, post.publish_at, self.dry_run_requested(context)
        self.calendar = shown(self.settings.calendar)
        if self.is_dry_run:
            self.mark(context, "dry run")
        return super().execute(context, event)

    def publication_time(self, context: Context) -> datetime:
        """Return the time of the post in the calendar, or the next free time for a late post.

        :param context: The task's context.
        :raises AirflowSkipException: If the calendar no longer contains the post in this version, or it is too late.
        """
        post, plan = self.still_wanted(context)
        now = datetime.now(timezone.utc)
        if self.is_dry_run or (now - post.publish_at <= PUNCTUAL and not is_requested_now(context, post)):
            return post.publish_at
        self.skip_if_too_late(context, post, now, now)
        assignments = self.assignments(context)
        at = choose_late_time(post, plan.calendar, assignments)
        if self.too_late(context, post, now, at) is not None:
            assignments.forget_late_time(post)
        self.skip_if_too_late(context, post, now, at)
        self.mark(context, f"{in_words(at - post.publish_at)} late" if at > post.publish_at else "published early")
        return at

    def before_quota_wait(self, context: Context, available_at: datetime, error: QuotaExhaustedError) -> None:
        """Skip the post if it will be too late once the account has free quota.

        :param context: The task's context.
        :param available_at: When the account has free quota.
        :param error: The reason for the wait.
        :raises AirflowSkipException: If it will be too late.
        """
        if (reason := self.too_late(context, self.as_post(), available_at, available_at)) is not None:
            at = available_at.isoformat(timespec="seconds")
            why = f"{error.message} The account has free quota from {at} on, which is too late for this post."
            self.skip_post(context, reason[0], why)
