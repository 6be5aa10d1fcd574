"""The operator that creates the container of a post."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.exceptions import (
    ContainerExpiredError,
    MediaRejectedError,
    PermissionDeniedError,
    ValidationError,
)
from airflow_provider_instagram.files import locations, storage
from airflow_provider_instagram.ledger.assets import ledger_alias
from airflow_provider_instagram.ledger.events import pin_ledger_asset
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import CONTAINER_LIFE, EXPIRY_MARGIN, Owner
from airflow_provider_instagram.operators.base import InstagramBaseOperator
from airflow_provider_instagram.publishing.options import OPTIONS, ContainerOptions
from airflow_provider_instagram.utils import arguments

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from airflow.sdk import Context, XComArg

    from airflow_provider_instagram.exceptions import InstagramError
    from airflow_provider_instagram.publishing.containers import VideoSource

UPLOADS = ("auto", "file", "url")
PROCESSING_TIMEOUT = timedelta(minutes=30)
POLL_INTERVAL = timedelta(seconds=5)
#: Failures of a container that a new container may fix.
REPLACEABLE = (MediaRejectedError, ContainerExpiredError)


class CreateContainerOperator(InstagramBaseOperator):
    """Create the container of a post, and send the video to it.

    For a ``post_key`` that has a container already (after a retry, a Clear or in a new run), the operator returns that
    container, and resumes an interrupted upload. Returns the container's id.

    :param video: A local path or ``file://``, a URI that ObjectStoragePath opens, or an ``https://`` address.
    :param caption: The text of the post: up to 2,200 UTF-16 units, 30 hashtags and 20 @mentions. It is never read as
        the name of a file.
    :param placement: ``reels`` or ``feed``.
    :param video_cover_timestamp_ms: The cover frame, in ms from the start of the video. Default: the first frame.
    :param cover_url: Address of a JPEG up to 8 MB to use as the cover. Overrides ``video_cover_timestamp_ms``.
    :param location_id: Id of a Facebook Page with a location.
    :param collaborators: Up to three user names to invite.
    :param user_tags: User names to tag.
    :param share_to_feed: Whether a reel also appears in the feed. If not set, Instagram decides.
    :param audio_name: A name for the reel's original sound.
    :param trial_graduation: Publish a trial reel: ``MANUAL`` or ``SS_PERFORMANCE``.
    :param is_ai_generated: Whether to label the post as made with AI.
    :param upload: ``file`` sends the bytes, ``url`` sends Instagram a link, ``auto`` chooses by the video's location.
    :param publish_at: When the post will be published. The task fails if the container would expire before. The time
        is not sent to Instagram.
    :param post_key: The key under which the post is published exactly once. Default:
        ``dag_id/run_id/task_id/map_index``, followed by the pass in a loop. In a mapped task, the index is a
        position, so set a key if the list may change.
    :param wait_for_completion: Whether to wait until Instagram has processed the container. If the container fails for
        a reason that a new one can fix, the task creates a new one, up to three in total.
    :param deferrable: Whether to wait in the triggerer. Used only if ``wait_for_completion`` is true.
    :param instagram_conn_id: The Airflow connection of the account, as plain text.
    """

    template_fields: Sequence[str] = (
        "video",
        *OPTIONS,
        "upload",
        "publish_at",
        "post_key",
        "wait_for_completion",
        "deferrable",
    )
    ui_color = "#fdf1f6"

    def __init__(
        self,
        *,
        video: str | XComArg,
        caption: str | XComArg = "",
        placement: str | XComArg = "reels",
        video_cover_timestamp_ms: int | str | XComArg | None = None,
        cover_url: str | XComArg | None = None,
        location_id: str | XComArg | None = None,
        collaborators: list[str] | str | XComArg | None = None,
        user_tags: list[Any] | str | XComArg | None = None,
        share_to_feed: bool | str | XComArg | None = None,
        audio_name: str | XComArg | None = None,
        trial_graduation: str | XComArg | None = None,
        is_ai_generated: bool | str | XComArg | None = None,
        upload: str | XComArg = "auto",
        publish_at: datetime | str | XComArg | None = None,
        post_key: str | XComArg | None = None,
        wait_for_completion: bool | str | XComArg = False,
        deferrable: bool | str | XComArg = True,
        **kwargs: Any,
    ) -> None:
        options = {name: value for name, value in locals().items() if name in OPTIONS}
        super().__init__(**kwargs)
        self.video = video
        for name, value in options.items():
            setattr(self, name, value)
        self.upload = upload
        self.publish_at = publish_at
        self.post_key = post_key
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable

    @classmethod
    def account_outlets(cls, conn_id: str) -> list[Any]:
        """Return the alias that keeps the ledger after the DAG is deleted."""
        return [ledger_alias(conn_id)]

    def execute(self, context: Context) -> str:
        """Create the container unless the ledger has it, send the video, and wait if ``wait_for_completion`` is set."""
        options = ContainerOptions.read(**{name: getattr(self, name) for name in OPTIONS})
        video = arguments.required_text("video", self.video)
        mode = self._upload_mode()
        self._check_expiry(arguments.moment("publish_at", self.publish_at))
        post_key = arguments.text("post_key", self.post_key) or str(Owner.of(context))
        ledger = Ledger.of(context, self.instagram_conn_id)
        if (post := ledger.post(post_key)) is not None:
            self.log.info("%s is already published, from container %s", post_key, post.container_id)
            return post.container_id
        if mode == "url" or (mode == "auto" and locations.is_web(video)):
            container_id = self._container_from_link(ledger, post_key, video, options)
        else:
            container_id = self._container_from_file(ledger, post_key, video, options, mode)
        if arguments.boolean("wait_for_completion", self.wait_for_completion):
            try:
                self._wait(container_id)
            except REPLACEABLE as failure:
                return self._replace(context, failure)
        pin_ledger_asset(context, ledger)
        return container_id

    def execute_complete(self, context: Context, event: dict[str, Any]) -> str:
        """Continue after the wait in the triggerer."""
        from airflow_provider_instagram.triggers.container import processed_container

        try:
            container_id = processed_container(event)
        except REPLACEABLE as failure:
            return self._replace(context, failure)
        pin_ledger_asset(context, Ledger.of(context, self.instagram_conn_id))
        return container_id

    def on_kill(self) -> None:
        """Remove the copy of a remote video when the task is killed."""
        storage.abandon_copies()

    def _replace(self, context: Context, failure: InstagramError) -> str:
        """Create a new container if that can help. Otherwise, raise the failure."""
        self.log.warning("%s", failure)
        return str(self.execute(context))

    def _upload_mode(self) -> str:
        mode = (arguments.text("upload", self.upload) or "auto").lower()
        if mode not in UPLOADS:
            raise ValidationError(f"upload is {mode!r}: use one of {', '.join(UPLOADS)}.")
        return mode

    def _container_from_link(self, ledger: Ledger, post_key: str, video: str, options: ContainerOptions) -> str:
        """Have Instagram fetch the video, from its own address or by a presigned link to object storage."""
        from airflow_provider_instagram.publishing.containers import VideoSource

        link = video
        if not locations.is_web(video) and not locations.is_local(video):
            link = storage.presigned(video, CONTAINER_LIFE)
        if not locations.is_public_url(link):
            raise ValidationError(
                f"Instagram cannot fetch {locations.shown(video)}: a link must be https, in plain ASCII, and public.",
                hint='Send the bytes of a local file: upload="file". In a link, percent-encode all other characters.',
            )
        return self._container(ledger, post_key, VideoSource(video, link=link), options)

    def _container_from_file(
        self, ledger: Ledger, post_key: str, video: str, options: ContainerOptions, mode: str
    ) -> str:
        """Send the video's bytes, or its link if the account is not allowed to upload and the video has a link."""
        from airflow_provider_instagram.publishing.containers import VideoSource

        with storage.as_local_file(video) as path:
            self._check_cover(path, options)
            try:
                return self._container(ledger, post_key, VideoSource(video, path=path), options)
            except PermissionDeniedError as error:
                if mode != "auto" or locations.is_local(video):
                    raise
                self.log.warning("%s Sending Instagram a link instead.", error.message)
        return self._container_from_link(ledger, post_key, video, options)

    def _container(self, ledger: Ledger, post_key: str, video: VideoSource, options: ContainerOptions) -> str:
        from airflow_provider_instagram.hooks.instagram import InstagramHook
        from airflow_provider_instagram.publishing.containers import ContainerCreator

        hook = InstagramHook(self.instagram_conn_id)
        with hook.get_conn() as client:
            creator = ContainerCreator(client, ledger, hook.ig_user_id(client))
            publish_at = arguments.moment("publish_at", self.publish_at)
            return creator.get_or_create(post_key, video, options, publish_at)

    def _check_expiry(self, publish_at: datetime | None) -> None:
        longest_s = (CONTAINER_LIFE - EXPIRY_MARGIN).total_seconds()
        if publish_at is None or publish_at.timestamp() - time.time() <= longest_s:
            return
        raise ValidationError(
            f"A container created now expires before publish_at, {publish_at.isoformat()}.",
            hint="Create it at most 23.5 hours ahead: schedule the run closer to publish_at.",
        )

    def _check_cover(self, video: Path, options: ContainerOptions) -> None:
        if not options.video_cover_timestamp_ms:
            return
        from airflow.sdk import conf

        from airflow_provider_instagram.media.probe import probe

        duration_ms = 1000 * probe(video, ffprobe=conf.get("instagram", "ffprobe")).duration_s
        if options.video_cover_timestamp_ms > duration_ms:
            raise ValidationError(
                f"video_cover_timestamp_ms is {options.video_cover_timestamp_ms}, but {video.name} ends at "
                f"{duration_ms:.0f} ms.",
                hint="Use a time within the video.",
            )

    def _wait(self, container_id: str) -> None:
        if arguments.boolean("deferrable", self.deferrable) is False:
            from airflow_provider_instagram.hooks.instagram import InstagramHook
            from airflow_provider_instagram.publishing.readiness import wait_until_ready

            with InstagramHook(self.instagram_conn_id).get_conn() as client:
                wait_until_ready(client, container_id, PROCESSING_TIMEOUT, POLL_INTERVAL)
            return
        from airflow_provider_instagram.triggers.container import HEAD_START, ContainerStatusTrigger

        self.defer(
            trigger=ContainerStatusTrigger(
                self.instagram_conn_id,
                container_id,
                POLL_INTERVAL.total_seconds(),
                time.time() + PROCESSING_TIMEOUT.total_seconds(),
            ),
            method_name="execute_complete",
            timeout=PROCESSING_TIMEOUT + HEAD_START,
        )
