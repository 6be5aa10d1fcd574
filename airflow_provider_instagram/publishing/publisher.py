"""Publish one container as one post: the request, and what to do when its answer is lost."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from airflow_provider_instagram.exceptions import (
    AuthenticationError,
    ContainerExpiredError,
    InstagramError,
    NotReadyError,
    OutcomeUnknownError,
    QuotaExhaustedError,
    RateLimitError,
    TransientError,
    ValidationError,
)
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.fresh import read_after_create
from airflow_provider_instagram.graph.models import ContainerState
from airflow_provider_instagram.ledger.ledger import Ledger, digest
from airflow_provider_instagram.ledger.records import Claim, Intent, Owner, PublishedPost
from airflow_provider_instagram.quota.instagram_quota import media_since, time_until_quota_frees
from airflow_provider_instagram.quota.reservations import QuotaReservations

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import ContainerStatus
    from airflow_provider_instagram.quota.limits import Quota

log = logging.getLogger(__name__)

# Meta may still execute a request whose answer was lost. A container that is FINISHED after this time is unpublished.
ANSWER_LOST_FOR_GOOD = timedelta(seconds=150)
# Another owner may stall between its intent and its request, and its clock may be ahead, so wait at least this long
# from the first read on.
LOOKED_AT_FOR = timedelta(seconds=60)
READ_AGAIN_AFTER = timedelta(seconds=10)
# Instagram's clock and ours differ, and a post carries the time at which its publication began.
CLOCK_TOLERANCE = timedelta(minutes=2)
# Source: Meta's error table: a container that is not found may not be visible yet, for at most this long.
GONE_AFTER = timedelta(minutes=2)
# A live post appears in the account's media with a delay, at most this long.
POST_VISIBLE_WITHIN = timedelta(seconds=90)
NOT_READY_TRIES = 5
# At most this many publications of one account run at once. With at least this much room, other places do not matter.
AT_ONCE = 25
# Makes two owners collide early, where a collision costs nothing. The exclusion does not depend on this pause.
SETTLING_S = 2.0
# As long as another owner may need to settle a lost answer.
OTHERS_ARE_WAITED_FOR = ANSWER_LOST_FOR_GOOD + POST_VISIBLE_WITHIN + timedelta(seconds=10)


@dataclass
class Publisher:
    """Publishes the containers of one account, each at most once.

    Two owners of one ``post_key`` exclude each other without a lock, on rows where the last write counts. Each owner:

    1. writes a claim with a fresh nonce,
    2. writes its intent,
    3. reads the claim again,
    4. sends the request only if the claim is still its own.

    In that case, every rival either claimed later and will see the intent, or claimed earlier and will see this claim.

    :param client: An open client of the account.
    :param ledger: The account's ledger.
    :param ig_user_id: The account's Instagram user id.
    :param owner: The task instance that publishes.
    :param is_alive: Returns whether another owner may still be at work.
    :param sleep: Waits for a number of seconds.
    :param quotas: The account's own limits of posts per period, the longest period last.
    :param see_whether_it_is_time: Called once it is certain that the post does not exist yet. Raises if no post may be
        made now.
    :param is_last_try: Whether no retry follows. Then a live post is a success even if the account's media cannot be
        listed.
    """

    client: GraphClient
    ledger: Ledger
    ig_user_id: str
    owner: Owner
    is_alive: Callable[[Owner], bool]
    sleep: Callable[[float], None] = field(default=time.sleep)
    quotas: tuple[Quota, ...] = ()
    see_whether_it_is_time: Callable[[], None] = field(default=lambda: None)
    is_last_try: bool = False

    def publish(
        self, post_key: str, container_id: str, not_before: datetime | None = None
    ) -> tuple[PublishedPost, bool]:
        """Publish the container, unless its key has a post already.

        :param post_key: The key of the post.
        :param container_id: The container.
        :param not_before: When to publish. Everything else is done before.
        :return: The post, and whether this call is the first to record it.
        :raises OutcomeUnknownError: If the post may be live and nothing can tell.
        :raises QuotaExhaustedError: If the account has no room for a post now. Nothing was sent.
        :raises InstagramError: If the post is not live. The error says why.
        """
        claim = self._claim(post_key)
        if (post := self.ledger.post(post_key)) is not None:
            return with_permalink(self.client, post), False
        for intent in self.ledger.open_intents(post_key, self.owner):
            if intent.claim.owner != self.owner and self.is_alive(intent.claim.owner):
                raise self._held_by(intent.claim.owner, post_key)
            log.info("%s started to publish container %s at %s", intent.claim.owner, intent.container_id, intent.at)
            try:
                if (post := self._settle(intent, sent_by=intent.when)) is not None:
                    return self._recorded(post), True
                container_id = intent.container_id  # if Instagram still executes that request, it is the same container
            except ContainerExpiredError as error:
                log.info("%s", error.message)
            self.ledger.withdraw(intent)
        self.see_whether_it_is_time()
        status = self._status(container_id)
        if status.state is ContainerState.PUBLISHED:
            self._refuse_anothers(post_key, container_id)
            log.warning("Container %s was already published outside this task: using that post", container_id)
            now = self.ledger.clock()
            return self._recorded(self._found(post_key, container_id, now - timedelta(days=1), now)), False
        if (failure := status.failure()) is not None:
            raise failure
        places = QuotaReservations(self.ledger, self.quotas)
        self._take_place(places, post_key, claim)
        if not_before is not None:
            self.sleep(max(0.0, (not_before - self.ledger.clock()).total_seconds()))
        try:
            return self._sent(post_key, container_id, claim)
        finally:
            mine = self.ledger.intent(post_key, self.owner)
            if mine is None or mine.claim != claim or mine.withdrawn:
                places.release(claim.nonce)

    def _take_place(self, places: QuotaReservations, post_key: str, claim: Claim) -> None:
        """Take a place under the account's own limits, and check that Instagram has room as well."""
        if not self.quotas:
            return
        places.reserve(post_key, claim.nonce)
        try:
            left = self.client.send(calls.publishing_limit(self.ig_user_id)).remaining
        except RateLimitError:
            places.release(claim.nonce)
            raise
        except InstagramError as error:  # Instagram enforces the limit itself when it publishes
            log.warning("Could not read the publishing limit: %s", error)
            return
        if left <= 0 or (left < AT_ONCE and left <= places.pending_before(claim.nonce)):
            places.release(claim.nonce)
            raise QuotaExhaustedError(
                "The account has used up its posts for the last 24 hours, by Instagram's count.",
                hint="Publish the same container again later. A container stays valid for 24 hours.",
                retry_after=time_until_quota_frees(self.client, self.ig_user_id, self.ledger.clock()),
            )

    def _claim(self, post_key: str) -> Claim:
        """Wait until no other owner works on the post, and claim it.

        :raises TransientError: If another owner still works on it after the wait.
        """
        give_up_at = self.ledger.clock() + OTHERS_ARE_WAITED_FOR
        while True:
            if (other := self._at_work(post_key)) is None:
                undecided = {intent.claim.owner for intent in self.ledger.open_intents(post_key)} - {self.owner}
                claim = Claim(self.owner, uuid4().hex, sorted(undecided, key=str))
                self.ledger.record_claim(post_key, claim)
                self.sleep(SETTLING_S)
                if self.ledger.claim(post_key) == claim:
                    return claim
            elif self.ledger.clock() >= give_up_at:
                raise self._held_by(other, post_key)
            self.sleep(random.uniform(1, 5))  # noqa: S311

    def _at_work(self, post_key: str) -> Owner | None:
        """Return another owner that works on the post, or None if there is none or the post is recorded."""
        intent = self.ledger.intent(post_key)
        if self.ledger.post(post_key) is not None:
            return None
        claims = (self.ledger.claim(post_key), None if intent is None or intent.withdrawn else intent.claim)
        owners = {claim.owner for claim in claims if claim is not None and claim.owner != self.owner}
        return next((owner for owner in owners if self.is_alive(owner)), None)

    def _sent(self, post_key: str, container_id: str, claim: Claim) -> tuple[PublishedPost, bool]:
        """Send the request. Repeat it if Instagram was not ready, or if a refused token has a successor."""
        tries_left = NOT_READY_TRIES
        while True:
            if (post := self.ledger.post(post_key)) is not None:
                return with_permalink(self.client, post), False
            intent = self._set_out(post_key, container_id, claim)
            try:
                media_id = self.client.send(calls.publish(self.ig_user_id, container_id))
            except InstagramError as error:
                if (settled := self._settle_refusal(intent, error)) is not None:
                    return self._recorded(settled), True
                self.ledger.withdraw(intent)
                if isinstance(error, AuthenticationError) and self.client.renew():
                    continue
                tries_left -= 1
                if not isinstance(error, NotReadyError) or error.outcome_unknown or not tries_left:
                    error.outcome_unknown = False
                    raise
            else:
                live = PublishedPost(
                    post_key, container_id, self.ledger.now(), media_id, self.ig_user_id, event_pending=True
                )
                post = self._recorded(live)
                return self._recorded(with_permalink(self.client, post)), True

    def _set_out(self, post_key: str, container_id: str, claim: Claim) -> Intent:
        """Write the intent right before a request. This write is the fence."""
        if (other := self._at_work(post_key)) is not None:
            raise self._held_by(other, post_key)
        intent = self.ledger.record_intent(post_key, container_id, claim)
        if (now := self.ledger.claim(post_key)) != claim:
            self.ledger.withdraw(intent)
            raise self._held_by(now.owner if now else self.owner, post_key)
        return intent

    def _held_by(self, owner: Owner, post_key: str) -> TransientError:
        return TransientError(
            f"post_key {post_key!r} is being published by {owner}, so this task sent nothing.",
            hint="Once that task has ended, this one returns its post or publishes it. If that task never ends because "
            f"its DAG was deleted: {self.ledger.how_to_settle(post_key)}",
            retry_after=timedelta(minutes=1),
        )

    def _refuse_anothers(self, post_key: str, container_id: str) -> None:
        """Raise an error if the container is already the published post of another key."""
        made = self.ledger.container(container_id)
        if made is not None and made.post_key != post_key and self.ledger.post(made.post_key) is not None:
            raise ValidationError(
                f"Container {container_id} is the published post of {made.post_key!r}, not of {post_key!r}.",
                hint="Use one post_key in the create and publish tasks of a post, and a different one for each post.",
            )

    def _settle_refusal(self, intent: Intent, error: InstagramError) -> PublishedPost | None:
        """Find out what an unconfirmed request did.

        :return: The post, or None if it certainly does not exist.
        """
        sent_by = self.ledger.clock()
        if isinstance(error, OutcomeUnknownError):  # Instagram reports a duplicate; only a person can tell of what
            self.ledger.leave_for_manual_resolution(intent)
            error.hint = self.ledger.how_to_settle(intent.post_key)
            raise error
        if error.outcome_unknown:
            log.warning("The outcome of publishing container %s is unknown: %s", intent.container_id, error)
            return self._settle(intent, sent_by)
        if isinstance(error, NotReadyError) and self._is_published_after_all(intent, error):
            return self._settle(intent, sent_by)
        if isinstance(error, QuotaExhaustedError):
            error.retry_after = time_until_quota_frees(self.client, self.ig_user_id, self.ledger.clock())
        return None

    def _is_published_after_all(self, intent: Intent, error: NotReadyError) -> bool:
        """Read a container that Instagram called not ready, once the request would have taken effect.

        :raises ContainerExpiredError: If the container no longer exists. The request was refused.
        """
        log.info("%s", error)
        gone_at = self.ledger.clock() + GONE_AFTER
        while True:
            self.sleep((error.retry_after or READ_AGAIN_AFTER).total_seconds())
            try:
                return self._status(intent.container_id).state is ContainerState.PUBLISHED
            except NotReadyError as unreadable:
                if self.ledger.clock() < gone_at:
                    continue
                self.ledger.withdraw(intent)
                raise ContainerExpiredError(
                    f"Container {intent.container_id} no longer exists: {unreadable.message}",
                    hint="Clear the create task and the tasks downstream of it to create a new container.",
                ) from error

    def _settle(self, intent: Intent, sent_by: datetime) -> PublishedPost | None:
        """Find out whether an intent led to a post.

        :param intent: The open intent.
        :param sent_by: When its request was sent at the latest.
        :return: The post, or None if it certainly does not exist. Then the same container may be published.
        :raises OutcomeUnknownError: If the outcome cannot be determined.
        """
        in_effect_by = sent_by + ANSWER_LOST_FOR_GOOD
        given_up_at = max(in_effect_by, self.ledger.clock() + LOOKED_AT_FOR)
        while True:
            try:
                status = self._status(intent.container_id)
            except NotReadyError as error:  # 100/33: the container is not visible, which proves nothing
                if self.ledger.clock() >= given_up_at:
                    raise self._undecided(intent, "can no longer be found") from error
            else:
                if status.state is ContainerState.PUBLISHED:
                    made_by = min(self.ledger.clock(), in_effect_by)
                    return replace(
                        self._found(intent.post_key, intent.container_id, intent.when, made_by), event_pending=True
                    )
                if status.state is ContainerState.EXPIRED:
                    raise ContainerExpiredError(
                        f"Container {intent.container_id} expired without being published.",
                        hint="Clear the create task and the tasks downstream of it to create a new container.",
                    )
                if status.state is ContainerState.ERROR:
                    raise self._undecided(intent, f"reports: {status.summary()}")
                if self.ledger.clock() >= given_up_at:
                    if status.state is ContainerState.FINISHED and not intent.needs_manual_resolution:
                        return None
                    raise self._undecided(intent, f"reports: {status.summary()}")
            self.sleep(READ_AGAIN_AFTER.total_seconds())

    def _undecided(self, intent: Intent, word: str) -> OutcomeUnknownError:
        return OutcomeUnknownError(
            f"A task started to publish container {intent.container_id}, and the container {word}.",
            hint=self.ledger.how_to_settle(intent.post_key),
        )

    def _found(self, post_key: str, container_id: str, since: datetime, until: datetime) -> PublishedPost:
        """Find the media that a published container became, by caption and time, never by position.

        A single match counts only once every post of that time is listed. Before, the match may be another post.

        :param since: The earliest time of publication.
        :param until: The latest time of publication.
        """
        post = PublishedPost(post_key, container_id, self.ledger.now(), ig_user_id=self.ig_user_id)
        made = self.ledger.container(container_id)
        if made is None or made.caption is None:
            return self._unidentified(post, "the ledger does not know its caption")
        while self.ledger.clock() < until + POST_VISIBLE_WITHIN:
            self.sleep(READ_AGAIN_AFTER.total_seconds())
        try:
            same = [
                media
                for media in media_since(self.client, self.ig_user_id, since - CLOCK_TOLERANCE)
                if digest(media.caption or "") == made.caption
                and (media.timestamp is None or media.timestamp <= until + CLOCK_TOLERANCE)
                and not self.ledger.knows_media(media.id)
            ]
        except InstagramError as error:
            if error.retryable and not self.is_last_try:
                raise
            return self._unidentified(post, str(error))
        if len(same) != 1:
            return self._unidentified(post, f"{len(same)} new posts have its caption")
        (media,) = same
        if media.timestamp is None:
            return self._unidentified(post, f"media {media.id} has its caption, but no timestamp")
        return replace(post, media_id=media.id, permalink=media.permalink, published_at=media.timestamp.isoformat())

    def _unidentified(self, post: PublishedPost, why: str) -> PublishedPost:
        log.warning("Container %s is published, but its post could not be identified: %s", post.container_id, why)
        return post

    def _status(self, container_id: str) -> ContainerStatus:
        return self.client.send(calls.container_status(container_id))

    def _recorded(self, post: PublishedPost) -> PublishedPost:
        self.ledger.record_post(post)
        return post


def with_permalink(client: GraphClient, post: PublishedPost) -> PublishedPost:
    """Read the permalink of a post that was recorded without one.

    :param client: An open client of the post's account.
    :param post: The post.
    :return: The post, without a permalink if it cannot be read.
    """
    if post.media_id is None or post.permalink is not None:
        return post
    try:
        return replace(post, permalink=read_after_create(client, calls.media(post.media_id)).permalink)
    except InstagramError as error:
        log.warning("Post %s is live, but its permalink could not be read: %s", post.media_id, error)
        return post
