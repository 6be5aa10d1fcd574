"""How many follow an account, who they are, and when they are online. Source: Meta, Instagram User Insights."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from airflow_provider_instagram.graph.calls import Call
from airflow_provider_instagram.graph.fields import read_integer, read_mapping, read_rows, read_text, read_time

#: By what followers are counted.
DEMOGRAPHICS: Final = ("age", "city", "country", "gender")
#: Meta tells nothing of the followers of an account that has fewer.
FEWEST_FOLLOWERS: Final = 100
_DAY: Final = timedelta(days=1)
_HOURS: Final = frozenset(map(str, range(24)))


def followers_count(ig_user_id: str) -> Call[int | None]:
    """Read how many follow the account."""
    field = "followers_count"
    return Call(
        "read the followers", "GET", ig_user_id, {"fields": field}, lambda data: read_integer(data, field), safe=True
    )


def online_followers(ig_user_id: str, *, since: datetime, until: datetime) -> Call[dict[datetime, int]]:
    """Read how many followers were online in each hour, by its beginning.

    :param since: At most 30 days ago.
    """
    span = {"since": str(int(since.timestamp())), "until": str(int(until.timestamp()))}
    params = {"metric": "online_followers", "period": "lifetime", **span}
    return Call("read the followers online", "GET", f"{ig_user_id}/insights", params, _read_hours, safe=True)


def follower_demographics(ig_user_id: str, dimension: str) -> Call[dict[str, int]]:
    """Read how many followers have each age, city, country or gender: at most the 45 most frequent."""
    how = {"period": "lifetime", "metric_type": "total_value", "timeframe": "this_month"}
    params = {"metric": "follower_demographics", "breakdown": dimension, **how}
    action = f"read the followers by {dimension}"
    return Call(action, "GET", f"{ig_user_id}/insights", params, _read_breakdown, safe=True)


def _read_hours(data: Mapping[str, Any]) -> dict[datetime, int]:
    """Return the hours of each day, which ends at midnight in California, and whose hours are counted from there."""
    found: dict[datetime, int] = {}
    for day in _mappings(row.get("values") for row in _mappings([read_rows(data, "insights")])):
        end, hours = read_time(day, "end_time"), read_mapping(day, "value")
        for hour in hours:
            if end is not None and hour in _HOURS and (count := read_integer(hours, hour)) is not None:
                found[end - _DAY + timedelta(hours=int(hour))] = count
    return found


def _read_breakdown(data: Mapping[str, Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    totals = [read_mapping(row, "total_value") for row in _mappings([read_rows(data, "insights")])]
    breakdowns = _mappings(total.get("breakdowns") for total in totals)
    for result in _mappings(breakdown.get("results") for breakdown in breakdowns):
        values, count = result.get("dimension_values"), read_integer(result, "value")
        if isinstance(values, list) and len(values) == 1 and count is not None:
            found[read_text({"value": values[0]}, "value") or "unknown"] = count
    return found


def _mappings(lists: Any) -> list[Mapping[str, Any]]:
    """Return the objects in all of the lists. What is neither is left out."""
    return [one for some in lists if isinstance(some, list) for one in some if isinstance(one, Mapping)]
