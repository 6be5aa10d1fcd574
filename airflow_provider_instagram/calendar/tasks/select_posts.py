"""The task that selects the posts of an account that a run publishes."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.calendar.file.spacing import within_limits
from airflow_provider_instagram.calendar.planning import schedule
from airflow_provider_instagram.calendar.planning.assignments import Assignments, run_name
from airflow_provider_instagram.calendar.tasks.alerts import tell_failed_run
from airflow_provider_instagram.calendar.tasks.base import CalendarTask, other_publisher, used_before
from airflow_provider_instagram.calendar.tasks.outcome import reports_failure
from airflow_provider_instagram.calendar.tasks.report_problems import too_far_ahead
from airflow_provider_instagram.calendar.tasks.run_request import (
    begins_before_lead,
    posts_from,
    requested_posts,
    run_time,
    started_as_dry_run,
    started_by_hand,
)
from airflow_provider_instagram.exceptions import LedgerRowError, TransientError, own_words
from airflow_provider_instagram.hooks.instagram import InstagramHook, Limits, account_limits
from airflow_provider_instagram.ledger.assets import ledger_alias
from airflow_provider_instagram.ledger.events import pin_ledger_asset
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.operators.base import AccountTask

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.file.model import ScheduledPost
    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
    from airflow_provider_instagram.ledger.records import PublishedPost


#: A file that is being written or copied is readable again by then.
TRIES_TO_READ, READ_AGAIN_AFTER = 3, timedelta(seconds=20)


class SelectPosts(CalendarTask, AccountTask):
    """Select the posts of one account that this run publishes.

    A scheduled run selects the posts of its own time, and those that it prepares for a later run. A run that a user
    started selects the posts named in the parameter ``posts``, or without it the posts whose lead time has begun.
    """

    aliases = (ledger_alias,)

    def __init__(self, *, settings: CalendarSettings, on_failure_callback: Any = None, **kwargs: Any) -> None:
        given = on_failure_callback if isinstance(on_failure_callback, (list, tuple)) else [on_failure_callback]
        callbacks = [*filter(None, given), *([self._tell] if settings.notify else [])]
        super().__init__(settings=settings, on_failure_callback=callbacks, **kwargs)

    def _tell(self, context: Context) -> None:
        """Report that the run publishes nothing. A task that fails emits no event of an asset."""
        error = context.get("exception")
        why = f"{own_words(error) if isinstance(error, Exception) else ''} Its log says more.".lstrip()
        message = (
            f"the run of {self.instagram_conn_id} that begins {run_time(context):%a %d %b, %H:%M %Z} selects no posts."
        )
        tell_failed_run(context, self.settings, message, why)

    @reports_failure
    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Select the posts, and record that those which this run publishes are assigned to it."""
        ledger = Ledger.of(context, self.instagram_conn_id)
        assignments, run = Assignments(ledger.store, context["ti"].dag_id, self.settings.dry_run), run_name(context)
        requested, posts = requested_posts(context), []
        for post in self._chosen(context, assignments):
            only_prepares = begins_before_lead(context, post, self.settings.lead_time)
            try:
                done, row = ledger.post(post.key), assignments.of(post)
            except LedgerRowError as error:
                self.log.warning("%s is selected, and its own tasks stop: %s", post.id, error)
            else:
                not_by_this_run = not requested and (row is None or row.run != run)
                if done is not None and (only_prepares or (not_by_this_run and self._is_this(post, done))):
                    self.log.info("%s is published already: %s", post.id, done.permalink or done.published_at)
                    continue
                if not (only_prepares or started_as_dry_run(context)):
                    assignments.assign(post, run)
            self.log.info("%s: %s at %s", post.id, post.appears_in, post.publish_at.isoformat())
            posts.append(post.without_signatures().model_dump(mode="json", exclude_defaults=True))
        pin_ledger_asset(context, ledger)
        return posts

    def _is_this(self, post: ScheduledPost, done: PublishedPost) -> bool:
        """Return whether the published post is this one. If not, the run selects it, and a later task reports why."""
        if other_publisher(done, self.settings) is not None or used_before(post, done):
            return False
        return InstagramHook(self.instagram_conn_id).another_user_id(done.ig_user_id) is None

    def _chosen(self, context: Context, assignments: Assignments) -> list[ScheduledPost]:
        """Return the posts of the calendar as it is now. After some tries, or in the last, its last version is used.

        The file may be readable again in the next try.

        :raises TransientError: If the calendar cannot be read, and tries are left or no version of it is known.
        """
        plan, requested, account = self.settings.plan(), requested_posts(context), self.instagram_conn_id
        ti, calendar = context["ti"], plan.calendar
        may_try_again = ti.try_number <= min(TRIES_TO_READ, ti.max_tries)  # a run of an earlier version has other tries
        is_known = calendar.posts or plan.since is not None
        if not plan.readable and (may_try_again or not is_known):
            problem = calendar.problems[0]
            raise TransientError(
                f"{calendar.location}: {problem.message}", hint=problem.remedy, retry_after=READ_AGAIN_AFTER
            )
        if requested:
            too_far = too_far_ahead(context, calendar, self.settings)
            return [p for p in calendar.posts if p.id in requested and p.account == account and p not in too_far]
        begin, limits = run_time(context), {account: account_limits(account) or Limits()}
        posts = [post for post in within_limits(plan.timely, limits).posts if post.account == account]
        new_enough = [post for post in posts if plan.is_new_enough(post, begin, self.settings.lead_time)]
        due = [post for post in new_enough if self.is_due(context, post, assignments)]
        if started_by_hand(context):
            return due
        ahead = (self.settings.lead_time, self.settings.prepare_ahead)
        prepared = [post for post in posts if plan.is_prepared_by(post.id, begin, *ahead)]
        return [*due, *(post for post in prepared if self._is_free(context, post, assignments))]

    def is_due(self, context: Context, post: ScheduledPost, assignments: Assignments) -> bool:
        """Return whether this run publishes a post between its own time and a lead time later.

        * A post whose run has failed or was deleted is due in the run that begins at the post's own run time, and in
          one that a user started. Otherwise every run within a lead time would try a broken post.
        * A post from before the run's time is included only if the run is for such posts. Any other such post was
          published by other means, or is too late.
        """
        begin_s = run_time(context).timestamp()
        own_s = schedule.run_time_of(post.publish_at.timestamp(), self.settings.lead_time)
        if own_s > begin_s or post.publish_at < posts_from(context):
            return False
        may_try_again = started_by_hand(context) or own_s == int(begin_s)
        try:
            # A user wants to see a dry run, whatever earlier ones did.
            row = None if started_as_dry_run(context) else assignments.of(post)
        except LedgerRowError:
            return may_try_again  # its own tasks stop, and say why
        if row is None or row.is_free_for(run_name(context), post):
            return True
        if row.settled or row.is_skip_of(post) or not may_try_again:
            return False
        dag_id, _, run_id = row.run.partition("/")
        states = ["queued", "running", "success"]
        return not context["ti"].get_dr_count(dag_id, run_ids=[run_id], states=states)

    def _is_free(self, context: Context, post: ScheduledPost, assignments: Assignments) -> bool:
        """Return whether this run may prepare a post: not if its row cannot be read, which only its own run reports."""
        with suppress(LedgerRowError):
            row = assignments.of(post)
            return row is None or row.is_free_for(run_name(context), post)
        return False
