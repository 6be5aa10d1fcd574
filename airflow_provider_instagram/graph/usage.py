"""The account's API usage, from the headers of Meta's answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from airflow_provider_instagram.graph.fields import Data, as_mapping, read_json

#: The headers of an answer.
Headers: TypeAlias = Mapping[str, str]
#: From this used share on, fewer calls are sent.
SLOW_FROM_PERCENT: Final = 75
_COUNTERS = ("call_count", "total_cputime", "total_time")


@dataclass(frozen=True, slots=True)
class Usage:
    """The highest of all counters in an answer.

    :param percent: The used share of the allowance. At 100, Meta throttles the account.
    :param regain: The time until calls are served again. Zero if they are not throttled.
    """

    percent: int
    regain: timedelta = timedelta()

    @classmethod
    def read(cls, headers: Headers) -> Usage | None:
        """Read ``X-Business-Use-Case-Usage`` and ``X-App-Usage``, if any. Source: Meta, Graph API rate limiting."""
        reports = [as_mapping(read_json(headers.get("X-App-Usage", "")))]
        business = as_mapping(read_json(headers.get("X-Business-Use-Case-Usage", "")))
        for listed in business.values():
            if isinstance(listed, list):
                reports += map(as_mapping, listed)
        if not any(reports):
            return None
        percent = max(_largest(reports, counter) for counter in _COUNTERS)
        regain_min = _largest(reports, "estimated_time_to_regain_access")
        return cls(percent, timedelta(minutes=regain_min))


def _largest(reports: Sequence[Data], name: str) -> int:
    return max(_number(report.get(name)) for report in reports)


def _number(value: object) -> int:
    return int(value) if isinstance(value, (int, float)) and 0 <= value < 1_000_000 else 0
