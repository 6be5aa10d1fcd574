"""Create the container of a post, send the media to it, and see it through Instagram's processing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.exceptions import (
    ContainerExpiredError,
    InstagramError,
    MediaNotFetchedError,
    MediaRejectedError,
    NotReadyError,
    PermissionDeniedError,
    ValidationError,
)
from airflow_provider_instagram.graph.capabilities import (
    STORIES,
    Capability,
    MetaLogin,
    missing,
    needed_by,
)
from airflow_provider_instagram.graph.errors import Cause, cause_of
from airflow_provider_instagram.graph.readiness import (
    LOOK_PAUSES_S,
    check_not_gone,
    is_not_shown,
    still_processing,
    wait_until_ready,
)
from airflow_provider_instagram.ledger.insights import record_refusal
from airflow_provider_instagram.ledger.records import (
    CONTAINER_LIFE,
    EXPIRY_MARGIN,
    ContainerRecord,
    Try,
)
from airflow_provider_instagram.media.probe import probe
from airflow_provider_instagram.posts.kinds import ItemKind, PostKind
from airflow_provider_instagram.posts.limits import caption_warning
from airflow_provider_instagram.publishing.containers import ContainerCreator, content_of
from airflow_provider_instagram.publishing.outcome import key_of_another
from airflow_provider_instagram.publishing.sources import (
    LINK_TRIES,
    MediaSource,
    open_sources,
    pause_before_retry,
    raise_if_not_fetched,
)
from airflow_provider_instagram.publishing.use_case import Account, WaitForContainers
from airflow_provider_instagram.utils import urls

if TYPE_CHECKING:
    from airflow_provider_instagram.files.access import FileCheck
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.ledger.ledger import Ledger
    from airflow_provider_instagram.ledger.records import PublishedPost
    from airflow_provider_instagram.posts.post import Post

log = logging.getLogger(__name__)

PROCESSING_TIMEOUT: Final = timedelta(minutes=30)
POLL_INTERVAL: Final = timedelta(seconds=5)
#: Failures of a container that a new container may fix.
REPLACEABLE: Final = (MediaRejectedError, ContainerExpiredError)


@dataclass(frozen=True)
class Order:
    """What to create a container of.

    :param post: The post, with the kind of each item.
    :param waits: Whether to wait until Instagram has processed the container. None: only if it
        fetches the media.
    :param checks: What must be true of the file of each item. Empty if the author of the DAG named
        them.
    """

    post: Post
    publish_at: datetime | None = None
    waits: bool | None = None
    checks: Sequence[FileCheck] = ()


@dataclass(frozen=True)
class Create:
    """Creates the containers of one post.

    :param waits_here: Whether to wait in this process, instead of returning what to wait for.
    :param require: Checks that the account is not known to lack something, before anything is sent.
    """

    account: Account
    ledger: Ledger
    attempt: Try
    post_key: str
    waits_here: bool = False
    ffprobe: str = "ffprobe"
    require: Callable[..., None] = field(default=lambda *_: None)

    def run(self, order: Order) -> str | WaitForContainers | None:
        """Return the post's container. Create it unless the ledger has it, send the media, and wait for it.

        :return: None if the container has failed, and a new one may help.
        :raises MediaNotFetchedError: If Instagram could not fetch the media. ``retry_after`` says
            when it may.
        :raises InstagramError: If Instagram refuses, or no further container is worth creating.
        """
        if (warning := caption_warning(order.post.caption)) is not None:
            log.warning("%s", warning)
        self._check_expiry(order.publish_at)
        if (post := self.ledger.post(self.post_key)) is not None:
            self._check_is_own(post, order)
            log.info(
                "%s is already published, from container %s: %s",
                self.post_key,
                post.container_id,
                post.in_words,
            )
            return post.container_id
        needed = needed_by(order.post.parameters())
        if not self.ledger.containers(self.post_key):
            self.require(*needed)
        with self._fetches(), self._refusals(*needed):
            sent = self._send(order)
        return sent if isinstance(sent, WaitForContainers) else self._finish(order, sent)

    def _check_is_own(self, post: PublishedPost, order: Order) -> None:
        """Check that the post of the key is not another one, of another DAG. A renamed DAG has the same post."""
        if post.dag_id is None or post.dag_id == self.attempt.owner.dag_id:
            return
        record = self.ledger.container(post.container_id)
        if record is None:
            return
        with open_sources(order.post.items, order.post.upload, order.checks) as sources:
            content = content_of(order.post, sources)
        if content != record.content:
            raise key_of_another(post, self.attempt.owner.dag_id)

    def resume(
        self,
        order: Order | None,
        failure: InstagramError | None,
        container_ids: str | list[str],
        known: dict[str, Any] | None,
    ) -> str | WaitForContainers | None:
        """Return the post's container after a wait: a carousel gets its parent.

        :param order: What to create that parent of. All media are sent.
        :return: None if the container has failed, and a new one may help.
        """
        ids = [container_ids] if isinstance(container_ids, str) else container_ids
        try:
            if is_not_shown(failure):
                with self.account.get_conn() as client:
                    check_not_gone(client, self.account.ig_user_id(client), ids[0])
            elif failure is not None:
                raise failure
        except REPLACEABLE as replaceable:
            self._check_replaceable(replaceable, ids)
            return None
        if order is None or known is None:
            return ids[0]
        with self._creator(order) as creator:
            parent = creator.get_or_create_parent(**known)
        return self._finish(order, parent)

    def _check_replaceable(self, failure: InstagramError, container_ids: Sequence[str]) -> None:
        """Check that a new container can help at once. If a fetch failed, a retry may."""
        with self._fetches():
            raise_if_not_fetched(self.ledger, failure, container_ids)
        log.warning("%s", failure)

    @contextmanager
    def _fetches(self) -> Iterator[None]:
        """Add to a fetch that failed when it is tried again."""
        try:
            yield
        except MediaNotFetchedError as error:
            error.retry_after = pause_before_retry(self.ledger, self.post_key, self.attempt.number)
            log.warning(
                "Instagram fetches it again in %s, if the task has a retry left.", error.retry_after
            )
            raise

    @contextmanager
    def _refusals(self, publishing: Capability, *special: Capability) -> Iterator[None]:
        """Record what Instagram refuses for want of a permission, so that people see it for a day, or until it works.

        Publishing is refused, unless the post needs something that not each account that may
        publish has.

        :param special: What the post needs beside publishing.
        """
        store = self.ledger.store
        now = self.ledger.clock
        try:
            yield
        except PermissionDeniedError as error:
            if cause_of(error) is Cause.NO_PERMISSION:
                needs_more = (each for each in special if each.needs_more_than(publishing))
                record_refusal(store, str(error), now(), next(needs_more, publishing).name)
            raise
        record_refusal(store, None, now(), *(each.name for each in (publishing, *special)))

    def _finish(self, order: Order, container_id: str) -> str | WaitForContainers | None:
        record = self.ledger.container(container_id)
        if order.waits or (order.waits is None and record is not None and record.is_fetched):
            try:
                if self._is_processing(record, container_id):
                    return WaitForContainers(container_id, self._age(container_id))
            except (*REPLACEABLE, NotReadyError) as failure:
                return self.resume(None, failure, container_id, None)
        return container_id

    def _send(self, order: Order) -> str | WaitForContainers:
        """Send the media: links if the account may not upload, and copies if Instagram has not fetched the links."""
        upload: str = order.post.upload
        items = order.post.items
        is_local = all(urls.is_local(item.location) for item in items)
        if upload == "auto" and not is_local and self.attempt.number > LINK_TRIES:
            log.warning(
                "Sending copies in place of links, which Instagram may not be able to fetch."
            )
            upload = "copy"
        try:
            return self._sent(order, upload)
        except PermissionDeniedError as error:
            videos = [item.location for item in items if item.kind is ItemKind.VIDEO]
            is_sent = [one for one in videos if upload == "copy" or not urls.is_web(one)]
            if order.post.upload != "auto" or not is_sent or any(map(urls.is_local, is_sent)):
                raise
            log.warning("%s Sending Instagram a link instead.", error.message)
        return self._sent(order, "url")

    def _sent(self, order: Order, upload: str) -> str | WaitForContainers:
        with (
            open_sources(order.post.items, upload, order.checks) as sources,
            self._creator(order) as creator,
        ):
            return self._container(creator, sources)

    @contextmanager
    def _creator(self, order: Order) -> Iterator[ContainerCreator]:
        with self.account.get_conn() as client:
            user_id = self.account.ig_user_id(client)
            attempt = self.attempt
            what = (self.post_key, order.post, order.publish_at)
            yield ContainerCreator(
                client, self.ledger, user_id, *what, attempt.round, attempt.number
            )

    def _container(
        self, creator: ContainerCreator, sources: list[MediaSource]
    ) -> str | WaitForContainers:
        """Return the container of the post. A carousel gets one as soon as its items are processed."""
        post = creator.post
        if post.kind is PostKind.STORY and not self.ledger.containers(self.post_key):
            self._check_account_type(creator.client)
        if post.carousel:
            return self._carousel(creator, sources)
        if (path := sources[0].video_file) is not None:
            self._check_video(path, post)
        return creator.get_or_create(sources[0])

    def _carousel(
        self, creator: ContainerCreator, sources: list[MediaSource]
    ) -> str | WaitForContainers:
        while True:
            prepared = creator.prepare(sources)
            if isinstance(prepared, str):
                return prepared
            try:
                waiting = still_processing(creator.client, prepared.pictures)
                waiting += still_processing(creator.client, prepared.videos, pauses_s=())
                if waiting and not self.waits_here:
                    known = {"content": prepared.content, "child_ids": prepared.child_ids}
                    return WaitForContainers(waiting, self._age(waiting[0]), known)
                for container_id in waiting:
                    self._wait_for_item(creator, container_id)
            except REPLACEABLE as failure:
                raise_if_not_fetched(self.ledger, failure, [*prepared.pictures, *prepared.videos])
                # the next pass replaces the container if a new one can help
                log.warning("%s", failure)
                continue
            return creator.get_or_create_parent(prepared.content, prepared.child_ids)

    def _wait_for_item(self, creator: ContainerCreator, container_id: str) -> None:
        try:
            wait_until_ready(creator.client, container_id, PROCESSING_TIMEOUT, POLL_INTERVAL)
        except NotReadyError as error:
            if not is_not_shown(error):
                raise
            check_not_gone(creator.client, creator.ig_user_id, container_id)

    def _is_processing(self, record: ContainerRecord | None, container_id: str) -> bool:
        """Return whether to wait for a container, after a few seconds in this process if it is ready soon."""
        is_ready_soon = record is not None and record.is_ready_soon
        may_be_ready = is_ready_soon or self._age(container_id) > timedelta(minutes=1)
        if not may_be_ready and not self.waits_here:
            return True
        with self.account.get_conn() as client:
            pauses_s = LOOK_PAUSES_S if is_ready_soon else ()
            if may_be_ready and not still_processing(client, [container_id], pauses_s):
                return False
            if self.waits_here:
                wait_until_ready(client, container_id, PROCESSING_TIMEOUT, POLL_INTERVAL)
        return not self.waits_here

    def _age(self, container_id: str) -> timedelta:
        """Return how long ago a container was created, as far as the ledger knows."""
        record = self.ledger.container(container_id)
        return record.age(self.ledger.clock()) if record else timedelta()

    def _check_account_type(self, client: GraphClient) -> None:
        """Check that the account can publish stories. An account whose type cannot be read is not refused."""
        try:
            account = self.account.read_account(client)
        except InstagramError as error:
            log.warning("Could not read the type of the account: %s", error)
            return
        if (lack := missing(MetaLogin.INSTAGRAM, account.account_type, STORIES)) is not None:
            raise ValidationError(f"@{account.username}: {lack.message}", hint=lack.remedy)

    def _check_expiry(self, publish_at: datetime | None) -> None:
        """Check that a container that is created now lives until the post is published."""
        if publish_at is None or publish_at - self.ledger.clock() <= CONTAINER_LIFE - EXPIRY_MARGIN:
            return
        raise ValidationError(
            f"A container created now expires before publish_at, {publish_at.isoformat()}.",
            hint="Create it at most 23.5 hours ahead: schedule the run closer to publish_at.",
        )

    def _check_video(self, video: Path, post: Post) -> None:
        """Check what Instagram would refuse only after the upload."""
        needs_sound = post.audio_id is not None and post.video_volume != 0
        if not post.video_cover_timestamp_ms and not needs_sound:
            return
        info = probe(video, ffprobe=self.ffprobe)
        if needs_sound and info.audio is None:
            raise ValidationError(
                f"The post has an audio_id, and {video.name} has no sound of its own: Instagram refuses that.",
                hint="Set video_volume to 0.",
            )
        duration_ms = 1000 * info.duration_s
        if post.video_cover_timestamp_ms and post.video_cover_timestamp_ms > duration_ms:
            raise ValidationError(
                f"video_cover_timestamp_ms is {post.video_cover_timestamp_ms}, but {video.name} ends at "
                f"{duration_ms:.0f} ms.",
                hint="Use a time within the video.",
            )
