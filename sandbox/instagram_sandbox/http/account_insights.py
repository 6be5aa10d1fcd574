"""Numbers about an account. Source: Meta, Instagram User Insights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from instagram_sandbox.http.listing import moment
from instagram_sandbox.http.media import metrics
from instagram_sandbox.http.pipeline import Call, graph_json
from instagram_sandbox.simulator import insights
from instagram_sandbox.simulator.accounts import DAY_S
from instagram_sandbox.simulator.clock import LATEST, graph_time
from instagram_sandbox.simulator.errors import GraphError
from instagram_sandbox.simulator.scopes import INSIGHTS

if TYPE_CHECKING:
    from starlette.responses import Response

    from instagram_sandbox.simulator.state import Account

MOST_DAYS: Final = 30
PERIODS: Final = ("day", "week", "days_28", "lifetime")


async def read_insights(call: Call, account: Account) -> Response:
    """Return numbers about an account, for whole days."""
    call.require(*INSIGHTS)
    as_total = str(call.params.get("metric_type", "time_series")) == "total_value"
    asked = metrics(call)
    _check(account, asked, as_total=as_total)
    if call.params.get("period") not in PERIODS:
        raise GraphError(100, None, f"(#100) period must be one of the following values: {', '.join(PERIODS)}")
    first, last = _days(call)
    rows = [_row(call, account, metric, range(first, last), as_total=as_total) for metric in asked]
    return graph_json({"data": rows})


def _check(account: Account, asked: list[str], *, as_total: bool) -> None:
    unknown = [name for name in asked if name not in insights.OF_ACCOUNT or name in account.refused_metrics]
    if unknown:
        known = ", ".join(sorted(insights.OF_ACCOUNT))
        raise GraphError(100, None, f"(#100) metric[0] must be one of the following values: {known}")
    only_total = [name for name in asked if name not in insights.AS_TIME_SERIES]
    if only_total and not as_total:
        named = ", ".join(only_total)
        what = f"The following metrics ({named}) should be specified with parameter metric_type=total_value"
        raise GraphError(100, None, f"(#100) {what}")


def _days(call: Call) -> tuple[int, int]:
    """Return the first day to count, and the day after the last one; by default, yesterday alone."""
    now = call.sandbox.now
    since, until = moment(call, "since"), moment(call, "until")
    until = min(until if until is not None else now, LATEST)
    since = min(since if since is not None else until - DAY_S, LATEST)
    if since > until:
        raise GraphError(100, None, "(#100) Param since must be before until")
    if until - since > MOST_DAYS * DAY_S:
        raise GraphError(100, None, f"(#100) There cannot be more than {MOST_DAYS} days between since and until")
    first = int(since // DAY_S)
    return first, max(first + 1, int(until // DAY_S))


def _row(call: Call, account: Account, metric: str, days: range, *, as_total: bool) -> dict[str, Any]:
    values = [(day, insights.of_account(call.world, account, metric, day)) for day in days]
    row: dict[str, Any] = {
        "name": metric,
        "period": call.params["period"],
        "title": metric.replace("_", " ").capitalize(),
        "description": f"The {metric.replace('_', ' ')} of the account.",
        "id": f"{account.user_id}/insights/{metric}/{call.params['period']}",
    }
    if as_total:
        return row | {"total_value": {"value": sum(value for _, value in values)}}
    return row | {"values": [{"value": value, "end_time": graph_time((day + 1) * DAY_S)} for day, value in values]}
