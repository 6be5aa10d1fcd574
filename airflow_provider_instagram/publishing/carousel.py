"""The containers of a carousel: one for each item, and the parent that is published."""

from __future__ import annotations

import contextvars
import hashlib
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import MediaRejectedError
from airflow_provider_instagram.graph.errors import Cause, cause_of
from airflow_provider_instagram.ledger.records import ContainerRecord
from airflow_provider_instagram.posts.fields import canonical
from airflow_provider_instagram.posts.kinds import ItemKind, PostKind
from airflow_provider_instagram.publishing.containers import draft_record, reusable, unfinished_upload

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from airflow_provider_instagram.posts.post import Item, Post
    from airflow_provider_instagram.publishing.containers import ContainerCreator, Upload
    from airflow_provider_instagram.publishing.sources import MediaSource

log = logging.getLogger(__name__)

#: How many videos are uploaded at the same time.
UPLOADS_AT_ONCE: Final = 3


@dataclass(frozen=True)
class CarouselItem:
    """An item of a carousel, and how it reaches Instagram."""

    item: Item
    source: MediaSource

    def content(self) -> str:
        """Return a digest of the item: of its media, and of what belongs to it alone."""
        return self.source.fingerprint(canonical(self.item.parameters()))


@dataclass(frozen=True)
class PreparedCarousel:
    """A carousel whose items all have a container, and that has no parent yet.

    :param content: The digest of its items and options.
    :param child_ids: The containers of its items, in their order.
    :param pictures: Those that are pictures, and may still be processed.
    :param videos: Those that are videos, and may still be processed.
    """

    content: str
    child_ids: list[str]
    pictures: list[str]
    videos: list[str]


@dataclass(frozen=True)
class CarouselCreator:
    """Creates the containers of carousels.

    1. For each item, find its container in the ledger, or create one and record it. One after the other, so that a
       process that dies leaves at most one container that no record names.
    2. Upload what is missing of the videos, several at the same time.
    3. The caller waits until all items are processed.
    4. Create the parent, and record it.

    If the process dies at any step, the next try finds the recorded containers, and continues their uploads.

    :param containers: Creates the containers.
    """

    containers: ContainerCreator

    def prepare(
        self,
        post_key: str,
        items: Sequence[CarouselItem],
        post: Post,
        publish_at: datetime | None = None,
    ) -> str | PreparedCarousel:
        """Return the parent of a carousel if it exists, or else the containers of its items: steps 1 and 2.

        :param post_key: The key of the post. The ledger has no finished post for it.
        :param items: The items.
        :param post: The whole post.
        :param publish_at: When the post will be published. A container that expires earlier is not reused.
        :raises InstagramError: If Instagram refuses, or no further container is worth creating.
        """
        contents = [item.content() for item in items]
        content = hashlib.sha256("\n".join([canonical(post.parameters()), *contents]).encode()).hexdigest()
        if (parent := self._existing_parent(post_key, content, publish_at)) is not None:
            return parent
        known = self.containers.ledger.children(post_key)
        child_ids: list[str] = []
        uploads: list[Upload] = []
        unread: dict[ItemKind, list[str]] = {ItemKind.PICTURE: [], ItemKind.VIDEO: []}
        for place, (item, digest) in enumerate(zip(items, contents, strict=True)):
            own = reusable([record for record in known if record.item == place], digest, publish_at)
            status = self.containers.status_if_usable(own, is_same=item.source.is_read) if own else None
            record = own[-1] if status else self._create_child(post_key, place, digest, item)
            child_ids.append(record.container_id)
            if status is None or not status.is_terminal:
                unread[item.source.kind].append(record.container_id)
            if (rest := unfinished_upload(record, status, item.source)) is not None:
                uploads.append(rest)
        self._upload(uploads)
        return PreparedCarousel(content, child_ids, unread[ItemKind.PICTURE], unread[ItemKind.VIDEO])

    def get_or_create_parent(
        self,
        post_key: str,
        content: str,
        child_ids: list[str],
        post: Post,
        publish_at: datetime | None = None,
    ) -> str:
        """Return the parent of a carousel whose items are all processed: step 4.

        :param content: The digest of its items and options.
        :param child_ids: The containers of its items, in their order.
        :param post: The whole post.
        :param publish_at: When the post will be published.
        :raises InstagramError: If Instagram refuses, or no further container is worth creating.
        """
        if (parent := self._existing_parent(post_key, content, publish_at)) is not None:
            return parent
        draft = draft_record(post_key, content, post, None)
        parameters = {**post.parameters(), "children": child_ids}
        try:
            return self.containers.create(draft, None, parameters).container_id
        except MediaRejectedError as error:
            if cause_of(error) is Cause.INVALID_CHILDREN:
                self.containers.ledger.discard_children(post_key)
                error.hint = "Clear this task to create new containers for the items."
            raise

    def _existing_parent(self, post_key: str, content: str, publish_at: datetime | None) -> str | None:
        if (kept := self.containers.kept_for_open_intent(post_key)) is not None:
            return kept
        records = reusable(self.containers.ledger.containers(post_key), content, publish_at)
        if records and self.containers.status_if_usable(records) is not None:
            return records[-1].container_id
        return None

    def _create_child(self, post_key: str, place: int, content: str, item: CarouselItem) -> ContainerRecord:
        draft = ContainerRecord("", post_key, "", content, kind=PostKind.CAROUSEL, shows=item.source.kind, item=place)
        return self.containers.create(draft, item.source, item.item.parameters())

    def _upload(self, uploads: list[Upload]) -> None:
        """Send what is missing of the videos, and raise the first error once all uploads have ended."""
        if len(uploads) == 1:
            self.containers.upload(uploads[0])
            return
        with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
            sent = [pool.submit(contextvars.copy_context().run, self.containers.upload, one) for one in uploads]
        for upload in sent:
            upload.result()
