"""How new a page's cards are, so that no other API server process answers it with older ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.calendar.planning.schedule import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterable

FORM: Final = re.compile(r"([0-9]{1,11}\.[0-9]{3}) ([0-9]{1,11}\.[0-9]{3})")


@dataclass(frozen=True)
class Seen:
    """How new the cards of a page are. Times are in seconds since the epoch.

    :param looked_at: When the look at Airflow's database ended from which they are.
    :param edited_at: When the DAG processor stored the latest edit that they contain.
    """

    looked_at: float = 0.0
    edited_at: float = 0.0

    @classmethod
    def now(cls) -> Seen:
        """Return what only a look that begins after this moment has seen."""
        return cls(utc_now().timestamp())

    @classmethod
    def read(cls, text: str) -> Seen:
        """Read what a page sends. A time to come is from a machine whose clock is fast, and counts as no time."""
        found = FORM.fullmatch(text)
        if found is None:
            return cls()
        now = utc_now().timestamp()
        looked_at, edited_at = (float(part) for part in found.groups())
        return cls(looked_at if looked_at <= now else 0.0, edited_at if edited_at <= now else 0.0)

    @classmethod
    def latest(cls, all_seen: Iterable[Seen]) -> Seen:
        """Return what is at least as new as each of these."""
        found = list(all_seen)
        looked_at = max((one.looked_at for one in found), default=0.0)
        return cls(looked_at, max((one.edited_at for one in found), default=0.0))

    def __str__(self) -> str:
        return f"{self.looked_at:.3f} {self.edited_at:.3f}"


#: What a page has seen that shows nothing yet.
NOTHING: Final = Seen()
