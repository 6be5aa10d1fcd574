"""The container of a post: created once, resumed after an interruption, replaced only if a new one can help."""

from __future__ import annotations

import hashlib
import json
import logging
import shlex
import time
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_instagram.exceptions import (
    ContainerExpiredError,
    InstagramError,
    NotReadyError,
    OutcomeUnknownError,
    ValidationError,
)
from airflow_provider_instagram.files.locations import shown
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.fresh import read_after_create
from airflow_provider_instagram.graph.models import ContainerState
from airflow_provider_instagram.graph.upload import upload
from airflow_provider_instagram.ledger.ledger import Ledger, digest
from airflow_provider_instagram.ledger.records import ContainerRecord, Intent

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import Container, ContainerStatus
    from airflow_provider_instagram.publishing.options import ContainerOptions

log = logging.getLogger(__name__)

MOST_CONTAINERS = 3
# A container that is still not found after this time no longer exists.
VISIBLE_WITHIN = timedelta(minutes=2)
SAY_PROGRESS_EVERY_S = 5.0
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Video:
    """A video to send to Instagram, as bytes or as a link.

    :param name: The location that the user gave. May be a signed link, so it is shown without its query.
    :param path: The local file whose bytes are sent.
    :param link: The link that Instagram fetches instead. May be presigned, so it is never shown.
    """

    name: str = field(repr=False)
    path: Path | None = None
    link: str | None = field(default=None, repr=False)

    def fingerprint(self, options: ContainerOptions) -> str:
        """Return a digest of the options and the video: of its bytes, or of its name if Instagram fetches it."""
        made_of = hashlib.sha256(json.dumps(asdict(options), sort_keys=True).encode())
        if self.path is None:
            made_of.update(self.name.encode())
            return made_of.hexdigest()
        with self.path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                made_of.update(block)
        return made_of.hexdigest()


@dataclass
class ContainerCreator:
    """Creates the containers of one account.

    :param client: An open client of the account.
    :param ledger: The account's ledger.
    :param ig_user_id: The account's Instagram user id.
    """

    client: GraphClient
    ledger: Ledger
    ig_user_id: str

    def get_or_create(
        self, post_key: str, video: Video, options: ContainerOptions, publish_at: datetime | None = None
    ) -> str:
        """Return the container of a post, and send its video if Instagram does not have it yet.

        :param post_key: The key of the post. The ledger has no finished post for it.
        :param video: The video.
        :param options: Everything but the video.
        :param publish_at: When the post will be published. A container that expires earlier is not reused.
        :return: The container's id.
        :raises InstagramError: If Instagram refuses, or no further container is worth creating.
        """
        for intent in self.ledger.open_intents(post_key):
            if self._may_be_published(intent):
                log.info("Keeping container %s, because it may be published already", intent.container_id)
                return intent.container_id
        content = video.fingerprint(options)
        made = [
            one
            for one in self.ledger.containers(post_key)
            if one.content == content and (publish_at is None or one.lives_until(publish_at))
        ]
        if made and self._continued(made, video):
            return made[-1].container_id
        return self._new(post_key, video, options, content)

    def _may_be_published(self, intent: Intent) -> bool:
        """Read a container that has an open intent.

        :return: Whether the container is usable or published. If False, it expired unpublished and may be replaced.
        :raises OutcomeUnknownError: If the outcome cannot be determined.
        """
        try:
            status = read_after_create(self.client, calls.container_status(intent.container_id))
        except NotReadyError as error:
            word = f"can no longer be found ({error.message})"
        else:
            if status.state is not ContainerState.ERROR:
                return status.state is not ContainerState.EXPIRED
            word = f"reports: {status.summary()}"
        raise OutcomeUnknownError(
            f"A task started to publish container {intent.container_id}, and the container {word}.",
            hint=self.ledger.how_to_settle(intent.post_key),
        )

    def _continued(self, made: list[ContainerRecord], video: Video) -> bool:
        """Continue with the latest container. Return False if a new one should replace it."""
        last = made[-1]
        failure: InstagramError | None
        try:
            status = read_after_create(self.client, calls.container_status(last.container_id))
        except NotReadyError as error:
            if self.ledger.clock() - datetime.fromisoformat(last.created_at) < VISIBLE_WITHIN:
                raise
            failure = ContainerExpiredError(f"Container {last.container_id} no longer exists: {error.message}")
            cures = MOST_CONTAINERS
        else:
            failure, cures = status.failure(), status.new_containers
            if failure is None:
                log.info("Continuing with container %s: %s", last.container_id, status.summary())
                self._finish_upload(last, status, video)
                return True
        if len(made) > cures:
            raise failure
        if len(made) >= MOST_CONTAINERS:
            failure.hint = (
                f"{MOST_CONTAINERS} containers were created from this video with these options, and none became a "
                "post. Change the video or the options, or start over with "
                f"`{self.ledger.command('forget')} -- {shlex.quote(last.post_key)}`."
            )
            raise failure
        log.warning("%s Creating a new container instead.", failure.message)
        return False

    def _finish_upload(self, made: ContainerRecord, status: ContainerStatus, video: Video) -> None:
        there = status.bytes_transferred or 0
        if made.upload_uri is None or video.path is None:
            return
        waits_for_bytes = status.state is ContainerState.IN_PROGRESS and status.uploading.status != "complete"
        if waits_for_bytes and there < video.path.stat().st_size:
            self._upload(made.container_id, made.upload_uri, video.path, offset=there)

    def _new(self, post_key: str, video: Video, options: ContainerOptions, content: str) -> str:
        container = self._create(video, options)
        made = ContainerRecord(
            container.id, post_key, self.ledger.now(), content, digest(options.caption), container.upload_uri
        )
        self.ledger.record_container(made)
        log.info("Created container %s", container.id)
        if video.path is not None:
            if container.upload_uri is None:
                raise ValidationError(
                    f"Instagram returned no upload address for {shown(video.name)}.",
                    hint='Use upload="url" instead, with the video at a public https address.',
                )
            self._upload(container.id, container.upload_uri, video.path, offset=0)
        return container.id

    def _create(self, video: Video, options: ContainerOptions) -> Container:
        return self.client.send(
            calls.create_container(
                self.ig_user_id,
                video_url=video.link,
                upload_type="resumable" if video.path is not None else None,
                caption=options.caption or None,
                thumb_offset=options.video_cover_timestamp_ms,
                cover_url=options.cover_url,
                share_to_feed=True if options.placement == "feed" else options.share_to_feed,
                location_id=options.location_id,
                collaborators=options.collaborators,
                user_tags=options.user_tags,
                audio_name=options.audio_name,
                trial_graduation=options.trial_graduation,
                is_ai_generated=options.is_ai_generated,
            )
        )

    def _upload(self, container_id: str, uri: str, video: Path, *, offset: int) -> None:
        log.info("Uploading %s (%s bytes) from byte %s", video.name, f"{video.stat().st_size:,}", f"{offset:,}")
        progress = _UploadProgress(offset)
        upload(self.client, uri, video, container_id=container_id, offset=offset, on_progress=progress.say)
        log.info("Uploaded %s", video.name)


class _UploadProgress:
    """Logs the progress of an upload, at most once in five seconds."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._started_s = self._said_s = time.monotonic()

    def say(self, sent: int, total: int) -> None:
        now_s = time.monotonic()
        if now_s - self._said_s < SAY_PROGRESS_EVERY_S:
            return
        self._said_s = now_s
        per_s = max(1.0, (sent - self._offset) / (now_s - self._started_s))
        log.info("%.0f %%, %.1f MB/s, %.0f s left", 100 * sent / total, per_s / 1e6, (total - sent) / per_s)
