"""The task that creates a post's container."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.calendar.tasks.base import PostStep
from airflow_provider_instagram.calendar.tasks.outcome import reports_failure
from airflow_provider_instagram.calendar.tasks.run_request import is_requested_now
from airflow_provider_instagram.exceptions import InstagramError, ValidationError
from airflow_provider_instagram.files import locations
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.operators.container import CreateContainerOperator
from airflow_provider_instagram.publishing.options import OPTIONS
from airflow_provider_instagram.quota.instagram_quota import time_until_quota_frees
from airflow_provider_instagram.utils import arguments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.file.model import Post


class CreatePost(PostStep, CreateContainerOperator):
    """Create the container of a calendar's post, wait until it is processed, and replace it if a new one can help.

    :param approved: The result of the approval: the caption, which a person may have changed.
    :param report: The report of the transcode.
    """

    template_fields: Sequence[str] = ("post", "approved", "report", "video")

    def __init__(self, *, approved: Any = None, report: Any = None, **kwargs: Any) -> None:
        super().__init__(**{"wait_for_completion": True, **kwargs})
        self.approved = approved
        self.report = report

    @reports_failure
    def execute(self, context: Context) -> str:
        """Create the container with the options of the calendar and the caption of the approval."""
        post, _ = self.still_wanted(context)
        if post.approval == "required" and self.approved is None:
            raise ValidationError(f"{post.id} needs an approval and has none.", hint="Clear this run.")
        self.skip_if_over(context, post)
        self.check_links(post)
        options = {**post.options, **(self.approved or {})}
        for name in OPTIONS:
            setattr(self, name, arguments.literal(options.get(name, "" if name == "caption" else None)))
        self.placement = post.placement
        self.video, self.upload, self.post_key = self._video_of(post), post.upload, post.key
        is_dry_run = self.dry_run_requested(context)
        self.publish_at = None if is_dry_run or is_requested_now(context, post) else post.publish_at
        if not is_dry_run:
            self._check_quota(context, post)
        return super().execute(context)

    def _video_of(self, post: Post) -> str:
        """Return the compliant video, or the post's own link if that video complies and its bytes need not be sent.

        The transcode returns a copy instead of a link, because a link may contain a signature.

        :raises ValidationError: If the output of the transcode has been replaced by a symbolic link.
        """
        video = str(self.video)
        if locations.is_web(post.video) and post.upload != "file" and (self.report or {}).get("tier") == "pass":
            return post.video
        if video != post.video and locations.is_local(video) and locations.local_path(video).is_symlink():
            raise ValidationError(
                f"{video} is a symbolic link, not the output of the transcode.",
                hint="Remove it, and clear the transcode.",
            )
        return video

    def _check_quota(self, context: Context, post: Post) -> None:
        """Check that the account has free quota before the post is too late, so that nothing is uploaded in vain.

        :raises ValidationError: If the account has none.
        """
        ledger = Ledger.of(context, self.instagram_conn_id)
        if ledger.post(post.key) is not None or ledger.containers(post.key):
            return
        hook, now = InstagramHook(self.instagram_conn_id), ledger.clock()
        with hook.get_conn() as client:
            user_id = hook.ig_user_id(client)
            try:
                limit = client.send(calls.publishing_limit(user_id))
            except InstagramError as error:  # it is read again before the publication
                self.log.warning("Could not read the publishing limit: %s", error)
                return
            if limit.remaining > 0 or (wait := time_until_quota_frees(client, user_id, now)) is None:
                return
        if self.too_late(context, post, now + wait, now + wait) is not None:
            raise ValidationError(
                f"Instagram counts {limit.quota_usage} of {limit.quota_total} posts in the last 24 hours. The account "
                f"has free quota from {(now + wait).isoformat(timespec='seconds')} on, which is too late for "
                f"{post.id}. Nothing was created.",
                hint="Move the post in the calendar to a later time. A run of its own publishes it then.",
            )
