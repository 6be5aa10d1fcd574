"""Breakdowns of an account's insights: which metric has which, and how its value is divided.

Source: Meta, Instagram User Insights, Breakdowns.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, Final

from instagram_sandbox.simulator import insights
from instagram_sandbox.simulator.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from instagram_sandbox.simulator.world import World

VALUES: Final[dict[str, tuple[str, ...]]] = {
    "action_type": ("bio_link_clicked", "call", "direction", "email", "other", "text"),
    "age": ("13-17", "18-24", "25-34", "35-44", "45-54", "55-64", "65+"),
    "city": (
        "Vienna, Vienna",
        "Hamburg, Hamburg",
        "Madrid, Community of Madrid",
        "London, England",
    ),
    "contact_button_type": (
        "BOOK_NOW",
        "CALL",
        "DIRECTION",
        "EMAIL",
        "INSTANT_EXPERIENCE",
        "TEXT",
        "UNDEFINED",
    ),
    "country": ("AT", "DE", "ES", "GB", "US"),
    "follow_type": ("FOLLOWER", "NON_FOLLOWER", "UNKNOWN"),
    "follower_type": ("FOLLOWER", "NON_FOLLOWER", "UNKNOWN"),
    "gender": ("F", "M", "U"),
    "media_product_type": ("POST", "REEL", "STORY", "CAROUSEL_CONTAINER"),
    "story_navigation_action_type": ("swipe_forward", "tap_back", "tap_exit", "tap_forward"),
}
"""The values of each dimension that this sandbox answers."""

DEMOGRAPHIC: Final = frozenset({"engaged_audience_demographics", "follower_demographics"})
"""Metrics that exist only by a breakdown, for the whole life of an account."""

OF_METRIC: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(DEMOGRAPHIC, ("age", "city", "country", "gender")),
    **dict.fromkeys(
        ("comments", "likes", "saves", "shares", "total_interactions"), ("media_product_type",)
    ),
    "follows_and_unfollows": ("follow_type",),
    "profile_links_taps": ("contact_button_type",),
    "reach": ("media_product_type", "follow_type"),
    "views": ("media_product_type", "follower_type"),
}
"""The dimensions by which each metric of an account can be broken down."""

OF_MEDIUM: Final[dict[str, tuple[str, ...]]] = {
    "navigation": ("story_navigation_action_type",),
    "profile_activity": ("action_type",),
}
"""Those by which each metric of a medium can be. Source: Meta, Instagram Media Insights; captured (the values)."""


def check(
    metric: str,
    dimensions: Sequence[str],
    *,
    as_total: bool = True,
    of: Mapping[str, tuple[str, ...]] = OF_METRIC,
) -> None:
    """Check that a metric can be broken down so.

    :param of: The dimensions of each metric.
    :raises GraphError: 100: it has no such breakdown, or needs one.
    """
    known = of.get(metric, ())
    if any(one not in known for one in dimensions) or (dimensions and not as_total):
        what = (
            f"breakdown must be one of the following values: {', '.join(known)}"
            if known
            else "Invalid breakdown"
        )
        raise invalid(f"Incompatible breakdowns for {metric}: {what}")
    if metric in DEMOGRAPHIC and not dimensions:
        raise invalid(f"The metric {metric} must be specified with a breakdown")


def of_value(
    world: World, of: str, metric: str, total: int, dimensions: Sequence[str]
) -> dict[str, Any]:
    """Return a value divided by dimensions, the same way each time for the same seed.

    :param of: The id of the account or the medium.
    :param total: The value; the parts add up to it.
    """
    combined = list(product(*(VALUES[one] for one in dimensions)))
    weights = [insights.spread(world, of, metric, *values) for values in combined]
    parts = [int(total * weight / sum(weights)) for weight in weights]
    parts[0] += total - sum(parts)
    results = [
        {"dimension_values": list(values), "value": part}
        for values, part in zip(combined, parts, strict=True)
    ]
    return {"dimension_keys": list(dimensions), "results": results}
