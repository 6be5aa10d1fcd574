"""The posts that an account may still make in a moving period: by Instagram's quota, and by its own limits."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.exceptions import InstagramError, QuotaExhaustedError
from airflow_provider_instagram.graph.listing import media_since, stories_since
from airflow_provider_instagram.ledger.ledger import Ledger, row_key

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient

# Source: Meta, IG User Content Publishing Limit reference: the quota is for a moving period of 24 hours.
QUOTA_PERIOD: Final = timedelta(hours=24)
#: Instagram's clock and ours differ.
MARGIN: Final = timedelta(seconds=10)
#: How long a reservation lasts without a request. Longer than a task needs to send it.
KEPT_FOR = timedelta(minutes=10)

log = logging.getLogger(__name__)


def time_until_quota_frees(client: GraphClient, ig_user_id: str, now: datetime) -> timedelta | None:
    """Return the time until the oldest post of the last 24 hours stops counting."""
    since, times = now - QUOTA_PERIOD, []
    try:
        for listed in (media_since, stories_since):  # a story is not among the media, but counts as well
            times += [media.timestamp for media in listed(client, ig_user_id, since) if media.timestamp]
    except InstagramError as error:
        log.warning("Could not determine when the account may post again: %s", error)
        return None
    return min(times) + QUOTA_PERIOD + MARGIN - now if times else None


@dataclass(frozen=True)
class Quota:
    """A limit of posts in a moving period, whose name is part of the ledger's keys."""

    name: str
    posts: int
    period: timedelta


def post_quotas(per_hour: int, per_day: int) -> tuple[Quota, ...]:
    """Return an account's limits of posts, the shorter period first."""
    return Quota("hour", per_hour, timedelta(hours=1)), Quota("day", per_day, timedelta(days=1))


@dataclass
class QuotaReservations:
    """The reservations of an account, as rows of its ledger where the last write counts.

    A quota of N posts has the reservations 0 to N-1. Each of them has two rows: ``place`` and ``used``. To get one, an
    attempt:

    1. writes the ``place`` row,
    2. reads the ``used`` row, and tries another number if another attempt holds it,
    3. writes the ``used`` row,
    4. reads the ``place`` row again, and tries another number if it is not its own.

    Of two attempts at once, at most one passes step 4. If the process dies after step 3, the reservation is free again
    after ``KEPT_FOR``, unless the ledger has the intent of this attempt: then it counts for the whole period.
    """

    ledger: Ledger
    quotas: tuple[Quota, ...]
    _reserved: list[tuple[Quota, int]] = field(default_factory=list)

    def reserve(self, post_key: str, nonce: str) -> None:
        """Reserve a post in each period.

        :raises QuotaExhaustedError: If no reservation is free. The error carries the time until one is.
        """
        for quota in self.quotas:
            numbers = list(range(quota.posts))
            random.shuffle(numbers)
            held_until = []
            for number in numbers:
                until = self._held_until(quota, number, nonce)
                if until is None and self._reserve_number(quota, number, post_key, nonce):
                    self._reserved.append((quota, number))
                    break
                held_until.append(until or self.ledger.clock() + KEPT_FOR)
            else:
                self.release(nonce)
                raise self._exhausted(quota, min(held_until))

    def release(self, nonce: str) -> None:
        """Release the reservations of an attempt that certainly made no post."""
        for quota, number in self._reserved:
            if self._row("used", quota, number).get("nonce") == nonce:
                self.ledger.store.set(_key("used", quota, number), {})

    def available_at(self) -> datetime | None:
        """Return when every period has a free reservation, or None if it has one now."""
        full = []
        for quota in self.quotas:
            held_until = [self._held_until(quota, number, "") for number in range(quota.posts)]
            if None not in held_until:
                full.append(min(filter(None, held_until)))
        return max(full, default=None)

    def used(self, quota: Quota) -> int:
        """Return how many posts of a period are reserved or made."""
        return sum(self._held_until(quota, number, "") is not None for number in range(quota.posts))

    def pending_before(self, nonce: str) -> int:
        """Return how many publications reserved earlier than this attempt and have not sent their request yet."""
        quota = self.quotas[-1]
        rows = [self._row("used", quota, number) for number in range(quota.posts)]
        own = next((row for row in rows if row.get("nonce") == nonce), None)
        return sum(
            own is not None and (row["at"], row["nonce"]) < (own["at"], nonce) and self._is_pending(row)
            for row in rows
            if row
        )

    def _reserve_number(self, quota: Quota, number: int, post_key: str, nonce: str) -> bool:
        row = {"place_of": post_key, "nonce": nonce, "at": self.ledger.now()}
        self.ledger.store.set(_key("place", quota, number), row)
        if self._held_until(quota, number, nonce) is not None:
            return False
        self.ledger.store.set(_key("used", quota, number), row)
        return self._row("place", quota, number).get("nonce") == nonce

    def _held_until(self, quota: Quota, number: int, nonce: str) -> datetime | None:
        """Return until when another attempt holds a reservation, or None if it is free."""
        row = self._row("used", quota, number)
        if not row or row["nonce"] == nonce:
            return None
        sent_at = self._sent_at(row)
        until = sent_at + quota.period if sent_at else _lapses_at(row)
        return until if until > self.ledger.clock() else None

    def _sent_at(self, row: dict[str, Any]) -> datetime | None:
        intent = self.ledger.intent(row["place_of"])
        if intent is None or intent.claim.nonce != row["nonce"] or intent.withdrawn:
            return None
        post = self.ledger.post(row["place_of"])
        return intent.when if post is None else datetime.fromisoformat(post.published_at)

    def _is_pending(self, row: dict[str, Any]) -> bool:
        is_fresh = _lapses_at(row) > self.ledger.clock()
        return is_fresh and self._sent_at(row) is None and self.ledger.post(row["place_of"]) is None

    def _row(self, kind: str, quota: Quota, number: int) -> dict[str, Any]:
        return self.ledger.store.get(_key(kind, quota, number)) or {}

    def _exhausted(self, quota: Quota, until: datetime) -> QuotaExhaustedError:
        pause = max(timedelta(seconds=1), until - self.ledger.clock())
        return QuotaExhaustedError(
            f"The account has reached its limit of posts per {quota.name} ({quota.posts}). The next post is possible "
            f"from {until.isoformat()}.",
            hint=f"If Instagram allows the account more, raise posts_per_{quota.name} in the connection.",
            retry_after=pause,
        )


def _lapses_at(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row["at"]) + KEPT_FOR


def _key(kind: str, quota: Quota, number: int) -> str:
    return row_key(kind, f"{quota.name}:{number}")
