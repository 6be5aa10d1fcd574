"""One container, one post: the request that makes it, and what to do when its answer does not come."""

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
from airflow_provider_instagram.graph.fresh import read_once_known
from airflow_provider_instagram.graph.models import ContainerState
from airflow_provider_instagram.ledger import Claim, Intent, Ledger, Owner, Post, digest
from airflow_provider_instagram.places import Places
from airflow_provider_instagram.room import media_since, room_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import ContainerStatus
    from airflow_provider_instagram.limits import Quota

log = logging.getLogger(__name__)

# Meta may still be at work on a request whose answer was lost: a finished container counts as unpublished after this.
ANSWER_LOST_FOR_GOOD = timedelta(seconds=150)
# Between his intent and his request another may have stalled, and his clock may be ahead: from the first look on, at
# least this has to pass.
LOOKED_AT_FOR = timedelta(seconds=60)
READ_AGAIN_AFTER = timedelta(seconds=10)
# Instagram's clock and ours differ, and a post carries the time at which its publication began.
CLOCK_TOLERANCE = timedelta(minutes=2)
# Source: Meta's error table: a container that is not found may not be visible yet, but not for longer than this.
GONE_AFTER = timedelta(minutes=2)
# A live post shows up in the account's media only after a while.
POST_VISIBLE_WITHIN = timedelta(seconds=90)
NOT_READY_TRIES = 5
# So many publications of one account may be under way: with as much room, nobody else's place needs to be looked at.
AT_ONCE = 25
# Keeps the collisions of two owners early, where they cost nothing; the exclusion does not depend on it.
SETTLING_S = 2.0
# As long as somebody else may need to settle an answer that was lost to him.
OTHERS_ARE_WAITED_FOR = ANSWER_LOST_FOR_GOOD + POST_VISIBLE_WITHIN + timedelta(seconds=10)


@dataclass
class Publisher:
    """Publishes the containers of one account, each at most once.

    Two owners of one ``post_key`` are kept apart without a lock, on rows of which the last write counts: each writes a
    claim with a number of his own, then his intent, then reads the claim again, and posts only if it is still his. If
    it is, every rival claimed later, and will see the intent; or earlier, and will see this claim.

    :param client: An open client of the account.
    :param ledger: The account's ledger.
    :param ig_user_id: The account's Instagram user id.
    :param owner: Who publishes.
    :param is_alive: Tells whether another owner may still be at work.
    :param sleep: Waits for a number of seconds.
    :param quotas: How many posts the account allows itself in which period, the longest last.
    :param see_whether_it_is_time: Asked once it is certain that there is no post yet; raises when none is to be made
        now.
    :param is_last_try: Whether nobody tries again what fails here: then a live post is success also where the account's
        media cannot be listed.
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

    def publish(self, post_key: str, container_id: str, not_before: datetime | None = None) -> tuple[Post, bool]:
        """Make the container a post, unless there is one for its key.

        :param post_key: What the post is known by.
        :param container_id: The container.
        :param not_before: When to publish; everything else is done before.
        :return: The post, and whether nobody had recorded it before.
        :raises OutcomeUnknownError: When it may be live and nothing can tell.
        :raises QuotaExhaustedError: When the account has no room for a post now; nothing was sent.
        :raises InstagramError: When it is not live, and why.
        """
        claim = self._claim(post_key)
        if (post := self.ledger.post(post_key)) is not None:
            return with_permalink(self.client, post), False
        for intent in self.ledger.open_intents(post_key, self.owner):
            if intent.claim.owner != self.owner and self.is_alive(intent.claim.owner):
                raise self._held_by(intent.claim.owner, post_key)
            log.info("%s set out to publish container %s at %s", intent.claim.owner, intent.container_id, intent.at)
            try:
                if (post := self._settle(intent, sent_by=intent.when)) is not None:
                    return self._recorded(post), True
                container_id = intent.container_id  # if Instagram is at it after all, it is the same container
            except ContainerExpiredError as error:
                log.info("%s", error.message)
            self.ledger.withdraw(intent)
        self.see_whether_it_is_time()
        status = self._status(container_id)
        if status.state is ContainerState.PUBLISHED:
            self._refuse_anothers(post_key, container_id)
            log.warning("Container %s was published by somebody else: taking that post for this one", container_id)
            now = self.ledger.clock()
            return self._recorded(self._found(post_key, container_id, now - timedelta(days=1), now)), False
        if (failure := status.failure()) is not None:
            raise failure
        places = Places(self.ledger, self.quotas)
        self._take_place(places, post_key, claim)
        if not_before is not None:
            self.sleep(max(0.0, (not_before - self.ledger.clock()).total_seconds()))
        try:
            return self._sent(post_key, container_id, claim)
        finally:
            mine = self.ledger.intent(post_key, self.owner)
            if mine is None or mine.claim != claim or mine.withdrawn:
                places.release(claim.nonce)

    def _take_place(self, places: Places, post_key: str, claim: Claim) -> None:
        """Take a place under the account's own limits, and see that Instagram has one too."""
        if not self.quotas:
            return
        places.take(post_key, claim.nonce)
        try:
            left = self.client.send(calls.publishing_limit(self.ig_user_id)).remaining
        except RateLimitError:
            places.release(claim.nonce)
            raise
        except InstagramError as error:  # Instagram keeps the limit itself when it is asked to publish
            log.warning("The publishing limit could not be read: %s", error)
            return
        if left <= 0 or (left < AT_ONCE and left <= places.ahead(claim.nonce)):
            places.release(claim.nonce)
            raise QuotaExhaustedError(
                "The account has used up its posts of the last 24 hours, as Instagram counts them",
                hint="Publish the same container again once there is room; it stays good for 24 hours from its making.",
                retry_after=room_in(self.client, self.ig_user_id, self.ledger.clock()),
            )

    def _claim(self, post_key: str) -> Claim:
        """Wait until nobody else is at the post, and claim it.

        :raises TransientError: When another owner is still at it after a while.
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
        """Tell who else is at the post; nobody, once it is done."""
        intent = self.ledger.intent(post_key)
        if self.ledger.post(post_key) is not None:
            return None
        claims = (self.ledger.claim(post_key), None if intent is None or intent.withdrawn else intent.claim)
        owners = {claim.owner for claim in claims if claim is not None and claim.owner != self.owner}
        return next((owner for owner in owners if self.is_alive(owner)), None)

    def _sent(self, post_key: str, container_id: str, claim: Claim) -> tuple[Post, bool]:
        """Send the request; again where Instagram was not ready, or the token was dead and there is another."""
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
                live = Post(post_key, container_id, self.ledger.now(), media_id, self.ig_user_id, untold=True)
                post = self._recorded(live)
                return self._recorded(with_permalink(self.client, post)), True

    def _set_out(self, post_key: str, container_id: str, claim: Claim) -> Intent:
        """Write the intent right before a request: that write is the fence."""
        if (other := self._at_work(post_key)) is not None:
            raise self._held_by(other, post_key)
        intent = self.ledger.record_intent(post_key, container_id, claim)
        if (now := self.ledger.claim(post_key)) != claim:
            self.ledger.withdraw(intent)
            raise self._held_by(now.owner if now else self.owner, post_key)
        return intent

    def _held_by(self, owner: Owner, post_key: str) -> TransientError:
        return TransientError(
            f"post_key {post_key!r} is being published by {owner}; nothing was sent from here.",
            hint="When that task has ended, this one returns its post or makes it. Should it never end, because its "
            f"DAG is gone: {self.ledger.how_to_settle(post_key)}",
            retry_after=timedelta(minutes=1),
        )

    def _refuse_anothers(self, post_key: str, container_id: str) -> None:
        """Refuse a container that is the post of another key."""
        made = self.ledger.container(container_id)
        if made is not None and made.post_key != post_key and self.ledger.post(made.post_key) is not None:
            raise ValidationError(
                f"Container {container_id} is the published post of {made.post_key!r}, not of {post_key!r}.",
                hint="Give create and publish of one post the same post_key, and every post its own.",
            )

    def _settle_refusal(self, intent: Intent, error: InstagramError) -> Post | None:
        """Find out what a request has done that was not confirmed.

        :return: The post, or None when it is certain that there is none.
        """
        sent_by = self.ledger.clock()
        if isinstance(error, OutcomeUnknownError):  # a duplicate, Instagram says: of what, only a person can tell
            self.ledger.leave_to_a_person(intent)
            error.hint = self.ledger.how_to_settle(intent.post_key)
            raise error
        if error.outcome_unknown:
            log.warning("Whether container %s was published is not known: %s", intent.container_id, error)
            return self._settle(intent, sent_by)
        if isinstance(error, NotReadyError) and self._is_published_after_all(intent, error):
            return self._settle(intent, sent_by)
        if isinstance(error, QuotaExhaustedError):
            error.retry_after = room_in(self.client, self.ig_user_id, self.ledger.clock())
        return None

    def _is_published_after_all(self, intent: Intent, error: NotReadyError) -> bool:
        """Look at a container that Instagram called not ready, once the request would have taken effect.

        :raises ContainerExpiredError: When it is gone: the request was refused, and there is nothing to send again.
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
                    f"Container {intent.container_id} is gone: {unreadable.message}",
                    hint="Clear the create task and those downstream of it: that makes a new container.",
                ) from error

    def _settle(self, intent: Intent, sent_by: datetime) -> Post | None:
        """Find out whether a post was made.

        :param intent: Who set out to make it.
        :param sent_by: When his request was sent at the latest.
        :return: The post, or None when it is certain that there is none: then the same container may be published.
        :raises OutcomeUnknownError: When nothing can tell.
        """
        in_effect_by = sent_by + ANSWER_LOST_FOR_GOOD
        given_up_at = max(in_effect_by, self.ledger.clock() + LOOKED_AT_FOR)
        while True:
            try:
                status = self._status(intent.container_id)
            except NotReadyError as error:  # 100/33: the container is not visible, which proves nothing
                if self.ledger.clock() >= given_up_at:
                    raise self._undecided(intent, "cannot be found any more") from error
            else:
                if status.state is ContainerState.PUBLISHED:
                    made_by = min(self.ledger.clock(), in_effect_by)
                    return replace(self._found(intent.post_key, intent.container_id, intent.when, made_by), untold=True)
                if status.state is ContainerState.EXPIRED:
                    raise ContainerExpiredError(
                        f"Container {intent.container_id} expired without being published.",
                        hint="Clear the create task and those downstream of it: that makes a new container.",
                    )
                if status.state is ContainerState.ERROR:
                    raise self._undecided(intent, f"says: {status.summary()}")
                if self.ledger.clock() >= given_up_at:
                    if status.state is ContainerState.FINISHED and not intent.left_to_a_person:
                        return None
                    raise self._undecided(intent, f"says: {status.summary()}")
            self.sleep(READ_AGAIN_AFTER.total_seconds())

    def _undecided(self, intent: Intent, word: str) -> OutcomeUnknownError:
        return OutcomeUnknownError(
            f"Container {intent.container_id} was asked to be published and now {word}.",
            hint=self.ledger.how_to_settle(intent.post_key),
        )

    def _found(self, post_key: str, container_id: str, since: datetime, until: datetime) -> Post:
        """Tell which of the account's media a published container became, by caption and time; never by position.

        A single one that fits is believed once every post of that time is listed: before, it may be another's.

        :param since: When it was made at the earliest.
        :param until: And at the latest.
        """
        post = Post(post_key, container_id, self.ledger.now(), ig_user_id=self.ig_user_id)
        made = self.ledger.container(container_id)
        if made is None or made.caption is None:
            return self._unidentified(post, "the caption that it was made with is not known here")
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
            return self._unidentified(post, f"{len(same)} posts have its caption")
        (media,) = same
        if media.timestamp is None:
            return self._unidentified(post, f"the time of {media.id}, which has its caption, is not told")
        return replace(post, media_id=media.id, permalink=media.permalink, published_at=media.timestamp.isoformat())

    def _unidentified(self, post: Post, why: str) -> Post:
        log.warning("Container %s is live, but not which post it became: %s", post.container_id, why)
        return post

    def _status(self, container_id: str) -> ContainerStatus:
        return self.client.send(calls.container_status(container_id))

    def _recorded(self, post: Post) -> Post:
        self.ledger.record_post(post)
        return post


def with_permalink(client: GraphClient, post: Post) -> Post:
    """Read the permalink of a post whose maker has not, or not yet.

    :param client: An open client of the post's account.
    :param post: The post.
    :return: The post; without a permalink where none can be read.
    """
    if post.media_id is None or post.permalink is not None:
        return post
    try:
        return replace(post, permalink=read_once_known(client, calls.media(post.media_id)).permalink)
    except InstagramError as error:
        log.warning("The post %s is live; its permalink could not be read: %s", post.media_id, error)
        return post
