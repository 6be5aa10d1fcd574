"""The account's own limits of calls and posts, set in its connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST: Final = 100_000


@dataclass(frozen=True)
class Limits:
    """The limits of an account. Source of the defaults: the specification of this provider."""

    calls_per_hour: int = 200
    posts_per_day: int = 25
    posts_per_hour: int = 10

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
