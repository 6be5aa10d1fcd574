"""The ages of a post at which its numbers are read, and how late each of them may be read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.posts.kinds import PostKind

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


def checked_ages(ages: Sequence[timedelta]) -> tuple[timedelta, ...]:
    """Return ages in their order.

    :raises ValidationError: If one is not a timedelta, there are none, or two of them are too close to each other.
    """
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
    """Return the ages at which a kind of medium is read, the youngest first.

    :param ages: The ages of posts. A story has those below 23 hours, and 23 hours.
    """
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
