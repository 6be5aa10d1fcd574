"""The places that an account has for posts in a moving period. Each is taken before a publication, by one task only."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.exceptions import QuotaExhaustedError
from airflow_provider_instagram.ledger.ledger import row_key

if TYPE_CHECKING:
    from airflow_provider_instagram.ledger.ledger import Ledger
    from airflow_provider_instagram.quota.limits import Quota

#: How long a place is kept for a publication that has not sent its request. Longer than a task needs to send it.
KEPT_FOR = timedelta(minutes=10)


@dataclass
class QuotaReservations:
    """The places of an account, as rows of its ledger where the last write counts.

    Each place has two rows. To take a place, an attempt:

    1. writes the first row,
    2. reads the second row, and stops if another attempt is in it,
    3. writes the second row,
    4. reads the first row again.

    It has the place only if the first row is still its own. Of two attempts at once, at most one gets the place; an
    attempt that does not get it tries another place.

    :param ledger: The account's ledger.
    :param quotas: The number of places for each period.
    """

    ledger: Ledger
    quotas: tuple[Quota, ...]
    _taken: list[tuple[Quota, int]] = field(default_factory=list)

    def reserve(self, post_key: str, nonce: str) -> None:
        """Take a place in each period.

        :param post_key: The key of the post.
        :param nonce: A random value for this attempt.
        :raises QuotaExhaustedError: If no place is free. The error carries the time until one is.
        """
        for quota in self.quotas:
            places = list(range(quota.posts))
            random.shuffle(places)
            until = []
            for place in places:
                busy_until = self._busy_until(quota, place, nonce)
                if busy_until is None and self._won(quota, place, post_key, nonce):
                    self._taken.append((quota, place))
                    break
                until.append(busy_until or self.ledger.clock() + KEPT_FOR)
            else:
                self.release(nonce)
                raise self._exhausted(quota, min(until))

    def release(self, nonce: str) -> None:
        """Release the places that an attempt took and certainly did not use for a post."""
        for quota, place in self._taken:
            if self._row("used", quota, place).get("nonce") == nonce:
                self.ledger.store.set(_key("used", quota, place), {})

    def available_at(self) -> datetime | None:
        """Return when every period has a free place, or None if it has one now."""
        full = [at for quota in self.quotas if (at := self._free_at(quota)) is not None]
        return max(full, default=None)

    def used(self, quota: Quota) -> int:
        """Return how many places of a period are taken."""
        return sum(self._busy_until(quota, place, "") is not None for place in range(quota.posts))

    def _free_at(self, quota: Quota) -> datetime | None:
        busy = [self._busy_until(quota, place, "") for place in range(quota.posts)]
        until = [at for at in busy if at is not None]
        return min(until) if len(until) == len(busy) else None

    def pending_before(self, nonce: str) -> int:
        """Return how many publications took their place earlier and have not sent their request yet."""
        quota = self.quotas[-1]
        rows = [self._row("used", quota, place) for place in range(quota.posts)]
        mine = next((row for row in rows if row.get("nonce") == nonce), None)
        return sum(
            mine is not None and (row["at"], row["nonce"]) < (mine["at"], nonce) and self._is_pending(row)
            for row in rows
            if row
        )

    def _won(self, quota: Quota, place: int, post_key: str, nonce: str) -> bool:
        row = {"place_of": post_key, "nonce": nonce, "at": self.ledger.now()}
        self.ledger.store.set(_key("place", quota, place), row)
        if self._busy_until(quota, place, nonce) is not None:
            return False
        self.ledger.store.set(_key("used", quota, place), row)
        return self._row("place", quota, place).get("nonce") == nonce

    def _busy_until(self, quota: Quota, place: int, nonce: str) -> datetime | None:
        """Return when a place becomes free, or None if it is free."""
        row = self._row("used", quota, place)
        if not row or row["nonce"] == nonce:
            return None
        kept_until = datetime.fromisoformat(row["at"]) + KEPT_FOR
        sent_at = self._sent_at(row)
        until = sent_at + quota.period if sent_at else kept_until
        return until if until > self.ledger.clock() else None

    def _sent_at(self, row: dict[str, Any]) -> datetime | None:
        intent = self.ledger.intent(row["place_of"])
        if intent is None or intent.claim.nonce != row["nonce"] or intent.withdrawn:
            return None  # the attempt sent nothing
        post = self.ledger.post(row["place_of"])
        return intent.when if post is None else datetime.fromisoformat(post.published_at)

    def _is_pending(self, row: dict[str, Any]) -> bool:
        fresh = datetime.fromisoformat(row["at"]) + KEPT_FOR > self.ledger.clock()
        return fresh and self._sent_at(row) is None and self.ledger.post(row["place_of"]) is None

    def _row(self, kind: str, quota: Quota, place: int) -> dict[str, Any]:
        return self.ledger.store.get(_key(kind, quota, place)) or {}

    def _exhausted(self, quota: Quota, until: datetime) -> QuotaExhaustedError:
        pause = max(timedelta(seconds=1), until - self.ledger.clock())
        return QuotaExhaustedError(
            f"The account has reached its limit of posts per {quota.name} ({quota.posts}). The next post is possible "
            f"from {until.isoformat()}.",
            hint=f"If Instagram allows the account more, raise posts_per_{quota.name} in the connection.",
            retry_after=pause,
        )


def _key(kind: str, quota: Quota, place: int) -> str:
    return row_key(kind, f"{quota.name}:{place}")
