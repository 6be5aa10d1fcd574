"""The time that a part of ``make test-all`` has, which a variable of the environment hands down to its processes."""

from __future__ import annotations

import os
import time
from typing import Final

#: When the time is up, in seconds since 1970. Without it, it never is.
ENDS_AT: Final = "TESTS_END_AT"


def time_is_up() -> bool:
    """Return whether no other test may begin."""
    ends_at = os.environ.get(ENDS_AT)
    return ends_at is not None and time.time() > float(ends_at)
