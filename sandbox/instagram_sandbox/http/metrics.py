"""The insights of a post, as its edge and as a field of a post. Source: Meta, Instagram Media Insights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from instagram_sandbox.http.body import names
from instagram_sandbox.simulator import insights
from instagram_sandbox.simulator.errors import GraphError, invalid

if TYPE_CHECKING:
    from instagram_sandbox.simulator.scopes import Login
    from instagram_sandbox.simulator.state import Post
    from instagram_sandbox.simulator.world import World


def asked(value: Any) -> list[str]:
    """Return the metrics that a call asks for: a list, or names with commas between them.

    :raises GraphError: 100: none is named.
    """
    found = names(value)
    if not found:
        raise invalid("The parameter metric is required")
    return found


def of_post(world: World, post: Post, value: Any, login: Login) -> list[dict[str, Any]]:
    """Return numbers about a post; none before they exist.

    :raises GraphError: 100: a metric does not fit the post; 10: a story has too few viewers.
    """
    metrics = insights.check_metrics(world, post, asked(value), login)
    if not insights.exist(world, post):
        return []
    if insights.has_too_few_viewers(world, post):
        raise GraphError(10, None, "(#10) Not enough viewers for the media to show insights")
    return [_row(world, post, name) for name in metrics]


def _row(world: World, post: Post, name: str) -> dict[str, Any]:
    metric = insights.METRICS[name]
    return {
        "name": name,
        "period": "lifetime",
        "values": [{"value": insights.value(world, post, name)}],
        "title": metric.title,
        "description": metric.description,
        "id": f"{post.id}/insights/{name}/lifetime",
    }
