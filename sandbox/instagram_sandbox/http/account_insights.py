"""Numbers about an account. Source: Meta, Instagram User Insights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from instagram_sandbox.http import metrics
from instagram_sandbox.http.body import names
from instagram_sandbox.http.listing import moment
from instagram_sandbox.http.pipeline import Call, graph_json
from instagram_sandbox.simulator import audience, breakdowns, insights
from instagram_sandbox.simulator.accounts import DAY_S
from instagram_sandbox.simulator.clock import LATEST, graph_time
from instagram_sandbox.simulator.errors import invalid

if TYPE_CHECKING:
    from starlette.responses import Response

    from instagram_sandbox.simulator.state import Account

MOST_DAYS: Final = 30
ONLINE: Final = "online_followers"  # by the hour of the day
CALIFORNIA_S: Final = 7 * 3600  # days of followers online end at midnight of UTC-7
# of fewer, nothing is told: neither who they are nor when they are online
FEWEST_FOLLOWERS: Final = 100
TIMEFRAMES: Final = ("this_month", "this_week")
PERIODS: Final = ("day", "week", "days_28", "lifetime")


async def read_insights(call: Call, account: Account) -> Response:
    """Return numbers about an account, for whole days."""
    as_total = str(call.params.get("metric_type", "time_series")) == "total_value"
    asked = metrics.asked(call.params.get("metric", ""))
    dimensions = names(call.params.get("breakdown", ""))
    _check(account, asked, as_total=as_total)
    for metric in asked:
        breakdowns.check(metric, dimensions, as_total=as_total)
    _check_times(call, is_demographic=bool(breakdowns.DEMOGRAPHIC.intersection(asked)))
    first, last = _days(call)
    if account.audience < FEWEST_FOLLOWERS:
        asked = [
            metric for metric in asked if metric != ONLINE and metric not in breakdowns.DEMOGRAPHIC
        ]
    days = range(first, last)
    if as_total:
        return graph_json(
            {"data": [_total(call, account, metric, days, dimensions) for metric in asked]}
        )
    return graph_json({"data": [_series(call, account, metric, days) for metric in asked]})


def _check(account: Account, asked: list[str], *, as_total: bool) -> None:
    every = {*insights.OF_ACCOUNT, *breakdowns.DEMOGRAPHIC, ONLINE}
    unknown = [
        at for at, name in enumerate(asked) if name not in every or name in account.refused_metrics
    ]
    if unknown:
        known = ", ".join(sorted(every))
        raise invalid(f"metric[{unknown[0]}] must be one of the following values: {known}")
    only_total = [name for name in asked if name not in insights.AS_TIME_SERIES and name != ONLINE]
    if only_total and not as_total:
        named = ", ".join(only_total)
        what = f"The following metrics ({named}) should be specified with parameter metric_type=total_value"
        raise invalid(what)


def _check_times(call: Call, *, is_demographic: bool) -> None:
    """Check the period, and the timeframe of demographics, of which clients in production send one alone."""
    asked = {"period": PERIODS} | ({"timeframe": TIMEFRAMES} if is_demographic else {})
    missing = [name for name in asked if not call.params.get(name)]
    is_enough = (
        is_demographic and len(missing) == 1 and call.world.switches.unknown_parameters == "ignore"
    )
    for name, known in asked.items():
        if name in missing and is_enough:
            call.warn(
                f"Demographics need a {name}, as Meta documents. Live, one of period and timeframe was enough."
            )
        elif call.params.get(name) not in known:
            raise invalid(f"{name} must be one of the following values: {', '.join(known)}")


def _days(call: Call) -> tuple[int, int]:
    """Return the first day to count, and the day after the last one; by default, yesterday alone."""
    now = call.sandbox.now
    since = moment(call.params, "since")
    until = moment(call.params, "until")
    until = min(until if until is not None else now, LATEST)
    since = min(since if since is not None else until - DAY_S, LATEST)
    if since > until:
        raise invalid("Param since must be before until")
    if until - since > MOST_DAYS * DAY_S:
        raise invalid(f"There cannot be more than {MOST_DAYS} days between since and until")
    first = int(since // DAY_S)
    return first, max(first + 1, int(until // DAY_S))


def _row(call: Call, account: Account, metric: str) -> dict[str, Any]:
    period = call.params.get("period") or "lifetime"
    return {
        "name": metric,
        "period": period,
        "title": metric.replace("_", " ").capitalize(),
        "description": f"The {metric.replace('_', ' ')} of the account.",
        "id": f"{account.user_id}/insights/{metric}/{period}",
    }


def _total(
    call: Call, account: Account, metric: str, days: range, dimensions: list[str]
) -> dict[str, Any]:
    row = _row(call, account, metric)
    world = call.world
    if metric in breakdowns.DEMOGRAPHIC:
        broken = breakdowns.of_value(world, account.user_id, metric, account.audience, dimensions)
        return row | {"total_value": {"breakdowns": [broken]}}
    value = sum(insights.of_account(world, account, metric, day) for day in days)
    parts = (
        [breakdowns.of_value(world, account.user_id, metric, value, dimensions)]
        if dimensions
        else []
    )
    return row | {"total_value": {"value": value} | ({"breakdowns": parts} if parts else {})}


def _series(call: Call, account: Account, metric: str, days: range) -> dict[str, Any]:
    late_s = CALIFORNIA_S if metric == ONLINE else 0
    ends = {day: graph_time((day + 1) * DAY_S + late_s) for day in days}
    values = [
        {"value": _on_day(call, account, metric, day), "end_time": end} for day, end in ends.items()
    ]
    return _row(call, account, metric) | {"values": values}


def _on_day(call: Call, account: Account, metric: str, day: int) -> int | dict[str, int]:
    if metric != ONLINE:
        return insights.of_account(call.world, account, metric, day)
    hours = range(24)
    if audience.is_on(call.world):
        of_utc = {hour: (hour + CALIFORNIA_S // 3600) % 24 for hour in hours}
        return {
            str(hour): audience.online_followers(call.world, account, of_utc[hour])
            for hour in hours
        }
    return {
        str(hour): insights.of_account(call.world, account, "reach", day * 24 + hour) // 4
        for hour in hours
    }
