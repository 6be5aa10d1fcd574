"""What a run begins with: it says what is wrong with the calendar, and chooses the posts that it brings."""

from __future__ import annotations

import difflib
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_instagram.calendar.file.problems import Fault
from airflow_provider_instagram.calendar.file.spacing import within_limits
from airflow_provider_instagram.calendar.planning import schedule
from airflow_provider_instagram.calendar.planning.assignments import Takings, run_name
from airflow_provider_instagram.calendar.planning.snapshot import cannot_keep
from airflow_provider_instagram.calendar.tasks.base import RETRY_DELAY, used_before
from airflow_provider_instagram.calendar.tasks.run_request import asked_for, started_as_dry_run, started_by_hand
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.files import locations, storage
from airflow_provider_instagram.hooks.instagram import account_limits
from airflow_provider_instagram.ledger.assets import ledger_alias
from airflow_provider_instagram.ledger.events import hold_ledger
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import CONTAINER_LIFE, EXPIRY_MARGIN
from airflow_provider_instagram.operators.base import AccountTask
from airflow_provider_instagram.quota.limits import Limits

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

    from airflow_provider_instagram.calendar.file.parser import Calendar, Post
    from airflow_provider_instagram.calendar.planning.assignments import Taken
    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
    from airflow_provider_instagram.ledger.records import Post as PublishedPost

#: How far ahead every run looks for the videos.
LOOK_AHEAD = timedelta(days=1)


class ReportFaults(BaseOperator):
    """Turn red when something is wrong with the calendar, and say all of it. Nothing depends on this task.

    :param settings: How the calendar is brought to its posts.
    """

    def __init__(self, *, settings: CalendarSettings, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.settings = settings

    def execute(self, context: Context) -> None:
        """Report the faults of the whole calendar, and the videos of the next day that are not there."""
        plan = self.settings.plan()
        limits, unreadable = _limits(plan.timely)
        calendar = within_limits(plan.timely, limits)
        faults = (
            *unreadable,
            *unknown_ids(context, plan.calendar),
            *(_too_far(post) for post in too_far_ahead(context, plan.calendar, self.settings)),
            *self.settings.faults,
            *cannot_keep(self.settings.snapshot),
            *calendar.faults,
            *missing_videos(calendar, datetime.now(timezone.utc)),
        )
        self.log.info("%s: %s posts, %s faults", calendar.location, len(calendar.posts), len(faults))
        for fault in faults:
            self.log.error("%s", fault.text(calendar.location))
        if faults:
            raise AirflowFailException(
                f"{len(faults)} faults in {calendar.location}; the other posts go on.\n"
                + "\n".join(fault.text(calendar.location) for fault in faults)
            )


def _limits(calendar: Calendar) -> tuple[dict[str, Limits], list[Fault]]:
    """Read what the connections of a calendar allow; one that cannot be read is a fault."""
    limits, faults = {}, []
    for account in calendar.accounts:
        try:
            limits[account] = account_limits(account) or Limits()
        except ValidationError as error:  # noqa: PERF203 -- all of them are wanted
            faults.append(Fault(0, f"the limits of {account} cannot be read: {error.message}", error.hint or ""))
    return limits, faults


def unknown_ids(context: Context, calendar: Calendar) -> list[Fault]:
    """Name the posts that a run was started for and that it cannot bring."""
    known = [post.id for post in calendar.posts]
    faults = []
    for post_id in asked_for(context):
        if post_id in calendar.left_out:
            faults.append(Fault(0, f"this run was started for {post_id!r}, which is faulty.", "Correct it first."))
        elif post_id not in known:
            close = difflib.get_close_matches(post_id, known, 1)
            remedy = f"Did you mean {close[0]}?" if close else "Check the ids in the calendar."
            faults.append(Fault(0, f"this run was started for {post_id!r}, which is not in the calendar.", remedy))
    return faults


def too_far_ahead(context: Context, calendar: Calendar, settings: CalendarSettings) -> list[Post]:
    """Find the posts that a run was started for too early: their containers would expire. Rehearsals are never."""
    asked, until = asked_for(context), _slot(context) + CONTAINER_LIFE - EXPIRY_MARGIN
    if settings.dry_run or started_as_dry_run(context):
        return []
    return [post for post in calendar.posts if post.id in asked and post.publish_at > until and not post.dry_run]


def _too_far(post: Post) -> Fault:
    return Fault(
        post.line,
        f"this run was started more than 23.5 hours before its time, {post.publish_at:%Y-%m-%d %H:%M}. A container "
        "expires after 24 hours, so the run left it out.",
        "Leave it to its own run, or start one later.",
        post.id,
    )


def missing_videos(calendar: Calendar, now: datetime) -> list[Fault]:
    """Look for the videos of the posts that are next."""
    faults = []
    for post in calendar.posts:
        if now <= post.publish_at <= now + LOOK_AHEAD and not locations.is_web(post.video):
            try:
                there = storage.exists(post.video)
            except Exception as error:  # noqa: BLE001 -- every storage has errors of its own
                remedy = f"Check the path and its connection ({error})."
                faults.append(Fault(post.line, f"{post.video} cannot be checked.", remedy, post.id))
                continue
            if not there:
                remedy = "Put it there, or correct the name."
                faults.append(Fault(post.line, f"there is no file {post.video}.", remedy, post.id))
    return faults


class DuePosts(AccountTask):
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
        takings, run = Takings(ledger.store, context["ti"].dag_id, self.settings.dry_run), run_name(context)
        by_hand = asked_for(context)
        posts = []
        for post in self._chosen(context, takings):
            done, row = ledger.post(post.key), takings.of(post)
            by_another = not by_hand and (row is None or row.run != run)
            if done is not None and by_another and self._is_this(post, done):
                self.log.info("%s is published already: %s", post.id, done.permalink or done.published_at)
                continue
            if not started_as_dry_run(context):
                takings.take(post, run)
            self.log.info("%s: %s at %s", post.id, post.placement, post.publish_at.isoformat())
            posts.append(post.without_signatures().model_dump(mode="json"))
        hold_ledger(context, ledger)
        return posts

    def _is_this(self, post: Post, done: PublishedPost) -> bool:
        """Return whether the published post is this one. If not, the run includes it and reports the problem."""
        return not used_before(post, done) and self.another_account(done) is None

    def _chosen(self, context: Context, takings: Takings) -> list[Post]:
        """Choose posts of the calendar as it is now; of what it said last only when nothing else is left.

        :raises ValidationError: When it cannot be read, and there are tries left, or nothing is known of it.
        """
        plan, asked, account, slot = self.settings.plan(), asked_for(context), self.instagram_conn_id, _slot(context)
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


def _gave_up(ti: RuntimeTaskInstanceProtocol, row: Taken) -> bool:
    """Ask Airflow whether the run that took a post has failed, or is gone."""
    dag_id, _, run_id = row.run.partition("/")
    return not ti.get_dr_count(dag_id, run_ids=[run_id], states=["queued", "running", "success"])


def _slot(context: Context) -> datetime:
    """Return the run's moment: its own, or the time when a user started it."""
    run = context["dag_run"]
    return run.data_interval_end or run.run_after
