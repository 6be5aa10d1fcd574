"""Finds the posts of an account, and writes their rows.

Events name the posts of this provider. Only Instagram shows the others.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel
from sqlalchemy import select

from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.errors import Cause, cause_of
from airflow_provider_instagram.graph.listing import LONGEST_PAGE, pages
from airflow_provider_instagram.insights.schema import POSTS, Row, ages_of
from airflow_provider_instagram.posts.kinds import PostKind

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.calls import Call
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import Media, Page
    from airflow_provider_instagram.insights.targets import SqlTarget
    from airflow_provider_instagram.ledger.ledger import Ledger
    from airflow_provider_instagram.ledger.seal import StateStore
    from airflow_provider_instagram.quota.call_budget import InsightsBudget

log = logging.getLogger(__name__)

#: How far a look at the media list goes back before the last one, for posts that Instagram shows
#: late.
OVERLAP: Final = timedelta(hours=1)
#: How long a post that an event names is looked for.
LOOKED_FOR: Final = timedelta(hours=24)


@dataclass(frozen=True)
class PostEvent:
    """A post that this provider published, as the event of its asset names it."""

    media_id: str
    at: datetime
    post_key: str | None = None
    dag_id: str | None = None
    calendar: str | None = None


class Progress(BaseModel):
    """What the tables of a target do not tell about an account.

    :param looked_at: When posts made elsewhere were looked for last.
    :param events_until: Up to when the posts of events have rows, or are not looked for any more.
    :param unnamed: How many rows of each kind were written that no event has announced yet.
    """

    looked_at: datetime | None = None
    events_until: datetime | None = None
    unnamed: Counter[str] = Counter()

    @classmethod
    def of(cls, store: StateStore, target: str) -> Progress:
        """Read the row of an account and a target."""
        return cls.model_validate(store.get(_row_of(target)) or {})

    def save(self, store: StateStore, target: str) -> None:
        """Write the row, if it has changed."""
        if self != Progress.of(store, target):
            store.set(_row_of(target), self.model_dump(mode="json"))


def _row_of(target: str) -> str:
    return f"insights-state:{hashlib.sha256(target.encode()).hexdigest()[:16]}"


def oldest_age(ages: Sequence[timedelta]) -> timedelta:
    """Return the age from which a post is not read at any of the ages."""
    return ages_of(PostKind.PICTURE, ages)[-1].until


@dataclass
class Discovery:
    """Finds posts, with few calls.

    1. Posts made elsewhere: the media list and the stories are read if that was last done
       ``look_every`` ago.
    2. A post that an event names, and that has no row yet, is read by its id.

    :param found: The rows of the posts that were found and written.
    """

    client: GraphClient
    budget: InsightsBudget
    ledger: Ledger
    target: SqlTarget
    user_id: str
    ages: Sequence[timedelta]
    progress: Progress
    found: list[Row] = field(default_factory=list)
    _events: dict[str, PostEvent] = field(default_factory=dict)

    def find(self, events: Iterable[PostEvent], look_every: timedelta) -> None:
        """Find the posts of events, and those that were made elsewhere."""
        self._events = {event.media_id: event for event in events}
        now = self.ledger.clock()
        looked_at = self.progress.looked_at
        if (looked_at is None or now - looked_at >= look_every) and self.budget.left():
            self._read_list(self._new_media)
            self._read_list(partial(calls.stories, self.user_id))
            self.progress.looked_at = now

        known = self._known(self._events)
        waiting = list[datetime]()
        for event in self._events.values():
            if event.media_id not in known and not self._write_post_of(event):
                waiting.append(event.at)
        if self._events:
            self.progress.events_until = min(waiting, default=now)

    def _known(self, media_ids: Collection[str]) -> set[str]:
        """Return which posts have a row."""
        statement = select(POSTS.c.post_id).where(POSTS.c.post_id.in_(media_ids))
        return {row["post_id"] for row in self.target.read(statement)} if media_ids else set()

    def _new_media(self, after: str | None) -> Call[Page[Media]]:
        since = self.ledger.clock() - oldest_age(self.ages)
        if self.progress.looked_at is not None:
            since = max(since, self.progress.looked_at - OVERLAP)
        return calls.media_list(self.user_id, since=since, after=after, limit=LONGEST_PAGE)

    def _read_list(self, page_after: Callable[..., Call[Page[Media]]]) -> None:
        """Write the posts on all pages of a list, as far as the calls suffice."""
        for page in pages(self.client, page_after):
            self._write(page.items)
            if not self.budget.left():
                return

    def _write_post_of(self, event: PostEvent) -> bool:
        """Write a row for the post of an event. Return whether the event needs no other look."""
        if not self.budget.left():
            return False
        try:
            self._write([self.client.send(calls.media(event.media_id))])
        except InstagramError as error:
            if cause_of(error) is not Cause.NO_SUCH_OBJECT:
                raise
            log.warning(
                "Instagram does not show the post %s. It is looked for until a day after its event.",
                event.media_id,
            )
            return self.ledger.clock() - event.at > LOOKED_FOR
        return True

    def _write(self, items: Iterable[Media]) -> None:
        """Write the posts that have no row yet, and are not too old for all ages."""
        shown = {media.id: media for media in items}
        known = self._known(shown)
        rows = list[Row]()
        for media in shown.values():
            if media.timestamp is None or media.id in known:
                continue
            until = media.timestamp + ages_of(media.kind, self.ages)[-1].until
            if until > self.ledger.clock():
                event = self._events.get(media.id) or PostEvent(media.id, media.timestamp)
                rows.append(self._row(media, event))
        self.target.write(POSTS, rows)
        self.found.extend(rows)

    def _row(self, media: Media, event: PostEvent) -> Row:
        post_key = event.post_key or self.ledger.key_of_media(media.id)
        dag_id = event.dag_id
        intent = self.ledger.intent(post_key) if post_key and not dag_id else None
        if intent is not None:
            dag_id = intent.claim.owner.dag_id
        return {
            "post_id": media.id,
            "user_id": self.user_id,
            "username": media.username,
            "post_caption": media.caption,
            "created_timestamp": media.timestamp,
            "is_story": media.kind is PostKind.STORY,
            "media_type": media.media_type,
            "media_product_type": media.media_product_type,
            "post_url": media.permalink,
            "shortcode": media.shortcode,
            "conn_id": self.ledger.conn_id,
            "post_key": post_key,
            "dag_id": dag_id,
            "calendar": event.calendar,
            "found_timestamp": self.ledger.clock(),
        }
