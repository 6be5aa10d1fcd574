"""The base classes of a calendar's tasks, and of those that work on the one post of a run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_instagram.calendar.file.columns import ScheduledPost
from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.file.parser import is_reserved
from airflow_provider_instagram.calendar.file.post_parser import unnamed_account
from airflow_provider_instagram.calendar.planning import lateness
from airflow_provider_instagram.calendar.planning.begin_runs import (
    DRY_MARK,
    NOT_ITS_RUN,
    post_of,
    replaced_by,
)
from airflow_provider_instagram.calendar.planning.post_rows import PlannedPost, PostRows
from airflow_provider_instagram.calendar.planning.settings import (
    LONGEST_DELAY,
    planner_id,
    retries_spanning,
)
from airflow_provider_instagram.calendar.planning.told import (
    LAST_PLAN,
    LastPlan,
    events_alias,
    events_asset,
)
from airflow_provider_instagram.calendar.tasks.alerts import Told, tell_post
from airflow_provider_instagram.calendar.tasks.answers import (
    Approval,
    FileReport,
    PostRecords,
    PreparedPost,
)
from airflow_provider_instagram.calendar.tasks.outcome import report_state, reports_failure
from airflow_provider_instagram.calendar.tasks.post_runs import STARTED_BY_TASK
from airflow_provider_instagram.exceptions import TransientError, ValidationError
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.files.access import FileCheck
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import CONTAINER_LIFE, Owner, PublishedPost
from airflow_provider_instagram.ledger.seal import SealedStore
from airflow_provider_instagram.operators.base import AccountTask
from airflow_provider_instagram.posts.kinds import ItemKind, PostKind
from airflow_provider_instagram.publishing.use_case import Skipped
from airflow_provider_instagram.utils.clock import CLOCK
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID
from airflow_provider_instagram.utils.urls import is_local, is_web, shown

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings

#: A run that a user started to publish a post at once counts for so long. A Clear on another day
#: follows the calendar.
REQUEST_COUNTS_FOR = CONTAINER_LIFE
CLEAR_PREPARE = "Clear prepare with all downstream tasks."
WAITS = "waits for an approval."


class CalendarTask(BaseOperator):
    """Base class of a calendar's tasks. Their retries outlast an outage of Airflow, unless the author sets others."""

    #: Which tasks get a free slot first; see :mod:`~airflow_provider_instagram.operators.base`.
    weight: ClassVar[int] = 1
    #: The longest delay before a retry.
    longest_delay: ClassVar[timedelta] = LONGEST_DELAY

    def __init__(
        self,
        *,
        settings: CalendarSettings,
        default_args: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        span = (settings.work_ahead, settings.max_lateness, self.longest_delay)
        weight = {"priority_weight": self.weight, "weight_rule": "absolute"}
        ours = weight | retries_spanning(*span)
        # Airflow gives the default_args of the DAG to each constructor. None does not replace ours.
        given = {
            name: one
            for name, one in (default_args or {}).items()
            if one is not None or name not in ours
        }
        super().__init__(default_args=ours | given, **kwargs)
        self.settings = settings


class PostTask(CalendarTask, AccountTask):
    """Base class of a task that works on the post of its run.

    The run names the post by its id. All else is in the row of the post in its account's ledger: a
    user may start a run with any id and any parameters. So the parameters of a run that the row
    names count for nothing. Any other run works only on the post that the user names in them, as
    the stored plan has it.
    """

    #: Whether the task emits what it tells people as an event. Airflow stores events only of a task
    #: that succeeds.
    emits: ClassVar[bool] = False
    #: Whether it works with what was made of the post's version.
    needs_prepared: ClassVar[bool] = True

    def __init__(
        self,
        *,
        settings: CalendarSettings,
        inlets: Any = None,
        outlets: Any = None,
        **kwargs: Any,
    ) -> None:
        inlets = [*(inlets or ()), events_asset(settings.dag_id)]
        outlets = list(outlets or ())
        if settings.notify is not None and self.emits:
            alias = events_alias(settings.dag_id)
            inlets = [*inlets, alias]
            outlets = [*outlets, alias]
        for account in settings.accounts:
            assets = self.with_assets(account, inlets, outlets)
            inlets = assets["inlets"]
            outlets = assets["outlets"]
        first = next(iter(settings.accounts), DEFAULT_CONN_ID)
        super().__init__(
            settings=settings, instagram_conn_id=first, inlets=inlets, outlets=outlets, **kwargs
        )
        self._row: PlannedPost | None = None
        #: Where the calendar was, and the file in which it was found, when the post was read.
        self._found_at: tuple[str, str | None] | None = None

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
    ) -> Any:
        """Continue after a wait, and report an error to the Posts page."""
        resume = super().resume_execution
        return reports_failure(lambda _, context: resume(next_method, next_kwargs, context))(
            self, context
        )

    def wanted_post(self, context: Context) -> ScheduledPost:
        """Return the post of the run as it is wanted now, or skip it."""
        wanted = self.wanted(context)
        if isinstance(wanted, Skipped):
            self.skip_post(context, *wanted)
        return wanted

    def wanted(self, context: Context) -> ScheduledPost | Skipped:
        """Return the post of the run as it is wanted now.

        If it is not to be published, return why: it was removed, has a problem, was skipped by a
        user, was edited after this run prepared it, has another run, or has the id of another post.

        :raises ValidationError: If a user started this run for a post that has a problem or does
            not exist, or if the account is not one of the DAG's.
        :raises TransientError: If the planner has read another ``dry_run``, or has to record the
            run again.
        """
        # the parameters of a run that was the post's own do not count once it is replaced
        was_planned = self._row is not None and self._row.run == context["ti"].run_id
        self._row = None
        by_hand = bool(self.requested_id(context)) and not was_planned
        post = self._requested(context) if by_hand else self._planned(context)
        if isinstance(post, Skipped):
            return post
        self.use_account(post)
        if self.needs_prepared and self.records(context, post).prepared(post.version) is None:
            if by_hand:
                return edited(post.id)
            raise _unprepared(post)
        ledger = Ledger.of(context, post.account)
        user = PostRows(ledger.store).skipped_by(post)
        if user and not self.is_wanted_at_once(context, post):
            why = f"{user} decided on the Posts page that {post.id} is not published."
            return Skipped("skipped", why)
        return self.why_id_is_used(post.id, ledger.post(post.key)) or post

    def _planned(self, context: Context) -> ScheduledPost | Skipped:
        """Return the post for which the planner has begun this run, or why the run publishes nothing.

        :raises TransientError: If the row of the post is lost, or only the planner, or only this
            worker, has read a changed ``dry_run``.
        """
        row = self.row(context)
        run_id = context["ti"].run_id
        post_id = post_of(run_id)
        if row.run == run_id and row.post is not None:
            is_over = row.post.publish_at + self.settings.max_lateness < CLOCK.now()
            if is_over and row.is_dry != self.settings.dry_run:
                return Skipped("edited", "The DAG has another dry_run by now.")
            self._check_dry_run(row.is_dry)
            if row.why is not None and self.live(context, row.post) is None:
                return row.why
            self._found_at = row.location, row.pin
            return row.post
        if row.run:
            return replaced_by(row.run, post_id)
        if row.why is not None:
            return row.why
        if is_reserved(post_id):
            raise ValidationError(
                "This run names no post.", hint="Trigger the DAG with the id of a post."
            )
        if context["dag_run"].run_type == STARTED_BY_TASK:
            raise TransientError(
                f"The run of {post_id} is in no ledger of the DAG's accounts.",
                hint=f"The task is tried again. Start the DAG {planner_id(self.settings.dag_id)}, which records it.",
            )
        return NOT_ITS_RUN

    def _requested(self, context: Context) -> ScheduledPost:
        """Return the post that a user has requested, as the stored plan has it.

        :raises ValidationError: If the plan does not have it.
        """
        stored = self.settings.stored()
        post_id = self.requested_id(context)
        calendar = stored.plan.calendar
        post = calendar.post(post_id)
        if post is not None:
            self._check_dry_run(stored.about.is_dry)
            self._found_at = stored.location, calendar.pin
            return post
        if post_id in calendar.left_out:
            message, remedy = calendar.why_left_out(post_id)
            raise ValidationError(
                f"The post has a problem: {message}", hint=f"{remedy} Then clear this task."
            )
        draft = calendar.draft(post_id)
        if draft is not None:
            raise ValidationError(
                f"{post_id} is a draft: it has {draft.lacks}.", hint="Add that first."
            )
        raise ValidationError(
            f"{self.settings.location} has no post {post_id!r}.", hint="Check the id."
        )

    def row(self, context: Context) -> PlannedPost:
        """Return the row of this run's post, as this task has read it last."""
        if self._row is None:
            self._row = self._read_row(context)
        return self._row

    def _read_row(self, context: Context) -> PlannedPost:
        """Return the row of the post in the ledgers of all accounts: the post may have had another one before."""
        ti = context["ti"]
        own_rows = SealedStore.of(context, events_asset(self.settings.dag_id))
        # before the row of the post, which the planner writes first
        generation = LastPlan.of(own_rows.get(LAST_PLAN)).generation
        found = []
        for account in self.settings.accounts:
            rows = PostRows(Ledger.of(context, account).store)
            key = f"{account}/{post_of(ti.run_id)}"
            row = rows.row_in_force(ti.dag_id, key, ti.run_id, generation)
            if row is not None:
                found.append(row)
        # Of an account that the post has left, the row only says that it was edited.
        found.sort(
            key=lambda row: (
                row.run == ti.run_id,
                bool(row.run),
                row.why is None or row.why.mark != "edited",
            )
        )
        return found[-1] if found else PlannedPost()

    def use_account(self, post: ScheduledPost) -> None:
        """Work with the account of a post.

        :raises ValidationError: If the DAG's author does not name it. The file decides nothing
            here.
        """
        unnamed = unnamed_account(post.account, self.settings.accounts)
        if unnamed is not None:
            message = f"{post.account}: {unnamed.message}"
            raise ValidationError(message, hint=f"{unnamed.remedy} Then clear this task.")
        self.instagram_conn_id = post.account

    def records(self, context: Context, post: ScheduledPost) -> PostRecords:
        """Return the rows of a post that its tasks leave to each other."""
        return PostRecords(
            Ledger.of(context, post.account).store, post.key, self.is_dry_run(context)
        )

    def answered_question(self, context: Context, post: ScheduledPost) -> Approval | None:
        """Return the last question about this version of a post, if this run has asked it, and it has an answer.

        A user may make the run anew with the parameter *now*, which counts once the row no longer
        names the run. An answer about the post's time then does not count.
        """
        approval = self.records(context, post).approval()
        if approval is None or approval.version != post.version or approval.answer is None:
            return None
        if not approval.at_once and self.is_wanted_at_once(context, post):
            return None
        return approval if approval.question.is_of_run(context) else None

    def is_answered_in_renamed_dag(
        self, context: Context, post: ScheduledPost, approval: Approval | None
    ) -> bool:
        """Return whether this version was answered in a DAG that was renamed. A run by hand asks anew all the same.

        Only the answer in the run of that version counts, as the ledger has it: an edit since then,
        or the end of that run, has made the answer void.
        """
        if approval is None or approval.answer is None or self.requested_id(context):
            return False
        question = approval.question
        if approval.version != post.version or question.dag_id == context["ti"].dag_id:
            return False
        runs = PostRows(Ledger.of(context, post.account).store).runs(post.key)
        return runs.get(question.run_id, "").removesuffix(DRY_MARK) == post.version

    def prepared(self, context: Context, post: ScheduledPost) -> PreparedPost:
        """Return what was made of this version of a post.

        :raises ValidationError: If nothing was.
        """
        prepared = self.records(context, post).prepared(post.version)
        if prepared is None or len(prepared.media) != len(post.items):
            raise _unprepared(post)
        return prepared

    def _check_dry_run(self, is_dry: bool) -> None:
        """Check that dry runs are made as the planner has read it: a cleared run keeps its version of the DAG.

        :raises TransientError: If this worker, or this version of the DAG, has another ``dry_run``.
        """
        if is_dry != self.settings.dry_run:
            raise _reads_another("values of dry_run")

    def requested_id(self, context: Context) -> str:
        """Return the id of the post for which a user started this run.

        Empty for the run that the planner begins for a post: a user may have started it before,
        with any parameters.
        """
        if self.row(context).run == context["ti"].run_id:
            return ""
        return str(context["params"].get("post") or "").strip()

    def post_id(self, context: Context) -> str:
        """Return the id of the post of this run."""
        return self.requested_id(context) or post_of(context["ti"].run_id)

    def is_wanted_at_once(self, context: Context, post: ScheduledPost) -> bool:
        """Return whether a user started this run to publish the post at once.

        That is a post whose time had passed, however late it is, or any post if the user chose
        *now*.
        """
        started = context["dag_run"].run_after
        if not self.requested_id(context) or started <= CLOCK.now() - REQUEST_COUNTS_FOR:
            return False
        return post.publish_at <= started or bool(context["params"].get("now"))

    @property
    def _files(self) -> CalendarFiles:
        """The files that the calendar may name, in the folder that the planner saw."""
        location, pin = self._found_at or (self.settings.location, None)
        if location != self.settings.location:
            raise _reads_another("places of the calendar")
        files = CalendarFiles(self.settings.calendar, pin)
        if files.moved is not None:
            raise files.moved
        return files

    def check_links(self, post: ScheduledPost) -> None:
        """Check that the files of a post may be opened, right before they are opened.

        :raises TransientError: If they are gone together with the calendar.
        """
        access = self._files.access
        for location in filter(None, (*post.media, post.cover_url)):
            access.check(str(location))
        local = filter(is_local, (self.settings.calendar, *post.media))
        missing = [location for location in local if not storage.exists(location)]
        if self.settings.calendar in missing and len(missing) > 1:
            raise TransientError(
                f"{post.id}: the calendar and its files are not where its planner has found them.",
                hint="If its folder has moved, name its new place in the DAG file. If not, bring it back. The task is "
                "tried again.",
            )

    def file_check(self, location: str) -> FileCheck:
        """Return what must be true of a file that the post names, or that its transcode made."""
        return FileCheck(self._files.access_to(location))

    def live(self, context: Context, post: ScheduledPost) -> PublishedPost | None:
        """Return the post on Instagram, if the ledger has it."""
        return Ledger.of(context, post.account).post(post.key)

    def may_be_live(self, context: Context, post: ScheduledPost) -> bool:
        """Return whether the post is live, or an attempt to publish it has an open outcome."""
        intents = Ledger.of(context, post.account).open_intents(post.key, Owner.of(context))
        return bool(intents) or self.live(context, post) is not None

    def open_request(self, context: Context) -> tuple[ScheduledPost, str] | None:
        """Return what is known of the post and the container of a request that may have been sent, if there is one."""
        post_id = self.post_id(context)
        for account in self.settings.accounts:
            key = f"{account}/{post_id}"
            intents = Ledger.of(context, account).open_intents(key, Owner.of(context))
            if intents:
                self.instagram_conn_id = account
                post = ScheduledPost.model_construct(
                    id=post_id, account=account, publish_at=CLOCK.now()
                )
                return post, intents[0].container_id
        return None

    def why_id_is_used(self, post_id: str, done: PublishedPost | None) -> Skipped | None:
        """Return that the post was deleted, or published by another calendar, of which only the name is told."""
        if done is None:
            return None
        other = other_publisher(done, self.settings)
        if other is not None:
            why = f"{other} has published the id {post_id} on {self.instagram_conn_id}: give this post another id."
            return Skipped("id used by another calendar", why)
        if done.deleted_at is not None:
            return Skipped("deleted", f"The post was published and deleted on {done.deleted_at}.")
        return None

    def skip_if_over(self, context: Context, post: ScheduledPost) -> None:
        """Skip a post that is too late already, unless this is a dry run or the post may be live."""
        if self.is_dry_run(context) or self.may_be_live(context, post):
            return
        now = CLOCK.now()
        if self.too_late(context, post, now, now) is not None:
            now = self.compared_now()
        reason = self.too_late(context, post, now, now)
        if reason is not None:
            self.skip_post(context, *reason)

    def too_late(
        self, context: Context, post: ScheduledPost, now: datetime, at: datetime
    ) -> Skipped | None:
        """Return why a post is too late even at the earliest possible time, or None if it is not."""
        if self.is_wanted_at_once(context, post):
            return None
        return lateness.too_late(
            post, now, at, late=self.settings.late, max_lateness=self.settings.max_lateness
        )

    def compared_now(self) -> datetime:
        """Return the time by Instagram's clock, with which this worker's is compared first."""
        InstagramHook(self.instagram_conn_id).compare_clock()
        return CLOCK.now()

    def answer_deadline(self, context: Context, post: ScheduledPost) -> datetime:
        """Return until when a person may answer a question about a post: as long as it may be published.

        For a post that a user requested after its time, that is one lead time.
        """
        now = self.compared_now()
        if self.is_wanted_at_once(context, post):
            return now + self.settings.lead_time
        is_late = now >= post.publish_at and self.settings.late == "publish"
        return post.publish_at + (self.settings.max_lateness if is_late else timedelta())

    def needs_approval(self, post: ScheduledPost) -> bool:
        """Return whether a person has to approve the post. What the DAG's author requires, no file lifts."""
        return "required" in (self.settings.approval, post.approval)

    def is_dry_run(self, context: Context) -> bool:
        """Return whether this is a dry run: everything but the publication."""
        is_asked = bool(self.requested_id(context)) and bool(context["params"].get("dry_run"))
        return self.settings.dry_run or is_asked

    def tell_that_it_waits(
        self, context: Context, post: ScheduledPost, *, is_again: bool = False
    ) -> None:
        """Report once that a post waits for an approval.

        :param is_again: Whether an answer was given, and does not count any more: people think that
            all is done.
        """
        if not self.needs_approval(post):
            return
        message = WAITS
        if is_again:
            message = "waits for an approval again: an earlier answer does not count."
        remedy = "It goes out only if somebody approves it in time."
        self._tell(context, post, Told("waiting", message, remedy, is_again=is_again))

    def _tell(self, context: Context, post: ScheduledPost, told: Told) -> None:
        """Report something, if the calendar has anybody to tell. The task goes on if that fails or hangs."""
        if self.settings.notify is None:
            return
        try:
            told = self.told_of_run(context, told)
            tell_post(context, self.settings, post, told, emits=self.emits)
        except Exception:
            self.log.exception("No notification was sent that %s %s", post.id, told.message)

    def told_of_run(self, context: Context, told: Told) -> Told:
        """Return what is told, under a name of its own for a run by hand, and for a dry run.

        So neither of them keeps anything of the post's own run from being told.
        """
        name = told.once or told.event
        if self.requested_id(context):
            name += " by hand"
        if self.is_dry_run(context):
            name += DRY_MARK
            told = told._replace(message=f"(dry run) {told.message}")
        return told._replace(once=name)

    def skip_post(self, context: Context, mark: str, reason: str) -> NoReturn:
        """Skip this task and those downstream.

        :param mark: Why, in a few words, for the Posts page.
        """
        self.log.warning("%s", reason)
        report_state(context, "skipped", mark, reason)
        raise AirflowSkipException(reason)


def _reads_another(what: str) -> TransientError:
    return TransientError(
        f"The planner and this worker have read different {what} in the DAG file.",
        hint="The task is tried again. If this lasts, bring the DAG file up to date on all machines.",
    )


def _unprepared(post: ScheduledPost) -> ValidationError:
    return ValidationError(
        f"Nothing was prepared for this version of {post.id}.", hint=CLEAR_PREPARE
    )


def edited(post_id: str) -> Skipped:
    """Return why a run by hand drops a post of which it has worked on another version."""
    return Skipped("edited", f"{post_id} was edited. Trigger the DAG again for the new version.")


def has_caption(post: ScheduledPost) -> bool:
    """Return whether a post can have a caption. A story shows none."""
    return post.kind is not PostKind.STORY


def is_sent_as_link(source: str, upload: str, report: FileReport) -> bool:
    """Return whether Instagram fetches a file itself from its source, where the calendar's author keeps it."""
    may_be_link = upload != "file" or kind_of_result(report) is ItemKind.PICTURE
    return is_web(source) and may_be_link and report.get("tier") == "pass"


def check_bound(post: ScheduledPost, prepared: PreparedPost, digests: Sequence[str | None]) -> None:
    """Check that an approval binds each file of a post that is sent.

    :raises ValidationError: If a file that is sent has no digest, or one with a digest would be
        fetched by Instagram from its source: nobody compares that.
    """
    known = digests or (None,) * len(post.items)
    if len(post.items) == len(prepared.reports) == len(known):
        sent = zip(post.items, prepared.reports, known, strict=True)
        if all(
            bool(sha256) != is_sent_as_link(item.location, post.upload, report)
            for item, report, sha256 in sent
        ):
            return
    raise ValidationError(
        f"The transcode of a file of {post.id} has no digest, or is another one than was approved, so an approval "
        "would not bind it.",
        hint=CLEAR_PREPARE,
    )


def kind_of_result(report: FileReport) -> ItemKind:
    """Return the kind of a result, from the report of its transcode."""
    return ItemKind(report.get("kind", ItemKind.VIDEO))


def other_publisher(done: PublishedPost, settings: CalendarSettings) -> str | None:
    """Return who published a post, if not this calendar."""
    return done.other_publisher(settings.dag_id, shown(settings.calendar))


def used_before(post: ScheduledPost, done: PublishedPost) -> bool:
    """Return whether a post's id was published before the post's time, by another post or before it was moved.

    A post that a user has published early is planned for its time.
    """
    is_early = datetime.fromisoformat(done.published_at) + lateness.CLOCKS_DIFFER < post.publish_at
    planned_at = done.planned_at and datetime.fromisoformat(done.planned_at)
    return is_early and planned_at != post.publish_at


def task_states(context: Context) -> dict[str, Any]:
    """Return the states of the tasks of this run, which users may set."""
    ti = context["ti"]
    states = ti.get_task_states(ti.dag_id, run_ids=[ti.run_id])
    of_run: dict[str, Any] = states.get(ti.run_id, {})
    return of_run
