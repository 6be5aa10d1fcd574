"""The account's own limits of calls and posts, set in its connection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.quota.call_budget import CALLS_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Mapping

# Source: the specification of this provider: 25 posts a day, 10 an hour.
POSTS_PER_DAY = 25
POSTS_PER_HOUR = 10
MOST = 100_000


@dataclass(frozen=True)
class Quota:
    """A limit of posts in a moving period.

    :param name: The name of the period. Part of the ledger's keys.
    """

    name: str
    posts: int
    period: timedelta


@dataclass(frozen=True)
class Limits:
    """The limits of an account."""

    calls_per_hour: int = CALLS_PER_HOUR
    posts_per_day: int = POSTS_PER_DAY
    posts_per_hour: int = POSTS_PER_HOUR

    @property
    def quotas(self) -> tuple[Quota, ...]:
        """The limits on posts, the shorter period first."""
        return (
            Quota("hour", self.posts_per_hour, timedelta(hours=1)),
            Quota("day", self.posts_per_day, timedelta(days=1)),
        )

    @classmethod
    def read(cls, extra: Mapping[str, str]) -> Limits:
        """Read the limits from a connection's extra. A missing limit has its default."""
        return cls(**{name: _number(name, extra[name]) for name in cls.__dataclass_fields__ if name in extra})


def _number(name: str, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= MOST:
        raise ValidationError(
            f"{name} in the connection's extra is {text!r}, which is not a valid limit.",
            hint=f"Use a whole number from 1 to {MOST}, or remove it to use the default.",
        )
    return number
