"""At which ages the numbers of posts are read, and which posts are tracked, in rows of the account's ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.posts.kinds import PostKind

if TYPE_CHECKING:
    from airflow_provider_instagram.ledger.ledger import StateStore

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
DEFAULT_AGES: Final = (_HOUR, 6 * _HOUR, 24 * _HOUR, 3 * _DAY, 7 * _DAY, 28 * _DAY)
# Source: Meta, Instagram Media Insights: a story and its numbers exist for 24 hours.
STORY_LIFE: Final = timedelta(hours=24)
#: Later, the numbers of a post change little, and a calendar would wait longer for what it learns.
COMPARED_WITHIN: Final = timedelta(hours=24)
#: When a story is read for the last time.
LAST_AGE_OF_STORY: Final = timedelta(hours=23)
#: The shortest distance of two ages. A DAG that runs twice an hour keeps it.
SHORTEST_DISTANCE: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Age:
    """An age at which a post is read.

    :param name: Its name in the tables, for example ``24h`` or ``7d``.
    :param until: The age from which a reading counts as the next one, or shows nothing any more.
    """

    name: str
    after: timedelta
    until: timedelta


#: How long Meta keeps the numbers of a post. Source: Meta, Instagram Media Insights.
KEPT: Final = timedelta(days=730)
#: The name of the one age of a post that was too old for all others when it was found.
OLDER: Final = "older"


def checked_ages(ages: Sequence[timedelta]) -> tuple[timedelta, ...]:
    """Return ages in their order. There is at least one, and no two are too close to each other."""
    written: Any = ages  # what an author wrote
    listed = list(written) if isinstance(written, Collection) and not isinstance(written, str) else [written]
    for age in listed:
        if not isinstance(age, timedelta):
            raise ValidationError(
                f"{age!r} in ages is not a timedelta.", hint="Write for example ages=[timedelta(hours=1)]."
            )
    ordered = tuple(sorted(set(listed)))
    distances = [later - earlier for earlier, later in zip((timedelta(), *ordered), ordered, strict=False)]
    if not ordered or min(distances) < SHORTEST_DISTANCE or ordered[-1] > 365 * _DAY:
        raise ValidationError(
            f"{[str(age) for age in ages]} are not valid ages.",
            hint="Name at least one, at most 365 days, and at least half an hour apart.",
        )
    return ordered


def ages_of(kind: str, ages: Sequence[timedelta] = DEFAULT_AGES) -> tuple[Age, ...]:
    """Return the ages at which a kind of medium is read, the youngest first."""
    if kind == PostKind.STORY.value:
        below = [age for age in ages if age <= LAST_AGE_OF_STORY - SHORTEST_DISTANCE]
        chosen, end = [*below, LAST_AGE_OF_STORY], STORY_LIFE
    else:
        chosen = list(ages)
        end = chosen[-1] + (chosen[-1] - chosen[-2] if len(chosen) > 1 else chosen[-1])
    following = [*chosen[1:], end]
    return tuple(Age(name_of(after), after, until) for after, until in zip(chosen, following, strict=True))


def compared_age(kind: str, ages: Sequence[timedelta]) -> Age:
    """Return the age at which posts of a kind are compared: the last one within a day, or else the first."""
    all_ages = ages_of(kind, ages)
    return next((age for age in reversed(all_ages) if age.after <= COMPARED_WITHIN), all_ages[0])


def name_of(age: timedelta) -> str:
    """Return the name of an age: in days from two days on, in hours, or in minutes."""
    for unit, letter, least in ((_DAY, "d", 2 * _DAY), (_HOUR, "h", _HOUR)):
        if age >= least and not age % unit:
            return f"{age // unit}{letter}"
    return f"{age // timedelta(minutes=1)}min"


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
    :param audience: For which week or month each dimension of the audience was read last.
    """

    days: dict[str, float] = field(default_factory=dict)
    looked_at: float = 0.0
    stories_looked_at: float = 0.0
    events_until: str | None = None
    unseen: list[PostEvent] = field(default_factory=list)
    account_day: str | None = None
    older_until: str | None = None
    audience: dict[str, str] = field(default_factory=dict)

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
