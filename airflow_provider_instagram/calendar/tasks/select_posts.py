"""What a run begins with: it says what is wrong with the calendar, and chooses the posts that it brings."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.calendar.file.spacing import within_limits
from airflow_provider_instagram.calendar.planning import schedule
from airflow_provider_instagram.calendar.planning.assignments import Assignments, run_name
from airflow_provider_instagram.calendar.tasks.base import RETRY_DELAY, used_before
from airflow_provider_instagram.calendar.tasks.report_problems import too_far_ahead
from airflow_provider_instagram.calendar.tasks.run_request import (
    asked_for,
    slot_of,
    started_as_dry_run,
    started_by_hand,
)
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.hooks.instagram import account_limits
from airflow_provider_instagram.ledger.assets import ledger_alias
from airflow_provider_instagram.ledger.events import pin_ledger_asset
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.operators.base import InstagramBaseOperator
from airflow_provider_instagram.quota.limits import Limits

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.sdk import Context
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

    from airflow_provider_instagram.calendar.file.parser import Post
    from airflow_provider_instagram.calendar.planning.assignments import Assignment
    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
    from airflow_provider_instagram.ledger.records import PublishedPost


class DuePosts(InstagramBaseOperator):
    """Choose the posts of one account that this run brings.

    A scheduled run takes those of its moment. A run that somebody starts takes the posts named in the parameter
    ``posts``, or without it those whose lead time has begun.

    :param settings: How the calendar is brought to its posts.
    """

    def __init__(
        self, *, settings: CalendarSettings, retries: int = 3, retry_delay: timedelta = RETRY_DELAY, **kwargs: Any
    ) -> None:
        super().__init__(retries=retries, retry_delay=retry_delay, **kwargs)
        self.settings = settings

    @classmethod
    def account_outlets(cls, conn_id: str) -> list[Any]:
        """Name the alias that holds the ledger when the DAG is deleted."""
        return [ledger_alias(conn_id)]

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Choose, and write down that this run has them."""
        ledger = Ledger.of(context, self.instagram_conn_id)
        takings, run = Assignments(ledger.store, context["ti"].dag_id, self.settings.dry_run), run_name(context)
        by_hand = asked_for(context)
        posts = []
        for post in self._chosen(context, takings):
            done, row = ledger.post(post.key), takings.of(post)
            by_another = not by_hand and (row is None or row.run != run)
            if done is not None and by_another and self._is_this(post, done):
                self.log.info("%s is published already: %s", post.id, done.permalink or done.published_at)
                continue
            if not started_as_dry_run(context):
                takings.assign(post, run)
            self.log.info("%s: %s at %s", post.id, post.placement, post.publish_at.isoformat())
            posts.append(post.without_signatures().model_dump(mode="json"))
        pin_ledger_asset(context, ledger)
        return posts

    def _is_this(self, post: Post, done: PublishedPost) -> bool:
        """Return whether the published post is this one. If not, the run includes it and reports the problem."""
        return not used_before(post, done) and self.another_account(done) is None

    def _chosen(self, context: Context, takings: Assignments) -> list[Post]:
        """Choose posts of the calendar as it is now; of what it said last only when nothing else is left.

        :raises ValidationError: When it cannot be read, and there are tries left, or nothing is known of it.
        """
        plan, asked, account, slot = self.settings.plan(), asked_for(context), self.instagram_conn_id, slot_of(context)
        ti, calendar, by_hand = context["ti"], plan.calendar, started_by_hand(context)
        if not plan.readable and (ti.try_number <= ti.max_tries or not calendar.posts):
            fault = calendar.faults[0]
            raise ValidationError(f"{calendar.location}: {fault.message}", hint=fault.remedy)
        if asked:
            far = too_far_ahead(context, calendar, self.settings)
            return [p for p in calendar.posts if p.id in asked and p.account == account and p not in far]
        again = started_as_dry_run(context)  # somebody wants to see it, whatever was rehearsed before
        limits = {account: account_limits(account) or Limits()}
        return schedule.due(
            within_limits(plan.timely, limits).posts,
            account,
            run_name(context),
            slot,
            since=slot if by_hand else schedule.reach(slot),
            lead_time=self.settings.lead_time,
            taken=(lambda post: None) if again else takings.of,
            given_up=partial(_gave_up, ti),
            by_hand=by_hand,
        )


def _gave_up(ti: RuntimeTaskInstanceProtocol, row: Assignment) -> bool:
    """Ask Airflow whether the run that took a post has failed, or is gone."""
    dag_id, _, run_id = row.run.partition("/")
    return not ti.get_dr_count(dag_id, run_ids=[run_id], states=["queued", "running", "success"])
