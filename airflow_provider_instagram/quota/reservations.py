"""The posts that an account may still make in a moving period: by Instagram's quota, and by its own limits."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Final, Literal

from airflow_provider_instagram.exceptions import (
    InstagramError,
    LedgerRowError,
    QuotaExhaustedError,
)
from airflow_provider_instagram.graph.listing import media_since, stories_since
from airflow_provider_instagram.ledger.ledger import Ledger, row_key

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient

# Source: Meta, IG User Content Publishing Limit reference: the quota is for a moving period of 24
# hours.
QUOTA_PERIOD: Final = timedelta(hours=24)
#: Instagram's clock and ours differ.
MARGIN: Final = timedelta(seconds=10)
#: How long a reservation lasts without a request. Longer than a task needs to send it.
KEPT_FOR = timedelta(minutes=10)
#: How long an attempt waits for others that want the last reservations, too, before it joins the
#: list again.
DECIDED_WITHIN = timedelta(seconds=30)
#: The row of the number from which the end of the list is looked for.
END: Final = "quota-end"

log = logging.getLogger(__name__)


def time_until_quota_frees(client: GraphClient, ig_user_id: str, now: datetime) -> timedelta | None:
    """Return the time until the oldest post of the last 24 hours stops counting."""
    since = now - QUOTA_PERIOD
    times = []
    try:
        # a story is not among the media, but counts as well
        for listed in (media_since, stories_since):
            times += [
                media.timestamp for media in listed(client, ig_user_id, since) if media.timestamp
            ]
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


@dataclass(frozen=True)
class Attempt:
    """An entry of the account's list of attempts to publish, which only this attempt writes.

    :param at: When it joined the list, as ISO 8601 in UTC.
    :param stand: How it stands with its reservation.
    """

    number: int
    post_key: str
    nonce: str
    at: str
    stand: Literal["waits", "tries", "holds", "left"] = "waits"

    @property
    def lapses_at(self) -> datetime:
        """When it stops to count if it has sent no request."""
        return datetime.fromisoformat(self.at) + KEPT_FOR


@dataclass
class QuotaReservations:
    """The reservations of an account: a list of attempts in its ledger, whose rows keep the last write only.

    An attempt joins the list at the first number, from the end that is known, at which it

    1. writes its nonce into the row ``door``,
    2. reads the row ``taken``, which nobody has written,
    3. writes the row ``taken``,
    4. reads its own nonce in ``door`` again.

    Of several attempts, at most one passes step 4. So nobody else writes the entry of this number.
    To reserve, it

    5. writes its entry,
    6. leaves if the quota is full of those that hold a reservation, and of those in the list before
       it,
    7. writes that it tries, and reads the list. If the quota has room for it beside all others that
       try or hold, it holds its reservation. If not, it waits a moment and goes back to step 6. If
       that lasts longer than ``DECIDED_WITHIN``, it leaves and joins again, behind all that still
       try. A process that died there is then before it in the list, and is the reason of step 6.

    Who writes last in step 7 reads all others, so no more than the quota hold one. The first in the
    list never leave, so that no fewer hold one. If the process dies after step 3, its number stays
    empty. If it dies after step 5, its entry counts for ``KEPT_FOR``, unless the ledger has the
    intent of this attempt: then it counts for the period.
    """

    ledger: Ledger
    quotas: tuple[Quota, ...]
    sleep: Callable[[float], None] = time.sleep
    _own: dict[str, Attempt] = field(default_factory=dict)
    #: When attempts have published, by their numbers: what does not change is read once.
    _published: dict[int, datetime] = field(default_factory=dict)

    def reserve(self, post_key: str, nonce: str) -> None:
        """Reserve a post in each period.

        :raises QuotaExhaustedError: If a period is full. The error carries the time until it is
            not.
        """
        own = self._join(post_key, nonce)
        again_at = self.ledger.clock() + DECIDED_WITHIN
        while True:
            others = self._others(own)
            ahead = self._full(
                [one for one in others if one.stand == "holds" or one.number < own.number]
            )
            if ahead:
                self.release(nonce)
                raise self._exhausted(*ahead)
            self._write(own, "tries")
            if not self._full([one for one in self._others(own) if one.stand != "waits"]):
                self._write(own, "holds")
                return
            self._write(own, "waits")
            self.sleep(random.uniform(0.1, 0.5))  # noqa: S311 -- no secret
            if self.ledger.clock() > again_at:
                log.warning(
                    "Reserving a post took longer than %s. That is no limit of posts: again",
                    DECIDED_WITHIN,
                )
                self.release(nonce)
                own = self._join(post_key, nonce)
                again_at = self.ledger.clock() + DECIDED_WITHIN

    def release(self, nonce: str) -> None:
        """Release the reservation of an attempt that certainly made no post."""
        if (own := self._own.get(nonce)) is not None:
            self._write(own, "left")

    def available_at(self) -> datetime | None:
        """Return when every period has a free reservation, or None if it has one now."""
        full = self._full(self._others())
        return full[1] if full else None

    def used(self, quota: Quota) -> int:
        """Return how many posts of a period are reserved or made."""
        return len(self._held_until(quota, self._others()))

    def pending_before(self, nonce: str) -> int:
        """Return how many publications joined the list before this attempt and have not sent their request yet."""
        if (own := self._own.get(nonce)) is None:
            return 0
        return sum(one.number < own.number and self._is_pending(one) for one in self._others(own))

    def _join(self, post_key: str, nonce: str) -> Attempt:
        store = self.ledger.store
        for number in count(store.get(END) or 0):
            store.set(_key("door", number), nonce)
            if store.get(_key("taken", number)):
                continue
            store.set(_key("taken", number), True)
            if store.get(_key("door", number)) == nonce:
                break
        own = self._own[nonce] = Attempt(number, post_key, nonce, self.ledger.now())
        self._write(own, "waits")
        store.set(END, number + 1)
        return own

    def _write(self, attempt: Attempt, stand: Literal["waits", "tries", "holds", "left"]) -> None:
        self.ledger.store.set(
            _key("attempt", attempt.number), asdict(replace(attempt, stand=stand))
        )

    def _others(self, own: Attempt | None = None) -> list[Attempt]:
        """Read the list from its end, as far back as an entry may count: all but one attempt, and those that left."""
        end = max(self.ledger.store.get(END) or 0, own.number if own else 0)
        while self.ledger.store.get(_key("taken", end)):
            end += 1
        listed = []
        for number in reversed(range(end)):
            if row := self.ledger.store.get(_key("attempt", number)):
                attempt = Attempt(**row)
                if attempt.lapses_at + self.quotas[-1].period < self.ledger.clock():
                    break
                if attempt.stand != "left" and (own is None or number != own.number):
                    listed.append(attempt)
        return listed

    def _full(self, attempts: list[Attempt]) -> tuple[Quota, datetime] | None:
        """Return the quota that these attempts use up for the longest time, and until when."""
        full = []
        for quota in self.quotas:
            held_until = self._held_until(quota, attempts)
            if (more := len(held_until) - quota.posts) >= 0:
                full.append((quota, held_until[more]))
        return max(full, key=lambda one: one[1], default=None)

    def _held_until(self, quota: Quota, attempts: list[Attempt]) -> list[datetime]:
        """Return until when each of these attempts counts, without those that do not."""
        sent = ((attempt, self._sent_at(attempt)) for attempt in attempts)
        until = (
            sent_at + quota.period if sent_at else attempt.lapses_at for attempt, sent_at in sent
        )
        return sorted(moment for moment in until if moment > self.ledger.clock())

    def _sent_at(self, attempt: Attempt) -> datetime | None:
        if attempt.number in self._published:
            return self._published[attempt.number]
        try:
            intent = self.ledger.intent(attempt.post_key)
            post = self.ledger.post(attempt.post_key)
        except LedgerRowError:  # its own post stops, and this one counts it as sent
            return datetime.fromisoformat(attempt.at)
        if intent is None or intent.claim.nonce != attempt.nonce or intent.withdrawn:
            return None
        if post is None:
            return intent.when
        return self._published.setdefault(attempt.number, datetime.fromisoformat(post.published_at))

    def _is_pending(self, attempt: Attempt) -> bool:
        is_fresh = attempt.lapses_at > self.ledger.clock()
        return (
            is_fresh
            and self._sent_at(attempt) is None
            and self.ledger.post(attempt.post_key) is None
        )

    def _exhausted(self, quota: Quota, until: datetime) -> QuotaExhaustedError:
        pause = max(timedelta(seconds=1), until - self.ledger.clock())
        return QuotaExhaustedError(
            f"The account has reached its limit of posts per {quota.name} ({quota.posts}). The next post is possible "
            f"from {until.isoformat()}.",
            hint=f"If Instagram allows the account more, raise posts_per_{quota.name} in the connection.",
            retry_after=pause,
        )


def _key(kind: str, number: int) -> str:
    return row_key(f"quota-{kind}", str(number))
