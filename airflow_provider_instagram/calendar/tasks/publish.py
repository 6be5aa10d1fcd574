"""The tasks that publish a post at its time, and write its first comment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_instagram.calendar.file.times import in_words
from airflow_provider_instagram.calendar.planning.assignments import run_name
from airflow_provider_instagram.calendar.planning.schedule import PUNCTUAL, choose_late_time
from airflow_provider_instagram.calendar.tasks.answers import NOBODY, answer_row, unsealed
from airflow_provider_instagram.calendar.tasks.base import PostStep
from airflow_provider_instagram.calendar.tasks.outcome import reports_failure
from airflow_provider_instagram.calendar.tasks.run_request import is_requested_now
from airflow_provider_instagram.exceptions import InstagramError, QuotaExhaustedError, ValidationError
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.ledger.assets import ledger_alias, posts_alias
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.operators.base import COMMENT, PUBLISH, InstagramPostLink
from airflow_provider_instagram.operators.comment import write_comment
from airflow_provider_instagram.operators.lineage import publication_lineage
from airflow_provider_instagram.operators.publish import at_moment, publish
from airflow_provider_instagram.posts.limits import read_message
from airflow_provider_instagram.publishing.publish import WAKE_UP_AHEAD
from airflow_provider_instagram.publishing.use_case import Skipped
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.locations import shown
from airflow_provider_instagram.utils.server_clock import CLOCK

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_instagram.calendar.file.model import ScheduledPost

#: How long before a post's time its last look begins, at most.
LAST_LOOK = WAKE_UP_AHEAD + timedelta(minutes=1)


class PublishPost(PostStep):
    """Publish a post of a calendar at its time. Late posts are published one after the other, or not at all."""

    template_fields: Sequence[str] = ("post", "container_id")
    operator_extra_links = (InstagramPostLink(),)
    ui_color = "#fbdce9"
    weight = PUBLISH
    tells = True
    aliases = (posts_alias, ledger_alias)
    #: The post's version in the snapshot. None if the snapshot does not have the post as it is, or if it had another
    #: version for a while that is gone again: the wait then ends at its time, and never again and again before.
    _version_seen: str | None = None
    _was_resumed = False

    def __init__(self, *, container_id: Any, multiple_outputs: bool = True, **kwargs: Any) -> None:
        super().__init__(multiple_outputs=multiple_outputs, **kwargs)
        self.container_id = container_id
        self.permalink: str | None = None
        self.media_id: str | None = None

    @reports_failure
    def execute(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Publish the post, unless the calendar no longer contains it in this version.

        If an earlier try left its outcome open, the outcome is settled first, whatever the calendar contains now.
        """
        post, is_dry_run = self.as_post(), self.dry_run_requested(context)
        self._was_resumed = event is not None
        if is_dry_run:
            self.mark(context, "dry run")
        result = publish(
            self,
            context,
            post.key,
            arguments.required_text("container_id", self.container_id),
            is_dry_run=is_dry_run,
            is_resumed=self._was_resumed,
            trigger=self._wait_trigger,
            publication_time=partial(self.publication_time, context),
            planned_at=post.publish_at,
            objection=self.published_by_another,
            too_late=partial(self._too_late_for_quota, context),
            calendar=shown(self.settings.calendar),
        )
        if isinstance(result, Skipped):
            self.skip_post(context, *result)
        self.permalink, self.media_id = result["permalink"], result["media_id"]
        return result

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return the lineage of the task, for OpenLineage: the container in, the post out."""
        return publication_lineage(self.instagram_conn_id, self.container_id, self.media_id)

    def publication_time(self, context: Context) -> datetime | Skipped:
        """Return the time of the post in the calendar, or the next free time for a late post, or why there is none.

        :raises ValidationError: If an edit made the post invalid, or the container is that of another post.
        """
        if isinstance(wanted := self.wanted(context), Skipped):
            return wanted
        now, (post, plan) = self.compared_now(), wanted
        if post.id in plan.seen and not self._was_resumed:
            self._version_seen = plan.seen[post.id].version
        if self.dry_run_requested(context):
            return post.publish_at
        is_now = is_requested_now(context, post)
        is_last_look = is_now or post.publish_at - now <= LAST_LOOK
        if (refusal := self._refusal(context, post, is_last_look=is_last_look)) is not None:
            return refusal
        if now - post.publish_at <= PUNCTUAL and not is_now:
            return post.publish_at
        if (reason := self.too_late(context, post, now, now)) is not None:
            return reason
        assignments = self.assignments(context)
        at = choose_late_time(post, plan.calendar, assignments, clock=CLOCK.now)
        if (reason := self.too_late(context, post, now, at)) is not None:
            assignments.forget_late_time(post)
            return reason
        self.tell_that_it_is_late(context, post, at)
        self.mark(context, f"{in_words(at - post.publish_at)} late" if at > post.publish_at else "published early")
        return at

    def _refusal(self, context: Context, post: ScheduledPost, *, is_last_look: bool) -> Skipped | None:
        """Return why an approved post is not approved any more, because a user has cleared the approval alone.

        The state of the task that asks is Airflow's own record: who may edit the ledger's rows cannot change it.

        :param is_last_look: Whether an answer would come too late.
        :return: The rejection, or that nobody has answered.
        :raises ValidationError: If the container is that of another post.
        """
        if post.approval == "none":
            return None
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
            return NOBODY if is_last_look else None
        record = Ledger.of(context, self.instagram_conn_id).store.get(key := answer_row(post, is_dry_run=False))
        answer = unsealed(record, key, post.version, run_name(context), InstagramHook(self.instagram_conn_id).sign)
        return (answer and answer.refusal) or (NOBODY if state == "skipped" else None)

    def _wait_trigger(self, moment: datetime) -> BaseTrigger:
        """Return the trigger that ends a wait, also soon after an edit of the post, so that the run does not stay."""
        if self._version_seen is None:
            return at_moment(moment)
        from airflow_provider_instagram.calendar.tasks.post_time import PostTimeTrigger

        return PostTimeTrigger(moment, self.settings.snapshot, self.as_post().id, self._version_seen)

    def _too_late_for_quota(
        self, context: Context, available_at: datetime, error: QuotaExhaustedError
    ) -> Skipped | None:
        """Return why the post is skipped if it will be too late once the account has free quota."""
        post = self.as_post()
        if (reason := self.too_late(context, post, available_at, available_at)) is None:
            self.tell_that_it_is_late(context, post, available_at)
            return None
        at = available_at.isoformat(timespec="seconds")
        why = f"{error.message} The account has free quota from {at} on, which is too late for this post."
        return Skipped(reason.mark, why)


class CommentPost(PostStep):
    """Write the first comment of a calendar's post, once. The post stays published if that fails.

    The comment belongs to the version of the post that was published, so later edits of the calendar do not count.

    :param published: The result of the publication.
    """

    template_fields: Sequence[str] = ("post", "published")
    ui_color = "#fbdce9"
    weight = COMMENT
    aliases = (ledger_alias,)

    def __init__(self, *, published: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.published = published

    @reports_failure
    def execute(self, context: Context) -> str:
        """Write the comment, if the post has one."""
        from airflow_provider_instagram.publishing import acts

        post = self.as_post()
        if not post.first_comment:
            raise AirflowSkipException(f"{post.id} has no first comment.")
        if (unnamed := self.unnamed_account()) is not None:
            raise unnamed
        try:
            message = read_message(arguments.literal(self._text(context, post)))
            return write_comment(self, context, self.published, message, post.key, acts.COMMENT)
        except InstagramError as error:
            error.message = f"{post.id} is published, but its first comment is not written: {error.message}"
            raise

    def _text(self, context: Context, post: ScheduledPost) -> str | None:
        """Return the comment that was approved, or if this run has asked nobody that of the XCom, which users may edit.

        :raises ValidationError: If nobody approved it.
        """
        record = Ledger.of(context, self.instagram_conn_id).store.get(key := answer_row(post, is_dry_run=False))
        version = str(record.get("version")) if isinstance(record, dict) else post.version
        answer = unsealed(record, key, version, run_name(context), InstagramHook(self.instagram_conn_id).sign)
        if answer is None and post.approval == "none":
            return post.first_comment
        if answer is None or not answer.first_comment:
            raise ValidationError(
                "this run has no record of an approval of the comment that the task approve made.",
                hint="Write the comment in the app.",
            )
        return answer.first_comment
