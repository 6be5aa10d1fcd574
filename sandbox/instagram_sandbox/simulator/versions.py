"""The versions of the Graph API, and how long each is answered."""

from __future__ import annotations

import re
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Final

from instagram_sandbox.simulator.errors import GraphError

if TYPE_CHECKING:
    from instagram_sandbox.simulator.world import World

NEWEST: Final = "v27.0"
VERSION_ENDS: Final[dict[str, date | None]] = {
    "v18.0": date(2026, 1, 26),
    "v19.0": date(2026, 5, 21),
    "v20.0": date(2026, 9, 24),
    "v21.0": date(2027, 1, 21),
    "v22.0": date(2027, 5, 20),
    "v23.0": date(2027, 10, 8),
    "v24.0": date(2028, 2, 18),
    "v25.0": date(2028, 7, 29),
    "v26.0": None,
    NEWEST: None,
}
"""When each version of the API ends. Source: Meta, Graph API changelog."""


def check_version(world: World, version: str) -> str:
    """Return the version that carries out a call.

    By default, the oldest usable version carries out the calls of those that are gone. Source:
    Meta, Versions.

    :raises GraphError: The version never existed; or, by a switch, its last day has come.
    """
    today = datetime.fromtimestamp(world.clock.now(), timezone.utc).date()
    usable = [name for name, ends in VERSION_ENDS.items() if ends is None or today < ends]
    if version in usable:
        return version
    form = re.fullmatch(r"v(\d{1,3})\.\d{1,2}", version)
    is_old = form is not None and 1 <= int(form[1]) < int(usable[0][1:-2])
    if is_old and world.switches.expired_version == "upgrade":
        return usable[0]
    if version not in VERSION_ENDS:
        raise GraphError(2500, None, f"(#2500) Unknown path components: /{version}")
    raise GraphError(
        2635, None, f"(#2635) You are calling a deprecated version of the API: {version}"
    )
