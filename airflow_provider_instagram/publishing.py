"""One container, one post: the request that makes it, and what to do when its answer does not come."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from airflow_provider_instagram.exceptions import (
    ContainerExpiredError,
    InstagramError,
    NotReadyError,
    OutcomeUnknownError,
)
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.models import ContainerState
from airflow_provider_instagram.ledger import Intent, Ledger, Post, digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import ContainerStatus, Media

log = logging.getLogger(__name__)

# Meta may still be at work on a request whose answer was lost: a finished container counts as unpublished after this.
ANSWER_LOST_FOR_GOOD = timedelta(seconds=150)
READ_AGAIN_AFTER = timedelta(seconds=10)
# Instagram's clock and ours differ, and a post carries the time at which its publication began.
CLOCK_TOLERANCE = timedelta(minutes=2)
# A live post shows up in the account's media only after a while.
POST_VISIBLE_WITHIN = timedelta(seconds=90)
NOT_READY_TRIES = 5


@dataclass
class Publisher:
    """Publishes the containers of one account, each at most once.

    :param client: An open client of the account.
    :param ledger: The account's ledger.
    :param ig_user_id: The account's Instagram user id.
    :param sleep: Waits for a number of seconds.
    """

    client: GraphClient
    ledger: Ledger
    ig_user_id: str
    sleep: Callable[[float], None] = field(default=time.sleep)

    def publish(self, post_key: str, container_id: str) -> tuple[Post, bool]:
        """Make the container a post, unless it is one already.

        :param post_key: What the post is known by; the ledger holds no finished post for it.
        :param container_id: The container.
        :return: The post, and whether this call made it.
        :raises OutcomeUnknownError: When it may be live and nothing can tell.
        :raises InstagramError: When Instagram refused; the post is not live then.
        """
        if (intent := self.ledger.intent(post_key)) is not None:
            log.info("A former try set out to publish container %s at %s", intent.container_id, intent.at)
            if (post := self._settle(intent)) is not None:
                return self._recorded(post), True
            container_id = intent.container_id
        status = self._status(container_id)
        if status.state is ContainerState.PUBLISHED:
            log.warning("Container %s was published by somebody else: taking that post for this one", container_id)
            a_day_ago = self.ledger.clock() - timedelta(days=1)
            return self._recorded(self._found(Intent(post_key, container_id, a_day_ago.isoformat()))), False
        if (failure := status.failure()) is not None:
            raise failure
        tries = Retrying(
            retry=retry_if_exception_type(NotReadyError),
            stop=stop_after_attempt(NOT_READY_TRIES),
            wait=_as_asked,
            sleep=self.sleep,
            reraise=True,
        )
        return tries(self._send, post_key, container_id), True

    def _send(self, post_key: str, container_id: str) -> Post:
        """Send the request, once. Its intent is written right before it: that write is the fence."""
        intent = self.ledger.record_intent(post_key, container_id)
        try:
            media_id = self.client.send(calls.publish(self.ig_user_id, container_id))
        except InstagramError as error:
            if error.outcome_unknown:
                log.warning("Whether container %s was published is not known: %s", container_id, error)
                if (post := self._settle(intent)) is not None:
                    return self._recorded(post)
                error.outcome_unknown = False
            self.ledger.withdraw(intent)
            raise
        return self._with_permalink(self._recorded(Post(post_key, container_id, self.ledger.now(), media_id)))

    def _settle(self, intent: Intent) -> Post | None:
        """Find out whether a post was made.

        :return: The post, or None when it is certain that there is none: then the same container may be published.
        :raises OutcomeUnknownError: When nothing can tell.
        """
        given_up_at = intent.when + ANSWER_LOST_FOR_GOOD
        while True:
            try:
                status = self._status(intent.container_id)
            except NotReadyError as error:  # 100/33: the container is not visible, which proves nothing
                if self.ledger.clock() >= given_up_at:
                    raise OutcomeUnknownError(
                        f"Container {intent.container_id} was asked to be published and cannot be found any more.",
                        hint=_settle_by_hand(intent.container_id),
                    ) from error
            else:
                if status.state is ContainerState.PUBLISHED:
                    return self._found(intent)
                if status.state is ContainerState.EXPIRED:
                    raise ContainerExpiredError(
                        f"Container {intent.container_id} expired without being published.",
                        hint="Clear the create task and those downstream of it: that makes a new container.",
                    )
                if status.state is ContainerState.ERROR:
                    raise OutcomeUnknownError(
                        f"Container {intent.container_id} was asked to be published and now says: {status.summary()}.",
                        hint=_settle_by_hand(intent.container_id),
                    )
                if self.ledger.clock() >= given_up_at:
                    return None
            self.sleep(READ_AGAIN_AFTER.total_seconds())

    def _found(self, intent: Intent) -> Post:
        """Tell which of the account's media a published container became, by caption and time; never by position."""
        post = Post(intent.post_key, intent.container_id, self.ledger.now())
        made = self.ledger.container(intent.container_id)
        if made is None or made.caption is None:
            return self._untold(post, "the caption that it was made with is not known here")
        visible_by = self.ledger.clock() + POST_VISIBLE_WITHIN
        while True:
            same = [
                media
                for media in self._media_since(intent.when - CLOCK_TOLERANCE)
                if digest(media.caption or "") == made.caption and not self.ledger.knows_media(media.id)
            ]
            if len(same) == 1:
                return replace(post, media_id=same[0].id, permalink=same[0].permalink)
            if same:
                return self._untold(post, f"{len(same)} posts have its caption")
            if self.ledger.clock() >= visible_by:
                return self._untold(post, "no post with its caption is listed")
            self.sleep(READ_AGAIN_AFTER.total_seconds())

    def _untold(self, post: Post, why: str) -> Post:
        log.warning("Container %s is live, but not which post it became: %s", post.container_id, why)
        return post

    def _media_since(self, since: datetime) -> Iterator[Media]:
        after = None
        while True:
            page = self.client.send(calls.media_list(self.ig_user_id, since=since, after=after))
            yield from (media for media in page.items if media.timestamp is None or media.timestamp >= since)
            after = page.after
            if after is None or not page.items:
                return

    def _status(self, container_id: str) -> ContainerStatus:
        return self.client.send(calls.container_status(container_id))

    def _recorded(self, post: Post) -> Post:
        self.ledger.record_post(post)
        return post

    def _with_permalink(self, post: Post) -> Post:
        try:
            permalink = self.client.send(calls.media(post.media_id or "")).permalink
        except InstagramError as error:
            log.warning("The post %s is live; its permalink could not be read: %s", post.media_id, error)
            return post
        return self._recorded(replace(post, permalink=permalink))


def _as_asked(state: RetryCallState) -> float:
    """Wait as long as Instagram's refusal asks for."""
    error = state.outcome.exception() if state.outcome else None
    log.info("%s", error)
    pause = error.retry_after if isinstance(error, NotReadyError) else None
    return (pause or READ_AGAIN_AFTER).total_seconds()


def _settle_by_hand(container_id: str) -> str:
    return (
        "Look at the account: if the post is there, mark this task as success; if it is not, and is not there an hour "
        f"later, clear create and the tasks downstream of it under a new post_key. The container is {container_id}."
    )
