"""The task that creates a post's container."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.calendar.tasks.alerts import Told
from airflow_provider_instagram.calendar.tasks.base import (
    PostTask,
    check_bound,
    edited,
    has_caption,
    is_sent_as_link,
    kind_of_result,
)
from airflow_provider_instagram.calendar.tasks.outcome import report_state, reports_failure
from airflow_provider_instagram.exceptions import (
    InstagramError,
    MediaNotFetchedError,
    MediaRejectedError,
    ValidationError,
)
from airflow_provider_instagram.graph.errors import Cause, cause_of
from airflow_provider_instagram.ledger.records import Owner, Try
from airflow_provider_instagram.operators.approval import (
    approved_container,
    held_subject,
    review_copyright,
    verdict_of,
)
from airflow_provider_instagram.operators.base import CREATE, Event
from airflow_provider_instagram.operators.container import CreatingTask, create
from airflow_provider_instagram.operators.publish import at_moment
from airflow_provider_instagram.posts.kinds import ItemKind
from airflow_provider_instagram.posts.limits import checked_post
from airflow_provider_instagram.posts.post import FIELDS, Post
from airflow_provider_instagram.publishing.create import Order
from airflow_provider_instagram.utils import arguments, urls
from airflow_provider_instagram.utils.clock import CLOCK
from airflow_provider_instagram.utils.deferral import shortest_deferral

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.file.columns import ScheduledPost
    from airflow_provider_instagram.calendar.tasks.answers import Approval, FileReport, PreparedPost
    from airflow_provider_instagram.posts.item import Item


#: How often the link of a post that is never too late is fetched: for about an hour.
TRIES_FOR_A_PERSON = 15


class CreatePost(PostTask, CreatingTask):
    """Create the container of a calendar's post, wait until it is processed, and replace it if a new one can help.

    The container is created a lead time before the post's time, because it expires after 24 hours.
    What it is made of, and what a person approved, is read from the ledger, which then has the
    container as well.
    """

    weight = CREATE

    @reports_failure
    def execute(self, context: Context, event: Event | None = None) -> str:
        """Create the container with the options of the calendar and the caption of the approval."""
        post = self.wanted_post(context)
        if (done := self.live(context, post)) is not None:
            return done.container_id
        if event is None:
            # or the page waits for days until this fails
            self._check_answer(context, post)
            self._wait_for_lead_time(context, post)
        elif not event["error"] and self.requested_id(context):
            # it may be about the container of an earlier version: that of this one is looked for
            event = None
        try:
            order = partial(self.order, context, post)
            self.container_id = create(self, context, event, post.key, order)
        except MediaRejectedError as error:
            raise self._explained(context, post, error) from None
        post = self._unedited(context, post.version)
        until = self.answer_deadline(context, post) if post.on_copyright_match == "hold" else None
        review_copyright(
            self,
            context,
            self.container_id,
            post.on_copyright_match,
            until,
            partial(self._tell_that_it_is_held, context, post),
            version=post.version,
        )
        self._record_container(context, post, self.container_id)
        return self.container_id

    def _check_answer(self, context: Context, post: ScheduledPost) -> None:
        """Check that the post is approved, if it requires that, and that it can go out as the answer leaves it.

        :raises ValidationError: If it is not, or if its caption breaks a limit of Instagram.
        """
        prepared = self.prepared(context, post)
        approval = self._approval(context, post, prepared)
        try:
            self._post_to_create(post, prepared, approval)
        except ValidationError as error:
            if approval is not None and error.hint is None:
                error.hint = "Clear approve with all downstream tasks, and answer again."
            raise

    def _explained(
        self, context: Context, post: ScheduledPost, error: MediaRejectedError
    ) -> InstagramError:
        """Return the error of a file that Instagram did not take, with what to do, and whether a retry can help."""
        if cause_of(error) in (Cause.UNFIT_FILE, Cause.NOT_FETCHED_OR_UNFIT):
            code = f" ({error.subcode})" if error.subcode else ""
            again = "clear prepare with all downstream tasks"
            if self.needs_approval(post):
                # another file needs another approval, and a run asks for one only
                again = f"trigger the DAG with the post {post.id}"
            error.hint = (
                f"Instagram refused this file{code}. Put another file in its place and {again}, or change the "
                "calendar."
            )
        if not isinstance(error, MediaNotFetchedError):
            return error
        if self._may_be_fetched_later(context, post, error):
            return error
        return InstagramError.from_data(error.as_data() | {"error": MediaRejectedError.__name__})

    def lead_time_begins(self, context: Context, event: Any = None) -> str:
        """Continue when the lead time of the post has begun."""
        return self.execute(context)

    def _wait_for_lead_time(self, context: Context, post: ScheduledPost) -> None:
        """Wait until the lead time begins, so that the container outlives the post's time."""
        moment = post.publish_at - self.settings.lead_time
        left = moment - CLOCK.now()
        if self.is_wanted_at_once(context, post) or left <= shortest_deferral():
            return
        self.log.info("Creating the container at %s", moment.isoformat())
        self.defer(trigger=at_moment(moment), method_name="lead_time_begins", timeout=left)

    def answered(self, context: Context, event: Event, container_id: str, version: str) -> str:
        """Continue after a person has answered what to do with a container that is held."""
        post = self._unedited(context, version)
        verdict = verdict_of(context, post.account, event)
        if not verdict.approved:
            if verdict.person is not None:  # a run by hand may have been approved before
                made = self.prepared(context, post).model_copy(update={"container_id": None})
                self.records(context, post).record_prepared(version, made)
            why = f"The copyright check held the post, and it was not published: {verdict}."
            self.skip_post(context, f"copyright: {verdict}"[:80], why)
        self.container_id = approved_container(self, verdict, container_id)
        self._record_container(context, post, self.container_id)
        return self.container_id

    def _unedited(self, context: Context, version: str) -> ScheduledPost:
        """Return the post, or skip it if it has another version by now, which its own run may have prepared."""
        post = self.wanted_post(context)
        if post.version != version:
            self.skip_post(context, *edited(post.id))
        return post

    def _record_order(
        self,
        context: Context,
        post: ScheduledPost,
        prepared: PreparedPost,
        approval: Approval | None,
    ) -> None:
        """Record of which answer a container is made, before it is. None is published until it is recorded, too."""
        made = {
            "container_id": None,
            "container_caption": approval and approval.answer and approval.answer.caption,
            "container_sha256": approval.sha256 if approval else (),
            "ordered_by": str(Owner.of(context)),
        }
        self.records(context, post).record_prepared(post.version, prepared.model_copy(update=made))

    def _record_container(self, context: Context, post: ScheduledPost, container_id: str) -> None:
        """Record the container that is published for this version of the post, and no other one is.

        :raises ValidationError: If another answer counts by now than the one that it was made of.
        """
        prepared = self.prepared(context, post)
        approval = self._approval(context, post, prepared)
        if approval is not None and approval.answer is not None:
            made_of = (prepared.container_caption, prepared.container_sha256, prepared.ordered_by)
            if made_of != (approval.answer.caption, approval.sha256, str(Owner.of(context))):
                raise ValidationError(
                    f"{post.id} was approved again while its container {container_id} was made, with another caption "
                    "or in another run.",
                    hint="Clear create with all downstream tasks.",
                )
        made = {"container_id": container_id}
        self.records(context, post).record_prepared(post.version, prepared.model_copy(update=made))

    def _tell_that_it_is_held(
        self, context: Context, post: ScheduledPost, finding: str, is_again: bool
    ) -> None:
        """Report what the copyright check found, to the Posts page and to whom the calendar tells.

        :param is_again: Whether the task has asked before: people may think that all is done.
        """
        message = "waits for an answer."
        reason = finding
        if is_again:
            message = "waits for an answer again: one that was given before does not count."
            reason = f"{finding} An answer that was given before does not count."
        report_state(context, "held", "copyright", reason)
        remedy = f"{finding} It goes out only if somebody approves it in time."
        self._tell(context, post, Told("held", message, remedy, is_again=is_again))

    def order(self, context: Context, post: ScheduledPost, *, is_resumed: bool) -> Order:
        """Return what to create a container of. For the parent of a carousel, the media are sent already.

        :raises AirflowSkipException: If it is too late.
        :raises ValidationError: If a file may not be sent.
        """
        if not is_resumed:
            self.skip_if_over(context, post)
            self.check_links(post)
        prepared = self.prepared(context, post)
        approval = self._approval(context, post, prepared)
        if not is_resumed:  # the items that were sent stay those of the answer that is recorded
            self._record_order(context, post, prepared, approval)
        created = self._post_to_create(post, prepared, approval)
        self.media_sent = created.media
        publish_at: datetime | None = post.publish_at
        if self.is_dry_run(context) or self.is_wanted_at_once(context, post):
            publish_at = None
        if is_resumed:
            return Order(created, publish_at, waits=True)
        digests = (approval and approval.sha256) or (None,) * len(created.items)
        checks = [
            replace(self.file_check(location), sha256=sha256)
            for location, sha256 in zip(created.media, digests, strict=True)
        ]
        return Order(created, publish_at, True, checks)

    def _may_be_fetched_later(
        self, context: Context, post: ScheduledPost, error: MediaNotFetchedError
    ) -> bool:
        """Return whether the post is not too late after the pause before a retry.

        A person who wants the post now waits for about an hour.
        """
        if self.is_wanted_at_once(context, post):
            return Try.of(self, context).number < TRIES_FOR_A_PERSON
        at = CLOCK.now() + (error.retry_after or timedelta())
        return self.too_late(context, post, at, at) is None

    def _post_to_create(
        self, post: ScheduledPost, prepared: PreparedPost, approval: Approval | None
    ) -> Post:
        values = {name: getattr(post, name) for name in FIELDS}
        if approval and approval.answer and has_caption(post):
            values["caption"] = FIELDS["caption"].read(
                "caption", arguments.literal(approval.answer.caption)
            )
        made = zip(post.items, prepared.media, prepared.reports, strict=True)
        items = [self._sent(item, location, report, post.upload) for item, location, report in made]
        if post.carousel:
            values["carousel"] = tuple(items)
        else:
            values[str(items[0].kind)] = items[0].location
        if not any(item.kind is ItemKind.VIDEO for item in items):
            values["upload"] = "auto"  # a default of the calendar is for its videos
        return checked_post(values)

    def _approval(
        self, context: Context, post: ScheduledPost, prepared: PreparedPost
    ) -> Approval | None:
        """Return the approval of a post, or None if the post requires none.

        :raises ValidationError: If it requires one, and the last question in this run about this
            version has no yes.
        """
        if not self.needs_approval(post):
            return None
        approval = self.answered_question(context, post)
        if approval is None or not approval.is_yes:
            raise ValidationError(
                f"{post.id} needs an approval, and the ledger has none of this version in this run.",
                hint="Clear approve with all downstream tasks.",
            )
        check_bound(post, prepared, approval.sha256)
        return approval

    def _sent(self, item: Item, made: str, report: FileReport, upload: str) -> Item:
        """Return what is sent of an item: the compliant file, or the post's own link if it complies.

        The transcode returns a copy instead of a link, because a link may contain a signature.

        :raises ValidationError: If the result is of the other kind.
        """
        kind = kind_of_result(report)
        if item.kind not in (None, kind):  # the name of a file need not show its kind
            raise ValidationError(
                f"The calendar calls {urls.shown(item.location)} {item.kind}, but it is {kind.in_words}.",
                hint=f"Write {kind}: before its name.",
            )
        if is_sent_as_link(item.location, upload, report):
            return item.model_copy(update={"kind": kind})
        made = _result_now(item.location, made)
        return item.model_copy(update={"kind": kind, "location": made})


def _result_now(source: str, made: str) -> str:
    """Return where the result of a transcode is: beside a local source, also if their folder has moved since.

    A file that complies is its own result, also in object storage.
    """
    folder, _, name = source.rpartition("/")
    made_name = made.rpartition("/")[2]
    if urls.is_local(source) or made_name == name:
        return f"{folder}/{made_name}"
    return made


def is_held(post: ScheduledPost, subject: str) -> bool:
    """Return whether a question is about a post that the copyright check has held."""
    return subject == held_subject(post.key)
