"""The outcome of a request to publish, determined by reading: whether it made a post, and which one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

from airflow_provider_instagram.exceptions import (
    ContainerExpiredError,
    InstagramError,
    NotReadyError,
    OutcomeUnknownError,
    QuotaExhaustedError,
    ValidationError,
)
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.listing import media_since, read_after_create, stories_since
from airflow_provider_instagram.graph.models import ContainerState, Media
from airflow_provider_instagram.graph.readiness import VISIBLE_WITHIN, shows_none
from airflow_provider_instagram.ledger.ledger import Ledger, digest
from airflow_provider_instagram.ledger.records import ContainerRecord, Intent, PublishedPost
from airflow_provider_instagram.posts.kinds import ItemKind, PostKind
from airflow_provider_instagram.quota.reservations import time_until_quota_frees

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient

log = logging.getLogger(__name__)

#: Waits for some seconds.
Sleep: TypeAlias = Callable[[float], None]
#: What the account's media are. None stands for several. Source: Meta, IG Media reference.
MEDIA_TYPES: Final = {ItemKind.VIDEO: "VIDEO", ItemKind.PICTURE: "IMAGE", None: "CAROUSEL_ALBUM"}

# Meta may still execute a request whose answer was lost. A container that is FINISHED after this
# time is unpublished.
REQUEST_IN_EFFECT_WITHIN = timedelta(seconds=150)
# Another owner may stall between its intent and its request, and its clock may be ahead, so wait at
# least this long from the first read on.
READ_FOR_AT_LEAST = timedelta(seconds=60)
READ_AGAIN_AFTER = timedelta(seconds=10)
# Instagram's clock and ours differ, and a post carries the time at which its publication began.
CLOCK_TOLERANCE = timedelta(minutes=2)
# A live post appears in the account's media with a delay, at most this long.
POST_VISIBLE_WITHIN = timedelta(seconds=90)


@dataclass(frozen=True)
class OutcomeReader:
    """Reads what a request to publish did. It sends no request to publish.

    :param is_last_try: Whether no retry follows. Then a live post is a success even if the
        account's media cannot be listed.
    """

    client: GraphClient
    ledger: Ledger
    ig_user_id: str
    sleep: Sleep
    is_last_try: bool = False

    def settle(self, intent: Intent, sent_by: datetime) -> PublishedPost | None:
        """Read the container of an intent until it is certain whether the request made a post.

        :param sent_by: When its request was sent at the latest.
        :return: The post, or None if it certainly does not exist. Then the same container may be
            published.
        :raises ContainerExpiredError: If the container expired unpublished.
        :raises OutcomeUnknownError: If the outcome cannot be determined.
        """
        in_effect_by = sent_by + REQUEST_IN_EFFECT_WITHIN
        give_up_at = max(in_effect_by, self.ledger.clock() + READ_FOR_AT_LEAST)
        while True:
            is_last = self.ledger.clock() >= give_up_at
            try:
                status = self.client.send(calls.container_status(intent.container_id))
            except NotReadyError as error:
                # 100/33: the container is not visible, which proves nothing
                if is_last and shows_none(self.client, self.ig_user_id):
                    return self._listed(intent, min(self.ledger.clock(), in_effect_by))
                if is_last:
                    raise undecided(self.ledger, intent, "can no longer be found") from error
            else:
                if status.state is ContainerState.PUBLISHED:
                    return self._found(intent, min(self.ledger.clock(), in_effect_by))
                if status.state is ContainerState.EXPIRED:
                    raise _expired(
                        f"Container {intent.container_id} expired without being published."
                    )
                is_finished = status.state is ContainerState.FINISHED
                if is_last and is_finished and not intent.needs_manual_resolution:
                    return None
                if is_last or status.state is ContainerState.ERROR:
                    raise undecided(self.ledger, intent, f"reports: {status.summary()}")
            self.sleep(READ_AGAIN_AFTER.total_seconds())

    def _found(self, intent: Intent, published_by: datetime) -> PublishedPost:
        post = self.find_post(intent.post_key, intent.container_id, intent.when, published_by)
        return self._of_intent(intent, post)

    def _listed(self, intent: Intent, published_by: datetime) -> PublishedPost | None:
        """Find the post of a container that is not shown in the account's list, by its caption, kind and time.

        :return: The post. None if it is not listed, so that it does not exist.
        :raises OutcomeUnknownError: If the list does not tell.
        """
        record = self.ledger.container(intent.container_id)
        if record is None or not record.has_caption or intent.needs_manual_resolution:
            raise undecided(self.ledger, intent, "is not shown, and its post has no caption")
        while self.ledger.clock() < published_by + POST_VISIBLE_WITHIN:
            self.sleep(READ_AGAIN_AFTER.total_seconds())
        found = self.candidates(record, intent.when, published_by)
        if len(found) > 1:
            raise undecided(self.ledger, intent, f"may be one of {len(found)} new posts")
        post = PublishedPost(
            intent.post_key, intent.container_id, self.ledger.now(), ig_user_id=self.ig_user_id
        )
        return self._of_intent(intent, as_post(post, found[0])) if found else None

    def _of_intent(self, intent: Intent, post: PublishedPost) -> PublishedPost:
        found = post.permalink or post.media_id or "it cannot be told apart from others"
        log.info("The post was found on the account: %s. Nothing was sent again.", found)
        return replace(post, event_pending=True, planned_at=intent.planned_at)

    def settle_failed_request(self, intent: Intent, error: InstagramError) -> PublishedPost | None:
        """Find out what a request did that ended with an error.

        :return: The post, or None if it certainly does not exist.
        :raises OutcomeUnknownError: If the outcome cannot be determined.
        """
        sent_by = self.ledger.clock()
        # Instagram reports a duplicate, but not of which post
        if isinstance(error, OutcomeUnknownError):
            self.ledger.leave_for_manual_resolution(intent)
            error.hint = self.ledger.how_to_settle(intent.post_key)
            raise error
        if error.outcome_unknown:
            log.warning(
                "The outcome of publishing container %s is unknown: %s", intent.container_id, error
            )
            return self.settle(intent, sent_by)
        if isinstance(error, NotReadyError) and self._is_published_after_all(intent, error):
            return self.settle(intent, sent_by)
        if isinstance(error, QuotaExhaustedError):
            error.retry_after = time_until_quota_frees(
                self.client, self.ig_user_id, self.ledger.clock()
            )
        return None

    def find_post(
        self, post_key: str, container_id: str, since: datetime, until: datetime
    ) -> PublishedPost:
        """Find the media that a published container became, by caption, kind and time, never by position.

        A story has no caption, and is found among the account's stories.

        A single match counts only once every post of that time is listed. Before, the match may be
        another post.

        :param since: The earliest time of publication.
        :param until: The latest time of publication.
        :return: The post, without a media id if it cannot be told apart from others.
        :raises InstagramError: If the account's media cannot be listed now, and a retry follows.
        """
        post = PublishedPost(post_key, container_id, self.ledger.now(), ig_user_id=self.ig_user_id)
        record = self.ledger.container(container_id)
        if record is None or record.caption is None:
            return _unidentified(post, "the ledger does not know its caption")
        while self.ledger.clock() < until + POST_VISIBLE_WITHIN:
            self.sleep(READ_AGAIN_AFTER.total_seconds())
        try:
            matches = self.candidates(record, since, until)
        except InstagramError as error:
            if error.retryable and not self.is_last_try:
                raise
            return _unidentified(post, str(error))
        if len(matches) != 1:
            return _unidentified(
                post, f"{len(matches)} new posts may be it, by their caption and kind"
            )
        (media,) = matches
        if media.timestamp is None:
            return _unidentified(post, f"media {media.id} may be it, but has no timestamp")
        return as_post(post, media)

    def candidates(self, record: ContainerRecord, since: datetime, until: datetime) -> list[Media]:
        """Return the media of no other key that a container may have become, by caption, kind and time."""
        listed = stories_since if record.kind is PostKind.STORY else media_since
        found = []
        for media in listed(self.client, self.ig_user_id, since - CLOCK_TOLERANCE):
            is_later = media.timestamp is not None and media.timestamp > until + CLOCK_TOLERANCE
            if is_later or not _may_be(media, record):
                continue
            if self.ledger.key_of_media(media.id) in (None, record.post_key):
                found.append(media)
        return found

    def _is_published_after_all(self, intent: Intent, error: NotReadyError) -> bool:
        """Read a container that Instagram called not ready, once the request would have taken effect.

        :raises ContainerExpiredError: If the container no longer exists. The request was refused.
        """
        log.info("%s", error)
        gone_at = self.ledger.clock() + VISIBLE_WITHIN
        while True:
            self.sleep((error.retry_after or READ_AGAIN_AFTER).total_seconds())
            try:
                status = self.client.send(calls.container_status(intent.container_id))
            except NotReadyError as unreadable:
                if self.ledger.clock() < gone_at:
                    continue
                if shows_none(self.client, self.ig_user_id):
                    return self._listed(intent, self.ledger.clock()) is not None
                self.ledger.withdraw(intent)
                raise _expired(
                    f"Container {intent.container_id} no longer exists: {unreadable.message}"
                ) from error
            return status.state is ContainerState.PUBLISHED


def as_post(post: PublishedPost, media: Media) -> PublishedPost:
    """Return a post with what Instagram tells of it."""
    at = media.timestamp.isoformat() if media.timestamp else post.published_at
    return replace(post, media_id=media.id, permalink=media.permalink, published_at=at)


def _may_be(media: Media, record: ContainerRecord) -> bool:
    """Return whether a container may have become a post, by the post's caption and kind."""
    if media.media_type not in (None, MEDIA_TYPES[record.shows]):
        return False
    return record.kind is PostKind.STORY or digest(media.caption or "") == record.caption


def undecided(ledger: Ledger, intent: Intent, finding: str) -> OutcomeUnknownError:
    """Return the error of an intent whose outcome only a person can determine."""
    return OutcomeUnknownError(
        f"A task started to publish container {intent.container_id}, and the container {finding}.",
        hint=ledger.how_to_settle(intent.post_key),
    )


def key_of_another(post: PublishedPost, dag_id: str) -> ValidationError:
    """Return the error of a DAG whose post has the key of another DAG's other post."""
    return ValidationError(
        f"The post_key {post.post_key!r} is that of another post, {post.in_words}. DAG {dag_id} has other media or "
        "other options.",
        hint="A post_key belongs to the account, not to a DAG. Use another one, for example with the name of the DAG.",
    )


def with_permalink(client: GraphClient, post: PublishedPost) -> PublishedPost:
    """Read the permalink of a post that was recorded without one."""
    if post.media_id is None or not post.lacks_permalink:
        return post
    try:
        return replace(
            post, permalink=read_after_create(client, calls.media(post.media_id)).permalink
        )
    except InstagramError as error:
        log.warning(
            "Post %s is live, but its permalink could not be read: %s", post.media_id, error
        )
        return post


def _expired(message: str) -> ContainerExpiredError:
    return ContainerExpiredError(
        message,
        hint="Clear the create task and the tasks downstream of it to create a new container.",
    )


def _unidentified(post: PublishedPost, why: str) -> PublishedPost:
    log.warning(
        "Container %s is published, but its post could not be identified: %s",
        post.container_id,
        why,
    )
    return post
