"""The task that publishes a post at its time."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.calendar.file.times import in_words
from airflow_provider_instagram.calendar.planning.late_slot import choose_late_time
from airflow_provider_instagram.calendar.planning.schedule import PUNCTUAL
from airflow_provider_instagram.calendar.tasks.base import PostStep
from airflow_provider_instagram.operators.publish import PublishOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_provider_instagram.exceptions import QuotaExhaustedError
    from airflow_provider_instagram.ledger.ledger import Ledger
    from airflow_provider_instagram.ledger.records import ContainerRecord


class PublishPost(PostStep, PublishOperator):
    """Publish a calendar's post at its time; late ones one after the other, or not at all."""

    template_fields: Sequence[str] = ("post", "container_id")

    _context: Context
    _settling = False

    def execute(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Publish it, unless the calendar does not want it any more.

        What may be live already is settled first, whatever the calendar says now.
        """
        post = self.as_post()
        self.post_key, self.publish_at, self.is_dry_run = post.key, post.publish_at, self.dry_run_requested(context)
        self._context, self._settling = context, self.may_be_live(context)
        if not self._settling:
            self.publish_at = self._time_for(context)
        if self.is_dry_run:
            self.mark(context, "dry run")
        return super().execute(context, event)

    def _see_whether_it_is_time(self, ledger: Ledger, container_id: str, publish_at: datetime | None) -> None:
        """Ask the calendar, too, where it proved that a publication under way had made no post."""
        if not self._settling:
            super()._see_whether_it_is_time(ledger, container_id, publish_at)
            return
        at = self._time_for(self._context)
        super()._see_whether_it_is_time(ledger, container_id, at)
        time.sleep(max(0.0, (at - datetime.now(timezone.utc)).total_seconds()))

    def _wait_for_room(self, available_at: datetime, error: QuotaExhaustedError, made: ContainerRecord | None) -> None:
        """Skip the post at once if the account has no room for it before it is too late."""
        if (reason := self.too_late(self._context, self.as_post(), available_at, available_at)) is not None:
            at = available_at.isoformat(timespec="seconds")
            why = f"{error.message} There is room from {at} on, which is too late."
            self.skip_post(self._context, reason[0], why)
        super()._wait_for_room(available_at, error, made)

    def _time_for(self, context: Context) -> datetime:
        """Return when the post goes out: at its time, or for a late post, at the next free time.

        :raises AirflowSkipException: When it is not wanted any more, or too late.
        """
        post, assignments = self.still_wanted(context)
        now = datetime.now(timezone.utc)
        if self.is_dry_run or now - post.publish_at <= PUNCTUAL:
            return post.publish_at
        self.skip_if_too_late(context, post, now, now)
        at = choose_late_time(post, self.settings.plan().calendar, assignments)
        if self.too_late(context, post, now, at) is not None:
            assignments.forget_late_time(post)
        self.skip_if_too_late(context, post, now, at)
        self.mark(context, f"{in_words(at - post.publish_at)} late")
        return at
