"""What posts reached, beside each other: the tables of a period, by one metric at one age. No Airflow, no database.

Posts are compared at one age, so a younger one is left out rather than counted as a weak one. Groups are compared by
multiples of the median of the same account and kind, so that a reel is not beside a story. Each median comes with its
quartiles and the number of posts, and with fewer than :data:`FEW` posts it says that these are too few.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import chain
from statistics import median, quantiles
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from airflow_provider_instagram.graph.insight_reader import Reason
from airflow_provider_instagram.graph.models import MEDIA_METRICS
from airflow_provider_instagram.insights.schema import LAST_AGE_OF_STORY, MISSED, READ, compared_age, name_of
from airflow_provider_instagram.posts.kinds import PostKind

Cell = str | int | float | None
Key = TypeVar("Key")

METRICS: Final = tuple(dict.fromkeys(chain(*MEDIA_METRICS.values())))
#: With fewer posts, the middle half is one or two of them.
FEW: Final = 5
#: With fewer posts in all, no group says anything.
FEWEST_POSTS: Final = 12
#: So many tags, and so many first words, are listed: those of most posts.
MOST_GROUPS: Final = 30
LONGEST_TITLE: Final = 120
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOURS: Final = tuple(f"{hour:02}:00" for hour in range(24))
#: The longest caption of each group. Instagram shows about 125 characters before *more*.
LENGTHS: Final = {"no caption": 0, "up to 125 characters": 125, "126 to 500": 500, "more than 500": 10**9}
TOO_FEW, TOO_YOUNG, NOT_READ, NO_NUMBER = "too few to tell", "too young", "not read", "no number"
#: What the status of a snapshot without numbers means.
WORDS: Final = {
    Reason.NO_DATA.value: "no numbers yet",
    Reason.TOO_FEW_VIEWERS.value: "too few viewers",
    Reason.REFUSED.value: "refused by Instagram",
    Reason.GONE.value: "deleted",
    MISSED: "missed",
}
SPREAD: Final = ("Posts", "Median", "Lower quartile", "Upper quartile", "Remark")
#: Where a formula begins in a spreadsheet: before one of these signs, also in full width.
FORMULA: Final = re.compile(r"(^|[;\t])(?= *[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a post had reached at one age. If it has no value, the status may be the reason.

    :param taken_at: When it was read; None if it was missed.
    """

    age_s: int
    status: str
    value: float | None
    taken_at: datetime | None = None


@dataclass(frozen=True)
class Measured:
    """A post with its readings, by the names of the ages.

    :param tags: Its tags in the calendar.
    """

    media_id: str
    conn_id: str
    kind: PostKind
    at: datetime
    caption: str
    link: str | None
    post_key: str | None
    readings: Mapping[str, Reading]
    tags: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The first line of the caption."""
        line = next((line for line in self.caption.splitlines() if line.strip()), "")
        return line if len(line) <= LONGEST_TITLE else f"{line[:LONGEST_TITLE]}…"

    @property
    def labels(self) -> list[str]:
        """The tags, and the hashtags of the caption."""
        return list(dict.fromkeys((*self.tags, *re.findall(r"#\w+", self.caption.casefold()))))


@dataclass(frozen=True)
class Table:
    """A table that a page draws and a spreadsheet opens.

    :param chart: How it is drawn: as ``groups``, as a ``curve``, or not at all.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]
    chart: str = ""
    note: str = ""

    def as_csv(self) -> str:
        """Return the table as CSV, in which no text of a post is a formula."""
        text = io.StringIO()
        csv.writer(text).writerows([self.columns, *(map(_harmless, row) for row in self.rows)])
        return text.getvalue()


@dataclass
class Results:
    """The tables of some posts.

    :param age: The name of an age. If none of the posts was read at it, the one at which posts are usually compared.
    :param zone: In which days and hours are meant.
    :param split: The first day after a change; None if nothing is compared with what was before.
    :param post: The media id of the post whose curve is shown; by default that of the best one.
    """

    posts: Sequence[Measured]
    metric: str
    age: str
    zone: ZoneInfo
    now: datetime
    split: date | None = None
    post: str = ""

    def __post_init__(self) -> None:
        ages = [timedelta(seconds=age_s) for age_s in self.ages.values()]
        if self.age not in self.ages and ages:
            self.age = compared_age(PostKind.REEL.value, ages).name

    @cached_property
    def ages(self) -> dict[str, int]:
        """The ages at which posts were read, in seconds by name. A story has a last age of its own."""
        return _ages([post for post in self.posts if post.kind is not PostKind.STORY] or self.posts)

    def reached(self, post: Measured, age_s: int) -> Cell:
        """Return the number of a post at an age, or why it has none. A story is not read later than at its last age."""
        after = timedelta(seconds=age_s)
        if post.kind is PostKind.STORY:
            after = min(after, LAST_AGE_OF_STORY)
        reading = post.readings.get(name_of(after))
        if reading is None:
            return TOO_YOUNG if self.now < post.at + after else NOT_READ
        if reading.status != READ:
            return WORDS.get(reading.status, reading.status)
        return NO_NUMBER if reading.value is None else reading.value

    @cached_property
    def cells(self) -> dict[str, Cell]:
        """The numbers at the age, by media id, or why there is none."""
        return {post.media_id: self.reached(post, self.ages.get(self.age, 0)) for post in self.posts}

    @cached_property
    def values(self) -> dict[str, float]:
        """The numbers at the age, by media id."""
        return {media_id: cell for media_id, cell in self.cells.items() if isinstance(cell, int | float)}

    @cached_property
    def by_kind(self) -> Mapping[tuple[str, PostKind], list[float]]:
        """The numbers at the age, by account and kind."""
        return self._grouped(self.values, lambda post: [(post.conn_id, post.kind)])

    @cached_property
    def multiples(self) -> dict[str, float]:
        """The numbers as multiples of the median of the same account and kind, by media id."""
        middle = {kind: median(values) for kind, values in self.by_kind.items()}
        return {
            post.media_id: self.values[post.media_id] / middle[post.conn_id, post.kind]
            for post in self.posts
            if post.media_id in self.values and middle[post.conn_id, post.kind]
        }

    def notes(self) -> list[str]:
        """Return what a reader has to know before the tables."""
        if not self.posts:
            return ["The database has no posts of these days."]
        words = Counter(cell for cell in self.cells.values() if isinstance(cell, str))
        missing = "".join(f", {count} {word}" for word, count in words.most_common())
        notes = [f"{len(self.values)} of {len(self.posts)} posts have a number at {self.age or 'any age'}{missing}."]
        if len(self.values) < FEWEST_POSTS:
            notes.append(f"With fewer than {FEWEST_POSTS} numbers, nothing here tells what the next post will reach.")
        return notes

    def tables(self) -> list[Table]:
        """Return all tables."""
        return [
            self._posts(),
            self._curve(),
            _table("kind", "Accounts and kinds", {", ".join(key): self.by_kind[key] for key in sorted(self.by_kind)}),
            self._groups("weekday", "By weekday", lambda post: [WEEKDAYS[self._local(post).weekday()]], WEEKDAYS),
            self._groups("hour", "By hour", lambda post: [HOURS[self._local(post).hour]], HOURS),
            self._groups("tag", "By tag", lambda post: post.labels),
            self._groups("length", "By length of the caption", _length, tuple(LENGTHS)),
            self._groups("opening", "By first words", _opening),
            *([self._split(self.split)] if self.split else []),
        ]

    def _local(self, post: Measured) -> datetime:
        return post.at.astimezone(self.zone)

    def _posts(self) -> Table:
        """Return the posts, those that reached most first, and those without a number last."""
        columns = ("Published", "Account", "Kind", "Post", self.metric, "Times the median", "Tags", "Link", "Media id")
        rows = [
            (
                *(f"{self._local(post):%Y-%m-%d %H:%M}", post.conn_id, str(post.kind), post.title),
                *(_rounded(self.cells[post.media_id]), _rounded(self.multiples.get(post.media_id))),
                *(", ".join(post.labels), post.link, post.media_id),
            )
            for post in sorted(self.posts, key=lambda post: (-self.values.get(post.media_id, -1), post.at))
        ]
        return Table("posts", "Posts, best first", columns, rows)

    def _curve(self) -> Table:
        """Return a post at each age, beside all posts of the same account and kind."""
        by_id = {post.media_id: post for post in self.posts}
        post = by_id.get(self.post) or by_id.get(max(self.values, key=self.values.__getitem__, default=""))
        if post is None:
            return Table("curve", "A post by age", ("Age", "This post", *SPREAD), [])
        alike = [one for one in self.posts if (one.conn_id, one.kind) == (post.conn_id, post.kind)]
        rows = []
        for age, age_s in _ages(alike).items():
            cells = [self.reached(one, age_s) for one in alike]
            spread = _spread([cell for cell in cells if isinstance(cell, int | float)])
            rows.append((age, _rounded(self.reached(post, age_s)), *spread))
        title = f"{post.title or post.media_id} (beside each {post.kind} of {post.conn_id})"
        return Table("curve", title, ("Age", "This post", *SPREAD), rows, "curve")

    def _grouped(
        self, numbers: Mapping[str, float], labels: Callable[[Measured], Iterable[Key]]
    ) -> dict[Key, list[float]]:
        groups = defaultdict(list)
        for post in self.posts:
            if post.media_id in numbers:
                for label in labels(post):
                    groups[label].append(numbers[post.media_id])
        return groups

    def _groups(
        self, name: str, title: str, labels: Callable[[Measured], Iterable[str]], order: Sequence[str] = ()
    ) -> Table:
        """Return how the posts of each group compare with the median of their account and kind.

        :param order: The labels in their order; by default, those of most posts come first.
        """
        groups = self._grouped(self.multiples, labels)
        shown = order or sorted(groups, key=lambda label: (-len(groups[label]), label))[:MOST_GROUPS]
        return _table(name, title, {label: groups[label] for label in shown if label in groups})

    def _split(self, day: date) -> Table:
        """Return the posts before a day beside those of that day and later."""
        labels = (f"before {day}", f"from {day} on")
        groups = self._grouped(self.multiples, lambda post: [labels[self._local(post).date() >= day]])
        before, after = (groups.get(label, []) for label in labels)
        if min(len(before), len(after)) < FEW:
            note = f"Fewer than {FEW} posts before or after: this does not tell whether the change made a difference."
        else:
            (low, _, high), (later_low, _, later_high) = map(_quartiles, (before, after))
            is_apart = later_low > high or later_high < low
            note = "The middle halves are apart." if is_apart else "The middle halves overlap: no clear difference."
            note += " Other things may have changed at the same time."
        return replace(_table("split", "Before and after", dict(zip(labels, (before, after), strict=True))), note=note)


def _ages(posts: Iterable[Measured]) -> dict[str, int]:
    found = {(one.age_s, name) for post in posts for name, one in post.readings.items()}
    return {name: age_s for age_s, name in sorted(found)}


def _table(name: str, title: str, groups: Mapping[str, Sequence[float]]) -> Table:
    rows = [(label, *_spread(values)) for label, values in groups.items()]
    return Table(name, title, (title.removeprefix("By ").capitalize(), *SPREAD), rows, "groups")


def _length(post: Measured) -> list[str]:
    return [next(name for name, most in LENGTHS.items() if len(post.caption) <= most)]


def _opening(post: Measured) -> list[str]:
    """Return the first two words of the caption, in lower case."""
    words = re.findall(r"[\w'\u2019]+", post.caption.casefold())[:2]
    return [" ".join(words)] if words else []


def _spread(values: Sequence[float]) -> tuple[Cell, ...]:
    """Return how many numbers there are, their median and quartiles, and whether they are too few to tell anything."""
    low, middle, high = map(_rounded, _quartiles(values) if values else (None, None, None))
    return len(values), middle, low, high, TOO_FEW if len(values) < FEW else ""


def _quartiles(values: Sequence[float]) -> list[float]:
    return quantiles(values, n=4, method="inclusive") if len(values) > 1 else [*values] * 3


def _rounded(cell: Cell) -> Cell:
    return round(cell, 2) if isinstance(cell, float) else cell


def _harmless(cell: Cell) -> Cell:
    """Return a cell that no spreadsheet runs, also one that splits the line at semicolons or tabs."""
    return FORMULA.sub(r"\1'", cell) if isinstance(cell, str) else cell
