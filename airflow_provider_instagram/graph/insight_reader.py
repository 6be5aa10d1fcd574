"""Reads insights: leaves out the metrics that Meta refuses, and keeps the reasons of missing values."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.errors import Cause, cause_of

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.calls import Call
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import Numbers

log = logging.getLogger(__name__)


class Reason(str, Enum):
    """Why a reading has fewer values than metrics."""

    #: It has all of them.
    NONE = ""
    #: Meta has no values yet, or no longer.
    NO_DATA = "no_data"
    #: Fewer than five accounts have seen the story, so Meta keeps its metrics private.
    TOO_FEW_VIEWERS = "too_few_viewers"
    #: Meta refuses each of the metrics.
    REFUSED = "refused"
    #: The medium does not exist any more.
    GONE = "gone"


#: Why there are no numbers, whatever the metrics.
NO_NUMBERS: Final = {
    Cause.NO_SUCH_OBJECT: Reason.GONE,
    Cause.OLDER_THAN_ACCOUNT: Reason.REFUSED,
    Cause.TOO_FEW_VIEWERS: Reason.TOO_FEW_VIEWERS,
}


class RefusedMetrics(Protocol):
    """The metrics that Meta refused to an account, so that they are asked for only once a day."""

    def of(self, kind: str) -> frozenset[str]:
        """Return the metrics that are refused for a kind of medium."""

    def add(self, kind: str, metrics: Sequence[str]) -> None:
        """Record metrics that are refused for a kind of medium."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The metrics of one post or account, by their names."""

    values: Mapping[str, int | float | None]
    reason: Reason = Reason.NONE
    refused: frozenset[str] = frozenset()

    def reason_of(self, metric: str) -> str | None:
        """Return why a metric has no value, or None if it has one."""
        if self.values[metric] is not None:
            return None
        if metric in self.refused:
            return Reason.REFUSED.value
        return self.reason.value or Reason.NO_DATA.value


@dataclass
class InsightReader:
    """Reads the insights of an account.

    :param refused: What is remembered of refused metrics. None for who reads once.
    """

    client: GraphClient
    refused: RefusedMetrics | None = None

    def of_media(self, media_id: str, kind: str, metrics: Sequence[str]) -> Reading:
        """Read metrics of a medium."""
        return self._read(kind, metrics, lambda names: calls.media_insights(media_id, names))

    def of_account(
        self, ig_user_id: str, metrics: Sequence[str], since: datetime, until: datetime
    ) -> Reading:
        """Read totals about an account."""
        return self._read(
            "account",
            metrics,
            lambda names: calls.account_insights(ig_user_id, names, since=since, until=until),
        )

    def _read(
        self,
        kind: str,
        metrics: Sequence[str],
        call: Callable[[Sequence[str]], Call[Numbers]],
    ) -> Reading:
        """Read metrics. If Meta refuses some of them, read each half, until the refused ones stand alone."""
        left_out = frozenset[str]()
        if self.refused is not None:
            left_out = self.refused.of(kind).intersection(metrics)
        asked = [name for name in metrics if name not in left_out]
        nothing: dict[str, int | float | None] = dict.fromkeys(metrics)
        waiting = [asked] if asked else []
        values: Numbers = {}
        refused: list[str] = []
        while waiting:
            names = waiting.pop()
            try:
                found = self.client.send(call(names))
            except InstagramError as error:
                cause = cause_of(error)
                if cause in NO_NUMBERS:
                    return Reading(nothing, NO_NUMBERS[cause], left_out)
                if cause is not Cause.INVALID_PARAMETER:
                    raise
                half = len(names) // 2
                if half:
                    waiting += [names[half:], names[:half]]
                else:
                    refused += names
            else:
                values |= {name: found[name] for name in names if name in found}

        all_are_refused = len(refused) == len(asked)
        # the medium is refused rather than each of its metrics
        if all_are_refused and len(asked) > 1:
            return Reading(nothing, Reason.REFUSED, left_out)
        if refused:
            if self.refused is not None:
                self.refused.add(kind, refused)
            log.warning("Instagram refuses %s for %s.", ", ".join(refused), kind)
        reason = Reason.NONE if values else Reason.NO_DATA
        if all_are_refused:
            reason = Reason.REFUSED
        return Reading({**nothing, **values}, reason, left_out.union(refused))
