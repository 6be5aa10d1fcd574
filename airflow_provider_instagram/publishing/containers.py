"""The containers of a post: created once, resumed after an interruption, replaced only if a new one can help."""

from __future__ import annotations

import contextvars
import hashlib
import logging
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from airflow_provider_instagram.exceptions import (
    ContainerExpiredError,
    InstagramError,
    MediaRejectedError,
    NotReadyError,
    ValidationError,
)
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.errors import Cause, cause_of
from airflow_provider_instagram.graph.listing import read_after_create
from airflow_provider_instagram.graph.models import ContainerState, ContainerStatus
from airflow_provider_instagram.graph.readiness import VISIBLE_WITHIN, shows_none
from airflow_provider_instagram.graph.upload import VideoUpload
from airflow_provider_instagram.ledger.ledger import Ledger, digest
from airflow_provider_instagram.ledger.records import ContainerRecord, Intent
from airflow_provider_instagram.posts.fields import canonical
from airflow_provider_instagram.posts.kinds import ItemKind, PostKind
from airflow_provider_instagram.publishing.outcome import undecided
from airflow_provider_instagram.publishing.sources import MediaSource, check_link, not_fetched
from airflow_provider_instagram.utils.urls import shown

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.posts.item import Parameters
    from airflow_provider_instagram.posts.post import Post

log = logging.getLogger(__name__)

#: How many containers are created in a round, if each one fails.
MOST_CONTAINERS = 3
#: The same if each failure may be a fetch that failed, or a file that is unfit. What is certainly a
#: fetch is tried again without a limit.
MOST_DOUBTFUL_FETCHES = 8
#: What a lost answer to create means.
UNUSED: Final = (
    "If Instagram has created a container, nothing publishes it, and it expires by itself."
)
SPONSORS: Final = "branded_content_sponsor_ids"
#: An Instagram user id, beside which a user name may have digits only, too.
_ID: Final = re.compile(r"[0-9]{15,20}")
#: How many videos of a carousel are uploaded at the same time.
UPLOADS_AT_ONCE: Final = 3


#: A container, its status if it is not new, and its media.
Made: TypeAlias = tuple[ContainerRecord, ContainerStatus | None, MediaSource]
#: How often an upload reports its progress, in seconds.
REPORT_EVERY_S: Final = 5.0


@dataclass(frozen=True)
class PreparedCarousel:
    """A carousel whose items all have a container, and that has no parent yet.

    :param content: The digest of its items and options.
    :param child_ids: The containers of its items, in their order.
    :param pictures: Those of them that may still be processed, as are ``videos``.
    """

    content: str
    child_ids: list[str]
    pictures: list[str]
    videos: list[str]


def content_of(
    post: Post, sources: Sequence[MediaSource], contents: Sequence[str] | None = None
) -> str:
    """Return the digest of the media and options of a post.

    :param contents: The digests of the items of a carousel, if they are known.
    """
    options = canonical(post.parameters())
    if not post.carousel:
        (source,) = sources
        return source.fingerprint(f"{source.kind} {options}")
    parts = [options, *(contents or _contents_of_items(post, sources))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _contents_of_items(post: Post, sources: Sequence[MediaSource]) -> list[str]:
    items = zip(post.carousel, sources, strict=True)
    return [source.fingerprint(canonical(item.parameters())) for item, source in items]


@dataclass(frozen=True)
class ContainerCreator:
    """Creates the containers of one post, for which the ledger has no finished post.

    A carousel:

    1. For each item, find its container in the ledger, or create one and record it. One after the
       other, so that a process that dies leaves at most one container that no record names.
    2. Upload what is missing of the videos, several at the same time.
    3. The caller waits until all items are processed.
    4. Create the parent, and record it.

    If the process dies at any step, the next try finds the recorded containers, and continues their
    uploads. An error says that Instagram refuses, or that no further container is worth creating.

    :param client: An open client of the account.
    :param publish_at: When the post will be published. A container that expires earlier is not
        reused.
    :param round: The round of the task. The containers that failed in it are counted.
    :param try_number: Which try of the task this is in its round, from 1.
    """

    client: GraphClient
    ledger: Ledger
    ig_user_id: str
    post_key: str
    post: Post
    publish_at: datetime | None = None
    round: str = ""
    try_number: int = 1

    def get_or_create(self, source: MediaSource) -> str:
        """Return the container of one video or picture, and send the video if Instagram does not have it yet."""
        if (kept := self._kept_for_open_intent()) is not None:
            return kept
        draft = self._draft(content_of(self.post, [source]), source.kind)
        known = self.ledger.containers(self.post_key)
        record, status = self._found_or_created(known, draft, source, self.post.parameters())
        self._upload_all([(record, status, source)])
        return record.container_id

    def prepare(self, sources: Sequence[MediaSource]) -> str | PreparedCarousel:
        """Return the parent of a carousel if it exists, or else the containers of its items: steps 1 and 2."""
        contents = _contents_of_items(self.post, sources)
        content = content_of(self.post, sources, contents)
        if (parent := self._existing_parent(content)) is not None:
            return parent
        known = self.ledger.children(self.post_key)
        made: list[Made] = []
        unread: dict[ItemKind, list[str]] = {ItemKind.PICTURE: [], ItemKind.VIDEO: []}
        for place, (item, source) in enumerate(zip(self.post.carousel, sources, strict=True)):
            draft = ContainerRecord(
                "",
                self.post_key,
                "",
                contents[place],
                kind=PostKind.CAROUSEL,
                shows=source.kind,
                item=place,
            )
            own = [record for record in known if record.item == place]
            record, status = self._found_or_created(own, draft, source, item.parameters())
            made.append((record, status, source))
            if status is None or not status.is_terminal:
                unread[source.kind].append(record.container_id)
        self._upload_all(made)
        child_ids = [record.container_id for record, _, _ in made]
        return PreparedCarousel(
            content, child_ids, unread[ItemKind.PICTURE], unread[ItemKind.VIDEO]
        )

    def get_or_create_parent(self, content: str, child_ids: list[str]) -> str:
        """Return the parent of a carousel whose items are all processed: step 4."""
        if (parent := self._existing_parent(content)) is not None:
            return parent
        parameters = {**self.post.parameters(), "children": child_ids}
        try:
            return self._create(self._draft(content, None), None, parameters).container_id
        except MediaRejectedError as error:
            if cause_of(error) is Cause.INVALID_CHILDREN:
                if shows_none(self.client, self.ig_user_id):
                    raise NotReadyError(
                        f"The items of the carousel are not processed yet: {error.message}",
                        hint="The task is tried again.",
                    ) from error
                self.ledger.discard_children(self.post_key)
                error.hint = "Clear this task to create new containers for the items."
            raise

    def _found_or_created(
        self,
        known: list[ContainerRecord],
        draft: ContainerRecord,
        source: MediaSource,
        parameters: Parameters,
    ) -> tuple[ContainerRecord, ContainerStatus | None]:
        """Return the latest container of a content with its status, or a new one."""
        reused = self._reusable(known, draft.content, is_same=source.is_read)
        return reused or (self._create(draft, source, parameters), None)

    def _existing_parent(self, content: str) -> str | None:
        if (kept := self._kept_for_open_intent()) is not None:
            return kept
        reused = self._reusable(self.ledger.containers(self.post_key), content)
        return reused and reused[0].container_id

    def _kept_for_open_intent(self) -> str | None:
        """Return the container of an open intent that may be published already, or None if there is none.

        :raises OutcomeUnknownError: If the outcome cannot be determined.
        """
        for intent in self.ledger.open_intents(self.post_key):
            if self._may_be_published(intent):
                log.info(
                    "Keeping container %s, because it may be published already", intent.container_id
                )
                return intent.container_id
        return None

    def _may_be_published(self, intent: Intent) -> bool:
        """Read a container that has an open intent.

        :return: Whether the container is usable or published. If False, it expired unpublished and
            may be replaced.
        :raises OutcomeUnknownError: If the outcome cannot be determined.
        """
        try:
            status = read_after_create(self.client, calls.container_status(intent.container_id))
        except NotReadyError as error:
            if shows_none(self.client, self.ig_user_id):
                return True
            finding = f"can no longer be found ({error.message})"
        else:
            if status.state is not ContainerState.ERROR:
                return status.state is not ContainerState.EXPIRED
            finding = f"reports: {status.summary()}"
        raise undecided(self.ledger, intent, finding)

    def _reusable(
        self, records: list[ContainerRecord], content: str, *, is_same: bool = True
    ) -> tuple[ContainerRecord, ContainerStatus] | None:
        """Return the latest container with a content, and its status, or None if a new one is to be created.

        :param is_same: Whether the media are known to be the same, not only their names.
        """
        at = self.publish_at
        same = [
            one for one in records if one.content == content and (at is None or one.lives_until(at))
        ]
        status = self._status_if_usable(same, is_same=is_same) if same else None
        return None if status is None else (same[-1], status)

    def _status_if_usable(
        self, records: list[ContainerRecord], *, is_same: bool
    ) -> ContainerStatus | None:
        """Return the status of the latest container, or None if a new one should replace it."""
        latest = records[-1]
        failure: InstagramError | None
        try:
            status = read_after_create(self.client, calls.container_status(latest.container_id))
        except NotReadyError as error:
            if latest.age(self.ledger.clock()) < VISIBLE_WITHIN:
                raise
            # how much it has of a video that is sent, only its status says
            if latest.upload_uri is None and shows_none(self.client, self.ig_user_id):
                return ContainerStatus(latest.container_id)
            failure = ContainerExpiredError(
                f"Container {latest.container_id} no longer exists: {error.message}"
            )
            new_containers = MOST_CONTAINERS
        else:
            failure = status.failure()
            new_containers = status.new_containers
            if failure is None:
                log.info("Continuing with container %s: %s", latest.container_id, status.summary())
                return status
        if latest.item is not None:
            location = shown(self.post.carousel[latest.item].location)
            failure.message = f"Item {latest.item + 1}, {location}: {failure.message}"
        made_in_round = sum(
            record.round == latest.round == (self.round or None) for record in records
        )
        if not_fetched(failure, latest.shows, is_fetched=latest.is_fetched) is not None:
            if (
                made_in_round >= MOST_DOUBTFUL_FETCHES
                and cause_of(failure) is not Cause.NOT_FETCHED
            ):
                raise failure
        elif made_in_round > new_containers or (not new_containers and is_same):
            raise failure
        elif made_in_round >= MOST_CONTAINERS:
            failure.hint = (
                f"{MOST_CONTAINERS} containers were created from these media with these options, and none became a "
                "post. Change the media or the options, or clear this task to start over."
            )
            raise failure
        log.warning("%s Creating a new container instead.", failure.message)
        return None

    def _draft(self, content: str, shows: ItemKind | None) -> ContainerRecord:
        caption = digest(self.post.caption)
        return ContainerRecord(
            "", self.post_key, "", content, caption, kind=self.post.kind, shows=shows
        )

    def _create(
        self, draft: ContainerRecord, source: MediaSource | None, parameters: Parameters
    ) -> ContainerRecord:
        """Create a container, and record it.

        If the process dies before the record is written, the container stays unknown, is never
        published, and expires.

        :param source: Its video or picture, which is not sent yet. None for the parent of a
            carousel.
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
        parameters = self._with_ids(parameters)
        try:
            container = self.client.send(calls.create_container(self.ig_user_id, parameters))
        except MediaRejectedError as error:
            is_fetched = source is not None and source.video_file is None
            raise not_fetched(error, draft.shows, is_fetched=is_fetched) or error from None
        except InstagramError as error:
            if error.outcome_unknown:
                error.hint = " ".join(filter(None, (UNUSED, error.hint)))
            raise
        uri = container.upload_uri
        record = replace(
            draft, container_id=container.id, created_at=self.ledger.now(), upload_uri=uri
        )
        self.ledger.record_container(record)
        log.info("Created container %s", container.id)
        if source is not None and source.video_file is not None and uri is None:
            raise ValidationError(
                f"Instagram returned no upload address for {shown(source.name)}.",
                hint='Use upload="url" instead, with the video at a public https address.',
            )
        return record

    def _with_ids(self, parameters: Parameters) -> Parameters:
        """Return the parameters with the ids of the sponsors, which authors give by their names, too.

        :raises MediaRejectedError: No professional account has the name.
        """
        if (sponsors := parameters.get(SPONSORS)) is None:
            return parameters
        return {**parameters, SPONSORS: [self._user_id(sponsor) for sponsor in sponsors]}

    def _user_id(self, id_or_name: str) -> str:
        if _ID.fullmatch(id_or_name):
            return id_or_name
        return self.client.send(calls.account_of_name(self.ig_user_id, id_or_name)).user_id

    def _upload_all(self, made: Sequence[Made]) -> None:
        """Send what is missing of the videos, and raise the first error once all uploads have ended."""
        rests = [self._unfinished_upload(*one) for one in made]
        uploads = [rest for rest in rests if rest is not None]
        if len(uploads) == 1:
            self._upload(uploads[0])
            return
        with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
            sent = [
                pool.submit(contextvars.copy_context().run, self._upload, one) for one in uploads
            ]
        for one in sent:
            one.result()

    def _upload(self, rest: VideoUpload) -> None:
        name = rest.video.name
        offset = rest.offset
        started_s = reported_s = time.monotonic()

        def log_progress(sent: int, total: int) -> None:
            nonlocal reported_s
            now_s = time.monotonic()
            if now_s - reported_s < REPORT_EVERY_S:
                return
            reported_s = now_s
            per_s = max(1.0, (sent - offset) / (now_s - started_s))
            log.info(
                "%.0f %%, %.1f MB/s, %.0f s left",
                100 * sent / total,
                per_s / 1e6,
                (total - sent) / per_s,
            )

        log.info(
            "Uploading %s (%s bytes) from byte %s",
            name,
            f"{rest.video.stat().st_size:,}",
            f"{offset:,}",
        )
        replace(rest, on_progress=log_progress).send()
        log.info("Uploaded %s", name)

    def _unfinished_upload(
        self, record: ContainerRecord, status: ContainerStatus | None, source: MediaSource
    ) -> VideoUpload | None:
        """Return what of a video is still to be sent, or None if Instagram has it or fetches it."""
        if record.upload_uri is None or source.video_file is None:
            return None
        upload = VideoUpload(self.client, record.upload_uri, source.video_file, record.container_id)
        if status is None:
            return upload
        received = status.bytes_transferred or 0
        waits_for_bytes = (
            status.state is ContainerState.IN_PROGRESS and status.uploading.status != "complete"
        )
        if waits_for_bytes and received < source.video_file.stat().st_size:
            return replace(upload, offset=received)
        return None
