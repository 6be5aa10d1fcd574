"""Write or change one comment under one key: settle what is open, then send one request."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.exceptions import (
    InstagramError,
    OutcomeUnknownError,
    ValidationError,
)
from airflow_provider_instagram.ledger.ledger import CommentLedger, digest
from airflow_provider_instagram.ledger.records import CommentRecord, Intent, Owner, Try
from airflow_provider_instagram.publishing.acts import COMMENT, Act, Trace
from airflow_provider_instagram.publishing.claims import PostClaims
from airflow_provider_instagram.publishing.outcome import (
    READ_AGAIN_AFTER,
    READ_FOR_AT_LEAST,
    REQUEST_IN_EFFECT_WITHIN,
)
from airflow_provider_instagram.publishing.use_case import Skipped

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient

log = logging.getLogger(__name__)

#: A comment shows up in the comments of its post with a delay, at most this long.
VISIBLE_WITHIN = timedelta(seconds=30)


@dataclass(frozen=True)
class Comment:
    """Comments on a post, or replies to, hides or privately answers a comment: one ``comment_key``, once.

    :param connect: Opens a client, if the account is not known to lack the scope for comments.
    """

    ledger: CommentLedger
    connect: Callable[[], AbstractContextManager[GraphClient]]
    attempt: Try
    act: Act = COMMENT

    def run(
        self, target: Any, message: str | None, comment_key: str | None
    ) -> CommentRecord | Skipped:
        """Return what a key led to, and do it if that is not recorded.

        :param target: The post or the comment, as the author of a DAG passes it.
        :param message: The text. None if there is no comment to write.
        :raises OutcomeUnknownError: If the comment may be live, and no read can determine that.
        """
        if message is None:
            return Skipped("", "The message is empty, so there is no comment to write.")
        if _is_of_dry_run(target):
            return Skipped("", "The post was only a dry run, so there is nothing to comment on.")
        target_id = self.act.read(target)
        key = self.act.key(comment_key, self.attempt.owner, target_id)
        if (record := recorded_comment(self.ledger, key, target_id)) is None:
            with self.connect() as client:
                writer = CommentWriter(
                    client, self.ledger, self.attempt.owner, self.attempt.is_alive, act=self.act
                )
                record = writer.get_or_write(key, target_id, message)
        if record.text not in (None, digest(message)):
            log.warning(
                "The key %s has a comment with another text, so this message is not written.", key
            )
        log.info(
            "The key %s is done: %s %s, as %s", key, self.act.verb, target_id, record.comment_id
        )
        return record


def _is_of_dry_run(published: Any) -> bool:
    """Return whether this is what PublishOperator returns after a dry run: no time of publication, and no media id."""
    return (
        isinstance(published, dict)
        and published.get("media_id") is None
        and published.get("published_at", "") is None
    )


def recorded_comment(ledger: CommentLedger, comment_key: str, target: str) -> CommentRecord | None:
    """Return the comment that the ledger has for a key, or None.

    :raises ValidationError: If the key was used for another post or comment.
    """
    record = ledger.comment(comment_key)
    return None if record is None else _checked(ledger, record, target)


def _checked(ledger: CommentLedger, record: CommentRecord, target: str) -> CommentRecord:
    if record.media_id == target:
        return record
    raise ValidationError(
        f"The comment_key {record.comment_key!r} was used on {record.media_id}, not on {target}.",
        hint="Use a different comment_key for each post or comment. To use this one on the new one as well, run "
        f"`{ledger.how_to_forget(record.comment_key)}` and clear this task.",
    )


@dataclass(frozen=True)
class CommentWriter:
    """Writes the comments of one owner, or does something else to a comment."""

    client: GraphClient
    ledger: CommentLedger
    owner: Owner
    is_alive: Callable[[Owner], bool]
    sleep: Callable[[float], None] = time.sleep
    act: Act = COMMENT

    def get_or_write(self, comment_key: str, target: str, message: str) -> CommentRecord:
        """Return the comment of a key, and write it if it does not exist.

        1. The ledger has the comment: return it.
        2. Read the post or the comment, which may be too new for Instagram to know it, and the
           account's user name.
        3. Claim the key.
        4. For each open intent, read the comments there until the outcome is certain. If it led to
           a comment, record the comment and return it. If not, withdraw the intent.
        5. Write the intent. This write is the fence: from here on, a comment may exist.
        6. Send the request, and record the comment.

        If the process dies before step 5, nothing was sent. If it dies after step 5, the next try
        settles the intent.

        :raises OutcomeUnknownError: If the comment may be live, and no read can determine that.
        :raises TransientError: If another owner writes the comment.
        :raises InstagramError: If the comment is not live. The error contains the reason.
        """
        if (record := recorded_comment(self.ledger, comment_key, target)) is not None:
            return record
        username = self.act.prepare(self.client, target, self.ledger.clock())
        claims = PostClaims(
            replace(self.ledger, text=digest(message)), self.owner, self.is_alive, self.sleep
        )
        claim = claims.acquire(comment_key)
        if (record := recorded_comment(self.ledger, comment_key, target)) is not None:
            return record
        for intent in self.ledger.open_intents(comment_key, self.owner):
            claims.check_abandoned(intent)
            log.info(
                "%s started to %s %s at %s",
                intent.claim.owner,
                self.act.verb,
                intent.container_id,
                intent.at,
            )
            if (found := self._settle(intent, username, sent_by=intent.when)) is not None:
                return _checked(self.ledger, found, target)
            self.ledger.withdraw(intent)
        intent = claims.record_intent(comment_key, target, claim)
        try:
            comment_id = self.act.send(self.client, target, message)
        except InstagramError as error:
            if (found := self._settle_failed_request(intent, username, error)) is not None:
                return found
            self.ledger.withdraw(intent)
            error.outcome_unknown = False
            raise
        return self._record(intent, comment_id)

    def _settle_failed_request(
        self, intent: Intent, username: str | None, error: InstagramError
    ) -> CommentRecord | None:
        """Find out what a request did that ended with an error."""
        if not error.outcome_unknown:
            return None
        log.warning(
            "Whether this took effect is unknown: %s %s: %s",
            self.act.verb,
            intent.container_id,
            error,
        )
        found = self._settle(intent, username, sent_by=self.ledger.clock())
        # Instagram reports a duplicate
        if found is None and isinstance(error, OutcomeUnknownError):
            error.hint = self.ledger.how_to_settle(intent.post_key)
            raise error
        return found

    def _settle(
        self, intent: Intent, username: str | None, sent_by: datetime
    ) -> CommentRecord | None:
        """Read until it is certain whether a request took effect.

        :param sent_by: When its request was sent at the latest.
        :return: The comment, or None if it certainly does not exist.
        :raises OutcomeUnknownError: If several comments may be the one.
        """
        in_effect_by = sent_by + REQUEST_IN_EFFECT_WITHIN
        give_up_at = max(in_effect_by + VISIBLE_WITHIN, self.ledger.clock() + READ_FOR_AT_LEAST)
        trace = Trace(self.client, self.ledger, intent, self.act.verb, username, in_effect_by)
        while True:
            is_last = self.ledger.clock() >= give_up_at
            if (comment_id := self.act.find(trace)) is not None:
                log.info(
                    "It took effect: %s %s: %s", self.act.verb, intent.container_id, comment_id
                )
                return self._record(intent, comment_id)
            if is_last:
                return None
            self.sleep(READ_AGAIN_AFTER.total_seconds())

    def _record(self, intent: Intent, comment_id: str) -> CommentRecord:
        record = CommentRecord(
            intent.post_key, intent.container_id, comment_id, self.ledger.now(), intent.text
        )
        self.ledger.record_comment(record)
        return record
