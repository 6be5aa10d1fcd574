"""How much of its allowance an account has used, as Meta's headers say on every answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_COUNTERS = ("call_count", "total_cputime", "total_time")


@dataclass(frozen=True, slots=True)
class Usage:
    """The fullest of all the counters that an answer reported.

    :param percent: Share of the allowance that is used up; at 100 Meta throttles.
    :param regain: How long until calls are served again; zero while they are.
    """

    percent: int
    regain: timedelta = timedelta()

    @classmethod
    def read(cls, headers: Mapping[str, str]) -> Usage | None:
        """Read ``X-Business-Use-Case-Usage`` and ``X-App-Usage``, of which either may be absent.

        Source: Meta, Graph API rate limiting.

        :param headers: The headers of an answer, looked up without regard to case.
        :return: The usage, or None when the answer does not tell.
        """
        reports = [*_business(headers.get("X-Business-Use-Case-Usage")), *_application(headers.get("X-App-Usage"))]
        if not reports:
            return None
        percent = max(_number(report.get(counter)) for report in reports for counter in _COUNTERS)
        regain_min = max(_number(report.get("estimated_time_to_regain_access")) for report in reports)
        return cls(percent, timedelta(minutes=regain_min))


def _business(header: str | None) -> Iterator[Mapping[str, Any]]:
    for reports in _parsed(header).values():
        if isinstance(reports, list):
            yield from (report for report in reports if isinstance(report, dict))


def _application(header: str | None) -> Iterator[Mapping[str, Any]]:
    if report := _parsed(header):
        yield report


def _parsed(header: str | None) -> Mapping[str, Any]:
    try:
        data = json.loads(header or "{}")
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _number(value: object) -> int:
    return int(value) if isinstance(value, (int, float)) and 0 <= value < 1_000_000 else 0
