"""The insights of a post, as its edge and as a field of a post. Source: Meta, Instagram Media Insights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from instagram_sandbox.http.body import names
from instagram_sandbox.simulator import breakdowns, insights
from instagram_sandbox.simulator.errors import GraphError, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def of_post(
    world: World, post: Post, params: Mapping[str, Any], login: Login
) -> list[dict[str, Any]]:
    """Return numbers about a post; none before they exist.

    :param params: ``metric``, and ``breakdown`` if the numbers are divided.
    :raises GraphError: 100: a metric does not fit the post, or has no such breakdown; 10: a story
        has too few viewers.
    """
    metrics = insights.check_metrics(world, post, asked(params.get("metric", "")), login)
    dimensions = names(params.get("breakdown", ""))
    for metric in metrics:
        breakdowns.check(metric, dimensions, of=breakdowns.OF_MEDIUM)
    if not insights.exist(world, post):
        return []
    if insights.has_too_few_viewers(world, post):
        raise GraphError(10, None, "(#10) Not enough viewers for the media to show insights")
    return [_row(world, post, name, dimensions) for name in metrics]


def _row(world: World, post: Post, name: str, dimensions: list[str]) -> dict[str, Any]:
    metric = insights.METRICS[name]
    value = insights.value(world, post, name)
    parts = [breakdowns.of_value(world, post.id, name, value, dimensions)] if dimensions else []
    return {
        "name": name,
        "period": "lifetime",
        "values": [{"value": value}],
        "title": metric.title,
        "description": metric.description,
        "id": f"{post.id}/insights/{name}/lifetime",
    } | ({"total_value": {"value": value, "breakdowns": parts}} if parts else {})
