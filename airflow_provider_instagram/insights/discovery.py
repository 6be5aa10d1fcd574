"""Finds the posts of an account: those that its events name, and those that only Instagram shows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.errors import Cause, cause_of
from airflow_provider_instagram.insights.tracking import KEPT, PostEvent, TrackedPost, Tracking, ages_of
from airflow_provider_instagram.posts.kinds import PostKind

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import Media, Page
    from airflow_provider_instagram.insights.schema import Row
    from airflow_provider_instagram.ledger.ledger import Ledger
    from airflow_provider_instagram.quota.call_budget import InsightsBudget

log = logging.getLogger(__name__)

LONGEST_PAGE: Final = 100
#: How far a look at the media list goes back before the last one, for posts that Instagram shows late.
OVERLAP: Final = timedelta(hours=1)
#: How long a post that an event names is looked for.
LOOKED_FOR: Final = timedelta(hours=24)


@dataclass
class Discovery:
    """Finds posts, with as few calls as possible.

    1. A post that an event names: the media list is read at once. It shows all new posts in one call. If the post is
       not there, the stories are read, and then the post itself.
    2. Posts made elsewhere: the media list and the stories are read if that was last done ``look_every`` ago.
    """

    client: GraphClient
    budget: InsightsBudget
    ledger: Ledger
    tracking: Tracking
    user_id: str
    look_every: timedelta

    def find(self, events: Iterable[PostEvent]) -> Iterator[Row]:
        """Track new posts, and yield their rows."""
        head = self.tracking.head
        for event in events:
            head.events_until = max(head.events_until or event.at, event.at)
            head.unseen.append(event)
        head.unseen = [event for event in head.unseen if not self._is_known(event)]
        now = self.ledger.clock().timestamp()
        if (head.unseen or self._is_time(head.looked_at, now)) and self.budget.left():
            yield from self._look_at_list()
            head.looked_at = now
        if (head.unseen or self._is_time(head.stories_looked_at, now)) and self.budget.left():
            yield from self._pages(lambda after: calls.stories(self.user_id, after=after))
            head.stories_looked_at = now
        yield from self._look_at_each()

    def find_older(self, back: timedelta) -> Iterator[Row]:
        """Track a page of the posts that are too old for all ages, back to an age, and yield their rows.

        The next page begins where this one ends, also in another run. A post that is known is left out.
        """
        head, now = self.tracking.head, self.ledger.clock()
        first, last = now - min(back, KEPT), now - self._oldest_age
        until = datetime.fromisoformat(head.older_until) if head.older_until else last
        if until <= first:
            return
        page = self.client.send(calls.media_list(self.user_id, since=first, until=until, limit=LONGEST_PAGE))
        yield from self._tracked(page.items, older=True)
        times = [media.timestamp for media in page.items if media.timestamp is not None]
        # Another post of the same second may be on the next page.
        at = min(until - timedelta(seconds=1), min(times) + timedelta(seconds=1)) if page.after and times else first
        head.older_until = at.astimezone(timezone.utc).isoformat()

    @property
    def _oldest_age(self) -> timedelta:
        """The age from which a post is not read at any of the ages."""
        return ages_of(PostKind.PICTURE.value, self.tracking.ages)[-1].until

    def _is_time(self, looked_at: float, now: float) -> bool:
        return now - looked_at >= self.look_every.total_seconds()

    def _is_known(self, event: PostEvent) -> bool:
        post = self.ledger.post(event.post_key) if event.post_key else None
        return self.tracking.knows(event.media_id, datetime.fromisoformat(post.published_at) if post else event.time)

    def _look_at_list(self) -> Iterator[Row]:
        looked_at = self.tracking.head.looked_at
        horizon = self.ledger.clock() - self._oldest_age
        since = max(horizon, datetime.fromtimestamp(looked_at, timezone.utc) - OVERLAP) if looked_at else horizon
        yield from self._pages(
            lambda after: calls.media_list(self.user_id, since=since, after=after, limit=LONGEST_PAGE)
        )

    def _pages(self, page_after: Callable[[str | None], calls.Call[Page[Media]]]) -> Iterator[Row]:
        """Track the posts on all pages of a list, as far as the calls suffice."""
        after: str | None = None
        while True:
            page = self.client.send(page_after(after))
            yield from self._tracked(page.items)
            after = page.after
            if after is None or not self.budget.left():
                return

    def _look_at_each(self) -> Iterator[Row]:
        """Read the posts that neither list shows. One that Instagram does not know is looked for again later."""
        head, now = self.tracking.head, self.ledger.clock()
        for event in list(head.unseen):
            if not self.budget.left():
                return
            try:
                media = self.client.send(calls.media(event.media_id))
            except InstagramError as error:
                if cause_of(error) is not Cause.NO_SUCH_OBJECT:
                    raise
                if now - event.time > LOOKED_FOR:
                    log.warning("Instagram does not show the post %s. It is not looked for any more.", event.media_id)
                    head.unseen.remove(event)
                    self.tracking.drop(event.media_id, event.time)
                continue
            yield from self._tracked([media])
            head.unseen = [other for other in head.unseen if other is not event]

    def _tracked(self, items: Iterable[Media], *, older: bool = False) -> Iterator[Row]:
        now = self.ledger.clock()
        head = self.tracking.head
        events = {event.media_id: event for event in head.unseen}
        for media in items:
            head.unseen = [event for event in head.unseen if event.media_id != media.id]
            if media.timestamp is None or self.tracking.knows(media.id, media.timestamp):
                continue
            kind = media.kind
            if not older and media.timestamp + ages_of(kind.value, self.tracking.ages)[-1].until <= now:
                self.tracking.drop(media.id, media.timestamp)
                continue
            post = replace(self._post(media, kind.value, events.get(media.id)), older=older)
            self.tracking.add(post)
            yield self._row(media, post)

    def _post(self, media: Media, kind: str, event: PostEvent | None) -> TrackedPost:
        assert media.timestamp is not None  # noqa: S101 -- checked by the caller
        published_at = media.timestamp.astimezone(timezone.utc).isoformat()
        named = event or PostEvent(media.id, published_at)
        post_key, dag_id = named.post_key or self.ledger.key_of_media(media.id), named.dag_id
        if dag_id is None and post_key is not None and (intent := self.ledger.intent(post_key)) is not None:
            dag_id = intent.claim.owner.dag_id
        return TrackedPost(media.id, kind, published_at, post_key, dag_id, named.calendar)

    def _row(self, media: Media, post: TrackedPost) -> Row:
        return {
            "post_id": media.id,
            "user_id": self.user_id,
            "username": media.username,
            "post_caption": media.caption,
            "created_timestamp": post.published,
            "is_story": post.kind == PostKind.STORY.value,
            "media_type": media.media_type,
            "media_product_type": media.media_product_type,
            "post_url": media.permalink,
            "shortcode": media.shortcode,
            "conn_id": self.ledger.conn_id,
            "post_key": post.post_key,
            "dag_id": post.dag_id,
            "calendar": post.calendar,
            "found_timestamp": self.ledger.clock(),
        }
