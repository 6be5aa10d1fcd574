"""The claim of a post or a comment: of several owners with one key, one at most sends the request."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow_provider_instagram.exceptions import TransientError
from airflow_provider_instagram.ledger.records import Claim, Intent, Owner, Try
from airflow_provider_instagram.publishing.outcome import (
    POST_VISIBLE_WITHIN,
    REQUEST_IN_EFFECT_WITHIN,
    Sleep,
)

if TYPE_CHECKING:
    from airflow_provider_instagram.ledger.ledger import Ledger

# Makes two owners collide early, where a collision costs nothing. The exclusion does not depend on
# this pause.
SETTLING_S = 2.0
# Another owner may need this long to settle a lost answer.
WAIT_FOR_OTHER_OWNERS = REQUEST_IN_EFFECT_WITHIN + POST_VISIBLE_WITHIN + timedelta(seconds=10)


@dataclass(frozen=True)
class PostClaims:
    """The claims and intents of one owner, on rows where the last write counts. No lock is needed.

    An owner that wants to publish:

    1. waits until no other owner is at work on the post,
    2. writes a claim with a fresh nonce,
    3. reads the claim again after a pause, and starts over if another owner has written one,
    4. settles the open intents of earlier owners,
    5. writes its own intent (the fence: Airflow refuses the write if the try is no longer current),
    6. reads the claim again, and sends the request only if the claim is still its own.

    When an owner passes step 6, its intent is written, and its claim is the latest. So every rival
    either claimed earlier, and finds this claim in step 6, or claims later, and finds the intent in
    step 1 or step 4.

    If the process dies before step 5, nothing was sent, and the next claim replaces this one. If it
    dies after step 5, its intent stays open until the next owner settles it.
    """

    ledger: Ledger
    attempt: Try
    sleep: Sleep

    def acquire(self, post_key: str) -> Claim:
        """Wait until no other owner works on the post, and claim it: steps 1 to 3.

        :raises TransientError: If another owner still works on the post after the wait.
        """
        give_up_at = self.ledger.clock() + WAIT_FOR_OTHER_OWNERS
        while True:
            if (other := self._other_at_work(post_key)) is None:
                undecided = {
                    intent.claim.owner for intent in self.ledger.open_intents(post_key)
                } - {self.attempt.owner}
                claim = Claim(self.attempt.owner, uuid4().hex, sorted(undecided, key=str))
                self.ledger.record_claim(post_key, claim)
                self.sleep(SETTLING_S)
                if self.ledger.claim(post_key) == claim:
                    return claim
            elif self.ledger.clock() >= give_up_at:
                raise self._held_by(other, post_key)
            self.sleep(random.uniform(1, 5))  # noqa: S311 -- no secret

    def check_abandoned(self, intent: Intent) -> None:
        """Check that an open intent is this owner's, or that its owner is no longer at work: part of step 4.

        :raises TransientError: If its owner may still send the request.
        """
        if intent.claim.owner != self.attempt.owner and self.attempt.is_alive(intent.claim.owner):
            raise self._held_by(intent.claim.owner, intent.post_key)

    def record_intent(self, post_key: str, container_id: str, claim: Claim, **more: Any) -> Intent:
        """Record the intent right before a request: steps 5 and 6, after another look at step 1.

        :param more: Further fields of the intent.
        :raises TransientError: If another owner has claimed the post. The request must not be sent.
        """
        if (other := self._other_at_work(post_key)) is not None:
            raise self._held_by(other, post_key)
        intent = self.ledger.record_intent(post_key, container_id, claim, **more)
        if (latest := self.ledger.claim(post_key)) != claim:
            self.ledger.withdraw(intent)
            raise self._held_by(latest.owner if latest else self.attempt.owner, post_key)
        return intent

    def _other_at_work(self, post_key: str) -> Owner | None:
        """Return another owner that works on the post, or None if there is none or the post is recorded."""
        intent = self.ledger.intent(post_key)
        if self.ledger.is_settled(post_key):
            return None
        claims = (
            self.ledger.claim(post_key),
            None if intent is None or intent.withdrawn else intent.claim,
        )
        owners = {
            claim.owner
            for claim in claims
            if claim is not None and claim.owner != self.attempt.owner
        }
        return next((owner for owner in owners if self.attempt.is_alive(owner)), None)

    def _held_by(self, owner: Owner, post_key: str) -> TransientError:
        key_name, in_progress = self.ledger.claimed
        return TransientError(
            f"{key_name} {post_key!r} {in_progress} by {owner}, so this task sent nothing.",
            hint="Once that task has ended, this one returns its result or goes on. If that task never ends because "
            f"its DAG was deleted: {self.ledger.how_to_settle(post_key)}",
            retry_after=timedelta(minutes=1),
        )
