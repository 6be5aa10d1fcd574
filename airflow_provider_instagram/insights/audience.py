"""Reads who follows an account each month, and when its followers are online each week."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import AuthenticationError, InstagramError, RateLimitError
from airflow_provider_instagram.graph import audience as calls
from airflow_provider_instagram.graph.errors import Cause, cause_of
from airflow_provider_instagram.graph.insight_reader import Reason
from airflow_provider_instagram.insights.schema import READ, TOO_FEW_FOLLOWERS, Row

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.insights.tracking import Head
    from airflow_provider_instagram.ledger.ledger import Ledger

HOUR: Final = "hour"
#: How far back the hours are read: Meta keeps 30 days, and numbers may be late by 48 hours.
HOURS_BACK: Final = timedelta(days=29)
HOURS_AFTER: Final = timedelta(hours=48)


@dataclass
class Audience:
    """The audience of an account.

    :param head: Where it is kept for which week or month each dimension was read.
    """

    client: GraphClient
    ledger: Ledger
    head: Head
    user_id: str

    def due(self) -> list[str]:
        """Return the dimensions that were not read yet in this week or month."""
        return [one for one in (HOUR, *calls.DEMOGRAPHICS) if self.head.audience.get(one) != self._period(one)]

    def read(self, dimension: str) -> Iterator[Row]:
        """Yield the rows of a dimension: one that says why, if there are no numbers."""
        now, status = self.ledger.clock(), READ
        parts: dict[tuple[date, str], int | None] = {}
        if self._followers is not None and self._followers < calls.FEWEST_FOLLOWERS:
            status = TOO_FEW_FOLLOWERS
        else:
            try:
                if dimension == HOUR:
                    parts = self._hours(now)
                else:
                    counts = self.client.send(calls.follower_demographics(self.user_id, dimension))
                    parts = {(_day_of(now, dimension), value): followers for value, followers in counts.items()}
            except (AuthenticationError, RateLimitError):
                raise
            except InstagramError as error:
                if cause_of(error) not in {Cause.INVALID_PARAMETER, Cause.NO_PERMISSION}:
                    raise
                status = Reason.REFUSED.value
        if not parts:
            status = Reason.NO_DATA.value if status == READ else status
            parts = {(_day_of(now, dimension), ""): None}
        for (day, value), followers in parts.items():
            yield {
                "day": day,
                "user_id": self.user_id,
                "dimension": dimension,
                "value": value,
                "status": status,
                "followers": followers,
                "conn_id": self.ledger.conn_id,
                "snapshot_timestamp": now,
            }
        self.head.audience[dimension] = self._period(dimension)

    @cached_property
    def _followers(self) -> int | None:
        return self.client.send(calls.followers_count(self.user_id))

    def _period(self, dimension: str) -> str:
        return self.ledger.clock().astimezone(timezone.utc).strftime("%G-W%V" if dimension == HOUR else "%Y-%m")

    def _hours(self, now: datetime) -> dict[tuple[date, str], int | None]:
        until = datetime.combine((now - HOURS_AFTER).astimezone(timezone.utc), time(), timezone.utc)
        found = self.client.send(calls.online_followers(self.user_id, since=until - HOURS_BACK, until=until))
        hours = {hour.astimezone(timezone.utc): followers for hour, followers in found.items()}
        return {(hour.date(), f"{hour:%H}"): followers for hour, followers in hours.items()}


def _day_of(now: datetime, dimension: str) -> date:
    """Return the day of a row that is not about an hour: for demographics, the first of the month."""
    today = now.astimezone(timezone.utc).date()
    return today if dimension == HOUR else today.replace(day=1)
