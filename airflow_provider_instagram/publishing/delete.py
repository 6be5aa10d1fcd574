"""Delete a post: find it, and, once a person has said yes, send one request and see what it did."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_instagram.exceptions import (
    InstagramError,
    NotReadyError,
    OutcomeUnknownError,
    ValidationError,
)
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.capabilities import DELETION
from airflow_provider_instagram.graph.errors import Cause, cause_of
from airflow_provider_instagram.graph.listing import read_after_create
from airflow_provider_instagram.ledger.insights import record_refusal
from airflow_provider_instagram.ledger.records import PublishedPost
from airflow_provider_instagram.publishing.outcome import READ_AGAIN_AFTER, REQUEST_IN_EFFECT_WITHIN

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import Media
    from airflow_provider_instagram.ledger.ledger import Ledger
    from airflow_provider_instagram.publishing.use_case import Account

log = logging.getLogger(__name__)


class Found(NamedTuple):
    """A post as the ledger records it, and as Instagram shows it. None if it is deleted."""

    post: PublishedPost
    media: Media | None


@dataclass(frozen=True)
class Delete:
    """Deletes posts of an account.

    1. :meth:`find` reads the post. If it is gone, and a request of this account to delete it may
       have been sent and was not refused, that one was executed.
    2. The caller asks a person.
    3. :meth:`run` writes the intent. This write is the fence: from here on, the post may be gone.
    4. It sends the request once, and records that the post is deleted. The record of the
       publication stays. If the post is certainly still there, it withdraws the intent.

    If the process dies before step 3, nothing was sent. If it dies after it, the next try begins
    with step 1. A second request could not delete anything else, because ids are not used again.
    """

    account: Account
    ledger: Ledger

    def find(self, post_key: str | None, media_id: str | None) -> Found:
        """Find a post of the account by its key or its media id. Nothing was sent if there is none."""
        post = self._recorded(post_key, media_id)
        if post.deleted_at is not None:
            return Found(post, None)
        with self.account.get_conn() as client:
            if (media := self._read(client, post)) is None:
                if self.ledger.may_be_deleted(str(post.media_id), self.account.ig_user_id(client)):
                    return Found(self._record(post), None)
                raise ValidationError(
                    f"Account {self.ledger.conn_id!r} has no media {post.media_id}, and no task has deleted it.",
                    hint="It was deleted in the app, it was a story, or it belongs to another account.",
                )
        if not post.published_at:
            at = media.timestamp.isoformat() if media.timestamp else self.ledger.now()
            post = replace(post, published_at=at, permalink=media.permalink)
        return Found(post, media)

    def run(self, post_key: str | None, media_id: str, by: str | None) -> PublishedPost:
        """Delete a post that a person has agreed to delete.

        :param by: That person's name.
        :raises OutcomeUnknownError: If the post may be gone, and that cannot be read now.
        :raises InstagramError: If the post is still there. The error contains the reason.
        """
        post, media = self.find(post_key, media_id)
        if media is None:
            return post
        with self.account.get_conn() as client:
            user_id = self.account.ig_user_id(client)
            # a former request may still take effect
            was_open = self.ledger.may_be_deleted(media_id, user_id)
            self.ledger.record_deletion_intent(media_id, user_id, by)
            try:
                client.send(calls.delete_media(media_id))
            except InstagramError as error:
                is_open = error.outcome_unknown or was_open
                if not is_open or not self._is_gone_after_all(client, post, error):
                    self.ledger.record_deletion_intent(media_id, None)
                    error.outcome_unknown = False
                    if cause_of(error) is Cause.NO_PERMISSION:
                        record_refusal(
                            self.ledger.store, str(error), self.ledger.clock(), DELETION.name
                        )
                    raise
            record_refusal(self.ledger.store, None, self.ledger.clock(), DELETION.name)
        return self._record(post)

    def _recorded(self, post_key: str | None, media_id: str | None) -> PublishedPost:
        """Return the post in the ledger. One that was published without Airflow gets the key ``media-<id>``."""
        key = post_key or self.ledger.key_of_media(str(media_id)) or f"media-{media_id}"
        post = self.ledger.post(key)
        if post is None and post_key is None:
            return PublishedPost(key, "", "", media_id=media_id)
        if post is None:
            raise self._unrecorded(key)
        if post.media_id is None and self.ledger.key_of_media(str(media_id)) is None:
            # the person who is asked sees which post that is
            post = replace(post, media_id=media_id)
        if post.media_id is None:
            raise ValidationError(
                f"The ledger of {self.ledger.conn_id!r} does not know the media id of {key!r}.",
                hint="Set media_id as well, to one that no other post has.",
            )
        if media_id not in (None, post.media_id):
            raise ValidationError(
                f"{key!r} is media {post.media_id}, not {media_id}.", hint="Set one of the two."
            )
        if (user_id := self.account.another_user_id(post.ig_user_id)) is not None:
            raise ValidationError(
                f"{key!r} was published on account {post.ig_user_id}, but connection {self.ledger.conn_id!r} now "
                f"belongs to account {user_id}.",
                hint="Use the connection of the account that has the post.",
            )
        return post

    def _unrecorded(self, key: str) -> ValidationError:
        """Return the error of a key that has no post, or whose post may be live."""
        if self.ledger.open_intents(key):
            return ValidationError(
                f"A task started to publish {key!r}, and has not recorded the outcome. Nothing is deleted before that.",
                hint=f"If it has ended, clear it first. If it cannot tell: {self.ledger.how_to_settle(key)}",
            )
        return ValidationError(
            f"The ledger of {self.ledger.conn_id!r} has no post {key!r}.",
            hint=f"`{self.ledger.command('list')}` lists the posts. A post that is not there is named by media_id.",
        )

    def _read(self, client: GraphClient, post: PublishedPost) -> Media | None:
        """Read a post, or return None if it is certainly gone: the account can be read, and does not have it."""
        try:
            return read_after_create(client, calls.media(str(post.media_id)))
        except NotReadyError:
            client.send(calls.media_list(self.account.ig_user_id(client), limit=1))
            return None

    def _is_gone_after_all(
        self, client: GraphClient, post: PublishedPost, error: InstagramError
    ) -> bool:
        """Read a post until it is gone, or the request would have taken effect.

        :raises OutcomeUnknownError: If it cannot be read.
        """
        log.warning("The outcome of deleting media %s is unknown: %s", post.media_id, error)
        give_up_at = self.ledger.clock() + REQUEST_IN_EFFECT_WITHIN
        while True:
            try:
                if self._read(client, post) is None:
                    return True
            except InstagramError as unread:
                raise OutcomeUnknownError(
                    f"A request to delete media {post.media_id} was sent, its answer was lost, and the post cannot be "
                    f"read: {unread.message}",
                    hint="Clear this task later. It reads the post first, and asks again if it is still there.",
                ) from error
            if self.ledger.clock() >= give_up_at:
                return False
            client.sleep(READ_AGAIN_AFTER.total_seconds())

    def _record(self, post: PublishedPost) -> PublishedPost:
        now = self.ledger.now()
        deletion = self.ledger.deletion(str(post.media_id))
        deleted = self.ledger.change_post(
            post,
            media_id=post.media_id,
            published_at=post.published_at or now,
            deleted_at=now,
            deleted_by=deletion and deletion.by,
        )
        log.info("Deleted %s: media %s", post.post_key, post.media_id)
        return deleted
