"""The container of a post: created once, resumed after an interruption, replaced only if a new one can help."""

from __future__ import annotations

import hashlib
import json
import logging
import shlex
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
from airflow_provider_instagram.media.files import file_digest
from airflow_provider_instagram.utils.throttle import Throttle

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import ContainerStatus
    from airflow_provider_instagram.publishing.options import ContainerOptions

log = logging.getLogger(__name__)

MOST_CONTAINERS = 3
# A container that is still not found after this time no longer exists.
VISIBLE_WITHIN = timedelta(minutes=2)


@dataclass(frozen=True)
class VideoSource:
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
        prefix = json.dumps(asdict(options), sort_keys=True).encode()
        if self.path is None:
            return hashlib.sha256(prefix + self.name.encode()).hexdigest()
        return file_digest(self.path, prefix=prefix)


@dataclass(frozen=True)
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
        self, post_key: str, video: VideoSource, options: ContainerOptions, publish_at: datetime | None = None
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
        records = [
            record
            for record in self.ledger.containers(post_key)
            if record.content == content and (publish_at is None or record.lives_until(publish_at))
        ]
        if records and self._resume(records, video):
            return records[-1].container_id
        return self._create_new(post_key, video, options, content)

    def _may_be_published(self, intent: Intent) -> bool:
        """Read a container that has an open intent.

        :return: Whether the container is usable or published. If False, it expired unpublished and may be replaced.
        :raises OutcomeUnknownError: If the outcome cannot be determined.
        """
        try:
            status = read_after_create(self.client, calls.container_status(intent.container_id))
        except NotReadyError as error:
            finding = f"can no longer be found ({error.message})"
        else:
            if status.state is not ContainerState.ERROR:
                return status.state is not ContainerState.EXPIRED
            finding = f"reports: {status.summary()}"
        raise OutcomeUnknownError(
            f"A task started to publish container {intent.container_id}, and the container {finding}.",
            hint=self.ledger.how_to_settle(intent.post_key),
        )

    def _resume(self, records: list[ContainerRecord], video: VideoSource) -> bool:
        """Resume the latest container. Return False if a new one should replace it.

        :param records: The containers that were created from this video with these options, oldest first.
        :param video: The video.
        :raises InstagramError: If the container failed, and no new one can help.
        """
        latest = records[-1]
        failure: InstagramError | None
        try:
            status = read_after_create(self.client, calls.container_status(latest.container_id))
        except NotReadyError as error:
            if self.ledger.clock() - datetime.fromisoformat(latest.created_at) < VISIBLE_WITHIN:
                raise
            failure = ContainerExpiredError(f"Container {latest.container_id} no longer exists: {error.message}")
            new_containers = MOST_CONTAINERS
        else:
            failure, new_containers = status.failure(), status.new_containers
            if failure is None:
                log.info("Continuing with container %s: %s", latest.container_id, status.summary())
                self._resume_upload(latest, status, video)
                return True
        if len(records) > new_containers:
            raise failure
        if len(records) >= MOST_CONTAINERS:
            failure.hint = (
                f"{MOST_CONTAINERS} containers were created from this video with these options, and none became a "
                "post. Change the video or the options, or start over with "
                f"`{self.ledger.command('forget')} -- {shlex.quote(latest.post_key)}`."
            )
            raise failure
        log.warning("%s Creating a new container instead.", failure.message)
        return False

    def _resume_upload(self, record: ContainerRecord, status: ContainerStatus, video: VideoSource) -> None:
        received = status.bytes_transferred or 0
        if record.upload_uri is None or video.path is None:
            return
        waits_for_bytes = status.state is ContainerState.IN_PROGRESS and status.uploading.status != "complete"
        if waits_for_bytes and received < video.path.stat().st_size:
            self._upload(record.container_id, record.upload_uri, video.path, offset=received)

    def _create_new(self, post_key: str, video: VideoSource, options: ContainerOptions, content: str) -> str:
        """Create a container, record it, and send the video to it.

        If the process dies before the record is written, the container stays unknown, is never published, and expires.
        """
        container = self.client.send(
            calls.create_container(
                self.ig_user_id,
                video_url=video.link,
                upload_type="resumable" if video.path is not None else None,
                **options.call_arguments(),
            )
        )
        caption, uri = digest(options.caption), container.upload_uri
        self.ledger.record_container(ContainerRecord(container.id, post_key, self.ledger.now(), content, caption, uri))
        log.info("Created container %s", container.id)
        if video.path is not None:
            if uri is None:
                raise ValidationError(
                    f"Instagram returned no upload address for {shown(video.name)}.",
                    hint='Use upload="url" instead, with the video at a public https address.',
                )
            self._upload(container.id, uri, video.path, offset=0)
        return container.id

    def _upload(self, container_id: str, uri: str, path: Path, *, offset: int) -> None:
        throttle = Throttle()

        def log_progress(sent: int, total: int) -> None:
            if throttle.is_due():
                per_s = max(1.0, (sent - offset) / throttle.elapsed_s)
                log.info("%.0f %%, %.1f MB/s, %.0f s left", 100 * sent / total, per_s / 1e6, (total - sent) / per_s)

        log.info("Uploading %s (%s bytes) from byte %s", path.name, f"{path.stat().st_size:,}", f"{offset:,}")
        upload(self.client, uri, path, container_id=container_id, offset=offset, on_progress=log_progress)
        log.info("Uploaded %s", path.name)
