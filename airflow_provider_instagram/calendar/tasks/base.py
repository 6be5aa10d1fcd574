"""The base class of the tasks that work on one post of a calendar."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.file.model import Calendar, ScheduledPost
from airflow_provider_instagram.calendar.file.post_parser import unnamed_account
from airflow_provider_instagram.calendar.file.slots import split_repetition
from airflow_provider_instagram.calendar.file.times import in_words
from airflow_provider_instagram.calendar.planning import schedule
from airflow_provider_instagram.calendar.planning.assignments import Assignments, run_name
from airflow_provider_instagram.calendar.tasks.alerts import Told, tell_post, told_assets
from airflow_provider_instagram.calendar.tasks.outcome import report_state, reports_failure
from airflow_provider_instagram.calendar.tasks.run_request import (
    begins_before_lead,
    is_requested_now,
    started_as_dry_run,
)
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.files.access import FileCheck
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import Owner, PublishedPost
from airflow_provider_instagram.operators.base import AccountTask, mask_addresses
from airflow_provider_instagram.posts.kinds import ItemKind, PostKind
from airflow_provider_instagram.publishing.use_case import Skipped
from airflow_provider_instagram.utils.locations import is_web, shown
from airflow_provider_instagram.utils.server_clock import CLOCK
from airflow_provider_instagram.utils.time_limit import within_timeout

if TYPE_CHECKING:
    import jinja2

    from airflow_provider_instagram.calendar.planning.plan import Plan
    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
    from airflow_provider_instagram.files.pins import Pin

#: The label of a post's map index. A task adds a mark, such as "late", in the context.
LABEL = "{{ task.post.id if task.post.id is defined else '' }}{{ mark | default('') }}"
#: How long a task of a post waits for the notifiers, so that none of them keeps a post from being published.
NOTIFIERS_TIMEOUT_S = 10.0
#: If a post is missing from its calendar, the calendar is read again, because it may be half-written at this moment.
SECOND_LOOK_AFTER_S = 2.0


class CalendarTask(BaseOperator):
    """Base class of a calendar's tasks. Their retries outlast an outage of Airflow, unless the author sets others."""

    #: Which tasks get a free slot first; see :mod:`~airflow_provider_instagram.operators.base`.
    weight: ClassVar[int] = 1

    def __init__(
        self, *, settings: CalendarSettings, default_args: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        ours = {"priority_weight": self.weight, **asdict(settings.retries)}
        # Airflow gives the default_args of the DAG to each constructor. None does not replace ours.
        given = {name: one for name, one in (default_args or {}).items() if one is not None or name not in ours}
        super().__init__(default_args=ours | given, **kwargs)
        self.settings = settings


class PostStep(CalendarTask, AccountTask):
    """Base class of a task that works on one post of a calendar."""

    #: Whether the task tells people something, if the calendar has anybody to tell.
    tells: ClassVar[bool] = False

    def __init__(self, *, post: Any, settings: CalendarSettings, **kwargs: Any) -> None:
        kwargs.setdefault("map_index_template", LABEL)
        if settings.notify is not None and self.tells:
            kwargs |= told_assets(settings.dag_id)
        super().__init__(settings=settings, **kwargs)
        self.post = post
        self._pin: Pin | None = None

    def render_template_fields(self, context: Context, jinja_env: jinja2.Environment | None = None) -> None:
        """Render the fields, and mask the secret parts of web addresses, which Airflow would store."""
        super().render_template_fields(context, jinja_env)
        for field in self.template_fields:
            mask_addresses(getattr(self, field))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Continue after a wait, and report an error to the page *Posts*."""
        resume = super().resume_execution
        return reports_failure(lambda _, context: resume(next_method, next_kwargs, context))(self, context)

    def as_post(self) -> ScheduledPost:
        """Return the post from the XCom. What the DAG's author decides is not taken from there: users may edit it."""
        post = ScheduledPost.model_validate(self.post)
        decided = {"account": self.instagram_conn_id, "approval": self.settings.approval or post.approval}
        if decided["approval"] != post.approval:  # it stays the version that the run selected, which counts as edited
            decided["known_version"] = post.version
        return post.model_copy(update=decided)

    def assignments(self, context: Context) -> Assignments:
        """Return the rows that record to which run a post is assigned."""
        store = Ledger.of(context, self.instagram_conn_id).store
        return Assignments(store, context["ti"].dag_id, self.settings.dry_run)

    def still_wanted(self, context: Context) -> tuple[ScheduledPost, Plan]:
        """Return what :meth:`wanted` returns, or skip the post."""
        if isinstance(wanted := self.wanted(context), Skipped):
            self.skip_post(context, *wanted)
        return wanted

    def wanted(self, context: Context) -> tuple[ScheduledPost, Plan] | Skipped:
        """Return the complete post and the plan, if the plan has the post in this version, for this run.

        If not, return why: the post was removed or edited since, is assigned to another run, or has the id of another.

        :raises ValidationError: If an edit made the post invalid.
        """
        post, assignments, plan = self.as_post(), self.assignments(context), self.settings.plan()
        reason = self._reason_to_drop(context, post, assignments, plan)
        if reason is not None:
            time.sleep(SECOND_LOOK_AFTER_S)
            plan = self.settings.plan()  # the calendar may have been half-written before
            reason = self._reason_to_drop(context, post, assignments, plan)
        if reason is not None:
            assignments.release(post, run_name(context))
            if isinstance(reason, ValidationError):
                raise reason
            return reason
        self._pin = plan.calendar.pin
        if (reason := self.published_by_another(Ledger.of(context, self.instagram_conn_id).post(post.key))) is not None:
            return reason
        complete = plan.calendar.post(post.id)  # the post in the XCom has no signatures in its links
        return (complete if complete is not None and complete.version == post.version else post), plan

    def unnamed_account(self) -> ValidationError | None:
        """Return an error if the DAG's author does not name the account any more. The file decides nothing here."""
        unnamed = unnamed_account(self.instagram_conn_id, self.settings.accounts)
        if unnamed is None:
            return None
        message = f"{self.instagram_conn_id}: {unnamed.message}"
        return ValidationError(message, hint=f"{unnamed.remedy} Then clear this task.")

    def _reason_to_drop(
        self, context: Context, post: ScheduledPost, assignments: Assignments, plan: Plan
    ) -> Skipped | ValidationError | None:
        """Return why the post is not published, or the error of an invalid post."""
        if (unnamed := self.unnamed_account()) is not None:
            return unnamed
        calendar = plan.calendar if is_requested_now(context, post) else plan.timely
        if not plan.readable:
            why = plan.calendar.problems[0].message
            self.log.warning(
                "%s is published as it was when this run selected it; %s: %s", post.id, plan.calendar.location, why
            )
        elif post.id in calendar.left_out:
            return _invalid_post(post, calendar)
        assigned = None if started_as_dry_run(context) else assignments.of(post)
        return schedule.reason_to_drop(post, calendar if plan.readable else None, assigned, run_name(context))

    def check_links(self, post: ScheduledPost) -> None:
        """Check that the files of a post may be opened and its links are complete, right before they are opened."""
        if not post.is_complete:
            raise ValidationError(
                f"The links of {post.id} contain signatures, which are stored in the calendar only, and "
                f"{self.settings.location} cannot be read.",
                hint="Make the calendar readable again, and clear this task.",
            )
        access = self._files.access
        for location in filter(None, (*post.media, post.cover_url)):
            access.check(str(location))

    def file_check(self, location: str) -> FileCheck:
        """Return what must be true of a file that the post names, or that its transcode made."""
        return FileCheck(self._files.access_to(location))

    @property
    def _files(self) -> CalendarFiles:
        """The files that the calendar may name, in the folder that the DAG processor saw."""
        files = CalendarFiles(self.settings.calendar, self._pin)
        if files.moved is not None:
            raise files.moved
        return files

    def may_be_live(self, context: Context) -> bool:
        """Return whether the post is live, or an attempt to publish it has an open outcome."""
        ledger, key = Ledger.of(context, self.instagram_conn_id), self.as_post().key
        return ledger.post(key) is not None or bool(ledger.open_intents(key, Owner.of(context)))

    def published_by_another(self, done: PublishedPost | None) -> Skipped | None:
        """Return that the post was deleted, or published by another calendar, of which only the name is told."""
        if done is None or (other := other_publisher(done, self.settings)) is None:
            deleted_at = done and done.deleted_at
            return Skipped("deleted", f"The post was published and deleted on {deleted_at}.") if deleted_at else None
        post = self.as_post()
        why = f"{other} has published the id {post.id} on {post.account}: give this post another id."
        return Skipped("id used by another calendar", why)

    def skip_if_over(self, context: Context, post: ScheduledPost) -> None:
        """Skip a post that is too late already, unless this is a dry run or the post may be live."""
        if self.dry_run_requested(context) or self.may_be_live(context):
            return
        now = CLOCK.now()
        if self.too_late(context, post, now, now) is not None:
            now = self.compared_now()
        if (reason := self.too_late(context, post, now, now)) is not None:
            self.skip_post(context, *reason)
        self.tell_that_it_is_late(context, post, now)

    def too_late(self, context: Context, post: ScheduledPost, now: datetime, at: datetime) -> Skipped | None:
        """Return why a post is too late even at the earliest possible time, or None if it is not."""
        if is_requested_now(context, post):
            return None
        return schedule.too_late(post, now, at, late=self.settings.late, max_lateness=self.settings.max_lateness)

    def compared_now(self) -> datetime:
        """Return the time by Instagram's clock, with which this worker's is compared first."""
        InstagramHook(self.instagram_conn_id).compare_clock()
        return CLOCK.now()

    def answer_by(self, context: Context, post: ScheduledPost) -> datetime:
        """Return until when a person may answer a question about a post: as long as it may be published.

        For a post that a user requested after its time, that is one lead time.
        """
        now = self.compared_now()
        if is_requested_now(context, post):
            return now + self.settings.lead_time
        is_late = now >= post.publish_at and self.settings.late == "publish"
        return post.publish_at + (self.settings.max_lateness if is_late else timedelta())

    def dry_run_requested(self, context: Context) -> bool:
        """Return whether this post goes through a dry run: everything but the publication."""
        return self.settings.dry_run or started_as_dry_run(context) or self.as_post().dry_run

    def tell_that_it_waits(self, context: Context, post: ScheduledPost, *, emits: bool) -> None:
        """Report once that a post waits for an approval."""
        if post.approval != "required":
            return
        silence = "at its time." if self.settings.unanswered == "publish" else "only if somebody approves it in time."
        told = Told("waiting", "waits for an approval.", f"It goes out {silence}")
        self._tell(context, post, told, emits=emits)

    def tell_that_it_is_late(self, context: Context, post: ScheduledPost, at: datetime) -> None:
        """Report once to the notifiers that a post is not out at its time. What becomes of it is told at its end."""
        delay = at - post.publish_at
        if delay > schedule.CLOCKS_DIFFER and not is_requested_now(context, post):
            message = f"is not published yet, and will be at least {in_words(delay)} late."
            self._tell(context, post, Told("late", message, once="not published yet"))

    def _tell(self, context: Context, post: ScheduledPost, told: Told, *, emits: bool = False) -> None:
        """Report something, if the calendar has anybody to tell. The task goes on if that fails or hangs."""
        if self.settings.notify is None:
            return
        tell = partial(tell_post, context, self.settings, post, told, emits=emits)
        try:
            within_timeout(NOTIFIERS_TIMEOUT_S, tell, "a notifier")
        except Exception:
            self.log.exception("It could not be told that %s %s", post.id, told.message)

    def mark(self, context: Context, mark: str) -> None:
        """Add a mark, such as "late", to the post's label in the grid."""
        context["mark"] = f" ({mark})"  # type: ignore[typeddict-unknown-key]

    def only_prepares(self, context: Context, post: ScheduledPost) -> bool:
        """Return whether this run ends before the container, because a later run publishes the post.

        A run to which the post is assigned publishes it, also if the author has made the lead time shorter since.
        """
        if not begins_before_lead(context, post, self.settings.lead_time):
            return False
        row = self.assignments(context).of(post)
        return row is None or row.run != run_name(context)

    def leave_to_later_run(self, context: Context, mark: str, reason: str) -> NoReturn:
        """Skip this task and those downstream in a run that only prepares the post. Its own run does it again."""
        self.mark(context, mark)
        self.log.info("%s", reason)
        report_state(context, "later", mark, reason)
        raise AirflowSkipException(reason)

    def skip_post(self, context: Context, mark: str, reason: str) -> NoReturn:
        """Skip this task and those downstream, close the post's assignment, and mark the post in the grid."""
        self.mark(context, mark)
        self.log.warning("%s", reason)
        report_state(context, "skipped", mark, reason)
        self.assignments(context).close(self.as_post(), run_name(context))
        raise AirflowSkipException(reason)


def has_caption(post: ScheduledPost) -> bool:
    """Return whether a post can have a caption. A story shows none."""
    return post.kind is not PostKind.STORY


def is_sent_as_link(source: str, upload: str, report: Mapping[str, Any]) -> bool:
    """Return whether Instagram fetches a file itself from its source, where the calendar's author keeps it."""
    return is_web(source) and (upload != "file" or kind_in(report) is ItemKind.PICTURE) and report.get("tier") == "pass"


def check_bound(post: ScheduledPost, report: Any, digests: Sequence[str | None]) -> None:
    """Check that an approval binds each file of a post that is sent. The report and the digests may have been edited.

    :param report: The report of the transcode, or the list of them for a carousel.
    :raises ValidationError: If a file that Instagram does not fetch itself from its source has no digest.
    """
    reports = [one or {} for one in (report if isinstance(report, list) else [report])]
    known = digests or (None,) * len(reports)
    if len(post.items) == len(reports) == len(known) and all(
        sha256 or is_sent_as_link(item.location, post.upload, one)
        for item, one, sha256 in zip(post.items, reports, known, strict=True)
    ):
        return
    raise ValidationError(
        f"The report of the transcode has no digest of a file of {post.id}, so an approval would not bind the file.",
        hint="Clear transcode with all downstream tasks.",
    )


def kind_in(report: Mapping[str, Any]) -> ItemKind:
    """Return the kind of a result, from the report of its transcode."""
    return ItemKind(report.get("kind", ItemKind.VIDEO))


def _invalid_post(post: ScheduledPost, calendar: Calendar) -> ValidationError:
    """Return the error of a post that has become invalid, from its own problems or those of the defaults."""
    original = split_repetition(post.id)[0]
    own = [problem for problem in calendar.problems if problem.post_id in (post.id, original)]
    problems = own or [problem for problem in calendar.problems if problem.post_id is None]
    if post.in_slot and not problems:
        return ValidationError(
            f"The slot of {post.id} is not stored where this worker looks for it.",
            hint="Set [instagram] calendar_snapshots to a folder that all machines share, and clear this task.",
        )
    messages = " ".join(problem.message for problem in problems)
    remedies = " ".join(problem.remedy for problem in problems)
    return ValidationError(
        f"The post has become invalid: {messages}", hint=f"{remedies} A run of its own publishes it then."
    )


def other_publisher(done: PublishedPost, settings: CalendarSettings) -> str | None:
    """Return who published a post, if not this calendar."""
    return done.other_publisher(settings.dag_id, shown(settings.calendar))


def used_before(post: ScheduledPost, done: PublishedPost) -> bool:
    """Return whether a post's id was published before the post's time, by another post or before it was moved."""
    return datetime.fromisoformat(done.published_at) + schedule.CLOCKS_DIFFER < post.publish_at
