"""How new a page's cards are, so that no other API server process answers it with older ones.

The time is when the look ended from which the cards are, in seconds since the epoch.
"""

from __future__ import annotations

import re
from typing import Final

from airflow_provider_instagram.calendar.planning.schedule import utc_now

FORM: Final = re.compile(r"[0-9]{1,11}\.[0-9]{3}")
#: What a page has seen that shows nothing yet.
NOTHING: Final = 0.0


def now_s() -> float:
    """Return what only a look that begins after this moment has seen."""
    return utc_now().timestamp()


def read_seen(text: str) -> float:
    """Read what a page sends. A time to come is from a machine whose clock is fast, and counts as no time."""
    seen_s = float(text) if FORM.fullmatch(text) else NOTHING
    return seen_s if seen_s <= now_s() else NOTHING


def written(seen_s: float) -> str:
    """Return what a page gets, and sends with its next request."""
    return f"{seen_s:.3f}"
