"""The tasks that publish a post at its time, and write its first comment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_instagram.calendar.planning.lateness import PUNCTUAL, choose_late_time
from airflow_provider_instagram.calendar.planning.post_rows import PostRows
from airflow_provider_instagram.calendar.tasks.answers import NOBODY
from airflow_provider_instagram.calendar.tasks.base import PostTask, has_caption, task_states
from airflow_provider_instagram.calendar.tasks.outcome import reports_failure
from airflow_provider_instagram.exceptions import (
    InstagramError,
    QuotaExhaustedError,
    ValidationError,
)
from airflow_provider_instagram.ledger.assets import ledger_alias
from airflow_provider_instagram.ledger.ledger import Ledger, digest
from airflow_provider_instagram.operators.base import COMMENT, PUBLISH
from airflow_provider_instagram.operators.comment import write_comment
from airflow_provider_instagram.operators.publish import PublishingTask, publish
from airflow_provider_instagram.posts.limits import read_message
from airflow_provider_instagram.publishing.use_case import Skipped
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.clock import CLOCK
from airflow_provider_instagram.utils.urls import shown

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.file.columns import ScheduledPost
    from airflow_provider_instagram.ledger.records import PublishedPost


CLEAR_CREATE = "Clear create with all downstream tasks."


class PublishPost(PostTask, PublishingTask):
    """Publish a post of a calendar at its time. Late posts are published one after the other, or not at all."""

    weight = PUBLISH

    def __init__(self, *, multiple_outputs: bool = True, **kwargs: Any) -> None:
        super().__init__(multiple_outputs=multiple_outputs, **kwargs)

    @reports_failure
    def execute(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Publish the post, unless the plan no longer contains it in this version.

        If an earlier try left its outcome open, the outcome is settled first, whatever the plan
        contains now. Which container is published is in the ledger, and not in an XCom.
        """
        post, container_id = self._wanted(context)
        self.container_id = container_id
        result = publish(
            self,
            context,
            post.key,
            container_id,
            is_dry_run=self.is_dry_run(context),
            is_resumed=event is not None,
            planned_at=post.publish_at,
            origin=shown(self.settings.calendar),
        )
        self.permalink = result["permalink"]
        self.media_id = result["media_id"]
        return result

    def publication_time(self, context: Context) -> datetime:
        """Return the time of the post in the plan, or the next free time for a late post, or skip the post."""
        post = self.wanted_post(context)
        now = self.compared_now()
        if self.is_dry_run(context):
            return post.publish_at
        self._check_approval(context, post)
        if now - post.publish_at <= PUNCTUAL and not self.is_wanted_at_once(context, post):
            return post.publish_at
        reason = self.too_late(context, post, now, now)
        if reason is not None:
            self.skip_post(context, *reason)
        rows = PostRows(Ledger.of(context, post.account).store)
        at = choose_late_time(post, self.settings.stored().plan.calendar, rows, clock=CLOCK.now)
        reason = self.too_late(context, post, now, at)
        if reason is not None:
            rows.record_late_time(post, None)
            self.skip_post(context, *reason)
        return at

    def check_live(self, context: Context, post: PublishedPost) -> None:
        """Skip the task if the post was deleted, or published by another calendar."""
        if (reason := self.why_id_is_used(self.post_id(context), post)) is not None:
            self.skip_post(context, *reason)

    def check_quota_wait(
        self, context: Context, available_at: datetime, error: QuotaExhaustedError
    ) -> None:
        """Skip the post if it will be too late once the account has free quota."""
        post = self.wanted_post(context)
        if (reason := self.too_late(context, post, available_at, available_at)) is not None:
            at = available_at.isoformat(timespec="seconds")
            why = f"{error.message} The account has free quota from {at} on, which is too late for this post."
            self.skip_post(context, reason.mark, why)

    def _container(self, context: Context, post: ScheduledPost) -> str:
        """Return the container that create has recorded for this version of the post, or that of a post that is live.

        :raises ValidationError: If create has recorded none.
        """
        done = self.live(context, post)
        if done is not None:
            return done.container_id
        made = self.prepared(context, post).container_id
        if made is None:
            raise ValidationError(
                f"No container was made for this version of {post.key}.", hint=CLEAR_CREATE
            )
        return made

    def _wanted(self, context: Context) -> tuple[ScheduledPost, str]:
        """Return the post and its container, whatever became of the post if a request may have been sent for it."""
        try:
            wanted = self.wanted(context)
        except ValidationError:  # a run by hand, whose post was removed
            if (opened := self.open_request(context)) is None:
                raise
            return opened
        if not isinstance(wanted, Skipped):
            return wanted, self._container(context, wanted)
        return self.open_request(context) or self.skip_post(context, *wanted)

    def _check_approval(self, context: Context, post: ScheduledPost) -> None:
        """Skip a post that is not approved, or not any more: a later question makes an answer void.

        A state of the task ``approve`` that users may set proves nothing, but one that is no
        success forbids.

        :raises ValidationError: If the container was made for another answer, of this run or of
            another one.
        """
        if not self.needs_approval(post):
            return
        approval = self.answered_question(context, post)
        is_done = task_states(context).get("approve") == "success"
        if approval is None or approval.answer is None or not is_done:
            self.skip_post(context, *NOBODY)
        answer = approval.answer
        if answer.refusal is not None:
            self.skip_post(context, *answer.refusal)
        record = Ledger.of(context, post.account).container(self.container_id or "")
        prepared = self.prepared(context, post)
        made_of = (record and record.caption, prepared.container_caption, prepared.container_sha256)
        caption = answer.caption if has_caption(post) else post.caption
        # that digest leaves out lines
        if made_of != (digest(caption), answer.caption, approval.sha256):
            raise ValidationError(
                f"Container {self.container_id} has another caption or other files than {post.id} was approved with.",
                hint=CLEAR_CREATE,
            )


class CommentPost(PostTask):
    """Write the first comment of a post, or switch its comments off, once.

    A teardown: the post stays published if that fails.
    """

    ui_color = "#fbdce9"
    weight = COMMENT
    aliases = (ledger_alias,)

    @reports_failure
    def execute(self, context: Context) -> str:
        """Write the comment or switch comments off, if the post wants it and was published."""
        from airflow_provider_instagram.publishing import comments as acts

        if task_states(context).get("publish") != "success":
            raise AirflowSkipException("The post is not published.")
        post = self.wanted_post(context)
        done = self.live(context, post)
        if done is None or self.is_dry_run(context):  # or somebody has marked the task
            raise AirflowSkipException("The post is not published by this run.")
        act = acts.SWITCH_OFF
        lacks = "its comments are not switched off"
        if post.comment_enabled:
            act = acts.COMMENT
            lacks = "its first comment is not written"
            if not post.first_comment:
                raise AirflowSkipException(f"{post.id} has no first comment.")
        try:
            self._check_approval(context, post)
            text = arguments.literal(post.first_comment)
            message = read_message(text) if post.comment_enabled else ""
            target = {"media_id": done.media_id, "published_at": done.published_at}
            return write_comment(self, context, target, message, post.key, act)
        except InstagramError as error:
            error.message = f"{post.id} is published, but {lacks}: {error.message}"
            raise

    def _check_approval(self, context: Context, post: ScheduledPost) -> None:
        """Check that a person has approved this version: it may be an edit of a post that is live already."""
        if not self.needs_approval(post):
            return
        approval = self.answered_question(context, post)
        if approval is None or not approval.is_yes:
            raise ValidationError(
                "the ledger has no approval of that in this run.", hint="Do it in the app."
            )
