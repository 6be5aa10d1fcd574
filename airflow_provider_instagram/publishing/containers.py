"""The container of a post: created once, resumed after an interruption, replaced only if a new one can help."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.exceptions import (
    ContainerExpiredError,
    InstagramError,
    MediaRejectedError,
    NotReadyError,
    ValidationError,
)
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.errors import Cause, cause_of
from airflow_provider_instagram.graph.fresh import read_after_create
from airflow_provider_instagram.graph.models import ContainerState
from airflow_provider_instagram.graph.upload import upload
from airflow_provider_instagram.ledger.ledger import Ledger, digest
from airflow_provider_instagram.ledger.records import ContainerRecord, Intent
from airflow_provider_instagram.posts.fields import canonical
from airflow_provider_instagram.publishing.fetches import check_link, not_fetched
from airflow_provider_instagram.publishing.outcome import undecided
from airflow_provider_instagram.utils.locations import shown
from airflow_provider_instagram.utils.throttle import Throttle

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import ContainerStatus
    from airflow_provider_instagram.posts.kinds import ItemKind
    from airflow_provider_instagram.posts.post import Post
    from airflow_provider_instagram.publishing.sources import MediaSource

log = logging.getLogger(__name__)

#: How many containers are created in a round, if each one fails. A fetch that failed counts only if it may have been
#: the file instead.
MOST_CONTAINERS = 3
MOST_DOUBTFUL_FETCHES = 8
# A container that is still not found after this time no longer exists.
VISIBLE_WITHIN = timedelta(minutes=2)


@dataclass(frozen=True)
class Upload:
    """The rest of a video that Instagram does not have yet.

    :param record: The container that waits for it.
    :param path: The video.
    :param offset: How many bytes Instagram has.
    """

    record: ContainerRecord
    path: Path
    offset: int = 0


@dataclass(frozen=True)
class ContainerCreator:
    """Creates the containers of one account.

    :param client: An open client of the account.
    :param ledger: The account's ledger.
    :param ig_user_id: The account's Instagram user id.
    :param round: The round of the task. The containers that failed in it are counted.
    :param try_number: Which try of the task this is in its round, from 1.
    """

    client: GraphClient
    ledger: Ledger
    ig_user_id: str
    round: str = ""
    try_number: int = 1

    def get_or_create(self, post_key: str, source: MediaSource, post: Post, publish_at: datetime | None = None) -> str:
        """Return the container of a post of one video or picture, and send the video if Instagram does not have it yet.

        :param post_key: The key of the post. The ledger has no finished post for it.
        :param source: The video or picture.
        :param publish_at: When the post will be published. A container that expires earlier is not reused.
        :return: The container's id.
        :raises InstagramError: If Instagram refuses, or no further container is worth creating.
        """
        if (kept := self.kept_for_open_intent(post_key)) is not None:
            return kept
        content = source.fingerprint(f"{source.kind} {canonical(post.parameters())}")
        records = reusable(self.ledger.containers(post_key), content, publish_at)
        if records and (status := self.status_if_usable(records, is_same=source.is_read)) is not None:
            record, rest = records[-1], unfinished_upload(records[-1], status, source)
        else:
            draft = draft_record(post_key, content, post, source.kind)
            record = self.create(draft, source, post.parameters())
            rest = unfinished_upload(record, None, source)
        if rest is not None:
            self.upload(rest)
        return record.container_id

    def kept_for_open_intent(self, post_key: str) -> str | None:
        """Return the container of an open intent that may be published already, or None if there is none.

        :raises OutcomeUnknownError: If the outcome cannot be determined.
        """
        for intent in self.ledger.open_intents(post_key):
            if self._may_be_published(intent):
                log.info("Keeping container %s, because it may be published already", intent.container_id)
                return intent.container_id
        return None

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
        raise undecided(self.ledger, intent, finding)

    def status_if_usable(self, records: list[ContainerRecord], *, is_same: bool = True) -> ContainerStatus | None:
        """Return the status of the latest container, or None if a new one should replace it.

        :param records: The containers that were created from the same media with the same options, oldest first.
        :param is_same: Whether the media are known to be the same, not only their names.
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
                return status
        used = sum(record.round == latest.round == (self.round or None) for record in records)
        if not_fetched(failure, latest.shows, is_fetched=latest.is_fetched) is not None:
            if used >= MOST_DOUBTFUL_FETCHES and cause_of(failure) is not Cause.NOT_FETCHED:
                raise failure
        elif used > new_containers or (not new_containers and is_same):
            raise failure
        elif used >= MOST_CONTAINERS:
            failure.hint = (
                f"{MOST_CONTAINERS} containers were created from these media with these options, and none became a "
                "post. Change the media or the options, or clear this task to start over."
            )
            raise failure
        log.warning("%s Creating a new container instead.", failure.message)
        return None

    def create(self, draft: ContainerRecord, source: MediaSource | None, parameters: dict[str, Any]) -> ContainerRecord:
        """Create a container, and record it.

        If the process dies before the record is written, the container stays unknown, is never published, and expires.

        :param draft: The record, without the container's id, time and upload address.
        :param source: Its video or picture, which is not sent yet. None for the parent of a carousel.
        :param parameters: Meta's other parameters.
        :return: The complete record.
        :raises MediaNotFetchedError: If Instagram could not fetch a link.
        """
        draft = replace(draft, round=self.round or None)
        if source is not None and source.video_file is not None:
            parameters = {**parameters, "upload_type": "resumable"}
        elif source is not None:
            link = source.fetched_from()
            if self.try_number > 1:
                check_link(link, source.kind, self.try_number)
            parameters = {**parameters, f"{source.kind}_url": link}
        try:
            container = self.client.send(calls.create_container(self.ig_user_id, parameters))
        except MediaRejectedError as error:
            is_fetched = source is not None and source.video_file is None
            raise not_fetched(error, draft.shows, is_fetched=is_fetched) or error from None
        uri = container.upload_uri
        record = replace(draft, container_id=container.id, created_at=self.ledger.now(), upload_uri=uri)
        self.ledger.record_container(record)
        log.info("Created container %s", container.id)
        if source is not None and source.video_file is not None and uri is None:
            raise ValidationError(
                f"Instagram returned no upload address for {shown(source.name)}.",
                hint='Use upload="url" instead, with the video at a public https address.',
            )
        return record

    def upload(self, rest: Upload) -> None:
        """Send the rest of a video to its container."""
        path, offset, throttle = rest.path, rest.offset, Throttle()

        def log_progress(sent: int, total: int) -> None:
            if throttle.is_due():
                per_s = max(1.0, (sent - offset) / throttle.elapsed_s)
                log.info("%.0f %%, %.1f MB/s, %.0f s left", 100 * sent / total, per_s / 1e6, (total - sent) / per_s)

        log.info("Uploading %s (%s bytes) from byte %s", path.name, f"{path.stat().st_size:,}", f"{offset:,}")
        uri, container_id = str(rest.record.upload_uri), rest.record.container_id
        upload(self.client, uri, path, container_id=container_id, offset=offset, on_progress=log_progress)
        log.info("Uploaded %s", path.name)


def draft_record(post_key: str, content: str, post: Post, shows: ItemKind | None) -> ContainerRecord:
    """Return the record of a post's container before it is created."""
    return ContainerRecord("", post_key, "", content, digest(post.caption), kind=post.kind, shows=shows)


def reusable(records: list[ContainerRecord], content: str, publish_at: datetime | None) -> list[ContainerRecord]:
    """Return the containers that have a content, and that do not expire before the post is published."""
    return [
        record
        for record in records
        if record.content == content and (publish_at is None or record.lives_until(publish_at))
    ]


def unfinished_upload(record: ContainerRecord, status: ContainerStatus | None, source: MediaSource) -> Upload | None:
    """Return what of a video is still to be sent, or None if Instagram has it or fetches it.

    :param record: The container.
    :param status: Its status, or None for a new container.
    :param source: Its video or picture.
    """
    if record.upload_uri is None or source.video_file is None:
        return None
    if status is None:
        return Upload(record, source.video_file)
    received = status.bytes_transferred or 0
    waits_for_bytes = status.state is ContainerState.IN_PROGRESS and status.uploading.status != "complete"
    if waits_for_bytes and received < source.video_file.stat().st_size:
        return Upload(record, source.video_file, received)
    return None
