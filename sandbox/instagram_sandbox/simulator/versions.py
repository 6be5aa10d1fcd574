"""The versions of the Graph API, and how long each is answered."""

from __future__ import annotations

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


def check_version(world: World, version: str) -> None:
    """Refuse a version that never existed or has expired.

    :raises GraphError: The version is unknown, or its last day has come.
    """
    if version not in VERSION_ENDS:
        raise GraphError(2500, None, f"(#2500) Unknown path components: /{version}")
    ends = VERSION_ENDS[version]
    today = datetime.fromtimestamp(world.clock.now(), timezone.utc).date()
    if ends is not None and today >= ends and world.switches.expired_version == "error":
        raise GraphError(2635, None, f"(#2635) You are calling a deprecated version of the API: {version}")
