"""Finds the posts of an account, and keeps in rows of its ledger which of them are read when.

Events name the posts of this provider. Only Instagram shows the others.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.errors import Cause, cause_of
from airflow_provider_instagram.graph.listing import LONGEST_PAGE, pages
from airflow_provider_instagram.insights.schema import KEPT, OLDER, Age, Row, ages_of
from airflow_provider_instagram.posts.kinds import PostKind

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import Media, Page
    from airflow_provider_instagram.ledger.ledger import Ledger
    from airflow_provider_instagram.ledger.seal import StateStore
    from airflow_provider_instagram.quota.call_budget import InsightsBudget

log = logging.getLogger(__name__)

#: How far a look at the media list goes back before the last one, for posts that Instagram shows late.
OVERLAP: Final = timedelta(hours=1)
#: How long a post that an event names is looked for.
LOOKED_FOR: Final = timedelta(hours=24)
#: How far the time of a post in the ledger may be from its time on Instagram.
CLOCKS_DIFFER: Final = timedelta(minutes=10)


@dataclass(frozen=True)
class PostEvent:
    """A post that this provider published, as the event of its asset names it."""

    media_id: str
    at: str
    post_key: str | None = None
    dag_id: str | None = None
    calendar: str | None = None

    @property
    def time(self) -> datetime:
        """The time of the event."""
        return datetime.fromisoformat(self.at)


@dataclass
class TrackedPost:
    """A post whose numbers are read.

    :param done: The names of the ages that are read, or can no longer be read.
    :param again_at: When to read the present age again, in seconds since the epoch, because it had no numbers yet.
    :param older: Whether it was too old for all ages when it was found. It is read once.
    """

    media_id: str
    kind: str
    published_at: str
    post_key: str | None = None
    dag_id: str | None = None
    calendar: str | None = None
    done: list[str] = field(default_factory=list)
    again_at: float | None = None
    older: bool = False

    @property
    def published(self) -> datetime:
        """When it was published."""
        return datetime.fromisoformat(self.published_at)

    def as_row(self) -> dict[str, Any]:
        """Return what is stored."""
        return {name: value for name, value in vars(self).items() if value not in (None, [], False)}

    def open_ages(self, ages: Sequence[timedelta]) -> list[Age]:
        """Return the ages that are still to be read, the youngest first."""
        of_kind = ages_of(self.kind, ages)
        every = (Age(OLDER, of_kind[-1].until, KEPT),) if self.older else of_kind
        return [age for age in every if age.name not in self.done]

    def next_due(self, ages: Sequence[timedelta]) -> float | None:
        """Return when it is to be read next, in seconds since the epoch, or None if it is not read any more."""
        open_ages = self.open_ages(ages)
        if not open_ages:
            return None
        return max((self.published + open_ages[0].after).timestamp(), self.again_at or 0.0)


@dataclass
class Head:
    """What is known of an account as a whole.

    :param days: For each day with posts that are still read, when the next of them is due.
    :param looked_at: When the media list was read last, in seconds since the epoch.
    :param events_until: The time of the last event of a post that was seen, as ISO 8601.
    :param unseen: Posts that an event names, and that Instagram has not shown yet.
    :param account_day: The last day whose account numbers were read, as ISO 8601.
    :param older_until: Posts from before the first run were looked for back to this time, as ISO 8601.
    """

    days: dict[str, float] = field(default_factory=dict)
    looked_at: float = 0.0
    stories_looked_at: float = 0.0
    events_until: str | None = None
    unseen: list[PostEvent] = field(default_factory=list)
    account_day: str | None = None
    older_until: str | None = None

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Head:
        """Read a row as it is stored."""
        return cls(**{**row, "unseen": [PostEvent(**event) for event in row.get("unseen", ())]})


class Tracking:
    """The rows of an account and a target: one for the account, and one for each day on which it published posts.

    Each target has rows of its own, so that what is in one target is not taken to be in another.
    """

    def __init__(self, store: StateStore, ages: Sequence[timedelta], target: str) -> None:
        self.store, self.ages = store, ages
        digest = hashlib.sha256(target.encode()).hexdigest()[:16]
        self._head_row, self._day_row = f"insights-state:{digest}", f"insights-posts:{digest}"
        self._stored_head = store.get(self._head_row) or {}
        self.head = Head.read(deepcopy(self._stored_head))
        self._days: dict[str, dict[str, TrackedPost | None]] = {}
        self._changed: set[str] = set()

    def day(self, name: str) -> dict[str, TrackedPost | None]:
        """Return the posts of a day. A post that is not read any more is None."""
        if name not in self._days:
            row = self.store.get(f"{self._day_row}:{name}") or {}
            self._days[name] = {key: None if post is None else TrackedPost(**post) for key, post in row.items()}
        return self._days[name]

    def knows(self, media_id: str, published: datetime) -> bool:
        """Return whether a post is or was tracked."""
        around = (published - CLOCKS_DIFFER, published, published + CLOCKS_DIFFER)
        return any(media_id in self.day(_day(moment)) for moment in dict.fromkeys(around))

    def add(self, post: TrackedPost) -> None:
        """Track a post."""
        name = _day(post.published)
        self.day(name)[post.media_id] = post
        self._changed.add(name)

    def drop(self, media_id: str, published: datetime) -> None:
        """Record that a post is known, and is not read."""
        self.day(_day(published))[media_id] = None
        self._changed.add(_day(published))

    def changed(self, post: TrackedPost) -> None:
        """Record that a post has changed."""
        self._changed.add(_day(post.published))

    def due(self, now: float) -> Iterator[TrackedPost]:
        """Yield the posts that are to be read now. Only the rows of their days are read from the store."""
        for name in sorted({name for name, at in self.head.days.items() if at <= now} | self._changed):
            for post in self.day(name).values():
                if post is not None and (at := post.next_due(self.ages)) is not None and at <= now:
                    yield post

    def save(self) -> None:
        """Write the rows that have changed. The days are written first: what they hold is not lost."""
        for name in sorted(self._changed):
            posts = self.day(name)
            times = {key: post.next_due(self.ages) for key, post in posts.items() if post is not None}
            row = {key: post.as_row() if post and times[key] is not None else None for key, post in posts.items()}
            self.store.set(f"{self._day_row}:{name}", row)
            open_times = [at for at in times.values() if at is not None]
            if open_times:
                self.head.days[name] = min(open_times)
            else:
                self.head.days.pop(name, None)
        self._changed.clear()
        if (head := asdict(self.head)) != self._stored_head:
            self.store.set(self._head_row, head)
            self._stored_head = head


def _day(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).date().isoformat()


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
        for page in pages(self.client, page_after):
            yield from self._tracked(page.items)
            if not self.budget.left():
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
